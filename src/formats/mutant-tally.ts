import type { MutationCoverage } from '../record/coverage.ts'
import { appendRange } from '../record/lines.ts'
import type { MutantStatus } from '../record/mutants.ts'
import { mutantStatuses, toMutants, verdictOf } from '../record/mutants.ts'
import { Problem } from '../record/problem.ts'
import type { ResolvedPath, WrittenPath } from './paths.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { TallyLimits } from './tally.ts'
import { sortByPath } from './to-coverage.ts'

/**
 * Gathers mutants in any order and gives them back file by file. Each one counts, for a mutant is a thing and not an observation: what a report
 * has twice, its tool counts twice as well. Memory grows with distinct lines, 16 bytes each at most, never with the number of mutants.
 */
export interface MutantTally {
  /** The number of the file of this path, the same for the same path; -1 when the path was refused. Throws Problem('too_many_files'). */
  file(path: WrittenPath): number
  /** `line` from 1 to `maxLine`. Throws Problem('too_many_lines'). */
  add(file: number, line: number, status: MutantStatus): void
  /** Paths as written, in the order of their first appearance. */
  written(): readonly WrittenPath[]
  /** One entry a path, in ascending order of path. `resolved` answers `written()` one by one; undefined leaves a file out. */
  files(resolved: readonly (ResolvedPath | undefined)[], definition: string): Iterable<MutationCoverage>
}

interface OfFile {
  /** By position in `mutantStatuses`. */
  counts: Uint32Array
  /** Distinct lines, ascending, each times 16 and with the sets it is in. */
  lines: Float64Array
  /** The same as they come; joined with `lines` when there are as many as those, so that time stays in proportion to what came in. */
  later: number[]
}

const setBits = 16
const [detected, survived, uncovered, undecided] = [1, 2, 4, 8]
const fewest = 64

function setOf(status: MutantStatus): number {
  if (status === 'survived') return survived
  if (status === 'no_coverage') return uncovered
  return verdictOf(status) === 'detected' ? detected : undecided
}

const places = new Map(mutantStatuses.map((status, i) => [status, i]))

/** `refusal` says why a path is not taken; such paths are listed in `refused` and held nowhere. */
export function createMutantTally(
  limits: TallyLimits,
  refusal: (path: WrittenPath) => string | undefined,
  refused: RefusedList,
): MutantTally {
  const paths: WrittenPath[] = []
  const files: OfFile[] = []
  const numbers = new Map<string, number>()
  let distinct = 0

  function settle(number: number, of: OfFile): void {
    distinct -= of.lines.length
    of.lines = toDistinct(of.lines, of.later)
    of.later = []
    distinct += of.lines.length
    if (of.lines.length > limits.maxLinesPerFile)
      throw new Problem(
        'too_many_lines',
        `a file has more than ${limits.maxLinesPerFile} lines: ${paths[number]?.text ?? ''}`,
      )
    if (distinct > limits.maxLines)
      throw new Problem('too_many_lines', `the report has mutants on more than ${limits.maxLines} lines`)
  }

  return {
    file(path) {
      const known = numbers.get(path.text)
      if (known !== undefined) return known
      const reason = refusal(path)
      if (reason !== undefined) {
        refuse(refused, path.text, reason)
        return -1
      }
      if (paths.length >= limits.maxFiles)
        throw new Problem('too_many_files', `the report names more than ${limits.maxFiles} files`)
      numbers.set(path.text, paths.length)
      files.push({ counts: new Uint32Array(mutantStatuses.length), lines: new Float64Array(0), later: [] })
      return paths.push(path) - 1
    },
    add(number, line, status) {
      const of = files[number]
      const place = places.get(status)
      if (of === undefined || place === undefined) throw new Error(`file ${number} has no number yet`)
      of.counts[place] = (of.counts[place] ?? 0) + 1
      of.later.push(line * setBits + setOf(status))
      if (of.later.length >= Math.max(fewest, of.lines.length)) settle(number, of)
    },
    written() {
      for (const [number, of] of files.entries()) settle(number, of)
      return paths
    },
    files: (resolved, definition) => ({
      *[Symbol.iterator]() {
        const order = sortByPath(resolved)
        for (let i = 0; i < order.length;) {
          const to = resolved[order[i] ?? 0]
          const same: OfFile[] = []
          for (; i < order.length && resolved[order[i] ?? 0]?.path === to?.path; i += 1) {
            const of = files[order[i] ?? 0]
            if (of !== undefined) same.push(of)
          }
          if (to !== undefined) yield toCoverage(to, same, definition)
        }
      },
    }),
  }
}

/** What is in either, ascending, each line once. */
function toDistinct(lines: Float64Array, later: ArrayLike<number>): Float64Array {
  const all = new Float64Array(lines.length + later.length)
  all.set(lines)
  all.set(later, lines.length)
  all.sort()
  let length = 0
  for (const item of all) {
    const before = all[length - 1] ?? 0
    if (length > 0 && Math.floor(before / setBits) === Math.floor(item / setBits))
      all[length - 1] = before + ((item % setBits) & ~(before % setBits))
    else all[length++] = item
  }
  return all.slice(0, length)
}

/** Written paths that lead to one file of the repository are one file. */
function toCoverage(to: ResolvedPath, same: readonly OfFile[], definition: string): MutationCoverage {
  const counts = new Float64Array(mutantStatuses.length)
  let lines = same[0]?.lines ?? new Float64Array(0)
  for (const [i, of] of same.entries()) {
    for (let place = 0; place < counts.length; place += 1)
      counts[place] = (counts[place] ?? 0) + (of.counts[place] ?? 0)
    if (i > 0) lines = toDistinct(lines, of.lines)
  }
  const sets: number[][] = [[], [], [], []]
  for (const item of lines) {
    const line = Math.floor(item / setBits)
    for (const [i, set] of sets.entries()) if (((item % setBits) & (1 << i)) !== 0) appendRange(set, line, line)
  }
  const file: MutationCoverage = {
    path: to.path,
    metric: 'mutation',
    definition,
    mutants: toMutants(counts),
    detected: sets[0] ?? [],
    survived: sets[1] ?? [],
    uncovered: sets[2] ?? [],
    undecided: sets[3] ?? [],
  }
  if (to.blob !== undefined) file.blob = to.blob
  if (to.unresolved) file.unresolved = true
  return file
}
