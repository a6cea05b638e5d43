import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectedCommits } from '../../src/answers/expected-commits.ts'
import { type GapsInput, findGaps } from '../../src/answers/find-gaps.ts'
import { type ContractVersion, type WantedSuite, wantedSuites } from '../../src/answers/wanted-suites.ts'
import { parseContract } from '../../src/contract/contract.ts'
import type { CommitTold, DeclaredRun, Rejection, RunFacts } from '../../src/history/ledger-history.ts'
import { printTime } from '../../src/record/record.ts'

const hour = 3_600_000_000
const day = 24 * hour
const start = 100 * day
const main = 'refs/heads/main'

let seq = 0
const aRun = (at: number, more: Partial<RunFacts> = {}): RunFacts => ({
  seq: seq++, run: `local.${seq}.api.unit`, suite: 'api', ref: main, commit: 'c'.repeat(40), recordedAt: at, reasons: [], production: undefined, base: -1, parts: [], ...more,
}) // oxfmt-ignore
const declaredOf = ({ run, suite, ref, commit, recordedAt }: RunFacts): DeclaredRun => ({ seq: seq++, run, suite, ref, commit, recordedAt }) // oxfmt-ignore
const wanted = (cadence: WantedSuite['cadence'], since = 0): WantedSuite => ({
  testType: 'unit', suite: 'api', since, cadence,
  named: { name: 'api', test_type: 'unit', required: true },
}) // oxfmt-ignore

interface Told {
  runs?: RunFacts[]
  declared?: DeclaredRun[]
  rejections?: Rejection[]
  commits?: GapsInput['commits']
  window?: GapsInput['window']
  moment?: number
  suites: WantedSuite[]
}
const none = { runs: [], declared: [], rejections: [] }
function find({ suites, runs = [], declared = [], rejections = [], commits = [], window = { from: start, to: start + 10 * day }, moment = window.to }: Told) {
  const facts = { unit: { runs, declared, rejections }, integration: none }
  return findGaps({ suites, facts, isTracked: (ref) => ref === main, commits, window, moment })
} // oxfmt-ignore
const gapsOf = (told: Told) =>
  find(told)[0]!.gaps.map(({ from, to, open, days, reasons }) => ({
    from: (from - start) / hour, to: to === undefined ? undefined : (to - start) / hour, open, ...(days === undefined ? {} : { days }), reasons: Object.fromEntries(reasons),
  })) // oxfmt-ignore

describe('the gaps of a suite that is to report in time', () => {
  it('are stretches longer than its cadence, from the run before the window to the time as of which is asked', () => {
    const runs = [-30, 20, 44, 100].map((at) => aRun(start + at * hour))
    expect(gapsOf({ suites: [wanted(day)], runs, moment: start + 130 * hour })).toEqual([
      { from: -30, to: 20, open: false, reasons: { no_run: 1 } },
      { from: 44, to: 100, open: false, reasons: { no_run: 1 } },
      { from: 100, to: 130, open: true, reasons: { no_run: 1 } },
    ])
  })

  it('begin no sooner than the suite was wanted, and end with a run that is the last of all records', () => {
    const runs = [aRun(start + 60 * hour)]
    const moment = start + 60 * hour
    expect(gapsOf({ suites: [wanted(day, start + 40 * hour)], runs, moment })).toEqual([])
    expect(gapsOf({ suites: [wanted(day, start + 30 * hour)], runs, moment })).toEqual([
      { from: 30, to: 60, open: false, reasons: { no_run: 1 } },
    ])
  })

  it('name what was tried meanwhile: runs that do not count, refusals, runs that nobody ended', () => {
    const failed = aRun(start + 5 * hour, { reasons: ['no_tests', 'no_parts'] })
    const elsewhere = aRun(start + 6 * hour, { reasons: ['outcome_failed'], ref: 'refs/heads/x' })
    const open = declaredOf(aRun(start + 7 * hour))
    const refused = { seq: 1, recordedAt: start + 8 * hour, run: open.run, commit: undefined, reason: 'part_conflict' }
    const stranger = { ...refused, run: 'local.unknown.api.unit', reason: 'run_conflict' }
    const other = declaredOf(aRun(start + 9 * hour, { suite: 'other' }))
    const [gap] = find({
      suites: [wanted(day)],
      runs: [failed, elsewhere],
      declared: [declaredOf(failed), open, other],
      rejections: [refused, stranger, { ...refused, run: other.run, reason: 'seal_conflict' }],
      moment: start + 30 * hour,
    })[0]!.gaps
    expect(Object.fromEntries(gap!.reasons)).toEqual({
      no_parts: 1,
      no_tests: 1,
      part_conflict: 1,
      run_conflict: 1,
      unsealed: 1,
    })
    expect(gap!.runs.map(({ run }) => run)).toEqual([open.run, failed.run])
  })

  it('are found as a look at every hour finds them', () => {
    let state = 7
    const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below
    for (let round = 0; round < 300; round++) {
      const times = Array.from({ length: random(8) }, () => random(120) - 40).sort((a, b) => a - b)
      const [cadence, since, moment] = [1 + random(30), random(60) - 30, 1 + random(100)]
      const told = gapsOf({
        suites: [wanted(cadence * hour, start + since * hour)],
        runs: times.map((at) => aRun(start + at * hour)),
        window: { from: start, to: start + 80 * hour },
        moment: start + moment * hour,
      })
      const end = Math.min(80, moment)
      for (let at = 0; at < end; at++) {
        const before = Math.max(since, ...times.filter((one) => one <= at && (one >= since || one <= 0)))
        const begin = times.some((one) => one <= at) ? before : Math.max(0, since)
        const next = Math.min(end, ...times.filter((one) => one > at && one > since))
        const missing = at >= Math.max(begin, since) && next - begin > cadence
        const found = told.some(({ from, to }) => at >= from && at < to!)
        expect({ round, at, found }).toEqual({ round, at, found: missing })
      }
    }
  })
})

describe('the gaps of a suite without a cadence', () => {
  it('are whole days without a run that counts; days that are not over are none', () => {
    const runs = [aRun(start + hour), aRun(start + 3 * day + hour)]
    expect(gapsOf({ suites: [wanted(undefined)], runs, moment: start + 6 * day + hour })).toEqual([
      { from: 24, to: 72, open: false, days: 2, reasons: { no_run: 1 } },
      { from: 96, to: 144, open: true, days: 2, reasons: { no_run: 1 } },
    ])
    const unnamed = { ...wanted(undefined), named: undefined }
    expect(gapsOf({ suites: [unnamed], runs: [], moment: start + 6 * day })).toEqual([])
  })
})

describe('the gaps of a suite that is to report for every commit', () => {
  const id = (letter: string): string => letter.repeat(40)
  const commits = ['a', 'b', 'c', 'd'].map((letter, i) => ({ commit: id(letter), at: start + i * hour }))

  it('are commits without a run that counts, wherever that ran, with what was tried', () => {
    const runs = [
      aRun(start, { commit: id('a'), ref: 'refs/pull/1' }),
      aRun(start, { commit: id('b'), reasons: ['baseline'] }),
    ]
    const refused = { seq: 1, recordedAt: start, run: undefined, commit: id('c'), reason: 'digest_mismatch' }
    const [told] = find({ suites: [wanted('commit', start + hour)], runs, rejections: [refused], commits })
    expect(told!.expected).toBe(3)
    expect(told!.gaps.map(({ commit, reasons }) => [commit![0], ...reasons.keys()])).toEqual([
      ['b', 'baseline'],
      ['c', 'digest_mismatch'],
      ['d', 'no_run'],
    ])
  })

  it('leave out commits with the production files of one that was measured', () => {
    const runs = [
      aRun(start, { commit: id('a'), production: 'p' }),
      aRun(start, { commit: id('b'), production: 'p', suite: 'docs' }),
    ]
    const [told] = find({ suites: [wanted('commit')], runs, commits: commits.slice(0, 2) })
    expect(told!.gaps).toEqual([])
    expect(told!.same.map(({ commit, as }) => [commit[0], as.run])).toEqual([['b', runs[0]!.run]])
  })
})

describe('expectedCommits', () => {
  const told = (declared: [commit: string, at: number, ref: string, parents: string[]][]) => {
    const rows = declared.map(([commit, recordedAt, ref], i) => ({ seq: i, run: `r${i}`, suite: 'api', ref, commit, recordedAt })) // oxfmt-ignore
    const commits = declared.map(([commit, , , parents], i): CommitTold => ({ seq: i, commit, committedAt: undefined, parents })) // oxfmt-ignore
    return { declared: rows, commits }
  }

  it('are those of runs on tracked refs, and those pushed together with them since the first', () => {
    const unit = told([
      ['c', 1, main, ['b', 'a']],
      ['x', 2, 'refs/heads/x', ['c']],
      ['f', 3, main, ['e', 'd', 'c']],
    ])
    const integration = told([['g', 9, main, ['f', 'e']]])
    const found = expectedCommits([unit, integration], (ref) => ref === main)
    expect(found.map(({ commit, at }) => `${commit}${at}`)).toEqual(['c1', 'd3', 'e3', 'f3', 'g9'])
    // What an old commit's run tells later joins what lies behind it.
    const late = told([['a', 20, main, []]])
    const joined = expectedCommits([unit, integration, late], (ref) => ref === main)
    expect(joined.map(({ commit, at }) => `${commit}${at}`)).toEqual(['a1', 'b1', 'c1', 'd3', 'e3', 'f3', 'g9'])
    expect(expectedCommits([late, integration, unit], (ref) => ref === main)).toEqual(joined)
  })
})

describe('expectedCommits of random histories', () => {
  const names = Array.from('abcdefghij')
  /** Each commit has one first parent among those before it, or none; runs tell of some commits and of some of what is before. */
  const history = fc.record({
    parents: fc.tuple(...names.map((_, i) => (i === 0 ? fc.constant(undefined) : fc.option(fc.nat(i - 1), { nil: undefined, freq: 5 })))), // oxfmt-ignore
    runs: fc.array(fc.record({ commit: fc.nat(names.length - 1), tells: fc.nat(4), onMain: fc.boolean(), integration: fc.boolean() }), { maxLength: 8 }), // oxfmt-ignore
  })

  it('are what a look at every commit finds, whichever ledger comes first', () => {
    fc.assert(
      fc.property(history, ({ parents, runs }) => {
        const chain = (commit: number): number[] => {
          const parent = parents[commit]
          return parent === undefined ? [] : [parent, ...chain(parent)]
        }
        const rows = runs.map(({ commit, tells, onMain, integration }, at) => ({
          integration,
          declared: { seq: at, run: `r${at}`, suite: 'api', ref: onMain ? main : 'refs/heads/x', commit: names[commit]!, recordedAt: at }, // oxfmt-ignore
          told: { seq: at, commit: names[commit]!, committedAt: undefined, parents: chain(commit).slice(0, tells).map((one) => names[one]!) }, // oxfmt-ignore
        }))
        const ledgers = [false, true].map((which) => {
          const own = rows.filter(({ integration }) => integration === which)
          return { declared: own.map(({ declared }) => declared), commits: own.map(({ told }) => told) }
        })
        const edges = new Map<string, string>()
        const heard = new Map<string, number>()
        for (const { declared, told } of rows.toReversed()) {
          const line = [declared.commit, ...told.parents]
          for (const [i, one] of line.entries()) {
            heard.set(one, declared.recordedAt)
            if (i > 0) edges.set(line[i - 1]!, one)
          }
        }
        const tested = new Set(rows.filter(({ declared }) => declared.ref === main).map(({ declared }) => declared.commit)) // oxfmt-ignore
        const up = (commit: string): string[] => {
          const parent = edges.get(commit)
          return parent === undefined ? [] : [parent, ...up(parent)]
        }
        const isExpected = (commit: string): boolean =>
          tested.has(commit) || (up(commit).some((one) => tested.has(one)) && [...tested].some((tip) => up(tip).includes(commit))) // oxfmt-ignore
        const expected = names.filter(isExpected).map((commit) => ({ commit, at: heard.get(commit)! }))
        expected.sort((a, b) => a.at - b.at || (a.commit < b.commit ? -1 : 1))
        expect(expectedCommits(ledgers, (ref) => ref === main)).toEqual(expected)
        expect(expectedCommits(ledgers.toReversed(), (ref) => ref === main)).toEqual(expected)
      }),
      { numRuns: 500 },
    )
  })
})

describe('wantedSuites', () => {
  const version = (n: number, suites: string[]): ContractVersion => ({
    seq: n,
    recorded_at: printTime(n * day),
    parsed: parseContract(`version: 1\n${suites.length === 0 ? 'refs: [main]' : `suites: [${suites.map((name) => `{name: ${name}, test_type: unit, cadence: 2h}`).join(', ')}]`}`), // oxfmt-ignore
  })

  it('are wanted since every contract that held named them, the org default included', () => {
    const own = [version(2, ['api']), version(3, ['web']), version(4, ['api', 'web']), version(6, ['api', 'web', 'new'])] // oxfmt-ignore
    const org = [version(1, ['base']), version(5, ['base', 'api'])]
    const seen = [
      { testType: 'integration', suite: 'e2e' },
      { testType: 'unit', suite: 'web' },
    ] as const
    const print = (found: WantedSuite[]) => found.map(({ suite, since, named }) => `${suite} ${named === undefined ? 'unnamed' : since / day}`) // oxfmt-ignore
    expect(print(wantedSuites(own, org, seen))).toEqual(['api 4', 'new 6', 'web 3', 'e2e unnamed'])
    expect(print(wantedSuites([version(2, [])], org, []))).toEqual(['api 5', 'base 1'])
    expect(print(wantedSuites([], [], seen))).toEqual(['web unnamed', 'e2e unnamed'])
    expect(wantedSuites(own, org, [])[0]).toMatchObject({ cadence: 2 * hour, testType: 'unit' })
  })
})
