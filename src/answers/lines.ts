import { dayMicros, evidenceDays } from '../history/evidence-days.ts'
import type { RunFacts } from '../history/ledger-history.ts'
import { type Interval, cutIntervals, statesOf } from '../history/intervals.ts'
import { type Placed, resolveLine } from '../history/resolve-line.ts'
import { type PlacedRun, type SeriesRuns, counts, runsWithin } from '../history/ref-runs.ts'
import type { Series } from '../history/timeline.ts'
import { type LedgerName, type TestType, generationOf, ledgerKindOf, printTime } from '../record/record.ts'
import { printNotes } from './file-notes.ts'
import { type FileQuestion, type HistoryDeps, type OpenedFile, openFile } from './open-file.ts'
import { type AsOf, printAsOf } from './position.ts'
import { readIds, readLayouts, recordSeqs } from './record-places.ts'

/** `GET /v1/history/lines`: what every run said of a line, as intervals of equal state. */

/** The second: with what people noted, where as_of names changes. */
const rulesOf = ({ changes }: AsOf): string => (changes === undefined ? 'history@1' : 'history@2')

export interface LinesQuestion extends FileQuestion {
  first: number
  last: number
  testType?: TestType | undefined
}

export type LinesAnswer = Awaited<ReturnType<typeof answerLines>>

export async function answerLines(deps: HistoryDeps, ledgers: readonly LedgerName[], question: LinesQuestion) {
  const opened = await openFile(deps, ledgers, question)
  const { facts, timeline, versions, anchor } = opened
  const series = shownSeries(opened, question.testType)
  const numbers = Array.from({ length: question.last - question.first + 1 }, (_, i) => question.first + i)
  const cut = numbers.map((line) => {
    const placed = resolveLine(facts, timeline, versions, anchor, line)
    return {
      line,
      placement: placed,
      series: series.map((one) => {
        const states = statesOf(facts, one.of)
        return { one: one.of, intervals: cutIntervals(one.blocks, placed, states), left: cutIntervals(one.left, placed, states) }
      }),
    }
  })
  const points = cut.flatMap(({ series: all }) => all.flatMap(({ one, intervals, left }) => [...intervals, ...left].map((interval) => ({ one, interval })))) // oxfmt-ignore
  const printPoint = await pointPrinter(deps, opened, points)
  const print = (one: SeriesRuns, interval: Interval) => {
    const { state, byNumber, runs, late, first, last, firstAt, lastAt } = interval
    return {
      state,
      ...(byNumber ? { by_number: true as const } : {}),
      runs,
      ...(late > 0 ? { late } : {}),
      first: printPoint(one, first, firstAt),
      last: printPoint(one, last, lastAt),
    }
  }
  return {
    ...printHead(opened, question),
    lines: cut.map(({ line, series: all }) => ({
      line,
      series: all.map(({ one, intervals, left }) => ({
        ...nameOf(opened, one),
        intervals: intervals.map((interval) => print(one, interval)),
        ...(left.length === 0 ? {} : { rewritten: left.map((interval) => print(one, interval)) }),
      })),
    })),
    ...printNotes(opened, cut, ({ at }) => at !== null),
    evidence: series.map(({ of }) => printEvidence(opened, of)),
  }
} // oxfmt-ignore

export function shownSeries({ timeline, views }: OpenedFile, testType: TestType | undefined): Series[] {
  const kindOf = ({ of }: Series) => ledgerKindOf(views[of.ledger]?.history.ledger ?? 'main/unit')
  return timeline.series.filter((one) => testType === undefined || kindOf(one) === testType)
}

/** What the answer is of, and by what rules. */
export function printHead(
  { resolved, ref: { window, order }, anchor }: OpenedFile,
  { repository, path }: FileQuestion,
) {
  return {
    as_of: printAsOf(resolved.asOf),
    rules: rulesOf(resolved.asOf),
    repository,
    path,
    ref: window.ref,
    from: printTime(window.from),
    to: printTime(window.to),
    at: { commit: anchor.commit, blob: anchor.blob ?? null },
    order: { by: order.by, commits: order.commits.length, undecided: order.undecided, left: order.left.size },
  }
}

export function nameOf({ views }: OpenedFile, { ledger, suite, definition }: SeriesRuns) {
  const name = views[ledger]?.history.ledger ?? 'main/unit'
  const generation = generationOf(name)
  const kind = ledgerKindOf(name) as TestType // ledgers of runs are named by their test types
  return { test_type: kind, ...(generation === 1 ? {} : { generation }), suite, definition }
}

/** Days without a counting run of a suite, and runs that do not count with the reasons. */
export function printEvidence(opened: OpenedFile, one: SeriesRuns) {
  const known = printed.get(one) ?? makeEvidence(opened, one)
  printed.set(one, known)
  return known
}

/** Of the runs of a ref, whatever file was asked for. */
const printed = new WeakMap<SeriesRuns, ReturnType<typeof makeEvidence>>()

function makeEvidence(opened: OpenedFile, one: SeriesRuns) {
  const { views, ref: { window } } = opened
  const { before, none, same } = evidenceDays(views, window, one)
  const view = views[one.ledger]
  const leftOut = (view === undefined ? [] : [...runsWithin(view, window)]).filter((run) => run.suite === one.suite && !counts(run))
  const reasons = new Map<string, number>()
  for (const run of leftOut) for (const reason of run.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  const day = (n: number): string => printTime(n * dayMicros).slice(0, 10)
  return {
    ...nameOf(opened, one),
    runs: one.placed.length,
    left_out: { runs: leftOut.length, reasons: Object.fromEntries([...reasons].toSorted(byName)) },
    ...(before === 0 ? {} : { before_first_record: before }),
    no_evidence: none.map(({ from, to, reasons: why }) => ({
      from: day(from),
      to: day(to),
      days: to - from,
      ...(why.size === 0 ? {} : { left_out: Object.fromEntries([...why].toSorted(byName)) }),
    })),
    same_production: same.map(({ day: n, commits, as }) => ({ day: day(n), commits, as: { run: as.run, commit: as.commit } })),
  }
} // oxfmt-ignore

const byName = ([a]: [string, number], [b]: [string, number]): number => (a < b ? -1 : 1)

/** Prints the ends of these intervals: what names their records is read for all of them at once. */
async function pointPrinter(
  deps: HistoryDeps,
  { views, facts }: OpenedFile,
  points: readonly { one: SeriesRuns; interval: Interval }[],
): Promise<(one: SeriesRuns, placed: PlacedRun, at: Placed) => ReturnType<typeof printPoint>> {
  const seqsOf = ({ ledger, definition }: SeriesRuns, run: RunFacts, at: Placed): number[] => {
    const history = views[ledger]?.history
    return history === undefined || at.path < 0
      ? []
      : recordSeqs(history, run, facts.ledgers[ledger]?.ids[at.path], definition)
  }
  const idsOf = await Promise.all(
    views.map(async ({ history }, ledger) => {
      const own = points.filter(({ one }) => one.ledger === ledger)
      const ends = own.flatMap(({ one, interval }) => [
        { one, run: interval.first.run, at: interval.firstAt },
        { one, run: interval.last.run, at: interval.lastAt },
      ])
      await readLayouts(deps.db, history, ends.map(({ run }) => run))
      return readIds(deps, history.ledger, ends.flatMap(({ one, run, at }) => [run.seq, ...seqsOf(one, run, at)]))
    }),
  ) // oxfmt-ignore
  return (one, { run }, at) => {
    const idOf = idsOf[one.ledger] ?? String
    return printPoint(facts.paths, run, at, { seal: idOf(run.seq), records: seqsOf(one, run, at).map(idOf) })
  }
}

function printPoint(
  paths: readonly string[],
  { run, commit, recordedAt }: RunFacts,
  { path, line }: Placed,
  ids: { seal: string; records: string[] },
) {
  return {
    run,
    commit,
    recorded_at: printTime(recordedAt),
    path: paths[path] ?? null,
    line: line === 0 ? null : line,
    ...ids,
  }
}
