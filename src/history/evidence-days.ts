import type { RunFacts } from './ledger-history.ts'
import { type LedgerView, type SeriesRuns, type Window, counts, runsWithin } from './ref-runs.ts'

/**
 * On which days a series has no counting run. Days are UTC, by recorded_at: nothing is carried forward from one to the next. Only a day whose
 * commits have production files that are the same, by digest, as those of a commit that was measured is answered from that. Pure.
 */

export interface EvidenceDays {
  /** Days of the window before the first on which anything of the repository was recorded: there was nothing that there could be evidence of. */
  before: number
  /** First day and the day after the last. */
  none: { from: number; to: number; reasons: Map<string, number> }[]
  same: { day: number; commits: string[]; as: RunFacts }[]
}

export const dayMicros = 86_400_000_000

export const dayOf = (micros: number): number => Math.floor(micros / dayMicros)

export function evidenceDays(views: readonly LedgerView[], window: Window, series: Pick<SeriesRuns, 'ledger' | 'suite' | 'placed'>): EvidenceDays {
  const counting = series.placed.map(({ run }) => run).sort((a, b) => a.recordedAt - b.recordedAt)
  const measured = new Set(counting.map(({ recordedAt }) => dayOf(recordedAt)))
  const others = new Map<number, RunFacts[]>()
  const leftOut = new Map<number, RunFacts[]>()
  for (const [i, view] of views.entries())
    for (const run of runsWithin(view, window)) {
      const day = dayOf(run.recordedAt)
      if (measured.has(day)) continue
      if (run.production !== undefined) others.set(day, [...(others.get(day) ?? []), run])
      if (i === series.ledger && run.suite === series.suite && !counts(run))
        leftOut.set(day, [...(leftOut.get(day) ?? []), run])
    }
  const [from, end] = [dayOf(window.from), dayOf(window.to - 1) + 1]
  const begin = Math.min(end, Math.max(from, firstDay(views)))
  const found: EvidenceDays = { before: begin - from, none: [], same: [] }
  for (let day = begin; day < end; day++) {
    if (measured.has(day)) continue
    const same = sameProduction(others.get(day) ?? [], counting, day)
    if (same !== undefined) {
      found.same.push({ day, ...same })
      continue
    }
    const before = found.none.at(-1)
    const range = before?.to === day ? before : { from: day, to: day, reasons: new Map<string, number>() }
    range.to = day + 1
    for (const { reasons } of leftOut.get(day) ?? [])
      for (const reason of reasons) range.reasons.set(reason, (range.reasons.get(reason) ?? 0) + 1)
    if (range !== before) found.none.push(range)
  }
  return found
} // oxfmt-ignore

/** Of the first run that was declared, where one has ended as of the sizes; no day where none has. */
function firstDay(views: readonly LedgerView[]): number {
  const times = views.flatMap(({ history, runs }) => (runs === 0 ? [] : [history.declared[0]?.recordedAt ?? history.runs[0]?.recordedAt ?? 0])) // oxfmt-ignore
  return dayOf(Math.min(...times))
}

/** The newest counting run before the end of the day whose production files are those of every commit of the day. */
function sameProduction(
  ofDay: readonly RunFacts[],
  counting: readonly RunFacts[],
  day: number,
): { commits: string[]; as: RunFacts } | undefined {
  const digests = new Set(ofDay.map(({ production }) => production))
  if (digests.size !== 1) return undefined
  const as = counting.findLast(
    ({ production, recordedAt }) => production !== undefined && digests.has(production) && dayOf(recordedAt) < day,
  )
  return as === undefined ? undefined : { commits: [...new Set(ofDay.map(({ commit }) => commit))].sort(), as }
}
