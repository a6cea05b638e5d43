import type { FileCoverage } from '../record/coverage.ts'
import { appendRange } from '../record/lines.ts'
import { Problem } from '../record/problem.ts'
import type { BitTable } from './bit-table.ts'
import { countBits, createBitTable } from './bit-table.ts'
import type { ResolvedPath, WrittenPath } from './paths.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'

/**
 * Gathers what a report observes, in any order and as often as it likes, and gives it back file by file. Memory grows with distinct
 * lines and branches, never with the bytes of the report or the value of a line number.
 *
 * Only states are kept, no counts: whether a format sums or takes the maximum of two observations of one line, the line is executed when one of them
 * is above zero. So both merge rules of COVERAGE.md 1.13 are the same "or", here and for paths that resolve to one file.
 */
export interface Tally {
  /** Begins a section about a file; later observations are about it. False when the path was refused. Throws Problem('too_many_files'). */
  open(path: WrittenPath): boolean
  /** `line` from 1 to `maxLine`. Throws Problem('too_many_lines'). */
  line(line: number, executed: boolean): void
  /** The lines from 32 * `page` on, one a bit: those observed, and those executed among them. */
  lines(page: number, found: number, executed: number): void
  /** One way out of `line`: `branch` of `block`, any 32-bit integers that name it. */
  branch(line: number, block: number, branch: number, taken: boolean): void
  /** The branches from 32 * `page` on of one block, one a bit. */
  branches(line: number, block: number, page: number, found: number, taken: number): void
  /** A function, by any two integers that name it. */
  callable(a: number, b: number, called: boolean): void
  /** Forgets everything since `open`, also the file when it was new. */
  drop(): void
  /** Paths as written, in the order of their first appearance. */
  written(): readonly WrittenPath[]
  /** One entry a path, in ascending order of path (UTF-16 units). `resolved` answers `written()` one by one; undefined leaves a file out. */
  files(resolved: readonly (ResolvedPath | undefined)[], definition: string): Generator<FileCoverage>
}

export interface TallyLimits {
  maxFiles: number
  maxLinesPerFile: number
}

/** No source file is longer, and it is the greatest line that a 32-bit range field of a destination can hold. */
export const maxLine = 2_147_483_647

/** `refusal` says why a path is not taken; such paths are listed in `refused` and held nowhere. */
export function createTally(
  limits: TallyLimits,
  refusal: (path: WrittenPath) => string | undefined,
  refused: RefusedList,
): Tally {
  const lines = createBitTable()
  const branches = createBitTable()
  const callables = createBitTable()
  const tables = [lines, branches, callables]
  const paths: WrittenPath[] = []
  const indexes = new Map<string, number>()
  const lineCounts: number[] = []
  let file = -1
  let countBefore = 0
  let fresh = false

  function addLines(page: number, found: number, executed: number): void {
    const added = lines.add(page, 0, 0, found, executed)
    if (added === 0) return
    const count = (lineCounts[file] ?? 0) + countBits(added)
    lineCounts[file] = count
    if (count > limits.maxLinesPerFile) {
      throw new Problem(
        'too_many_lines',
        `a file has more than ${limits.maxLinesPerFile} lines: ${paths[file]?.text ?? ''}`,
      )
    }
  }

  return {
    open(path) {
      // The mark keeps a name made of escaped bytes apart from the same characters written as text.
      const key = path.latin1 === undefined ? path.text : `\0${path.text}`
      const known = indexes.get(key)
      const reason = known === undefined ? refusal(path) : undefined
      if (reason !== undefined) {
        refuse(refused, path.text, reason)
        return false
      }
      fresh = known === undefined
      if (known === undefined && paths.length >= limits.maxFiles) {
        throw new Problem('too_many_files', `the report names more than ${limits.maxFiles} files`)
      }
      file = known ?? paths.push(path) - 1
      if (fresh) {
        indexes.set(key, file)
        lineCounts.push(0)
      }
      countBefore = lineCounts[file] ?? 0
      for (const table of tables) table.open(file)
      return true
    },
    line(line, executed) {
      const bit = 1 << (line & 31)
      addLines(line >>> 5, bit, executed ? bit : 0)
    },
    lines: addLines,
    branch(line, block, branch, taken) {
      const bit = 1 << (branch & 31)
      branches.add(line, block, branch >>> 5, bit, taken ? bit : 0)
    },
    branches(line, block, page, found, taken) {
      branches.add(line, block, page, found, taken)
    },
    callable(a, b, called) {
      callables.add(a, b, 0, 1, called ? 1 : 0)
    },
    drop() {
      for (const table of tables) table.undo()
      lineCounts[file] = countBefore
      if (!fresh) return
      const path = paths.pop()
      if (path !== undefined) indexes.delete(path.latin1 === undefined ? path.text : `\0${path.text}`)
      lineCounts.pop()
      fresh = false
    },
    written: () => paths,
    *files(resolved, definition) {
      for (const [path, { sources, unresolved, blob }] of joinByPath(resolved)) {
        const untaken: number[] = []
        const ways = { found: 0, covered: 0 }
        for (const slot of bitsOf(branches, sources)) {
          ways.found += countBits(slot.found)
          ways.covered += countBits(slot.on)
          if ((slot.found & ~slot.on) !== 0 && untaken.at(-1) !== slot.k1) untaken.push(slot.k1)
        }
        const functions = { found: 0, covered: 0 }
        for (const slot of bitsOf(callables, sources)) {
          functions.found += 1
          functions.covered += slot.on
        }
        yield {
          path,
          ...(blob === undefined ? {} : { blob }),
          ...(unresolved ? { unresolved } : {}),
          metric: 'line',
          definition,
          ...toRanges(bitsOf(lines, sources), untaken),
          ...(ways.found === 0 ? {} : { branches: ways }),
          ...(functions.found === 0 ? {} : { functions }),
        }
      }
    },
  }
}

interface Joined {
  sources: number[]
  unresolved: boolean
  blob: string | undefined
}

/** Written paths that lead to one file of the repository are one file. */
function joinByPath(resolved: readonly (ResolvedPath | undefined)[]): [string, Joined][] {
  const byPath = new Map<string, Joined>()
  for (const [source, to] of resolved.entries()) {
    if (to === undefined) continue
    const joined = byPath.get(to.path)
    if (joined === undefined) byPath.set(to.path, { sources: [source], unresolved: to.unresolved, blob: to.blob })
    else joined.sources.push(source)
  }
  return [...byPath].sort(([a], [b]) => (a < b ? -1 : 1))
}

interface Bits {
  k1: number
  found: number
  on: number
}

/** The slots of these files, ascending by key, equal keys joined. The object yielded is one and the same. */
function* bitsOf(table: BitTable, sources: readonly number[]): Generator<Bits> {
  const [first, ...others] = sources.map((source) => table.slotsOf(source))
  const slots =
    others.length === 0
      ? (first ?? new Int32Array(0))
      : Int32Array.from([first ?? [], ...others].flatMap((part) => [...part]))
  const compare = (a: number, b: number): number =>
    table.column(a, 0) - table.column(b, 0) ||
    table.column(a, 1) - table.column(b, 1) ||
    table.column(a, 2) - table.column(b, 2)
  const isSorted = slots.every((slot, i) => i === 0 || compare(slots[i - 1] ?? slot, slot) < 0)
  if (!isSorted) slots.sort(compare)
  const bits: Bits = { k1: 0, found: 0, on: 0 }
  let before = -1
  for (const slot of slots) {
    const found = table.column(slot, 3)
    if (found === 0) continue
    const joins = before >= 0 && compare(before, slot) === 0
    if (before >= 0 && !joins) yield bits
    bits.k1 = table.column(slot, 0)
    bits.found = (joins ? bits.found : 0) | found
    bits.on = (joins ? bits.on : 0) | table.column(slot, 4)
    before = slot
  }
  if (before >= 0) yield bits
}

/** The three line sets. `untaken`: lines with a branch that was not taken, ascending. */
function toRanges(
  pages: Iterable<Bits>,
  untaken: readonly number[],
): Pick<FileCoverage, 'covered' | 'partial' | 'missed'> {
  const sets: { covered: number[]; partial: number[]; missed: number[] } = { covered: [], partial: [], missed: [] }
  let u = 0
  for (const page of pages) {
    for (let word = page.found; word !== 0; word &= word - 1) {
      const bit = word & -word
      const line = page.k1 * 32 + (31 - Math.clz32(bit))
      while (u < untaken.length && (untaken[u] ?? 0) < line) u += 1
      const set = (page.on & bit) === 0 ? sets.missed : untaken[u] === line ? sets.partial : sets.covered
      appendRange(set, line, line)
    }
  }
  return sets
}
