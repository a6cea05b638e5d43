import { describe, expect, it } from 'vitest'
import { dayMicros, evidenceDays } from '../../src/history/evidence-days.ts'
import { type VersionMap, createVersions, mapLine } from '../../src/history/follow-line.ts'
import type { RunFacts } from '../../src/history/ledger-history.ts'
import { compareRuns, orderCommits } from '../../src/history/order-commits.ts'
import type { LedgerView } from '../../src/history/ref-runs.ts'
import { parseHunks } from '../../src/record/hunks.ts'

const facts = (commits: Record<string, number | undefined>) =>
  new Map(Object.entries(commits).map(([commit, committedAt]) => [commit, { committedAt, recordedAt: 5_000_000 }]))

describe('orderCommits', () => {
  it('takes first parents, through commits that no run is of, against what the clocks claim', () => {
    const order = orderCommits(
      facts({ c: 1, a: 3, b: 2 }),
      new Map([
        ['c', 'x'],
        ['x', 'b'],
        ['b', 'a'],
      ]),
    )
    expect(order).toEqual({ commits: ['a', 'b', 'c'], left: new Set(), by: 'ancestry', undecided: 0 })
  })

  it('takes the claimed time where ancestry does not decide, and says at how many places', () => {
    const order = orderCommits(facts({ a: 1, b: 3, d: 2 }), new Map([['b', 'a']]))
    expect(order).toEqual({ commits: ['a', 'd', 'b'], left: new Set(), by: 'committed_at', undecided: 2 })
    expect(orderCommits(facts({ a: 9_000, b: undefined }), new Map())).toMatchObject({
      commits: ['b', 'a'],
      by: 'recorded_at',
    })
  })

  it('knows what a rewritten ref has left behind', () => {
    const parents = new Map([
      ['b', 'a'],
      ['b2', 'a'],
      ['c', 'b'],
      ['c2', 'b2'],
    ])
    expect(orderCommits(facts({ a: 1, b: 2, c: 3, b2: 4, c2: 5 }), parents).left).toEqual(new Set(['b', 'c']))
  })

  it('ends although somebody tells of a circle', () => {
    expect(
      orderCommits(
        facts({ a: 1, b: 2 }),
        new Map([
          ['x', 'y'],
          ['y', 'x'],
          ['a', 'x'],
        ]),
      ).commits,
    ).toEqual(['a', 'b'])
  })

  it('puts attempt 10 behind attempt 9', () => {
    const runs = ['github.7~10.a.unit', 'github.7.a.unit', 'github.10.a.unit', 'github.7~9.a.unit']
    expect(runs.toSorted(compareRuns)).toEqual([
      'github.7.a.unit',
      'github.7~9.a.unit',
      'github.7~10.a.unit',
      'github.10.a.unit',
    ])
  })
})

describe('following a line', () => {
  const follow = (maps: readonly VersionMap[], version: string, line: number): Record<string, number> => {
    const versions = createVersions(maps)
    const names = [...new Set(maps.flatMap(({ from, to }) => [from, to]))]
    const followed = versions.follow(versions.numberOf(version) ?? -1, line)
    return Object.fromEntries(names.map((name) => [name, followed[versions.numberOf(name) ?? -1] ?? Number.NaN]))
  }

  const hunks = parseHunks('-3,1+3,2 -12,0+14,4 -20,2+24,0')
  it('moves a number by what the hunks before it added and removed', () => {
    const forward = [1, 3, 4, 12, 13, 19, 20, 21, 22].map((line) => mapLine(hunks, line, false))
    expect(forward).toEqual([1, 0, 5, 13, 18, 24, 0, 0, 25])
    expect([1, 3, 4, 5, 13, 14, 17, 18, 24, 25].map((line) => mapLine(hunks, line, true))).toEqual([
      1, 0, 0, 4, 12, 0, 0, 13, 19, 22,
    ])
  })

  it('goes the shortest way on which the line is there, whatever order the maps came in', () => {
    const maps = [
      { from: 'a', to: 'b', hunks: parseHunks('-1,1+0,0') }, // lost on the short way
      { from: 'b', to: 'c', hunks: parseHunks('') },
      { from: 'a', to: 'd', hunks: parseHunks('-0,0+1,2') },
      { from: 'd', to: 'e', hunks: parseHunks('') },
      { from: 'e', to: 'c', hunks: parseHunks('-0,0+1,1') },
    ]
    const expected = { a: 1, b: 4, c: 4, d: 3, e: 3 } // back from c
    for (const some of [maps, maps.toReversed()]) expect(follow(some, 'a', 1)).toEqual(expected)
    expect(follow(maps.slice(0, 2), 'a', 1)).toEqual({ a: 1, b: 0, c: 0 })
  })

  it('says of versions that no map joins to it that they are not, and takes numbers as large as maps have them', () => {
    const maps = [
      { from: 'a', to: 'b', hunks: parseHunks('-0,0+1,9999999998') },
      { from: 'c', to: 'd', hunks: parseHunks('') },
    ]
    expect(follow(maps, 'a', 1)).toEqual({ a: 1, b: 9_999_999_999, c: -1, d: -1 })
    expect(createVersions(maps).numberOf('e')).toBeUndefined()
  })
})

describe('evidenceDays', () => {
  const run = (day: number, commit: string, production?: string, reasons: string[] = [], suite = 'api'): RunFacts => ({
    seq: day, run: `local.${commit}.${suite}.unit`, suite, ref: 'main', commit, recordedAt: day * dayMicros + 5, reasons, production, base: -1, parts: [],
  }) // oxfmt-ignore
  const daysOf = (runs: RunFacts[]) => {
    const view: LedgerView = {
      history: {
        ledger: 'main/unit',
        id: 0,
        runs,
        declared: [],
        rejections: [],
        commits: [],
        inventories: [],
        layouts: new Map(),
      },
      runs: runs.length,
      inventories: 0,
      commits: 0,
    }
    const placed = runs
      .filter(({ suite, reasons }) => suite === 'api' && reasons.length === 0)
      .map((one, index) => ({ ledger: 0, index, run: one, commit: 0, late: false }))
    return evidenceDays(
      [view],
      { ref: 'main', from: dayMicros, to: 9 * dayMicros },
      { ledger: 0, suite: 'api', placed },
    )
  }

  it('lists days without a counting run, with the reasons of those that do not count, and carries nothing forward', () => {
    const { before, none, same } = daysOf([run(2, 'a', 'p1'), run(3, 'b', 'p2', ['no_tests']), run(5, 'c', 'p2')])
    // What lies before the first record is counted, and in no list.
    expect(before).toBe(1)
    expect(none).toEqual([
      { from: 3, to: 5, reasons: new Map([['no_tests', 1]]) },
      { from: 6, to: 9, reasons: new Map() },
    ])
    expect(same).toEqual([])
  })

  it('answers a day of commits to documentation from the run of the same production files', () => {
    const { none, same } = daysOf([
      run(2, 'a', 'p1'),
      run(3, 'docs', 'p1', [], 'lint'),
      run(4, 'docs', 'p1', [], 'lint'),
      run(4, 'code', 'p2', [], 'lint'),
    ])
    expect(same.map(({ day, commits, as }) => ({ day, commits, as: as.commit }))).toEqual([
      { day: 3, commits: ['docs'], as: 'a' },
    ])
    expect(none.map(({ from, to }) => [from, to])).toEqual([[4, 9]])
  })

  it('are none before anything was recorded, also where nothing was', () => {
    expect(daysOf([])).toEqual({ before: 8, none: [], same: [] })
    expect(daysOf([run(0, 'a'), run(4, 'b')])).toMatchObject({ before: 0, none: [{ from: 1, to: 4 }, { from: 5, to: 9 }] }) // oxfmt-ignore
    expect(daysOf([run(20, 'a')])).toMatchObject({ before: 8, none: [] })
  })
})
