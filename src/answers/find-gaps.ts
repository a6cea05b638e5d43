import { dayMicros } from '../history/evidence-days.ts'
import type { DeclaredRun, Rejection, RunFacts } from '../history/ledger-history.ts'
import type { Micros, TestType } from '../record/record.ts'
import { type WantedSuite, suiteKey } from './wanted-suites.ts'

/** Where evidence of a suite is missing, against what was promised, with the reason where one is known. Pure; a function of what is recorded. */

/** Of one test type, in the order of its ledgers. */
export interface SuiteFacts {
  runs: readonly RunFacts[]
  declared: readonly DeclaredRun[]
  rejections: readonly Rejection[]
}

export interface GapsInput {
  suites: readonly WantedSuite[]
  facts: Readonly<Record<TestType, SuiteFacts>>
  isTracked: (ref: string) => boolean
  /** With when each was first heard of, in that order. */
  commits: readonly { commit: string; at: Micros }[]
  window: { from: Micros; to: Micros }
  /** The time as of which is asked. Nothing can be missing after it. */
  moment: Micros
}

/** A run that does not count; `unsealed` is among the reasons of one that has not ended. */
export interface LeftOut {
  run: string
  commit: string
  recordedAt: Micros
  reasons: readonly string[]
}

export interface Gap {
  /** Of a commit: when it was first heard of. */
  from: Micros
  to: Micros | undefined
  commit?: string
  days?: number
  /** It lasts until what is asked as of. */
  open: boolean
  /** How often each was the reason; `no_run` where nothing was tried. */
  reasons: ReadonlyMap<string, number>
  /** Newest first, ended or not. */
  runs: readonly LeftOut[]
}

export interface SuiteGaps {
  wanted: WantedSuite
  /** Within the window and on the tracked refs. */
  counting: number
  leftOut: readonly LeftOut[]
  last: RunFacts | undefined
  /** Commits that there is to be a run of. */
  expected: number | undefined
  gaps: readonly Gap[]
  /** Commits without a run whose production files are those of a commit with one. */
  same: readonly { commit: string; as: RunFacts }[]
}

export function findGaps(input: GapsInput): SuiteGaps[] {
  const bySuite = new Map(input.suites.map((wanted) => [suiteKey(wanted), noRuns()]))
  for (const testType of ['unit', 'integration'] as const) sortFacts(bySuite, testType, input.facts[testType])
  const production = productionOf(input.facts)
  return input.suites.map((wanted) => gapsOf(wanted, bySuite.get(suiteKey(wanted)) ?? noRuns(), input, production))
}

interface RunsOfSuite {
  /** In the order in which they were recorded. */
  counting: RunFacts[]
  leftOut: (LeftOut & { ref: string })[]
  ended: RunFacts[]
  /** Refusals; without the run's declaration it is not known of which suite of the test type they were. */
  rejections: Rejection[]
}

const noRuns = (): RunsOfSuite => ({ counting: [], leftOut: [], ended: [], rejections: [] })

function sortFacts(bySuite: ReadonlyMap<string, RunsOfSuite>, testType: TestType, { runs, declared, rejections }: SuiteFacts): void {
  const of = (suite: string): RunsOfSuite | undefined => bySuite.get(suiteKey({ testType, suite }))
  const ended = new Set<string>()
  for (const run of runs) {
    ended.add(run.run)
    const own = of(run.suite)
    own?.ended.push(run)
    if (run.reasons.length === 0) own?.counting.push(run)
    else own?.leftOut.push(run)
  }
  const suiteOf = new Map<string, string>()
  for (const run of declared) {
    suiteOf.set(run.run, run.suite)
    if (!ended.has(run.run)) of(run.suite)?.leftOut.push({ ...run, reasons: ['unsealed'] })
  }
  for (const rejection of rejections) {
    const suite = rejection.run === undefined ? undefined : suiteOf.get(rejection.run)
    if (suite !== undefined) of(suite)?.rejections.push(rejection)
    else for (const [key, own] of bySuite) if (key.startsWith(`${testType}/`)) own.rejections.push(rejection)
  }
} // oxfmt-ignore

/** By commit, the digest of its production files. */
function productionOf(facts: GapsInput['facts']): Map<string, string> {
  const digests = new Map<string, string>()
  for (const { runs } of [facts.unit, facts.integration])
    for (const { commit, production } of runs) if (production !== undefined) digests.set(commit, production)
  return digests
}

function gapsOf(wanted: WantedSuite, own: RunsOfSuite, input: GapsInput, production: ReadonlyMap<string, string>): SuiteGaps {
  const { isTracked, window } = input
  const isWithin = ({ recordedAt }: { recordedAt: Micros }): boolean => recordedAt >= window.from && recordedAt < window.to
  const counting = own.counting.filter(({ ref }) => isTracked(ref))
  const leftOut = own.leftOut.filter(({ ref }) => isTracked(ref))
  const told = {
    wanted,
    counting: counting.filter(isWithin).length,
    leftOut: leftOut.filter(isWithin),
    last: own.ended.filter(({ reasons, ref }) => isTracked(ref) && !reasons.includes('abandoned')).at(-1),
  }
  if (wanted.cadence === 'commit') return { ...told, ...commitGaps(wanted, own, input, production) }
  const times = counting.map(({ recordedAt }) => recordedAt).toSorted((a, b) => a - b)
  const find = wanted.cadence === undefined ? dayGaps : timeGaps
  const gaps = find(wanted, times, input).map((gap) => explain(gap, leftOut, own.rejections, window))
  return { ...told, expected: undefined, gaps, same: [] }
} // oxfmt-ignore

type Unexplained = Omit<Gap, 'reasons' | 'runs'>

function commitGaps(
  { since }: WantedSuite,
  { counting, leftOut, rejections }: RunsOfSuite,
  { commits, window }: GapsInput,
  production: ReadonlyMap<string, string>,
): Pick<SuiteGaps, 'expected' | 'gaps' | 'same'> {
  const covered = new Set(counting.map(({ commit }) => commit))
  const measured = new Map(counting.flatMap((run) => (run.production === undefined ? [] : [[run.production, run] as const]))) // oxfmt-ignore
  const failed = Map.groupBy(leftOut, ({ commit }) => commit)
  const refused = Map.groupBy(rejections, ({ commit }) => commit ?? '')
  const expected = commits.filter(({ at }) => at >= Math.max(window.from, since) && at < window.to)
  const gaps: Gap[] = []
  const same: { commit: string; as: RunFacts }[] = []
  for (const { commit, at } of expected) {
    if (covered.has(commit)) continue
    const as = measured.get(production.get(commit) ?? '')
    if (as !== undefined) same.push({ commit, as })
    else gaps.push({ from: at, to: undefined, commit, open: false, ...reasonsOf(failed.get(commit) ?? [], refused.get(commit) ?? []) }) // oxfmt-ignore
  }
  return { expected: expected.length, gaps, same }
}

/** Stretches between counting runs that are longer than the cadence, from the last run before the window on. */
function timeGaps({ since, cadence }: WantedSuite, times: readonly Micros[], { window, moment }: GapsInput): Unexplained[] {
  const end = Math.min(window.to, moment)
  const gaps: Unexplained[] = []
  if (end <= window.from) return gaps
  let last = Math.max(window.from, since)
  const close = (at: Micros, open: boolean): void => {
    if (at - last > Number(cadence)) gaps.push({ from: last, to: at, open })
  }
  for (const at of times) {
    if (at > end) break
    // Before the window, or before it was wanted, a run is only where the time begins to count.
    if (at > window.from && at > since) close(at, false)
    last = Math.max(at, since)
  }
  if (end > last) close(end, end === moment)
  return gaps
} // oxfmt-ignore

/** Without a cadence: days without a counting run, as far as they are over; of a suite that nobody named from its first run on. */
function dayGaps({ named, since }: WantedSuite, times: readonly Micros[], { window, moment }: GapsInput): Unexplained[] {
  const days = new Set(times.map(dayOf))
  const begin = Math.max(window.from, named === undefined ? (times[0] ?? Infinity) : since)
  const end = Math.min(dayOf(window.to), dayOf(moment))
  const gaps: Unexplained[] = []
  for (let day = dayOf(begin + dayMicros - 1); day < end; day++) {
    if (days.has(day)) continue
    const before = gaps.at(-1)
    const [from, to, open] = [day * dayMicros, (day + 1) * dayMicros, day + 1 === dayOf(moment)]
    if (before?.to === from) Object.assign(before, { to, days: (before.days ?? 0) + 1, open })
    else gaps.push({ from, to, days: 1, open })
  }
  return gaps
} // oxfmt-ignore

const dayOf = (micros: Micros): number => Math.floor(micros / dayMicros)

function explain(gap: Unexplained, leftOut: readonly LeftOut[], rejections: readonly Rejection[], window: GapsInput['window']): Gap {
  const end = gap.to ?? Infinity
  // What is asked as of the last record has that record in it: it is of the open gap, and of no day that is over.
  const isLast = (at: Micros): boolean => at === end && gap.open && gap.days === undefined && at < window.to
  const isWithin = ({ recordedAt: at }: { recordedAt: Micros }): boolean => at >= gap.from && (at < end || isLast(at))
  return { ...gap, ...reasonsOf(leftOut.filter(isWithin), rejections.filter(isWithin)) }
} // oxfmt-ignore

function reasonsOf(runs: readonly LeftOut[], rejections: readonly Rejection[]): Pick<Gap, 'reasons' | 'runs'> {
  const reasons = new Map<string, number>()
  const add = (reason: string): void => void reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  for (const run of runs) run.reasons.forEach(add)
  for (const { reason } of rejections) add(reason)
  if (reasons.size === 0) add('no_run')
  const newestFirst = runs.toSorted((a, b) => b.recordedAt - a.recordedAt || (a.run < b.run ? -1 : 1))
  return { reasons: new Map([...reasons].toSorted(([a], [b]) => (a < b ? -1 : 1))), runs: newestFirst }
}
