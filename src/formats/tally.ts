import type { LineCoverage } from '../record/coverage.ts'
import { Problem } from '../record/problem.ts'
import type { UnitKind } from '../record/run.ts'
import { unitKinds } from '../record/run.ts'
import { addBitsNear, rowWidth } from './bit-rows.ts'
import { addFunction, toFunctionName } from './function-set.ts'
import { addPage, pageWidth } from './line-pages.ts'
import { clearObserved, createObserved, isEmpty, sizeOf, sortObserved, tooManyOf, waysBlock } from './observed.ts'
import { maxPackedBytes, nothing, packInto, readPacked, unpackInto } from './packed.ts'
import type { ResolvedPath, WrittenPath } from './paths.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Scratch } from './scratch.ts'
import type { Packed } from './shelf.ts'
import { createShelf } from './shelf.ts'
import { sortByPath, toCoverage } from './to-coverage.ts'

/**
 * Gathers what a report observes, in any order and as often as it likes, and gives it back file by file. Memory grows with distinct
 * lines and branches, never with the bytes of the report or the value of a line number.
 *
 * Only states are kept, no counts: whether a format sums or takes the maximum of two observations of one line, the line is executed when one of them
 * is above zero. So both merge rules of COVERAGE.md 1.13 are the same "or", here and for paths that resolve to one file.
 *
 * One section is gathered at a time, in order of appearance; when it ends, it is sorted and packed into a few bytes (packed.ts). A hash table of all
 * lines took three times as long and six times the memory.
 */
export interface Tally {
  /**
   * Ends the section before and begins one about a file that had none yet; later observations are about it. Files are numbered from 0; -1 when the
   * path was refused. Throws Problem('too_many_files', 'too_many_lines'), the latter for any earlier section.
   */
  add(path: WrittenPath): number
  /** The same for a file that has its number. */
  open(file: number): void
  /** `line` from 1 to `maxLine`. */
  line(line: number, executed: boolean): void
  /** Before a range that a few bytes name is gone through in so many `steps`. Throws Problem('too_many_lines') when they are too many in all. */
  spend(steps: number): void
  /** The lines from 32 * `page` on, one a bit: those observed, and those executed among them. */
  lines(page: number, found: number, executed: number): void
  /** Ways out of `line`: those of `block` from 32 * `page` on, one a bit; any 32-bit integers but `line` may name them. */
  branches(line: number, block: number, page: number, found: number, taken: number): void
  /** One way out of `line`. */
  branch(line: number, block: number, branch: number, taken: boolean): void
  /**
   * Ways through `line` that are no branches (its instructions, the blocks or regions on it), numbered from 32 * `page` on, one a bit: when one of them was
   * not taken, an executed line is partial. They are counted nowhere.
   */
  ways(line: number, page: number, found: number, taken: number): void
  /** Statements and the like: those called `name` from 32 * `page` on, one a bit. Only how many there are is told, and how many are covered. */
  units(kind: UnitKind, name: number, page: number, found: number, covered: number): void
  /** A function, by any two 32-bit integers that name it; `called` is 1 or 0. */
  callable(a: number, b: number, called: number): void
  /** Forgets everything since `open`, also the file when it was new. Throws Problem('too_many_lines') all the same. */
  drop(): void
  /** Ends the last section. Paths as written, in the order of their first appearance. Throws Problem('too_many_lines'). */
  written(): readonly WrittenPath[]
  /** After `written`: one entry a path, in ascending order of path (UTF-16 units). `resolved` answers `written()` one by one; undefined leaves a file out. */
  files(resolved: readonly (ResolvedPath | undefined)[], definition: string): Iterable<LineCoverage>
}

export interface TallyLimits {
  maxFiles: number
  /** Also of its blocks of branches, functions and so on, of each. */
  maxLinesPerFile: number
  /** Of the whole report, all of these together: what memory grows with. */
  maxLines: number
}

/** No source file is longer, and it is the greatest line that a 32-bit range field of a destination can hold. */
export const maxLine = 2_147_483_647

/** `refusal` says why a path is not taken; such paths are listed in `refused` and held nowhere. */
export function createTally(
  limits: TallyLimits,
  refusal: (path: WrittenPath) => string | undefined,
  refused: RefusedList,
): Tally {
  const paths: WrittenPath[] = []
  /** By file, what its sections said. Usually one; else each is more than twice as long as the next, so that no section costs more than it is long. */
  const tops: (Packed | undefined)[] = []
  const piled = new Set<number>()
  const shelf = createShelf(allKept)
  const observed = createObserved()
  let file = -1
  let isNew = false
  /** A quarter more than all of a file together, once what is told twice is joined. */
  const longest = 1.25 * limits.maxLinesPerFile
  /** Steps through ranges that are left. A line of 50 bytes may name two million lines again and again, each time as long as the first. */
  let steps = 4 * limits.maxLines
  /** The size of all that is kept. What several sections of a file tell may count for each of them, until they are joined. */
  let size = 0
  let written = 0
  let joinAt = limits.maxLines

  function* allKept(): Generator<Packed> {
    for (const top of tops) for (let packed = top; packed !== undefined; packed = packed.below) yield packed
  }

  function close(): void {
    if (file < 0) return
    if (!isEmpty(observed)) {
      store(file)
      clearObserved(observed)
      if (size > joinAt) limitReport()
    }
    file = -1
  }

  // All of these limit at once: a section of 500 MB may have no end.

  function addLines(page: number, found: number, executed: number): void {
    if (observed.lines.length > longest * pageWidth) limitFile(file)
    addPage(observed.lines, page, found, executed)
  }

  function addRow(rows: Scratch, k1: number, k2: number, k3: number, found: number, on: number): void {
    if (rows.length > longest * rowWidth) limitFile(file)
    addBitsNear(rows, k1, k2, k3, found, on)
  }

  function addBranches(line: number, block: number, page: number, found: number, taken: number): void {
    // Names made from bytes may be any number: the one that is reserved stands for its neighbour.
    addRow(observed.branches, line, block === waysBlock ? block + 1 : block, page, found, taken)
  }

  /** Sorts what was observed, and answers its size. */
  function limitFile(of: number): number {
    sortObserved(observed)
    const all = sizeOf(observed)
    const what = all > limits.maxLinesPerFile ? tooManyOf(observed, limits.maxLinesPerFile) : undefined
    if (what === undefined) return all
    throw new Problem(
      'too_many_lines',
      `a file has more than ${limits.maxLinesPerFile} ${what}: ${paths[of]?.text ?? ''}`,
    )
  }

  /** Joining takes as long as reading all that is kept, so it is done when that has doubled: memory may be twice what is allowed. */
  function limitReport(): void {
    joinPiles()
    if (size > limits.maxLines)
      throw new Problem(
        'too_many_lines',
        `the report has more than ${limits.maxLines} lines, blocks of branches and functions`,
      )
    joinAt = Math.max(limits.maxLines, 2 * size)
  }

  function joinPiles(): void {
    for (const of of piled) {
      for (let top = tops[of]; top !== undefined; top = tops[of]) takeBack(of, top)
      write(of)
      keep(of, undefined)
      clearObserved(observed)
    }
    piled.clear()
  }

  /** Packs what was observed, together with what is known of the file and not much longer. */
  function store(of: number): void {
    let length = write(of)
    let top = tops[of]
    if (top !== undefined && shelf.isWritten(top)) return
    for (; top !== undefined && top.to - top.from <= 2 * length; top = tops[of]) {
      takeBack(of, top)
      length = write(of)
    }
    keep(of, top)
    if (top === undefined) piled.delete(of)
    else piled.add(of)
  }

  function takeBack(of: number, top: Packed): void {
    unpackInto(observed, top.bytes, top.from)
    tops[of] = top.below
    size -= top.size
    shelf.free(top)
  }

  function write(of: number): number {
    written = limitFile(of)
    return shelf.write(observed)
  }

  /** What was written last. */
  function keep(of: number, below: Packed | undefined): void {
    tops[of] = shelf.keep(below, written)
    size += written
  }

  /** What is known of these files together. */
  function join(of: readonly number[]): Uint8Array {
    for (const source of of) {
      const top = tops[source]
      if (top !== undefined) unpackInto(observed, top.bytes, top.from)
    }
    sortObserved(observed)
    const bytes = new Uint8Array(maxPackedBytes(observed))
    packInto(bytes, 0, observed)
    clearObserved(observed)
    return bytes
  }

  return {
    add(path) {
      close()
      const reason = refusal(path)
      if (reason !== undefined) {
        refuse(refused, path.text, reason)
        return -1
      }
      if (paths.length >= limits.maxFiles) {
        throw new Problem('too_many_files', `the report names more than ${limits.maxFiles} files`)
      }
      isNew = true
      tops.push(undefined)
      file = paths.push(path) - 1
      return file
    },
    open(known) {
      close()
      isNew = false
      file = known
    },
    line(line, executed) {
      const bit = 1 << (line & 31)
      addLines(line >>> 5, bit, executed ? bit : 0)
    },
    spend(wanted) {
      steps -= wanted
      if (steps < 0)
        throw new Problem('too_many_lines', `the line ranges of the report are too long together: more than ${4 * limits.maxLines}`) // oxfmt-ignore
    },
    lines: addLines,
    branches: addBranches,
    branch(line, block, branch, taken) {
      const bit = 1 << (branch & 31)
      addBranches(line, block, branch >>> 5, bit, taken ? bit : 0)
    },
    ways: (line, page, found, taken) => addRow(observed.branches, line, waysBlock, page, found, taken),
    units: (kind, name, page, found, covered) =>
      addRow(observed.units, unitKinds.indexOf(kind), name, page, found, covered),
    callable(a, b, called) {
      if (observed.functions.length > longest) limitFile(file)
      addFunction(observed.functions, toFunctionName(a, b), called)
    },
    drop() {
      limitFile(file)
      clearObserved(observed)
      file = -1
      if (!isNew) return
      paths.pop()
      tops.pop()
    },
    written() {
      close()
      limitReport()
      return paths
    },
    files(resolved, definition) {
      let order: readonly number[] | undefined
      return {
        *[Symbol.iterator]() {
          order ??= sortByPath(resolved)
          for (let i = 0; i < order.length;) {
            const first = order[i] ?? 0
            const to = resolved[first]
            let end = i + 1
            while (end < order.length && resolved[order[end] ?? 0]?.path === to?.path) end += 1
            const top = tops[first]
            // Written paths that lead to one file of the repository are one file.
            const bytes = end > i + 1 ? join(order.slice(i, end)) : (top?.bytes ?? nothing)
            if (to !== undefined)
              yield toCoverage(to, readPacked(bytes, bytes === top?.bytes ? top.from : 0), definition)
            i = end
          }
        },
      }
    },
  }
}
