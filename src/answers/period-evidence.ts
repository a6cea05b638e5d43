import { dayMicros, evidenceDays } from '../history/evidence-days.ts'
import { type PlacedRun, type Window, counts, createRefRuns, runsWithin } from '../history/ref-runs.ts'
import { type TestType, generationOf, printTime, testTypes } from '../record/record.ts'
import { testTypeOf } from './commit-runs.ts'
import type { Question } from './subject.ts'

/** Which runs a period has, and of what it has none: by suite the days, by name those that the contract requires. Pure. */
export function evidenceOf({ views, contract: { effective } }: Question, window: Window) {
  const { placed } = createRefRuns(views, window)
  const within = views.flatMap((view) => [...runsWithin(view, window)])
  const leftOut = new Map<string, number>()
  for (const { reasons } of within) for (const reason of reasons) leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1)
  const rows: SuiteOfPeriod[] = views.flatMap((view, ledger) => {
    const { ledger: name } = view.history
    const seen = new Set([...runsWithin(view, window)].map(({ suite }) => suite))
    return [...seen].map((suite) => ({
      testType: testTypeOf(name),
      generation: generationOf(name),
      suite,
      ledger,
      placed: (placed[ledger] ?? []).filter(({ run }) => run.suite === suite),
    }))
  })
  for (const { test_type: testType, name: suite, required } of effective?.suites ?? [])
    if (required && !rows.some((row) => row.testType === testType && row.suite === suite))
      rows.push({ testType, generation: 1, suite, ledger: -1, placed: [] })
  return {
    runs: { counted: within.filter(counts).length, left_out: within.filter((run) => !counts(run)).length, reasons: Object.fromEntries([...leftOut].toSorted(byKey)) },
    suites: rows.toSorted(byName).map((row) => printRow(row, views, window)),
  }
} // oxfmt-ignore

interface SuiteOfPeriod {
  testType: TestType
  generation: number
  suite: string
  /** Index into the views; -1 for a suite of which there is nothing. */
  ledger: number
  placed: readonly PlacedRun[]
}

function printRow(row: SuiteOfPeriod, views: Question['views'], window: Window) {
  const { before, none } = evidenceDays(views, window, row)
  const day = (n: number): string => printTime(n * dayMicros).slice(0, 10)
  return {
    test_type: row.testType,
    ...(row.generation === 1 ? {} : { generation: row.generation }),
    suite: row.suite,
    runs: row.placed.length,
    ...(before === 0 ? {} : { before_first_record: before }),
    no_evidence: none.map(({ from, to }) => ({ from: day(from), to: day(to), days: to - from })),
  }
}

const byKey = ([a]: [string, number], [b]: [string, number]): number => (a < b ? -1 : 1)
const keyOf = ({ testType, suite, generation }: SuiteOfPeriod): string => `${testTypes.indexOf(testType)} ${suite} ${generation}` // oxfmt-ignore
const byName = (a: SuiteOfPeriod, b: SuiteOfPeriod): number => (keyOf(a) < keyOf(b) ? -1 : 1)
