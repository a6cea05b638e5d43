import { type UnexplainedChange, unexplainedChanges } from '../contract/unexplained.ts'
import { type TestType, testTypes } from '../record/record.ts'
import type { DefinitionFigures } from './figures.ts'
import type { Measured } from './measured.ts'
import type { RunEvidence } from './run-evidence.ts'
import type { Sums } from './union.ts'

/** What differs between two reports: how was measured, what there is to execute, and what was executed. Pure. */

export interface ReportChanges {
  /** Suites of which something changed; one that only the earlier or the later report has is among them. */
  suites: SuiteChange[]
  /** Per definition, later minus earlier; null where one of them has no such figure. */
  figures: FigureChange[]
}

export interface SuiteChange {
  test_type: TestType
  suite: string
  changes: (Omit<UnexplainedChange, 'what'> & { what: UnexplainedChange['what'] | 'suite' })[]
}

export interface FigureChange {
  definition: string
  unit: Delta | null
  integration: Delta | null
  both: Delta | null
}

export interface Delta {
  files: number
  found: number
  executed: number
}

export function compareMeasured(before: Measured, now: Measured): ReportChanges {
  const [earlier, later] = [new Map(before.figures.map(byDefinition)), new Map(now.figures.map(byDefinition))]
  return {
    suites: testTypes.flatMap((type) => suiteChanges(type, before.runs, now.runs)),
    figures: [...new Set([...earlier.keys(), ...later.keys()])].sort().map((definition) => {
      const [a, b] = [earlier.get(definition), later.get(definition)]
      return {
        definition,
        unit: deltaOf(a?.unit, b?.unit),
        integration: deltaOf(a?.integration, b?.integration),
        both: deltaOf(a?.both, b?.both),
      }
    }),
  }
}

const byDefinition = (one: DefinitionFigures): [string, DefinitionFigures] => [one.definition, one]

function deltaOf(
  before: Pick<Sums, keyof Delta> | null | undefined,
  now: Pick<Sums, keyof Delta> | null | undefined,
): Delta | null {
  if (before === null || before === undefined || now === null || now === undefined) return null
  return {
    files: now.files - before.files,
    found: now.found - before.found,
    executed: now.executed - before.executed,
  }
}

function suiteChanges(type: TestType, before: readonly RunEvidence[], now: readonly RunEvidence[]): SuiteChange[] {
  const [earlier, later] = [before, now].map((runs) =>
    Map.groupBy(runs.filter((run) => run.testType === type), ({ suite }) => suite),
  ) // oxfmt-ignore
  return [...new Set([...(earlier?.keys() ?? []), ...(later?.keys() ?? [])])].sort().flatMap((suite) => {
    const [a, b] = [earlier?.get(suite), later?.get(suite)]
    const present = (runs: unknown): string | null => (runs === undefined ? null : 'measured')
    const changes: SuiteChange['changes'] =
      a === undefined || b === undefined
        ? [{ what: 'suite', from: present(a), to: present(b) }]
        : unexplainedChanges(howMeasured(a), howMeasured(b))
    return changes.length === 0 ? [] : [{ test_type: type, suite, changes }]
  })
}

/** Of all its runs: without a production digest, since figures are compared on their own. */
function howMeasured(runs: readonly RunEvidence[]) {
  const configurations = new Set(runs.flatMap(({ seal }) => (typeof seal['configuration'] === 'string' ? seal['configuration'] : []))) // oxfmt-ignore
  return {
    totals: runs.flatMap(({ totals }) => totals),
    configuration: configurations.size === 0 ? undefined : [...configurations].sort().join(', '),
  }
}
