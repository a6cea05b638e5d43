import { type LineRanges, countLines, noLines, printLines } from '../record/lines.ts'
import { type TestType, testTypes } from '../record/record.ts'
import { type DefinitionFigures, figuresOf } from './figures.ts'
import type { Measured } from './measured.ts'
import type { RunEvidence } from './run-evidence.ts'
import { type FileMeasure, type MeasuredFile, countBoth, countStates, hiddenLines } from './union.ts'

/** What a report says file by file. Pure. */

/** Of any list; what is more is counted, and found by the beginning of its paths. */
export const maxListed = 50_000

export function fileLists({ production, notMeasured }: Measured, prefix = '') {
  const named = production.filter(({ path }) => path.startsWith(prefix))
  const hidden = named.flatMap(hiddenOf).toSorted((a, b) => b.lines - a.lines || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)) // oxfmt-ignore
  const without = (type: TestType): string[] =>
    named.filter(({ measures }) => measures.every((one) => one[type] === undefined)).map(({ path }) => path)
  const lists = {
    hidden,
    not_measured: notMeasured?.filter((path) => path.startsWith(prefix)) ?? [],
    not_measured_by_unit: without('unit'),
    not_measured_by_integration: without('integration'),
    not_comparable: named.flatMap(notComparableOf),
    blob_differs: named.filter(({ blobDiffers }) => blobDiffers).map(({ path }) => path),
    files: named.map(printFile),
  }
  const cut = Object.entries(lists).filter(([, list]) => list.length > maxListed)
  return {
    ...(prefix === '' ? {} : { only: prefix }),
    ...(cut.length === 0 ? {} : { cut: Object.fromEntries(cut.map(([name, list]) => [name, list.length])) }),
    hidden: lists.hidden.slice(0, maxListed),
    not_measured: notMeasured === undefined ? null : lists.not_measured.slice(0, maxListed),
    not_measured_by: {
      unit: lists.not_measured_by_unit.slice(0, maxListed),
      integration: lists.not_measured_by_integration.slice(0, maxListed),
    },
    not_comparable: lists.not_comparable.slice(0, maxListed),
    blob_differs: lists.blob_differs.slice(0, maxListed),
    files: lists.files.slice(0, maxListed),
  }
}

/** Lines that integration executes and unit does not, where both are counted by one definition. */
function hiddenOf({ path, measures }: MeasuredFile) {
  return measures.flatMap((one) => {
    const lines: LineRanges = one.comparable && countBoth(one).only_integration > 0 ? hiddenLines(one) : noLines
    if (lines.length === 0) return []
    const unit = one.unit === undefined ? ('not_measured' as const) : ('missed' as const)
    return { path, definition: one.definition, lines: countLines(lines), unit, ranges: printLines(lines) }
  })
}

function notComparableOf({ path, measures }: MeasuredFile) {
  const apart = measures.filter(({ comparable }) => !comparable)
  if (apart.length === 0) return []
  const by = (type: TestType): string[] => measures.filter((one) => one[type] !== undefined).map(({ definition }) => definition) // oxfmt-ignore
  return { path, unit: by('unit'), integration: by('integration') }
}

function printFile({ path, blob, measures }: MeasuredFile) {
  return { path, blob: blob ?? null, figures: measures.map(printMeasure) }
}

function printMeasure(one: FileMeasure) {
  const { definition, unit, integration, comparable } = one
  return {
    definition,
    unit: unit === undefined ? null : countStates(unit),
    integration: integration === undefined ? null : countStates(integration),
    both: comparable ? countBoth(one) : null,
  }
}

/** What was measured outside of production, so that a report adds up to its runs. */
export function otherFigures(files: readonly MeasuredFile[]): Pick<DefinitionFigures, 'definition' | 'unit' | 'integration'>[] {
  return figuresOf(files).map(({ definition, unit, integration }) => ({ definition, unit, integration }))
} // oxfmt-ignore

/** By run, since mutants of two runs are no set that could be united. */
export function mutationOf(runs: readonly RunEvidence[]) {
  return testTypes.flatMap((type) =>
    runs
      .filter(({ testType }) => testType === type)
      .flatMap(({ run, suite, totals }) =>
        totals
          .filter(({ metric }) => metric !== 'line')
          .map(({ metric, definition, tool, files, mutants }) => ({
            test_type: type, suite, run, metric, definition, tool: tool ?? null, files, mutants: mutants ?? {},
          })),
      )
      .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
  ) // oxfmt-ignore
}

const keyOf = (one: { suite: string; definition: string; run: string }): string => JSON.stringify([one.suite, one.definition, one.run]) // oxfmt-ignore
