import { maxPathBytes } from '../record/coverage.ts'
import { fingerprint } from './fingerprint.ts'
import { readMcdc } from './lcov-mcdc.ts'
import { createPathIndex } from './path-index.ts'
import { decodePath } from './paths.ts'
import type { Declared, Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import { maxLine } from './tally.ts'

/**
 * The records of LCOV that open, close and describe sections, and the rare forms of DA and BRDA. What is wrong comes back as a reason,
 * never as an exception: one bad record must not lose a report.
 *
 * A section is whole when `end_of_record` ends it, or the next SF: some generators never write the former. The last section of a
 * report that uses `end_of_record` elsewhere and lacks it here is dropped, since it cannot be told from an upload that broke off.
 */
export interface LcovSections {
  /** DA and BRDA count for something. */
  isOpen: boolean
  /** Lines read so far. */
  lineNumber: number
  /** Takes the line in `bytes[from, to)`, without its line end. A reason when it was not taken. */
  record(bytes: Uint8Array, from: number, to: number): string | undefined
  tooLong(maxBytes: number): void
  end(): Omit<Reading, 'definition'>
}

const comma = 0x2c
const needed = ['SF', 'TN', 'DA', 'BRDA', 'FN', 'FNDA', 'FNL', 'FNA', 'LF', 'LH', 'BRF', 'BRH', 'MCDC'] as const
/** Version marks, and counts of conditions and functions. */
const skipped = ['VER', 'MCF', 'MCH', 'FNF', 'FNH']
const pack = (name: string): number => Array.from(name).reduce((code, c) => (code << 8) | c.charCodeAt(0), 0)
const names = new Map<number, (typeof needed)[number] | 'skipped'>()
for (const name of needed) names.set(pack(name), name)
for (const name of skipped) names.set(pack(name), 'skipped')
const endOfRecord = new TextEncoder().encode('end_of_record')

const latin1 = new TextDecoder('latin1')
const maxTestNames = 20

/** Digits only, at most nine; -1 for anything else. */
function smallNumber(bytes: Uint8Array, from: number, to: number): number {
  if (to <= from || to - from > 9) return -1
  let value = 0
  for (let i = from; i < to; i += 1) {
    const digit = (bytes[i] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** Is this count above zero? Counts go beyond 2^63, come as 1.8e19, and negative when gcov's counter overflowed, which proves nothing: 0. */
function isAboveZero(bytes: Uint8Array, from: number, to: number): boolean | undefined {
  const small = smallNumber(bytes, from, to)
  if (small >= 0) return small > 0
  const match = /^\s*(-?)(\d+(?:\.\d*)?)(?:[eE][+-]?\d+)?\s*$/.exec(
    latin1.decode(bytes.subarray(from, Math.min(to, from + 400))),
  )
  return match === null ? undefined : match[1] !== '-' && /[1-9]/.test(match[2] ?? '')
}

function contentOf(bytes: Uint8Array, from: number, to: number): string {
  return latin1.decode(bytes.subarray(from, Math.min(to, from + 256))).trim()
}

/** A line number, or why it is none. */
function lineAt(bytes: Uint8Array, from: number, to: number): number | string {
  const small = smallNumber(bytes, from, to)
  if (small > 0) return small
  const text = latin1.decode(bytes.subarray(from, Math.min(to, from + 40))).trim()
  const line = /^\d+$/.test(text) ? Number(text) : undefined
  if (line === undefined) return 'no line number'
  return line >= 1 && line <= maxLine ? line : `line ${text} is not between 1 and ${maxLine}`
}

function isEndOfRecord(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== endOfRecord.length) return false
  for (let i = 0; i < endOfRecord.length; i += 1) if (bytes[from + i] !== endOfRecord[i]) return false
  return true
}

export function createLcovSections(tally: Tally, refused: RefusedList): LcovSections {
  /** By the bytes of their names, which may be in no encoding at all. */
  const files = createPathIndex()
  const testNames = new Set<string>()
  const declared: Declared = {}
  /** What the open section declares. */
  let pending: Declared = {}
  let sections = 0
  let ended = 0
  let sectionAt = 0
  let isInSection = false
  /** Of the open section: function index (FNL, lcov 2.2 and later) to start and end line. */
  let functionLines = new Map<number, [number, number]>()

  function close(): void {
    const { lines, branches } = pending
    if (lines !== undefined) {
      declared.lines ??= { found: 0, executed: 0 }
      declared.lines.found += lines.found
      declared.lines.executed += lines.executed
    }
    if (branches !== undefined) {
      declared.branches ??= { found: 0, covered: 0 }
      declared.branches.found += branches.found
      declared.branches.covered += branches.covered
    }
    if (lines !== undefined || branches !== undefined) pending = {}
    self.isOpen = false
    isInSection = false
  }

  function open(bytes: Uint8Array, from: number, to: number): undefined {
    if (isInSection) close()
    sections += 1
    sectionAt = self.lineNumber
    isInSection = true
    if (functionLines.size > 0) functionLines = new Map()
    const known = files.find(bytes, from, to)
    if (known >= 0) tally.open(known)
    // Of a file that is refused nothing is read.
    self.isOpen = known >= 0 || add(bytes, from, to)
    return undefined
  }

  function add(bytes: Uint8Array, from: number, to: number): boolean {
    const path = decodePath(bytes.subarray(from, to))
    if (tally.add(path) < 0) return false
    // What is longer is no path but a source (data:). Should it come again, it is joined with its like at the end.
    if (to - from <= maxPathBytes) files.add(bytes, from, to)
    return true
  }

  function readLine(bytes: Uint8Array, from: number, to: number): string | undefined {
    const first = bytes.indexOf(comma, from)
    if (first < 0 || first >= to) return 'DA is not <line>,<count>'
    const second = bytes.indexOf(comma, first + 1)
    const line = lineAt(bytes, from, first)
    const end = second < 0 || second > to ? to : second
    const executed = isAboveZero(bytes, first + 1, end)
    if (typeof line === 'string') return line
    if (executed === undefined) return 'DA is not <line>,<count>'
    tally.line(line, executed)
    return bytes[first + 1] === 0x2d ? 'a negative count, read as 0' : undefined
  }

  /** The branch may be a text with commas, so the last field is what stands behind the last comma. */
  function readBranch(bytes: Uint8Array, from: number, to: number): string | undefined {
    const [first, last] = [bytes.indexOf(comma, from), bytes.lastIndexOf(comma, to - 1)]
    const second = first < 0 || first >= to ? last : bytes.indexOf(comma, first + 1)
    if (second <= first + 1 || second >= last || last <= second + 1)
      return 'BRDA is not <line>,<block>,<branch>,<taken>'
    const line = lineAt(bytes, from, first)
    if (typeof line === 'string') return line
    const isTaken = bytes[last + 1] === 0x2d ? false : isAboveZero(bytes, last + 1, to)
    if (isTaken === undefined) return 'BRDA is not <line>,<block>,<branch>,<taken>'
    // e: of an exception, f: fall through. U: excluded by the user; lcov leaves it out of BRF, and so is it here.
    const mark = bytes[first + 1]
    if (bytes[first + 1 + (mark === 0x65 || mark === 0x66 ? 1 : 0)] === 0x55) return undefined
    const [block, branch] = [smallNumber(bytes, first + 1, second), smallNumber(bytes, second + 1, last)]
    if (block >= 0 && branch >= 0) tally.branch(line, block, branch, isTaken)
    else {
      // Text: negative blocks, so that they never meet the numbers.
      const name = fingerprint(bytes, first + 1, branch >= 0 ? second : last)
      tally.branch(line, name.a | 0x8000_0000, branch >= 0 ? branch : name.b, isTaken)
    }
    return undefined
  }

  /** FNDA:<count>,<name> with a count that is no plain number; all else of FN and FNDA is read in lcov.ts. */
  function readCalls(bytes: Uint8Array, from: number, to: number): string | undefined {
    const first = bytes.indexOf(comma, from)
    const called = first < 0 || first + 1 >= to ? undefined : isAboveZero(bytes, from, first)
    if (called === undefined) return 'FNDA is not <count>,<name>'
    const { a, b } = fingerprint(bytes, first + 1, to)
    tally.callable(a, b, called ? 1 : 0)
    return undefined
  }

  /** FNL:<index>,<start>[,<end>] and FNA:<index>,<count>,<alias>: a function is its lines, whatever its aliases. */
  function readFunctionLines(name: 'FNL' | 'FNA', content: string): string | undefined {
    const match = /^(\d{1,9}),(\d+)(?:,(.*))?$/.exec(content)
    if (match === null) return `${name} is not <index>,<number>`
    const at = Number(match[1])
    if (name === 'FNL') functionLines.set(at, [Number(match[2]) | 0, Number.parseInt(match[3] ?? '0', 10) | 0])
    const lines = functionLines.get(at)
    if (lines === undefined) return 'FNA without its FNL'
    tally.callable(lines[0], lines[1], name === 'FNA' && /[1-9]/.test(match[2] ?? '') ? 1 : 0)
    return undefined
  }

  function record(bytes: Uint8Array, from: number, to: number): string | undefined {
    if (isEndOfRecord(bytes, from, to)) return finish()
    // A byte order mark, also where two reports were put together.
    if (bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf) return record(bytes, from + 3, to)
    let [code, at] = [0, from]
    while (at < to && at < from + 5 && bytes[at] !== 0x3a) code = (code << 8) | (bytes[at++] ?? 0)
    const name = bytes[at] === 0x3a && at < to ? names.get(code) : undefined
    at += 1
    if (name === 'SF') return open(bytes, at, to)
    if (name === undefined) return other(latin1.decode(bytes.subarray(from, Math.min(to, from + 40))).trim())
    if (name === 'skipped') return undefined
    if (name === 'TN') {
      if (testNames.size < maxTestNames && to > at) testNames.add(contentOf(bytes, at, to))
      return undefined
    }
    if (!self.isOpen) return isInSection ? undefined : `${name} outside a section`
    if (name === 'DA') return readLine(bytes, at, to)
    if (name === 'BRDA') return readBranch(bytes, at, to)
    if (name === 'FN') return 'FN is not <line>,<name>'
    if (name === 'FNDA') return readCalls(bytes, at, to)
    if (name === 'FNL' || name === 'FNA') return readFunctionLines(name, contentOf(bytes, at, to))
    if (name === 'MCDC') return readMcdc(contentOf(bytes, at, to), tally)
    const small = smallNumber(bytes, at, to)
    if (small < 0 && !/^\d{1,15}$/.test(contentOf(bytes, at, to))) return `${name} is not a number`
    declare(name, small < 0 ? Number(contentOf(bytes, at, to)) : small)
    return undefined
  }

  function declare(name: 'LF' | 'LH' | 'BRF' | 'BRH', count: number): void {
    if (name === 'LF' || name === 'LH') {
      pending.lines ??= { found: 0, executed: 0 }
      pending.lines[name === 'LF' ? 'found' : 'executed'] += count
    } else {
      pending.branches ??= { found: 0, covered: 0 }
      pending.branches[name === 'BRF' ? 'found' : 'covered'] += count
    }
  }

  function other(text: string): string | undefined {
    if (text === '' || text.startsWith('#') || text === 'EOF') return undefined
    if (text !== 'end_of_record') return 'not a record of LCOV'
    return finish()
  }

  function finish(): string | undefined {
    if (!isInSection) return 'end_of_record outside a section'
    ended += 1
    close()
    return undefined
  }

  const self: LcovSections = {
    isOpen: false,
    lineNumber: 0,
    record,
    tooLong(maxBytes) {
      self.lineNumber += 1
      refuse(refused, `line ${self.lineNumber}`, `longer than ${maxBytes} bytes`)
    },
    end() {
      let incomplete =
        ended < sections ? `${sections - ended} of ${sections} sections have no end_of_record` : undefined
      if (isInSection && ended === 0 && sections > 1) close()
      else if (isInSection) {
        if (self.isOpen) tally.drop()
        incomplete = 'the last section has no end_of_record: it is left out'
        refuse(refused, `line ${sectionAt}`, incomplete)
      }
      return {
        ...(incomplete === undefined ? {} : { incomplete }),
        ...(declared.lines === undefined && declared.branches === undefined ? {} : { declared }),
        testNames: [...testNames],
      }
    },
  }
  return self
}
