import type { LineStates } from '../history/states.ts'
import { type LineRanges, countLines, intersect, noLines, subtract, unite } from '../record/lines.ts'
import type { TestType } from '../record/record.ts'
import type { RunEvidence } from './run-evidence.ts'

/**
 * What several runs of one commit say together, line by line: covered where one of them covered, else partial where one had it partial, else
 * missed. Lines are united only by one definition. Pure, and a function of the set of runs, never of their order.
 */

export interface MeasuredFile {
  path: string
  /** The first by name where runs tell of several; undefined where none tells. */
  blob: string | undefined
  blobDiffers: boolean
  /** By name of the definition. */
  measures: readonly FileMeasure[]
}

export interface FileMeasure {
  definition: string
  /** Undefined where no run of the test type measured the file by this definition. */
  unit: LineStates | undefined
  integration: LineStates | undefined
  /** Unit before integration, then by name. */
  suites: readonly { testType: TestType; suite: string; states: LineStates }[]
  /**
   * Whether what both test types executed can be told line by line: both measured by this definition, or only one of them measured the file
   * at all.
   */
  comparable: boolean
}

export function uniteStates(all: readonly LineStates[]): LineStates {
  const [first = noStates, ...others] = new Set(all)
  // Runs of the same code mostly say the same, and then it is one object.
  if (others.length === 0) return first
  const covered = all.reduce((sum, one) => unite(sum, one.covered), noLines)
  const partial = subtract(all.reduce((sum, one) => unite(sum, one.partial), noLines), covered) // oxfmt-ignore
  const missed = all.reduce((sum, one) => unite(sum, one.missed), noLines)
  return { covered, partial, missed: subtract(subtract(missed, covered), partial) }
}

const noStates: LineStates = { covered: noLines, partial: noLines, missed: noLines }

/** In order of paths. */
export function uniteRuns(runs: readonly RunEvidence[]): MeasuredFile[] {
  const byPath = new Map<string, { run: RunEvidence; definition: string; blob: string | undefined; states: LineStates }[]>()
  for (const run of runs)
    for (const file of run.files) {
      const told = byPath.get(file.path)
      const one = { run, ...file }
      if (told === undefined) byPath.set(file.path, [one])
      else told.push(one)
    }
  return [...byPath.keys()].sort().map((path) => {
    const told = byPath.get(path) ?? []
    const blobs = [...new Set(told.flatMap(({ blob }) => blob ?? []))].sort()
    const measures = [...Map.groupBy(told, ({ definition }) => definition)].toSorted(byName).map(([definition, of]) => {
      const suites = [...Map.groupBy(of, ({ run }) => `${run.testType === 'unit' ? 0 : 1} ${run.suite}`)]
        .toSorted(byName)
        .map(([, own]) => ({
          testType: own[0]?.run.testType ?? 'unit',
          suite: own[0]?.run.suite ?? '',
          states: uniteStates(own.map(({ states }) => states)),
        }))
      const ofType = (type: TestType): LineStates | undefined => {
        const own = suites.filter(({ testType }) => testType === type).map(({ states }) => states)
        return own.length === 0 ? undefined : uniteStates(own)
      }
      return { definition, unit: ofType('unit'), integration: ofType('integration'), suites }
    })
    const types = new Set(told.map(({ run }) => run.testType))
    return {
      path,
      blob: blobs[0],
      blobDiffers: blobs.length > 1,
      measures: measures.map((one) => ({
        ...one,
        comparable: types.size === 1 || (one.unit !== undefined && one.integration !== undefined),
      })),
    }
  })
} // oxfmt-ignore

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0)

export interface Sums {
  files: number
  found: number
  covered: number
  partial: number
  missed: number
  /** covered + partial: the figure that tools print. */
  executed: number
}

export function sumStates(all: Iterable<LineStates>): Sums {
  const sums = { files: 0, found: 0, covered: 0, partial: 0, missed: 0, executed: 0 }
  for (const states of all) {
    const [covered, partial, missed] = [countLines(states.covered), countLines(states.partial), countLines(states.missed)] // oxfmt-ignore
    sums.files += 1
    sums.covered += covered
    sums.partial += partial
    sums.missed += missed
    sums.executed += covered + partial
    sums.found += covered + partial + missed
  }
  return sums
}

/** Lines of both test types together, and which of them executed a line; the last four are disjoint and add up to `found`. */
export interface BothSums {
  files: number
  found: number
  executed: number
  only_unit: number
  only_integration: number
  both: number
  none: number
}

export function sumBoth(measures: Iterable<Pick<FileMeasure, 'unit' | 'integration'>>): BothSums {
  const sums = { files: 0, found: 0, executed: 0, only_unit: 0, only_integration: 0, both: 0, none: 0 }
  for (const { unit, integration } of measures) {
    const [a, b] = [executedOf(unit), executedOf(integration)]
    const [ofUnit, ofIntegration, ofBoth] = [countLines(a), countLines(b), countLines(intersect(a, b))]
    const found = countLines(unite(foundOf(unit), foundOf(integration)))
    const executed = ofUnit + ofIntegration - ofBoth
    sums.files += 1
    sums.found += found
    sums.executed += executed
    sums.only_unit += ofUnit - ofBoth
    sums.only_integration += ofIntegration - ofBoth
    sums.both += ofBoth
    sums.none += found - executed
  }
  return sums
}

export function executedOf(states: LineStates | undefined): LineRanges {
  return states === undefined ? noLines : unite(states.covered, states.partial)
}

export function foundOf(states: LineStates | undefined): LineRanges {
  return states === undefined ? noLines : unite(executedOf(states), states.missed)
}

/** Lines that integration executed and unit did not. */
export function hiddenLines({ unit, integration }: Pick<FileMeasure, 'unit' | 'integration'>): LineRanges {
  return subtract(executedOf(integration), executedOf(unit))
}
