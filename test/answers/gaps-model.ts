import type { GapsInput, SuiteFacts } from '../../src/answers/find-gaps.ts'
import type { WantedSuite } from '../../src/answers/wanted-suites.ts'

/**
 * Gaps in plain loops: what `findGaps` is compared with. It shares no code with it, and reads its rules from docs/gaps.md. Times are small whole
 * numbers here; what is looked at are the moments half-way between two of them, where nothing is recorded.
 */

interface ModelGap {
  commit?: string
  from: number
  to: number | undefined
  days?: number
  open: boolean
  reasons: Record<string, number>
  /** Newest first; of one time in any order. */
  runs: string[]
}

const sorted = (counts: Record<string, number>): Record<string, number> => Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))) // oxfmt-ignore

/** Whatever was tried and did not count, where `is` says so. */
function tried(facts: SuiteFacts, suite: string, isRun: (at: number, ref: string, commit: string) => boolean, isRefusal: (at: number, commit: string | undefined) => boolean) {
  const reasons: Record<string, number> = {}
  const runs: { run: string; at: number }[] = []
  const add = (reason: string): void => void (reasons[reason] = (reasons[reason] ?? 0) + 1)
  for (const run of facts.runs) {
    if (run.suite !== suite || run.reasons.length === 0 || !isRun(run.recordedAt, run.ref, run.commit)) continue
    for (const reason of run.reasons) add(reason)
    runs.push({ run: run.run, at: run.recordedAt })
  }
  for (const run of facts.declared) {
    if (run.suite !== suite || facts.runs.some((one) => one.run === run.run) || !isRun(run.recordedAt, run.ref, run.commit)) continue
    add('unsealed')
    runs.push({ run: run.run, at: run.recordedAt })
  }
  for (const { run, commit, reason, recordedAt } of facts.rejections) {
    const declared = facts.declared.find((one) => one.run === run)
    if ((declared === undefined || declared.suite === suite) && isRefusal(recordedAt, commit)) add(reason)
  }
  if (Object.keys(reasons).length === 0) add('no_run')
  return { reasons: sorted(reasons), runs: runs.sort((a, b) => b.at - a.at || (a.run < b.run ? -1 : 1)).map(({ run }) => run) }
} // oxfmt-ignore

export function askGapsModel(input: GapsInput, wanted: WantedSuite, day: number): ModelGap[] {
  const facts = input.facts[wanted.testType]
  const counting = facts.runs.filter((run) => run.suite === wanted.suite && run.reasons.length === 0)
  if (wanted.cadence === 'commit') return commitGaps(input, wanted, facts, new Set(counting.map(({ commit }) => commit)))
  const times = counting.filter(({ ref }) => input.isTracked(ref)).map(({ recordedAt }) => recordedAt)
  return wanted.cadence === undefined ? dayGaps(input, wanted, facts, times, day) : timeGaps(input, wanted, facts, times)
} // oxfmt-ignore

function commitGaps({ commits, window, facts: all }: GapsInput, { suite, since }: WantedSuite, facts: SuiteFacts, covered: ReadonlySet<string>): ModelGap[] {
  const productionOf = (commit: string): string | undefined => [...all.unit.runs, ...all.integration.runs].find((run) => run.commit === commit && run.production !== undefined)?.production
  const isSame = (commit: string): boolean => {
    const own = productionOf(commit)
    return own !== undefined && facts.runs.some((run) => run.suite === suite && run.reasons.length === 0 && run.production === own)
  }
  const missing = commits.filter(({ commit, at }) => at >= window.from && at >= since && at < window.to && !covered.has(commit) && !isSame(commit))
  return missing.map(({ commit, at }) => ({
    commit, from: at, to: undefined, open: false,
    ...tried(facts, suite, (_at, _ref, of) => of === commit, (_at, of) => of === commit),
  }))
} // oxfmt-ignore

/** At every moment within the window that has passed: how long has nothing counted, and how long will nothing? */
function timeGaps({ window, moment, isTracked }: GapsInput, { suite, since, cadence }: WantedSuite, facts: SuiteFacts, times: readonly number[]): ModelGap[] {
  const gaps = new Map<string, ModelGap>()
  const end = Math.min(window.to, moment)
  for (let at = Math.max(window.from, since) + 0.5; at < end; at++) {
    const before = times.filter((one) => one < at)
    const from = before.length === 0 ? Math.max(window.from, since) : Math.max(since, ...before)
    const to = Math.min(end, ...times.filter((one) => one > at))
    if (to - from <= Number(cadence)) continue
    const open = to === moment && !times.includes(to)
    // What was recorded last of all is of the gap that lasts until then.
    const isIn = (one: number): boolean => one >= from && (one < to || (one === to && open && to < window.to))
    gaps.set(`${from}`, { from, to, open, ...tried(facts, suite, (one, ref) => isTracked(ref) && isIn(one), isIn) })
  }
  return [...gaps.values()]
} // oxfmt-ignore

function dayGaps({ window, moment, isTracked }: GapsInput, { suite, since, named }: WantedSuite, facts: SuiteFacts, times: readonly number[], day: number): ModelGap[] {
  const first = named === undefined ? Math.min(...times) : since
  const missing: number[] = []
  for (let begin = 0; begin + day <= Math.min(window.to, moment); begin += day) {
    if (begin < window.from || begin < first) continue
    if (!times.some((one) => one >= begin && one < begin + day)) missing.push(begin)
  }
  const starts = missing.filter((begin) => !missing.includes(begin - day))
  return starts.map((from) => {
    let to = from + day
    while (missing.includes(to)) to += day
    const isIn = (one: number): boolean => one >= from && one < to
    return { from, to, days: (to - from) / day, open: to <= moment && to + day > moment, ...tried(facts, suite, (one, ref) => isTracked(ref) && isIn(one), isIn) }
  })
} // oxfmt-ignore
