import { Problem } from '../record/problem.ts'
import type { LineRun } from './line-run.ts'
import type { MergeTwo, Scratch } from './scratch.ts'
import { makeRoom, sortScratch } from './scratch.ts'
import type { Tally } from './tally.ts'
import type { UnitRun } from './units.ts'

/**
 * The blocks of one Go file, six integers each: start line and column, end line and column, statements, and 1 when one of the test binaries ran it. With
 * -coverpkg each test binary writes all blocks again (thirteen times in one real profile), in the same order: so the block behind the one before is
 * looked at first. Memory grows with distinct blocks.
 */
export interface GoBlocks {
  scratch: Scratch
  /** Where the block is that is likely to come next. */
  next: number
}

const width = 6
/** There may be a hundred thousand files. */
const firstBlocks = 16
/** Statements of a block that was written with different numbers of them. */
const contradictory = -1

// Positions are below `length`: hence `as number`.

export function createGoBlocks(): GoBlocks {
  return {
    scratch: { items: new Int32Array(width * firstBlocks), length: 0, breaks: [], spare: new Int32Array(0) },
    next: 0,
  }
}

export function addBlock(blocks: GoBlocks, block: Int32Array): void {
  const { scratch } = blocks
  const at = isSame(scratch, blocks.next, block) ? blocks.next : isSame(scratch, 0, block) ? 0 : -1
  if (at >= 0) {
    const { items } = scratch
    items[at + 5] = (items[at + 5] as number) | (block[5] as number)
    blocks.next = at + width
    return
  }
  if (scratch.length + width > scratch.items.length) makeRoom(scratch, width, mergeBlocks)
  const { items, length } = scratch
  if (length > 0 && compare(items, length - width, block, 0) >= 0) scratch.breaks.push(length)
  items.set(block, length)
  scratch.length = length + width
  blocks.next = scratch.length
}

function isSame({ items, length }: Scratch, at: number, block: Int32Array): boolean {
  if (at >= length) return false
  for (let k = 0; k < width - 1; k += 1) if (items[at + k] !== block[k]) return false
  return true
}

function compare(a: Int32Array, i: number, b: Int32Array, j: number): number {
  return (
    (a[i] as number) - (b[j] as number) ||
    (a[i + 1] as number) - (b[j + 1] as number) ||
    (a[i + 2] as number) - (b[j + 2] as number) ||
    (a[i + 3] as number) - (b[j + 3] as number)
  )
}

const mergeBlocks: MergeTwo = (from, a, b, end, to, start) => {
  let [at, i, j] = [start, a, b]
  while (i < b || j < end) {
    const order = i >= b ? 1 : j >= end ? -1 : compare(from, i, from, j)
    const row = order > 0 ? j : i
    for (let k = 0; k < width; k += 1) to[at + k] = from[row + k] as number
    if (order === 0) {
      to[at + 5] = (from[i + 5] as number) | (from[j + 5] as number)
      if (from[i + 4] !== from[j + 4]) to[at + 4] = contradictory
    }
    at += width
    if (order <= 0) i += width
    if (order >= 0) j += width
  }
  return at
}

/**
 * Gives the lines of the file, in ascending order: all from the first to the last of each block, executed when one of the blocks on it ran. Throws Problem('report_contradictory') for blocks that overlap, or have two numbers of statements: the compiler makes none such from one
 * source, so the profile was put together from several versions of it.
 */
export function tallyBlocks(
  { scratch }: GoBlocks,
  path: string,
  tally: Tally,
  run: LineRun,
  statements: UnitRun,
): void {
  sortScratch(scratch, mergeBlocks)
  const { items, length } = scratch
  /** The last line so far, on which the next block may begin. */
  let [line, ran, missed] = [0, false, false]
  const end = (): void => {
    if (line > 0) run.line(line, ran)
    // One way that was taken and one that was not.
    if (ran && missed) tally.ways(line, 0, 3, 1)
  }
  for (let i = 0; i < length; i += width) {
    const [from, to, count] = [items[i] as number, items[i + 2] as number, items[i + 4] as number]
    const isRun = items[i + 5] !== 0
    if (count === contradictory || (i > 0 && isBefore(items, i, i - width + 2)))
      throw new Problem(
        'report_contradictory',
        `blocks of different versions of ${path} at line ${from}: the profile was put together from several commits`,
      )
    statements.add(count, isRun)
    if (from > line) {
      end()
      ;[line, ran, missed] = [from, false, false]
    }
    if (isRun) ran = true
    else missed = true
    if (to === line) continue
    end()
    if (to - from > 1) run.range(from + 1, to - 1, isRun)
    ;[line, ran, missed] = [to, isRun, !isRun]
  }
  end()
  run.flush()
  statements.flush()
}

/** Is the place at `a` before the one at `b`? */
function isBefore(items: Int32Array, a: number, b: number): boolean {
  return ((items[a] as number) - (items[b] as number) || (items[a + 1] as number) - (items[b + 1] as number)) < 0
}
