import type { Pair, UnitKind } from '../record/run.ts'
import { unitKinds } from '../record/run.ts'
import { addBits, countBits, rowWidth } from './bit-rows.ts'
import { addPage, pageWidth } from './line-pages.ts'
import { addFunction, countFunctions } from './function-set.ts'
import type { Observed } from './observed.ts'
import { waysBlock } from './observed.ts'
import type { Scratch } from './scratch.ts'

/**
 * What is known about one file, as bytes: about one a line of a real report, with its branches, where arrays of integers would be five. In this order:
 *
 * - branches found, branches taken, functions found, functions called;
 * - the number of kinds of units, and for each its place in `unitKinds`, found, covered;
 * - the number of pages of lines, then each page: `gap | form << 5`, where gap is the number of pages left out before it (31: the number follows, less 31)
 *   and form is 1 to 6 for as many lines, each `line % 32 | state << 5`; or 0 for two words, the lines that are there and those executed; or 7
 *   for three, the last the partial ones;
 * - the number of rows of branches (bit-rows.ts) and the rows, five numbers each, the first less that of the row before;
 * - the number of functions (function-set.ts), then each in eight bytes;
 * - the number of rows of units, and the rows, like those of branches.
 *
 * Numbers have seven bits a byte, the lowest first, 0x80 where another byte follows; words have four bytes. Equal knowledge has equal bytes.
 */
const [missed, covered, partial] = [0, 1, 2]
const [twoWords, mostSingle, threeWords] = [0, 6, 7]
const farGap = 31

/** Of a file without lines. */
export const nothing = new Uint8Array(9)

// Positions are within what was packed: hence `as number`.

/** Enough for `packInto`; up to three times what it takes. */
export function maxPackedBytes({ lines, branches, functions, units }: Observed): number {
  const rows = (branches.length + units.length) / rowWidth
  return 90 + (18 * lines.length) / pageWidth + 25 * rows + 8 * functions.length
}

/** `observed` must be sorted. Answers the end. */
export function packInto(to: Uint8Array, from: number, { lines, branches, functions, units }: Observed): number {
  const ways = countBranches(branches)
  const calls = countFunctions(functions)
  let at = put(to, put(to, put(to, put(to, from, ways.found), ways.on), calls.found), calls.called)
  at = packRows(to, packPages(to, packCounts(to, at, units), lines, branches), branches)
  at = put(to, at, functions.length)
  for (let i = 0; i < functions.length; i += 1) {
    const item = functions.items[i] as number
    at = putWord(to, putWord(to, at, item | 0), Math.floor(item / 0x1_0000_0000))
  }
  return packRows(to, at, units)
}

/** How many units of each kind there are. */
function packCounts(to: Uint8Array, from: number, { items, length }: Scratch): number {
  let kinds = 0
  for (let i = 0; i < length; i += rowWidth) if (i === 0 || items[i] !== items[i - rowWidth]) kinds += 1
  let at = put(to, from, kinds)
  for (let i = 0; i < length;) {
    const kind = items[i] as number
    let [there, covered] = [0, 0]
    for (; i < length && items[i] === kind; i += rowWidth) {
      there += countBits(items[i + 3] as number)
      covered += countBits(items[i + 4] as number)
    }
    at = put(to, put(to, put(to, at, kind), there), covered)
  }
  return at
}

function packPages(to: Uint8Array, from: number, { items, length }: Scratch, branches: Scratch): number {
  let at = put(to, from, length / pageWidth)
  let next = 0
  let row = 0
  for (let i = 0; i < length; i += pageWidth) {
    const page = items[i] as number
    const found = items[i + 1] as number
    const on = items[i + 2] as number
    // The lines with a branch that was not taken.
    let untaken = 0
    for (; row < branches.length && (branches.items[row] as number) >>> 5 <= page; row += rowWidth) {
      const isUntaken = ((branches.items[row + 3] as number) & ~(branches.items[row + 4] as number)) !== 0
      const line = branches.items[row] as number
      if (isUntaken && line >>> 5 === page) untaken |= 1 << (line & 31)
    }
    const half = on & untaken
    const count = countBits(found)
    const gap = page - next
    next = page + 1
    const form = count <= mostSingle ? count : half === 0 ? twoWords : threeWords
    to[at] = (form << 5) | (gap < farGap ? gap : farGap)
    at = gap < farGap ? at + 1 : put(to, at + 1, gap - farGap)
    if (count > mostSingle) {
      at = putWord(to, putWord(to, at, found), on)
      if (half !== 0) at = putWord(to, at, half)
    } else {
      for (let rest = found; rest !== 0; rest &= rest - 1) {
        const bit = rest & -rest
        const state = (half & bit) !== 0 ? partial : (on & bit) !== 0 ? covered : missed
        to[at] = (31 - Math.clz32(bit)) | (state << 5)
        at += 1
      }
    }
  }
  return at
}

function packRows(to: Uint8Array, from: number, { items, length }: Scratch): number {
  let at = put(to, from, length / rowWidth)
  let before = 0
  for (let i = 0; i < length; i += rowWidth) {
    const key = items[i] as number
    const step = key - before
    before = key
    const [k2, k3] = [items[i + 1] as number, items[i + 2] as number]
    const [found, on] = [items[i + 3] as number, items[i + 4] as number]
    if ((step | k2 | k3 | found | on) >>> 0 < 0x80) {
      // As nearly all are.
      to[at] = step
      to[at + 1] = k2
      to[at + 2] = k3
      to[at + 3] = found
      to[at + 4] = on
      at += rowWidth
      continue
    }
    at = put(to, at, step)
    for (let k = 1; k < rowWidth; k += 1) at = put(to, at, (items[i + k] as number) >>> 0)
  }
  return at
}

function countBranches({ items, length }: Scratch): { found: number; on: number } {
  const count = { found: 0, on: 0 }
  for (let i = 0; i < length; i += rowWidth) {
    if (items[i + 1] === waysBlock) continue
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

function putWord(to: Uint8Array, at: number, word: number): number {
  to[at] = word
  to[at + 1] = word >>> 8
  to[at + 2] = word >>> 16
  to[at + 3] = word >>> 24
  return at + 4
}

/** Behind what was taken last. All is read synchronously from front to back. */
let position = 0
/** The page that was taken last: its number and its lines by state. */
let [page, found, on, half] = [0, 0, 0, 0]

function take(bytes: Uint8Array): number {
  let byte = bytes[position++] as number
  let value = byte & 0x7f
  for (let shift = 7; byte > 0x7f; shift += 7) {
    byte = bytes[position++] as number
    value |= (byte & 0x7f) << shift
  }
  return value >>> 0
}

function takeWord(bytes: Uint8Array): number {
  const at = position
  position = at + 4
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
  return low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
}

/** `page` is that of the page before, or -1. */
function takePage(bytes: Uint8Array): void {
  const head = bytes[position++] as number
  const form = head >>> 5
  const gap = head & farGap
  page += 1 + (gap < farGap ? gap : farGap + take(bytes))
  if (form === twoWords || form === threeWords) {
    found = takeWord(bytes)
    on = takeWord(bytes)
    half = form === threeWords ? takeWord(bytes) : 0
    return
  }
  found = on = half = 0
  for (let left = form; left > 0; left -= 1) {
    const single = bytes[position++] as number
    const bit = 1 << (single & 31)
    found |= bit
    if (single >>> 5 !== missed) on |= bit
    if (single >>> 5 === partial) half |= bit
  }
}

/** Adds what was packed at `from` to `observed`. */
export function unpackInto(observed: Observed, bytes: Uint8Array, from: number): void {
  position = from
  for (let i = 0; i < 4; i += 1) take(bytes)
  for (let left = 3 * take(bytes); left > 0; left -= 1) take(bytes)
  page = -1
  for (let left = take(bytes); left > 0; left -= 1) {
    takePage(bytes)
    addPage(observed.lines, page, found, on)
  }
  takeRows(bytes, observed.branches)
  for (let left = take(bytes); left > 0; left -= 1) {
    const low = takeWord(bytes) >>> 0
    const item = takeWord(bytes) * 0x1_0000_0000 + low
    addFunction(observed.functions, Math.floor(item / 2), low & 1)
  }
  takeRows(bytes, observed.units)
}

function takeRows(bytes: Uint8Array, to: Scratch): void {
  let key = 0
  for (let left = take(bytes); left > 0; left -= 1) {
    key += take(bytes)
    addBits(to, key, take(bytes) | 0, take(bytes) | 0, take(bytes) | 0, take(bytes) | 0)
  }
}

export interface Unpacked {
  covered: number[]
  partial: number[]
  missed: number[]
  branches: Pair
  functions: Pair
  units: [UnitKind, Pair][]
}

/** What a record needs of what was packed at `from`. */
export function readPacked(bytes: Uint8Array, from: number): Unpacked {
  position = from
  const branches = { found: take(bytes), covered: take(bytes) }
  const functions = { found: take(bytes), covered: take(bytes) }
  const known: Unpacked = { covered: [], partial: [], missed: [], branches, functions, units: [] }
  for (let left = take(bytes); left > 0; left -= 1)
    known.units.push([unitKinds[take(bytes)] as UnitKind, { found: take(bytes), covered: take(bytes) }])
  page = -1
  for (let left = take(bytes); left > 0; left -= 1) {
    takePage(bytes)
    pushRanges(known.covered, page, on & ~half)
    pushRanges(known.partial, page, half)
    pushRanges(known.missed, page, found & ~on)
  }
  return known
}

/** The lines of one page, as ranges. */
function pushRanges(ranges: number[], of: number, lines: number): void {
  const base = of * 32 + 31
  let firsts = lines & ~(lines << 1)
  let lasts = lines & ~(lines >>> 1)
  for (; firsts !== 0; firsts &= firsts - 1, lasts &= lasts - 1) {
    const first = base - Math.clz32(firsts & -firsts)
    const last = base - Math.clz32(lasts & -lasts)
    if (ranges.length > 0 && ranges[ranges.length - 1] === first - 1) ranges[ranges.length - 1] = last
    else ranges.push(first, last)
  }
}
