import { describe, expect, it } from 'vitest'
import type { Ci, CiJob } from '../../src/producer/ci-facts.ts'
import { readShare } from '../../src/producer/sharing.ts'
import { Problem } from '../../src/record/problem.ts'

const ci = (job: CiJob): Ci => ({ provider: 'gitlab', pipeline: '1', job })
const parallel = ci({ name: 'unit', shard: { index: 3, total: 8 } })
const thrown = (work: () => unknown): string | undefined => {
  try {
    work()
  } catch (error) {
    if (error instanceof Problem) return error.message
    throw error
  }
  return undefined
}

describe('readShare', () => {
  it('is undefined for a push that is a run by itself', () => {
    expect(readShare({ seal: true }, undefined)).toBeUndefined()
    expect(readShare({ seal: true }, ci({ name: 'unit', attempt: 2 }))).toBeUndefined()
    expect(readShare({ seal: true, parts: 1 }, parallel)).toBeUndefined()
  })

  it('goes by what CI says of parallel jobs', () => {
    expect(readShare({ seal: true }, parallel)).toEqual({
      suffix: '#3',
      name: '3',
      attempt: undefined,
      job: 'unit',
      total: 8,
    })
    expect(readShare({ seal: true, parts: 2, shard: 'linux' }, parallel)).toMatchObject({ suffix: '#linux', total: 2 })
  })

  it('names the attempt of a shard where the provider repeats single jobs', () => {
    const again = ci({ name: 'unit', attempt: 2, shard: { index: 3, total: 8 } })
    expect(readShare({ seal: true }, again)).toMatchObject({ suffix: '#3~2', name: '3', attempt: 2 })
    expect(readShare({ seal: true, parts: 2 }, ci({ attempt: 3 }))).toMatchObject({ suffix: '~3', name: undefined })
  })

  it('leaves the end of the run to `proofline seal` where that is asked for', () => {
    expect(readShare({ seal: false }, undefined)).toMatchObject({ suffix: '', name: undefined, total: undefined })
    expect(readShare({ seal: false, shard: 'a' }, undefined)).toMatchObject({ suffix: '#a', total: undefined })
    expect(readShare({ seal: false }, parallel)).toMatchObject({ suffix: '#3', total: undefined })
  })

  it('refuses what contradicts itself, and says what to say instead', () => {
    expect(thrown(() => readShare({ seal: true, shard: 'a' }, undefined))).toMatch(/with --parts how many/)
    expect(thrown(() => readShare({ seal: false, parts: 3 }, undefined))).toMatch(/--no-seal to end it yourself/)
  })
})
