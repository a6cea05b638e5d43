import { describe, expect, it } from 'vitest'
import type { Principal } from '../../src/access/principal.ts'
import { resolveNamed } from '../../src/decisions/subjects.ts'

const commit = 'a'.repeat(40)
const repository = 'github.com/acme/payments'
const job: Principal = {
  org: 'main',
  id: 'oidc:github:1:github.7',
  method: 'oidc',
  scopes: new Set(['push']),
  repositories: [repository],
  bound: { runs: ['github.7'], commit, ref: { exact: 'refs/pull/12/merge', below: [] } },
}

function aBook() {
  const made: string[] = []
  const builds = {
    find: async () => undefined,
    async numberOf({ ref }: { ref?: string | undefined }) {
      made.push(ref ?? '')
      return 1
    },
  }
  return { made, builds }
}

describe('what a CI job names in a gate or a deployment', () => {
  it('is of no branch when the job is of a pull request, and makes no build there', async () => {
    const { made, builds } = aBook()
    const named = { repository, commit, build: 'b-1', ref: 'refs/heads/main' }
    await expect(resolveNamed(builds, job, named)).rejects.toMatchObject({ code: 'identity_mismatch' })
    expect(made).toEqual([])
  })

  it('may be of the ref that the job is of, or of none', async () => {
    const { made, builds } = aBook()
    await resolveNamed(builds, job, { repository, commit, build: 'b-1', ref: 'refs/pull/12/merge' })
    await resolveNamed(builds, job, { repository, commit, build: 'b-2' })
    expect(made).toEqual(['refs/pull/12/merge', ''])
  })
})
