import type { LineStates } from '../history/states.ts'
import { type LineRanges, countLines, intersect, noLines, subtract, unite } from '../record/lines.ts'
import type { TestType } from '../record/record.ts'
import type { FileEvidence, RunEvidence } from './run-evidence.ts'

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

/** What a run says of a file, by one definition. */
interface Told {
  testType: TestType
  suite: string
  file: FileEvidence
}

/** In order of paths. */
export function uniteRuns(runs: readonly RunEvidence[]): MeasuredFile[] {
  const byPath = new Map<string, Told[]>()
  for (const { testType, suite, files } of runs)
    for (const file of files) {
      const told = byPath.get(file.path)
      if (told === undefined) byPath.set(file.path, [{ testType, suite, file }])
      else told.push({ testType, suite, file })
    }
  return [...byPath.keys()].sort().map((path) => remember(path, byPath.get(path) ?? []))
}

/** By the first that is told of a file: equal records of many runs are one object, and most files of a commit are those of the one before. */
const remembered = new WeakMap<FileEvidence, { told: readonly Told[]; file: MeasuredFile }>()

function remember(path: string, told: readonly Told[]): MeasuredFile {
  const [first] = told
  const known = first === undefined ? undefined : remembered.get(first.file)
  if (known?.told.length === told.length && known.told.every((one, i) => isSame(one, told[i]))) return known.file
  const file = uniteFile(path, told)
  if (first !== undefined) remembered.set(first.file, { told, file })
  return file
}

const isSame = (a: Told, b: Told | undefined): boolean => a.file === b?.file && a.testType === b.testType && a.suite === b.suite // oxfmt-ignore

function uniteFile(path: string, told: readonly Told[]): MeasuredFile {
  const blobs = [...new Set(told.flatMap(({ file: { blob } }) => blob ?? []))].sort()
  const types = new Set(told.map(({ testType }) => testType))
  const measures = [...Map.groupBy(told, ({ file }) => file.definition)].toSorted(byName).map(([definition, of]) => {
    const suites = [...Map.groupBy(of, ({ testType, suite }) => `${testType === 'unit' ? 0 : 1} ${suite}`)]
      .toSorted(byName)
      .map(([, own]) => ({
        testType: own[0]?.testType ?? 'unit',
        suite: own[0]?.suite ?? '',
        states: uniteStates(own.map(({ file }) => file.states)),
      }))
    const ofType = (type: TestType): LineStates | undefined => {
      const own = suites.filter(({ testType }) => testType === type).map(({ states }) => states)
      return own.length === 0 ? undefined : uniteStates(own)
    }
    const [unit, integration] = [ofType('unit'), ofType('integration')]
    const comparable = types.size === 1 || (unit !== undefined && integration !== undefined)
    return { definition, unit, integration, suites, comparable }
  })
  return { path, blob: blobs[0], blobDiffers: blobs.length > 1, measures }
}

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

/** What was counted once of the same object. */
const counted = new WeakMap<LineStates, Omit<Sums, 'files'>>()

export function countStates(states: LineStates): Omit<Sums, 'files'> {
  const known = counted.get(states)
  if (known !== undefined) return known
  const [covered, partial, missed] = [countLines(states.covered), countLines(states.partial), countLines(states.missed)] // oxfmt-ignore
  const counts = { found: covered + partial + missed, covered, partial, missed, executed: covered + partial }
  counted.set(states, counts)
  return counts
}

export function sumStates(all: Iterable<LineStates>): Sums {
  const sums = { files: 0, found: 0, covered: 0, partial: 0, missed: 0, executed: 0 }
  for (const states of all) {
    const { found, covered, partial, missed, executed } = countStates(states)
    sums.files += 1
    sums.found += found
    sums.covered += covered
    sums.partial += partial
    sums.missed += missed
    sums.executed += executed
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

type Both = Pick<FileMeasure, 'unit' | 'integration'>

const countedBoth = new WeakMap<Both, Omit<BothSums, 'files'>>()

export function countBoth(measure: Both): Omit<BothSums, 'files'> {
  const known = countedBoth.get(measure)
  if (known !== undefined) return known
  const { unit, integration } = measure
  const [a, b] = [executedOf(unit), executedOf(integration)]
  const [ofUnit, ofIntegration, both] = [countLines(a), countLines(b), countLines(intersect(a, b))]
  const found = countLines(unite(foundOf(unit), foundOf(integration)))
  const executed = ofUnit + ofIntegration - both
  const counts = { found, executed, only_unit: ofUnit - both, only_integration: ofIntegration - both, both, none: found - executed } // oxfmt-ignore
  countedBoth.set(measure, counts)
  return counts
}

export function sumBoth(measures: Iterable<Both>): BothSums {
  const sums = { files: 0, found: 0, executed: 0, only_unit: 0, only_integration: 0, both: 0, none: 0 }
  for (const measure of measures) {
    const { found, executed, only_unit, only_integration, both, none } = countBoth(measure)
    sums.files += 1
    sums.found += found
    sums.executed += executed
    sums.only_unit += only_unit
    sums.only_integration += only_integration
    sums.both += both
    sums.none += none
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
export function hiddenLines({ unit, integration }: Both): LineRanges {
  return subtract(executedOf(integration), executedOf(unit))
}
