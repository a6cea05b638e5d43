import type { MergeTwo, Scratch } from './scratch.ts'
import { makeRoom, sortScratch } from './scratch.ts'

/**
 * Named bits, 32 of them in a row of five integers: a key of three, the bits that are there, and those that are on among them. Branches are
 * (line, block, branch / 32), functions are (two integers that name it, 0). What is once on stays on.
 */
export const rowWidth = 5

// Indexes are below `length`: hence `as number`.

/** Where the row does not follow the last one, that is left to `sortRows`. */
export function addBits(rows: Scratch, k1: number, k2: number, k3: number, found: number, on: number): void {
  // Before anything else: what is there may be sorted.
  if (rows.length + rowWidth > rows.items.length) makeRoom(rows, rowWidth, mergeRows)
  const { items, length } = rows
  if (length > 0) {
    const order = compareKey(items, length - rowWidth, k1, k2, k3)
    if (order === 0) return setBits(items, length - rowWidth, found, on)
    if (order < 0) rows.breaks.push(length)
  }
  put(items, length, k1, k2, k3, found, on)
  rows.length = length + rowWidth
}

/** So far back a row is put in its place: the branches of nested statements are told just after those around them. */
const near = 16 * rowWidth

/** The same for rows that are nearly in order, as branches are: no sorting, when it belongs among the last ones. */
export function addBitsNear(rows: Scratch, k1: number, k2: number, k3: number, found: number, on: number): void {
  const { items, length, breaks } = rows
  if (length > 0 && length + rowWidth <= items.length && compareKey(items, length - rowWidth, k1, k2, k3) < 0) {
    const first = Math.max(length - near, breaks.at(-1) ?? 0)
    for (let at = length - 2 * rowWidth; at >= first; at -= rowWidth) {
      const order = compareKey(items, at, k1, k2, k3)
      if (order < 0) continue
      if (order === 0) return setBits(items, at, found, on)
      items.copyWithin(at + 2 * rowWidth, at + rowWidth, length)
      put(items, at + rowWidth, k1, k2, k3, found, on)
      rows.length = length + rowWidth
      return
    }
  }
  addBits(rows, k1, k2, k3, found, on)
}

function put(items: Int32Array, at: number, k1: number, k2: number, k3: number, found: number, on: number): void {
  items[at] = k1
  items[at + 1] = k2
  items[at + 2] = k3
  items[at + 3] = found
  items[at + 4] = on
}

function setBits(items: Int32Array, at: number, found: number, on: number): void {
  items[at + 3] = (items[at + 3] as number) | found
  items[at + 4] = (items[at + 4] as number) | on
}

/** Negative when the key belongs before the row. */
function compareKey(items: Int32Array, at: number, k1: number, k2: number, k3: number): number {
  return k1 - (items[at] as number) || k2 - (items[at + 1] as number) || k3 - (items[at + 2] as number)
}

export const sortRows = (rows: Scratch): void => sortScratch(rows, mergeRows)

const mergeRows: MergeTwo = (from, a, b, end, to, start) => {
  let [at, i, j] = [start, a, b]
  while (i < b || j < end) {
    const [k1, k2, k3] = [from[i] as number, from[i + 1] as number, from[i + 2] as number]
    const order = i >= b ? 1 : j >= end ? -1 : compareKey(from, j, k1, k2, k3)
    const row = order > 0 ? j : i
    for (let k = 0; k < rowWidth; k += 1) to[at + k] = from[row + k] as number
    if (order === 0) setBits(to, at, from[j + 3] as number, from[j + 4] as number)
    at += rowWidth
    if (order <= 0) i += rowWidth
    if (order >= 0) j += rowWidth
  }
  return at
}

/** How many bits of a 32-bit word are set. */
export function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555)
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}
