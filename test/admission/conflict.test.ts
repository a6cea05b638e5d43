import { describe, expect, it } from 'vitest'
import { differingMembers, explainConflict } from '../../src/admission/conflict.ts'
import type { RunsStore } from '../../src/admission/runs-store.ts'
import type { Offered } from '../../src/admission/submissions.ts'
import { type ProblemCode, Problem } from '../../src/record/problem.ts'

const run = 'github.1.api.unit'
const offered: Offered = {
  ledger: 'main/unit',
  run,
  part: 'x',
  sha256: 'b'.repeat(64),
  by: { method: 't', subject: 's' },
}
const at = '2026-11-23T05:00:00.000002Z'
const explained = async (code: ProblemCode, recorded: object | undefined, more: Partial<Offered> = {}) => {
  const runs = { recordOf: async () => recorded && { recorded_at: at, ...recorded } } as unknown as RunsStore
  return (await explainConflict(new Problem(code, 'first words'), { ...offered, ...more }, runs)).message
}

describe('explainConflict', () => {
  it.each<[ProblemCode, object, Partial<Offered>, string]>([
    [
      'run_conflict',
      { kind: 'run', commit: 'a', flags: ['x'], by: 1, client: 1 },
      { declared: { kind: 'run', commit: 'b', by: 2, client: 2 } },
      `${run} was declared before with other content: commit, flags`,
    ],
    [
      'part_conflict',
      { artifact_sha256: 'a'.repeat(64), shard: { job: 'test' } },
      {},
      `part x of ${run} was recorded at ${at} by the job test from other bytes: aaaaaaaaaaaa, these are bbbbbbbbbbbb`,
    ],
    [
      'part_conflict',
      { artifact_sha256: 'b'.repeat(64) },
      {},
      `part x of ${run} was recorded at ${at} with other parameters or test totals`,
    ],
    [
      'seal_conflict',
      { kind: 'seal', outcome: 'completed', tests: { total: 3, passed: 2, failed: 1, skipped: 0 } },
      {},
      `${run} ended at ${at} with other content: completed, 3 tests: 2 passed, 1 failed, 0 skipped`,
    ],
    [
      'seal_conflict',
      { kind: 'seal', outcome: 'failed', tests: null },
      {},
      `${run} ended at ${at} with other content: failed, test totals unknown`,
    ],
    ['run_sealed', { kind: 'seal', parts: 8 }, {}, `${run} ended at ${at} with 8 parts and takes no more`],
    ['run_sealed', { kind: 'abandonment' }, {}, `${run} was abandoned at ${at}: nobody ended it in time`],
  ])('%s names what stands', async (code, recorded, more, said) => {
    expect(await explained(code, recorded, more)).toBe(said)
  })

  it('leaves the first words where nothing is known, and other problems alone', async () => {
    expect(await explained('part_conflict', undefined)).toBe('first words')
    expect(await explained('part_conflict', {}, { sha256: undefined })).toBe('first words')
    expect(await explained('run_conflict', { kind: 'run' })).toBe('first words')
    expect(await explained('report_empty', { kind: 'run' })).toBe('first words')
  })
})

describe('differingMembers', () => {
  it('asks only for what a declaration asserts', () => {
    const recorded = {
      seq: 1,
      id: 'x',
      occurred_at: 'a',
      traceparent: 'a',
      first_parents: [],
      ci: { job: 'a' },
      ref: 'r',
    }
    expect(differingMembers(recorded, { ci: { job: 'b' }, ref: 'r', late: true, url: 'u' })).toEqual(['ci', 'url'])
  })
})
