import { describe, expect, it } from 'vitest'
import type { Declaration } from '../../src/api/runs.ts'
import { type Known, viewOf } from '../../src/ledger/decide.ts'
import { noTotals } from '../../src/record/totals.ts'
import {
  type PartSummary,
  decideEnd,
  decidePart,
  decideSlice,
  declarationDigest,
  joinRanges,
  keys,
  openParts,
  partDigest,
  sealDigest,
  sliceRanges,
  totalsByMeasure,
} from '../../src/admission/run.ts'

const run = 'local.a.api.unit'
const digest = (text: string): Buffer => Buffer.alloc(32, text)
const known = (entries: Record<string, [digest: string, first?: number, last?: number]>) =>
  viewOf(
    new Map(
      Object.entries(entries).map(([key, [text, first = 0, last = first]]): [string, Known] => [
        key,
        { digest: digest(text), firstSeq: first, lastSeq: last, firstTime: 0 },
      ]),
    ),
    run,
  )
const declared = { [keys.run(run)]: ['d'] as [string] }

describe('declarationDigest', () => {
  const body: Declaration = { repository: 'r', test_type: 'unit', suite: 's', commit: 'a'.repeat(40) }

  it('is the same for two tries of one job: other client, trace, clock and history, other order of members', () => {
    const again = {
      commit: body.commit,
      suite: 's',
      repository: 'r',
      test_type: 'unit',
      occurred_at: '2026-01-01T00:00:00Z',
      traceparent: 't',
      first_parents: ['b'],
      client: { name: 'c', version: '1' },
      late: true,
    } as const
    expect(declarationDigest({ ...again, first_parents: [...again.first_parents] })).toEqual(declarationDigest(body))
  })

  it('is another one for whatever else is declared', () => {
    const others: Partial<Declaration>[] = [
      { repository: 'x' },
      { suite: 'x' },
      { commit: 'b'.repeat(40) },
      { ref: 'x' },
      { build: 'x' },
      { url: 'x' },
      { flags: ['x'] },
      { parents: [] },
      { ci: { provider: 'x' } },
      { backfilled: true },
    ]
    const digests = [{}, ...others].map((more) => declarationDigest({ ...body, ...more }).toString('hex'))
    expect(new Set(digests).size).toBe(digests.length)
  })
})

describe('partDigest and sealDigest', () => {
  const tests = { total: 3, passed: 2, failed: 1, skipped: 0 }

  it('do not ask which job it was that pushed', () => {
    const shard = { name: '1', parts: 1, outcome: 'completed', tests } as const
    expect(partDigest('a', { shard: { ...shard, job: 'x' } })).toEqual(partDigest('a', { shard }))
    expect(partDigest('a', { shard: { ...shard, attempt: 1 } })).toEqual(partDigest('a', { shard }))
  })

  it('tell apart what changes the meaning', () => {
    const parts = [
      partDigest('a', {}),
      partDigest('b', {}),
      partDigest('a', { format: 'lcov' }),
      partDigest('a', { strip: 'x' }),
      partDigest('a', { root: 'x' }),
      ...[{}, { name: '2' }, { attempt: 2 }, { parts: 2 }, { outcome: 'failed' as const }, { tests: null }].map(
        (more) => partDigest('a', { shard: { name: '1', parts: 1, outcome: 'completed', tests, ...more } }),
      ),
    ]
    expect(new Set(parts.map((one) => one.toString('hex'))).size).toBe(parts.length)
    const seals = [
      sealDigest({ outcome: 'completed', tests: null }),
      sealDigest({ outcome: 'failed', tests: null }),
      sealDigest({ outcome: 'completed', tests }),
      sealDigest({ outcome: 'completed', tests: { ...tests, skipped: 1 } }),
      sealDigest({ outcome: 'completed' }),
      sealDigest({}),
      sealDigest({ parts: 8 }),
      sealDigest({ parts: 7 }),
      sealDigest({ parts: 8, earlier: ['a.b.unit'] }),
    ]
    expect(new Set(seals.map((one) => one.toString('hex'))).size).toBe(seals.length)
  })
})

describe('decidePart', () => {
  const decide = decidePart(run, 'a', digest('1'))

  it('demands a declared run that has not ended', () => {
    expect(decide(known({}))?.code).toBe('run_unknown')
    expect(decide(known(declared))).toBeUndefined()
    expect(decide(known({ ...declared, [keys.end(run)]: ['e'] }))?.code).toBe('run_sealed')
  })

  it('calls other content a conflict, also when the run has ended', () => {
    const recorded = { ...declared, [keys.part(run, 'a')]: ['2'] as [string] }
    expect(decide(known(recorded))?.code).toBe('part_conflict')
    expect(decide(known({ ...recorded, [keys.end(run)]: ['e'] }))?.code).toBe('part_conflict')
    expect(decide(known({ ...declared, [keys.part(run, 'b')]: ['2'] }))).toBeUndefined()
  })
})

describe('decidePart of a run that may have two parts', () => {
  const asked = (part: string, view: Parameters<typeof known>[0]) =>
    decidePart(run, part, digest('1'), 2)(known({ ...declared, ...view }))?.code

  it('counts what is recorded and what was begun once each, whatever their names', () => {
    expect(asked('c', { [keys.part(run, 'a')]: ['1'] })).toBeUndefined()
    const both: Parameters<typeof known>[0] = {
      [keys.part(run, 'a')]: ['1'],
      [keys.slice(run, 'a', 0)]: ['s'],
      [keys.slice(run, 'a', 1)]: ['s'],
    }
    expect(asked('c', both)).toBeUndefined()
    expect(asked('c', { ...both, [keys.slice(run, 'a/0', 0)]: ['s'] })).toBe('too_many_parts')
    expect(asked('c', { ...both, [keys.part(run, 'b')]: ['1'] })).toBe('too_many_parts')
  })

  it('lets a part end that was begun, also where the run may have fewer by now', () => {
    const begun: Parameters<typeof known>[0] = {
      [keys.part(run, 'a')]: ['1'],
      [keys.part(run, 'b')]: ['1'],
      [keys.slice(run, 'c', 0)]: ['s'],
    }
    expect([asked('c', begun), asked('d', begun)]).toEqual([undefined, 'too_many_parts'])
  })

  it('is asked by the first slice', () => {
    const full = known({ ...declared, [keys.part(run, 'a')]: ['1'], [keys.part(run, 'b')]: ['1'] })
    expect(decideSlice(run, 'c', digest('1'), undefined, 2)(full)?.code).toBe('too_many_parts')
  })
})

describe('decideSlice', () => {
  const second = decideSlice(run, 'a', digest('1'), { index: 0, digest: digest('s') })

  it('takes a slice only behind the one before it, of the same content', () => {
    expect(second(known({ ...declared, [keys.slice(run, 'a', 0)]: ['s'] }))).toBeUndefined()
    expect(second(known({ ...declared, [keys.slice(run, 'a', 0)]: ['other'] }))?.code).toBe('part_conflict')
    expect(second(known({ ...declared, [keys.slice(run, 'b', 0)]: ['s'] }))?.code).toBe('unavailable')
    expect(decideSlice(run, 'a', digest('1'), undefined)(known(declared))).toBeUndefined()
  })
})

describe('decideEnd', () => {
  it('waits until every part that was begun is recorded', () => {
    const end = decideEnd(run)
    expect(end(known({}))?.code).toBe('run_unknown')
    expect(end(known(declared))).toBeUndefined()
    const begun = {
      ...declared,
      [keys.slice(run, 'a/0', 0)]: ['s'] as [string],
      [keys.part(run, 'a')]: ['1'] as [string],
    }
    expect(end(known(begun))?.code).toBe('part_open')
    expect(end(known(begun))?.message).toContain('a/0')
    expect(end(known({ ...begun, [keys.part(run, 'a/0')]: ['1'] }))).toBeUndefined()
  })
})

describe('openParts and sliceRanges', () => {
  const view = known({
    [keys.slice(run, 'a', 0)]: ['s', 10, 19],
    [keys.slice(run, 'a', 1)]: ['s', 20, 29],
    [keys.slice(run, 'a', 10)]: ['s', 40, 49],
    [keys.slice(run, 'a/0', 0)]: ['s', 30, 39],
    [keys.part(run, 'a/0')]: ['p', 50],
  })

  it('keep parts apart whose names look like slices', () => {
    expect(sliceRanges(run, 'a', view)).toEqual([
      [10, 29],
      [40, 49],
    ])
    expect(sliceRanges(run, 'a/0', view)).toEqual([[30, 39]])
    expect(openParts(run, view)).toEqual(['a'])
  })

  it('join what touches, in whatever order it comes', () => {
    expect(
      joinRanges([
        [5, 6],
        [1, 2],
        [3, 4],
        [8, 8],
      ]),
    ).toEqual([
      [1, 6],
      [8, 8],
    ])
    expect(joinRanges([])).toEqual([])
  })
})

const part = (more: Partial<PartSummary> = {}): PartSummary => ({
  definition: 'lcov.da@1',
  tool: null,
  incomplete: null,
  totals: { recomputed: { files: 1, lines: { found: 3, covered: 1, partial: 1, missed: 1 } }, declared: null },
  ...more,
})

describe('totalsByMeasure', () => {
  it('adds up parts of one measure and keeps the others apart', () => {
    const withBranches = part({
      totals: {
        recomputed: {
          files: 2,
          lines: { found: 4, covered: 4, partial: 0, missed: 0 },
          branches: { found: 2, covered: 1 },
        },
        declared: null,
      },
    })
    const other = part({ tool: { name: 'nyc' } })
    expect(totalsByMeasure([part(), withBranches, other])).toEqual([
      {
        metric: 'line',
        definition: 'lcov.da@1',
        parts: 2,
        files: 3,
        lines: { found: 7, covered: 5, partial: 1, missed: 1 },
        branches: { found: 2, covered: 1 },
      },
      {
        metric: 'line',
        definition: 'lcov.da@1',
        tool: { name: 'nyc' },
        parts: 1,
        files: 1,
        lines: { found: 3, covered: 1, partial: 1, missed: 1 },
      },
    ])
    expect(totalsByMeasure([])).toEqual([])
  })

  it('says of how many parts they are sums, and sums what these declare only when all do', () => {
    const declared = { lines: { found: 3, executed: 2 }, branches: { found: 4, covered: 1 } }
    const declaring = part({ totals: { ...part().totals, declared } })
    const linesOnly = part({ totals: { ...part().totals, declared: { lines: { found: 3, executed: 3 } } } })
    expect(totalsByMeasure([declaring, declaring])).toMatchObject([
      { parts: 2, files: 2, lines: { found: 6 }, declared: { lines: { found: 6, executed: 4 }, branches: { found: 8, covered: 2 } } },
    ])
    expect(totalsByMeasure([declaring, linesOnly])[0]?.declared).toEqual({ lines: { found: 6, executed: 5 } })
    for (const parts of [[declaring, part(), declaring], [part(), declaring]])
      expect(totalsByMeasure(parts)[0]).not.toHaveProperty('declared')
  }) // oxfmt-ignore

  it('keeps mutants apart from lines, also of one definition, and takes parts of before for lines', () => {
    const { metric: _, ...before } = part()
    const mutants = part({ metric: 'mutation', totals: { recomputed: noTotals('mutation'), declared: null } })
    expect(totalsByMeasure([mutants, before, part({ metric: 'line' }), mutants])).toMatchObject([
      { metric: 'line', parts: 2, lines: { found: 6 } },
      { metric: 'mutation', parts: 2, mutants: { found: 0 } },
    ])
  })

  it('does not depend on the order of parts', () => {
    const parts = [part(), part({ definition: 'x' }), part({ tool: { name: 'a', version: '1' } })]
    expect(totalsByMeasure(parts.toReversed())).toEqual(totalsByMeasure(parts))
  })
})
