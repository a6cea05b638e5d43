import { addBits, countBits, rowWidth } from './bit-rows.ts'
import { addLines } from './line-runs.ts'
import type { Observed } from './observed.ts'
import type { Scratch } from './scratch.ts'

/**
 * What is known about one file, as bytes: about one a line of a real report, with its branches, where arrays of integers would be five. In this order:
 *
 * - branches found, branches taken, functions found, functions called;
 * - runs of lines of one state, ascending: `state | gap << 2 | (length - 1) << 4` in one byte, where gap < 4 and length <= 8, else `state | 0x80`, gap,
 *   length - 1; the gap is the number of lines between it and the run before; at the end the state `ends`;
 * - the number of rows and the rows of branches, then of functions (bit-rows.ts); of the first integer the difference to that of the row before.
 *
 * Numbers have seven bits a byte, the lowest first, 0x80 where another byte follows. Equal knowledge has equal bytes.
 */
const [missed, covered, partial, ends] = [0, 1, 2, 3]

/** Of a file without lines. */
export const nothing = Uint8Array.of(0, 0, 0, 0, ends, 0, 0)

// Positions are within what was packed: hence `as number`.

/** Enough for `packInto`; three to ten times what it takes. */
export function maxPackedBytes({ lines, branches, functions }: Observed): number {
  const rows = (branches.length + functions.length) / rowWidth
  // A branch that was not taken cuts a run in three.
  return 32 + 11 * (lines.length / 2 + (2 * branches.length) / rowWidth) + 25 * rows
}

/** `observed` must be sorted. Answers the end. */
export function packInto(to: Uint8Array, from: number, { lines, branches, functions }: Observed): number {
  const ways = countRows(branches)
  const calls = countRows(functions)
  let at = put(to, put(to, put(to, put(to, from, ways.found), ways.on), calls.found), calls.on)
  at = packLines(to, at, lines, branches)
  return packRows(to, packRows(to, at, branches), functions)
}

function packLines(to: Uint8Array, from: number, lines: Scratch, branches: Scratch): number {
  const { items, length } = lines
  const { items: rows, length: rowsEnd } = branches
  let at = from
  // The run that is not yet written, for the next may continue it.
  let [state, first, last] = [ends, 1, 0]
  let written = 0
  let row = 0
  for (let i = 0; i < length; i += 2) {
    let line = items[i] as number
    const end = (items[i + 1] as number) >>> 1
    const isOn = ((items[i + 1] as number) & 1) !== 0
    while (line <= end) {
      let pieceEnd = end
      let pieceState = missed
      if (isOn) {
        // Up to the next line with a branch that was not taken; that line is a piece of its own.
        while (row < rowsEnd && ((rows[row] as number) < line || !isUntaken(rows, row))) row += rowWidth
        const next = row < rowsEnd ? (rows[row] as number) : -1
        pieceState = next === line ? partial : covered
        if (next === line) pieceEnd = line
        else if (next > 0 && next <= end) pieceEnd = next - 1
      }
      if (pieceState === state && line === last + 1) last = pieceEnd
      else {
        if (state !== ends) {
          at = putRun(to, at, state, first - written - 1, last - first)
          written = last
        }
        state = pieceState
        first = line
        last = pieceEnd
      }
      line = pieceEnd + 1
    }
  }
  if (state !== ends) at = putRun(to, at, state, first - written - 1, last - first)
  to[at] = ends
  return at + 1
}

function isUntaken(rows: Int32Array, row: number): boolean {
  return ((rows[row + 3] as number) & ~(rows[row + 4] as number)) !== 0
}

function putRun(to: Uint8Array, at: number, state: number, gap: number, more: number): number {
  if (gap < 4 && more < 8) {
    to[at] = state | (gap << 2) | (more << 4)
    return at + 1
  }
  to[at] = state | 0x80
  return put(to, put(to, at + 1, gap), more)
}

function packRows(to: Uint8Array, from: number, { items, length }: Scratch): number {
  let at = put(to, from, length / rowWidth)
  let before = 0
  for (let i = 0; i < length; i += rowWidth) {
    const key = items[i] as number
    at = put(to, at, (key - before) >>> 0)
    before = key
    for (let k = 1; k < rowWidth; k += 1) at = put(to, at, (items[i + k] as number) >>> 0)
  }
  return at
}

function countRows({ items, length }: Scratch): { found: number; on: number } {
  const count = { found: 0, on: 0 }
  for (let i = 0; i < length; i += rowWidth) {
    count.found += countBits(items[i + 3] as number)
    count.on += countBits(items[i + 4] as number)
  }
  return count
}

function put(to: Uint8Array, from: number, value: number): number {
  let at = from
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) to[at++] = (rest & 0x7f) | 0x80
  to[at] = rest
  return at + 1
}

/** Behind what `take` took last. All is read synchronously from front to back. */
let position = 0

function take(bytes: Uint8Array): number {
  let byte = bytes[position++] as number
  let value = byte & 0x7f
  for (let shift = 7; byte > 0x7f; shift += 7) {
    byte = bytes[position++] as number
    value |= (byte & 0x7f) << shift
  }
  return value >>> 0
}

/** Adds what was packed at `from` to `observed`. */
export function unpackInto(observed: Observed, bytes: Uint8Array, from: number): void {
  position = from
  for (let i = 0; i < 4; i += 1) take(bytes)
  let line = 1
  for (let byte = bytes[position++] as number; (byte & 3) !== ends; byte = bytes[position++] as number) {
    const first = line + (byte < 0x80 ? (byte >>> 2) & 3 : take(bytes))
    const last = first + (byte < 0x80 ? byte >>> 4 : take(bytes))
    addLines(observed.lines, first, last, (byte & 3) === missed ? 0 : 1)
    line = last + 1
  }
  for (const rows of [observed.branches, observed.functions]) {
    let key = 0
    for (let left = take(bytes); left > 0; left -= 1) {
      key = (key + take(bytes)) | 0
      addBits(rows, key, take(bytes) | 0, take(bytes) | 0, take(bytes) | 0, take(bytes) | 0)
    }
  }
}

export interface Unpacked {
  covered: number[]
  partial: number[]
  missed: number[]
  branches: { found: number; covered: number }
  functions: { found: number; covered: number }
}

/** What a record needs of what was packed at `from`. */
export function readPacked(bytes: Uint8Array, from: number): Unpacked {
  position = from
  const branches = { found: take(bytes), covered: take(bytes) }
  const functions = { found: take(bytes), covered: take(bytes) }
  const sets: [missed: number[], covered: number[], partial: number[]] = [[], [], []]
  let line = 1
  for (let byte = bytes[position++] as number; (byte & 3) !== ends; byte = bytes[position++] as number) {
    const first = line + (byte < 0x80 ? (byte >>> 2) & 3 : take(bytes))
    const last = first + (byte < 0x80 ? byte >>> 4 : take(bytes))
    sets[(byte & 3) as 0 | 1 | 2].push(first, last) // 3 ended the loop
    line = last + 1
  }
  return { covered: sets[covered as 1], partial: sets[partial as 2], missed: sets[missed as 0], branches, functions }
}
