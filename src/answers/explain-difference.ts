import { type Stretch, allLines, moveLines } from '../history/kept-lines.ts'
import { type LineRanges, appendRange, countLines, intersect, noLines, subtract, unite } from '../record/lines.ts'

/**
 * Why two numbers of executed lines disagree: every line that one of them counts is in exactly one step from the first to the second, so what the
 * steps add is the whole difference. Pure.
 */

export interface SideFile {
  path: string
  found: LineRanges
  executed: LineRanges
  /** By suite: what it executed. */
  by: ReadonlyMap<string, LineRanges>
}

/** Why a file is not among those of a side. */
export type Absence =
  | 'excluded'
  | 'not_measured'
  | 'other_definition'
  | 'not_comparable'
  | 'not_in_commit'
  | 'no_inventory'

export interface Side {
  files: ReadonlyMap<string, SideFile>
  suites: ReadonlySet<string>
  why(path: string): Absence
}

/** How the files of the sides belong together. */
export interface Pairing {
  /** By path on side a: the file's path on side b, where both have it. */
  paths: ReadonlyMap<string, string>
  /** What two versions of a file have in common; undefined where that is not known. */
  kept(pathA: string): readonly Stretch[] | undefined
}

export type StepKind =
  /** One has the file, the other has not; `reason` says why not. */
  | 'file_only'
  /** Both have the line, and one of them takes it for code. */
  | 'line_only'
  /** The file was changed, and only one of its versions has the line. */
  | 'changed_line'
  /** The file was changed, and which lines stayed is not known. */
  | 'changed_file'
  /** Both count the line; one of them executed it, by a suite that the other has not. */
  | 'executed_by_other_suite'
  /** Both count the line; one of them executed it, by a suite that the other has too. */
  | 'executed_only'
  /** Both say the same. */
  | 'same'

export interface Step {
  kind: StepKind
  /** The side that has what the other has not; undefined where both have something else. */
  side: 'a' | 'b' | undefined
  reason: Absence | undefined
  /** Lines of each side that it explains: over all steps they are all lines. */
  linesA: number
  linesB: number
  /** What it adds on the way from a to b. */
  found: number
  executed: number
  /** By path, on side b where both have the file. */
  files: Map<string, { found: number; executed: number }>
  /** Of lines that one side executed: by suite how many of them it executed. Several may have executed the same. */
  by: Map<string, number>
}

export function explainDifference(a: Side, b: Side, { paths, kept }: Pairing): Step[] {
  const steps = createSteps()
  const paired = new Set(paths.values())
  for (const file of sorted(a)) {
    const other = b.files.get(paths.get(file.path) ?? '')
    if (other === undefined) {
      const [found, executed] = [countLines(file.found), countLines(file.executed)]
      steps.add('file_only', 'a', file.path, { linesA: found, found: -found, executed: -executed }, b.why(file.path))
    } else explainFile(steps, { a, b }, file, other, kept(file.path))
  }
  for (const file of sorted(b)) {
    if (paired.has(file.path)) continue
    const [found, executed] = [countLines(file.found), countLines(file.executed)]
    steps.add('file_only', 'b', file.path, { linesB: found, found, executed }, a.why(file.path))
  }
  return steps.list()
}

const sorted = ({ files }: Side): SideFile[] => [...files.values()].toSorted((x, y) => (x.path < y.path ? -1 : 1))

function explainFile(
  steps: Steps,
  sides: { a: Side; b: Side },
  fileA: SideFile,
  { path, found: foundB, executed: executedB, by: byB }: SideFile,
  kept: readonly Stretch[] | undefined,
): void {
  if (kept === undefined) {
    const [linesA, linesB] = [countLines(fileA.found), countLines(foundB)]
    const executed = countLines(executedB) - countLines(fileA.executed)
    steps.add('changed_file', undefined, path, { linesA, linesB, found: linesB - linesA, executed })
    return
  }
  // From here on lines of a are called by their numbers in b.
  const [foundA, executedA] = [moveLines(fileA.found, kept), moveLines(fileA.executed, kept)]
  const [gone, goneExecuted] = [countLines(fileA.found) - countLines(foundA), countLines(fileA.executed) - countLines(executedA)] // oxfmt-ignore
  if (gone > 0) steps.add('changed_line', 'a', path, { linesA: gone, found: -gone, executed: -goneExecuted })
  const stayed = kept === allLines ? foundB : intersect(foundB, sidesOf(kept))
  const fresh = subtract(foundB, stayed)
  addLines(steps, 'changed_line', 'b', path, fresh, executedB)
  addLines(steps, 'line_only', 'a', path, subtract(foundA, stayed), executedA)
  addLines(steps, 'line_only', 'b', path, subtract(stayed, foundA), executedB)

  const common = intersect(foundA, stayed)
  const onlyA = subtract(intersect(executedA, common), executedB)
  const onlyB = subtract(intersect(executedB, common), executedA)
  const byA = new Map([...fileA.by].map(([suite, lines]) => [suite, moveLines(lines, kept)]))
  addExecuted(steps, 'a', path, onlyA, byA, sides.b.suites)
  addExecuted(steps, 'b', path, onlyB, byB, sides.a.suites)
  const same = countLines(common) - countLines(onlyA) - countLines(onlyB)
  if (same > 0) steps.add('same', undefined, path, { linesA: same, linesB: same, found: 0, executed: 0 })
}

const sidesOf = (kept: readonly Stretch[]): LineRanges => {
  const lines: number[] = []
  for (const { to, length } of kept) appendRange(lines, to, to + length - 1)
  return lines
}

/** Lines that one side counts and the other does not. */
function addLines(steps: Steps, kind: StepKind, side: 'a' | 'b', path: string, lines: LineRanges, executed: LineRanges): void {
  const [found, of] = [countLines(lines), countLines(intersect(lines, executed))]
  if (found === 0) return
  if (side === 'a') steps.add(kind, side, path, { linesA: found, found: -found, executed: -of })
  else steps.add(kind, side, path, { linesB: found, found, executed: of })
} // oxfmt-ignore

/** Lines that both count and one executed: by a suite that the other has too, or only by others. */
function addExecuted(
  steps: Steps,
  side: 'a' | 'b',
  path: string,
  lines: LineRanges,
  by: ReadonlyMap<string, LineRanges>,
  suitesOfOther: ReadonlySet<string>,
): void {
  if (lines.length === 0) return
  let shared = noLines
  for (const [suite, executed] of by) if (suitesOfOther.has(suite)) shared = unite(shared, executed)
  for (const [kind, own] of [
    ['executed_only', intersect(lines, shared)],
    ['executed_by_other_suite', subtract(lines, shared)],
  ] as const) {
    const count = countLines(own)
    if (count === 0) continue
    const step = steps.add(kind, side, path, { linesA: count, linesB: count, found: 0, executed: side === 'a' ? -count : count }) // oxfmt-ignore
    for (const [suite, executed] of by) {
      const of = countLines(intersect(own, executed))
      if (of > 0) step.by.set(suite, (step.by.get(suite) ?? 0) + of)
    }
  }
}

interface Adding {
  linesA?: number
  linesB?: number
  found: number
  executed: number
}

interface Steps {
  add(kind: StepKind, side: Step['side'], path: string, adding: Adding, reason?: Absence): Step
  list(): Step[]
}

const order: readonly StepKind[] = ['file_only', 'line_only', 'changed_line', 'changed_file', 'executed_by_other_suite', 'executed_only', 'same'] // oxfmt-ignore

function createSteps(): Steps {
  const steps = new Map<string, Step>()
  return {
    add(kind, side, path, { linesA = 0, linesB = 0, found, executed }, reason) {
      const key = `${order.indexOf(kind)} ${side ?? ''} ${reason ?? ''}`
      const step = steps.get(key) ?? { kind, side, reason, linesA: 0, linesB: 0, found: 0, executed: 0, files: new Map(), by: new Map() } // oxfmt-ignore
      steps.set(key, step)
      step.linesA += linesA
      step.linesB += linesB
      step.found += found
      step.executed += executed
      const file = step.files.get(path) ?? { found: 0, executed: 0 }
      step.files.set(path, { found: file.found + found, executed: file.executed + executed })
      return step
    },
    list: () => [...steps].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, step]) => step),
  }
}
