import { describe, expect, it } from 'vitest'
import { differingMembers, explainConflict } from '../../src/admission/conflicts.ts'
import type { Offered } from '../../src/admission/submissions.ts'
import { type ProblemCode, Problem } from '../../src/record/problem.ts'

const run = 'github.1.api.unit'
const [a, b] = ['a'.repeat(64), 'b'.repeat(64)]
const recordedAt = '2026-11-23T05:00:00.000002Z'
const offering = (): Offered => ({ ledger: 'main/unit', run, part: 'x', sha256: b, by: { method: 't', subject: 's' } })
const explained = (code: ProblemCode, recorded: object | undefined, more: Partial<Offered> = {}): string => {
  const extra = code === 'run_conflict' || code === 'seal_conflict' ? { first_sha256: a, offered_sha256: b } : {}
  const fields = recorded as Record<string, unknown> | undefined
  const stands = fields && { seq: 7, recordedAt, fields }
  return explainConflict(new Problem(code, 'first words', { extra }), { ...offering(), ...more }, stands).message
}

const digests = `digest ${a}, not ${b}`

describe('explainConflict', () => {
  it.each<[ProblemCode, object | undefined, Partial<Offered>, string]>([
    [
      'run_conflict',
      { kind: 'run', commit: 'a', flags: ['x'], by: 1, client: 1 },
      { declared: { kind: 'run', commit: 'b', by: 2, client: 2 } },
      `${run} was declared before with other content: commit, flags (${digests}). `,
    ],
    ['run_conflict', { kind: 'run' }, {}, `${run} was declared before with other content: ${digests}. `],
    [
      'part_conflict',
      { artifact_sha256: a, shard: { job: 'test' } },
      {},
      `x of ${run} was recorded at ${recordedAt} by the job test from other bytes: those of sha256 ${a}, not of ${b}. Two jobs `,
    ],
    [
      'part_conflict',
      { artifact_sha256: b },
      {},
      `x of ${run} was recorded at ${recordedAt} from the same bytes, ${b}, with another format, section, strip or root, or as another shard`,
    ],
    ['part_conflict', undefined, {}, `x of ${run} was begun with other content, and is not recorded yet`],
    [
      'seal_conflict',
      { kind: 'seal', outcome: 'completed', tests: { total: 3, passed: 2, failed: 1, skipped: 0 } },
      {},
      `${run} ended at ${recordedAt} with other content: completed, 3 tests: 2 passed, 1 failed, 0 skipped (${digests}). `,
    ],
    [
      'seal_conflict',
      { kind: 'seal', outcome: 'failed', tests: null },
      {},
      `${run} ended at ${recordedAt} with other content: failed, test totals unknown (${digests}). `,
    ],
    [
      'seal_conflict',
      { kind: 'seal', outcome: 'failed', tests: null },
      { lacks: ['3 shards, not the 5 that are asked for'] },
      `${run} ended at ${recordedAt} with other content: 3 shards, not the 5 that are asked for; failed, test totals unknown (${digests}). `,
    ],
    [
      'seal_conflict',
      { kind: 'abandonment' },
      {},
      `${run} was abandoned at ${recordedAt}, since nobody ended it in time: ${digests}. `,
    ],
    ['run_sealed', { kind: 'seal', parts: 8 }, {}, `${run} ended at ${recordedAt} with 8 parts and takes no more`],
    ['run_sealed', { kind: 'abandonment' }, {}, `${run} was abandoned at ${recordedAt}, since nobody ended it in time`],
  ])('%s names what stands', (code, recorded, more, said) => {
    expect(explained(code, recorded, more).slice(0, said.length)).toBe(said)
  })

  it('tells two jobs that send one part what to do', () => {
    for (const recorded of [undefined, { artifact_sha256: a }])
      expect(explained('part_conflict', recorded)).toMatch(
        /Two jobs .*--shard NAME .*--parts N.*--part NAME.*--run NAME/,
      )
  })

  it('leaves the first words where nothing is known, and other problems alone', () => {
    expect(explained('part_conflict', { artifact_sha256: a }, { sha256: undefined })).toBe('first words')
    expect(explained('run_sealed', undefined)).toBe('first words')
    expect(explained('report_empty', { kind: 'run' })).toBe('first words')
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
