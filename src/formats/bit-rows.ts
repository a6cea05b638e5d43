import type { MergeTwo, Scratch } from './scratch.ts'
import { makeRoom, sortScratch } from './scratch.ts'

/**
 * Named bits, 32 of them in a row of five integers: a key of three, the bits that are there, and those that are on among them. Branches are
 * (line, block, branch / 32), functions are (two integers that name it, 0). What is once on stays on.
 */
export const rowWidth = 5

// Indexes are below `length`: hence `as number`.

export function addBits(rows: Scratch, k1: number, k2: number, k3: number, found: number, on: number): void {
  // Before anything else: what is there may be sorted.
  if (rows.length + rowWidth > rows.items.length) makeRoom(rows, rowWidth, mergeRows)
  const { items, length } = rows
  const last = length - rowWidth
  if (last >= 0) {
    const order =
      k1 - (items[last] as number) || k2 - (items[last + 1] as number) || k3 - (items[last + 2] as number)
    if (order === 0) {
      items[last + 3] = (items[last + 3] as number) | found
      items[last + 4] = (items[last + 4] as number) | on
      return
    }
    if (order < 0) rows.breaks.push(length)
  }
  items[length] = k1
  items[length + 1] = k2
  items[length + 2] = k3
  items[length + 3] = found
  items[length + 4] = on
  rows.length = length + rowWidth
}

export const sortRows = (rows: Scratch): void => sortScratch(rows, mergeRows)

const mergeRows: MergeTwo = (from, a, b, end, to, start) => {
  let [at, i, j] = [start, a, b]
  while (i < b || j < end) {
    const order = i >= b ? 1 : j >= end ? -1 : compareRows(from, i, j)
    const row = order > 0 ? j : i
    to[at] = from[row] as number
    to[at + 1] = from[row + 1] as number
    to[at + 2] = from[row + 2] as number
    to[at + 3] = (from[row + 3] as number) | (order === 0 ? (from[j + 3] as number) : 0)
    to[at + 4] = (from[row + 4] as number) | (order === 0 ? (from[j + 4] as number) : 0)
    at += rowWidth
    if (order <= 0) i += rowWidth
    if (order >= 0) j += rowWidth
  }
  return at
}

function compareRows(rows: Int32Array, i: number, j: number): number {
  return (
    (rows[i] as number) - (rows[j] as number) ||
    (rows[i + 1] as number) - (rows[j + 1] as number) ||
    (rows[i + 2] as number) - (rows[j + 2] as number)
  )
}

/** How many bits of a 32-bit word are set. */
export function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555)
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}
