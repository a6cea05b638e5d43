import type { FileEvent } from './event.ts'
import { addFunction, maxWays, twiceIn } from './event.ts'
import { hashAscii } from './fingerprint.ts'
import { maxLine } from './tally.ts'

/**
 * File events as programs print them: ASCII, no escapes, at most one space behind a colon or comma. They are read from their bytes without a value of
 * each member and each branch: reading a stream takes half as long as with JSON.parse. What is read is right by the rules of event.ts; what is not of this form, right or
 * wrong, is left to those.
 *
 * Each function below answers the place behind what it reads, or -1 when it is not of this form. Nothing reads on behind a line feed, which ends a line,
 * nor behind the end of `bytes`, where a byte is `undefined` and equal to nothing: hence `as number`.
 */
const [quote, backslash, comma, colon, minus, space, zero, nine, carriageReturn] = [
  0x22, 0x5c, 0x2c, 0x3a, 0x2d, 0x20, 0x30, 0x39, 0x0d,
]
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]

const none = new Uint8Array(0)
const encoder = new TextEncoder()
const names = ['event', 'path', 'covered', 'partial', 'missed', 'branches', 'functions'].map((name) =>
  encoder.encode(`"${name}":`),
)
const file = encoder.encode('"file"')
const [eventAndPath, longestCount] = [0b11, 15]

/** The event that is `bytes[from, to)`; undefined when it is not of this form. */
export function readPlainFile(bytes: Uint8Array, from: number, to: number): FileEvent | undefined {
  const event: FileEvent = {
    event: 'file',
    path: none,
    covered: [],
    partial: [],
    missed: [],
    branches: [],
    functions: [],
  }
  if (bytes[from] !== openBrace) return undefined
  let seen = 0
  let at = from
  do {
    const next = behindSpace(bytes, at + 1)
    const member = memberAt(bytes, next)
    const bit = 1 << member
    if (member < 0 || (seen & bit) !== 0) return undefined
    seen |= bit
    at = behindSpace(bytes, next + (names[member] as Uint8Array).length)
    at = readMember(bytes, at, member, event)
  } while (bytes[at] === comma)
  const end = bytes[to - 1] === carriageReturn ? to - 1 : to
  if (bytes[at] !== closeBrace || at + 1 !== end || (seen & eventAndPath) !== eventAndPath) return undefined
  return twiceIn(event) === undefined ? event : undefined
}

function memberAt(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < names.length; i += 1) if (isAt(bytes, at, names[i] as Uint8Array)) return i
  return -1
}

function readMember(bytes: Uint8Array, at: number, member: number, event: FileEvent): number {
  switch (member) {
    case 0:
      return isAt(bytes, at, file) ? at + file.length : -1
    case 1:
      return readPath(bytes, at, event)
    case 2:
      return readRanges(bytes, at, event.covered)
    case 3:
      return readRanges(bytes, at, event.partial)
    case 4:
      return readRanges(bytes, at, event.missed)
    case 5:
      return readBranches(bytes, at, event.branches)
    default:
      return readFunctions(bytes, at, event.functions)
  }
}

function isAt(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i += 1) if (bytes[at + i] !== text[i]) return false
  return true
}

const behindSpace = (bytes: Uint8Array, at: number): number => (bytes[at] === space ? at + 1 : at)

function readPath(bytes: Uint8Array, from: number, event: FileEvent): number {
  const end = endOfText(bytes, from)
  if (end < from + 2) return -1
  event.path = bytes.subarray(from + 1, end)
  return end + 1
}

/** Where the closing quote of the text is whose opening one is at `from`. */
function endOfText(bytes: Uint8Array, from: number): number {
  if (bytes[from] !== quote) return -1
  for (let at = from + 1; ; at += 1) {
    const c = bytes[at] as number
    if (c === quote) return at
    if (!(c >= 0x20 && c < 0x7f) || c === backslash) return -1
  }
}

/** "1-5,9,12-14" */
function readRanges(bytes: Uint8Array, from: number, ranges: number[]): number {
  if (bytes[from] !== quote) return -1
  if (bytes[from + 1] === quote) return from + 2
  let [start, before] = [0, 0]
  for (let at = from + 1; ; at += 1) {
    const first = lineAt(bytes, at)
    at = lineEnd
    let last = first
    if (bytes[at] === minus) {
      last = lineAt(bytes, at + 1)
      at = lineEnd
    }
    if (first <= before || last < first || last > maxLine) return -1
    // Until a line is left out it is one range.
    if (first > before + 1 || before === 0) {
      if (before > 0) ranges.push(start, before)
      start = first
    }
    before = last
    if (bytes[at] === comma) continue
    ranges.push(start, before)
    return bytes[at] === quote ? at + 1 : -1
  }
}

/** Behind the line that `lineAt` read last. */
let lineEnd = 0
/** The whole number from `at` on; 0 when there is none, or one with a leading 0. */
function lineAt(bytes: Uint8Array, from: number): number {
  let [at, line] = [from, 0]
  if (bytes[at] === zero) return 0
  for (let c = bytes[at] as number; c >= zero && c <= nine; c = bytes[(at += 1)] as number) line = line * 10 + c - zero
  lineEnd = at
  return line
}

/** {"12":[3,0]}, the lines ascending, so that none is there twice. */
function readBranches(bytes: Uint8Array, from: number, branches: number[]): number {
  if (bytes[from] !== openBrace) return -1
  if (bytes[from + 1] === closeBrace) return from + 2
  let before = 0
  for (let at = from; ;) {
    at += 1
    if (bytes[at] !== quote) return -1
    const line = lineAt(bytes, at + 1)
    at = lineEnd
    if (line <= before || line > maxLine || bytes[at] !== quote || bytes[at + 1] !== colon) return -1
    before = line
    at = readWays(bytes, behindSpace(bytes, at + 2), line, branches)
    if (bytes[at] === closeBrace) return at + 1
    if (bytes[at] !== comma) return -1
    if (bytes[at + 1] === space) at += 1
  }
}

/** [3,0] */
function readWays(bytes: Uint8Array, from: number, line: number, branches: number[]): number {
  if (bytes[from] !== openBracket) return -1
  let [found, taken] = [0, 0]
  let at = from
  for (let way = 0; way < maxWays; way += 1) {
    const start = behindSpace(bytes, at + 1)
    at = behindCount(bytes, start)
    const bit = 1 << (way & 31)
    found |= bit
    if (bytes[start] !== zero) taken |= bit
    const isLast = bytes[at] === closeBracket
    if (isLast || (way & 31) === 31) {
      branches.push(line, way >>> 5, found, taken)
      if (isLast) return at + 1
      found = 0
      taken = 0
    }
    if (bytes[at] !== comma) return -1
  }
  return -1
}

function behindCount(bytes: Uint8Array, from: number): number {
  let at = from
  for (let d = (bytes[at] as number) - zero; d >= 0 && d <= 9; d = (bytes[(at += 1)] as number) - zero);
  const isCount = at > from && at - from <= longestCount && (bytes[from] !== zero || at - from === 1)
  return isCount ? at : -1
}

const known = new Set<number>()

/** {"refund":3} */
function readFunctions(bytes: Uint8Array, from: number, functions: number[]): number {
  if (bytes[from] !== openBrace) return -1
  if (bytes[from + 1] === closeBrace) return from + 2
  known.clear()
  for (let at = from; ;) {
    const end = endOfText(bytes, at + 1)
    if (end < 0 || bytes[end + 1] !== colon) return -1
    const hash = hashAscii(bytes, at + 2, end)
    // Two of one hash may be one name twice.
    if (known.has(hash)) return -1
    known.add(hash)
    const count = behindSpace(bytes, end + 2)
    addFunction(functions, hash, end - at - 2, bytes[count] !== zero)
    at = behindCount(bytes, count)
    if (bytes[at] === closeBrace) return at + 1
    if (bytes[at] !== comma) return -1
    if (bytes[at + 1] === space) at += 1
  }
}
