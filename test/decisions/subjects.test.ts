import { describe, expect, it } from 'vitest'
import type { Principal } from '../../src/access/principal.ts'
import type { KnownBuild } from '../../src/admission/builds.ts'
import { resolveNamed } from '../../src/decisions/subjects.ts'

const repository = 'github.com/acme/payments'
const operator: Principal = { org: 'main', id: 'token:1', method: 'token', scopes: new Set(['operate']) }
const [one, two] = ['1'.repeat(40), '2'.repeat(40)]

describe('resolveNamed', () => {
  it('refuses a build that another named at the same moment with another commit', async () => {
    const stands: KnownBuild[] = []
    const builds = {
      find: async () => stands[0],
      numberOf: async () => {
        // The first one wins, and this is the second.
        stands.push({ repository, build: 'b-1', commit: one, ref: undefined, build_seq: 7 })
        return 7
      },
    }
    await expect(resolveNamed(builds, operator, { repository, build: 'b-1', commit: two })).rejects.toMatchObject({ code: 'request_invalid' }) // oxfmt-ignore
    expect(await resolveNamed(builds, operator, { repository, build: 'b-1', commit: one })).toMatchObject({ commit: one, build_seq: 7 }) // oxfmt-ignore
  })
})
