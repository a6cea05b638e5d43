import { join } from './detect.ts'
import { fingerprint } from './fingerprint.ts'
import type { LcovSections } from './lcov-sections.ts'
import { createLcovSections } from './lcov-sections.ts'
import type { Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'

/**
 * LCOV tracefiles, as geninfo(1) up to 2.x describes them (COVERAGE.md 1.1): a scanner over bytes that makes no string but for paths. A line
 * is covered when one of its DA counts is above zero, and partial when besides one of its branches (BRDA) was not taken.
 */
export const lcovDefinition = 'lcov.da@1'

/** Longer lines (no tool writes them) are skipped and reported: a "line" of 500 MB must not be held. */
const maxLineBytes = 1024 * 1024

const [LF, CR, COMMA, MINUS, COLON, ZERO] = [0x0a, 0x0d, 0x2c, 0x2d, 0x3a, 0x30]
const [A, B, D, F, N, R] = [0x41, 0x42, 0x44, 0x46, 0x4e, 0x52]

/** One comparison instead of two. */
const isDigit = (c: number): boolean => (c - ZERO) >>> 0 < 10

/** Reads the whole report into `tally`. Throws only what `tally` throws: everything else that is wrong is listed in `refused`. */
export async function readLcov(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const sections = createLcovSections(tally, refused)
  let carry: Uint8Array = new Uint8Array(0)
  let isSkipping = false
  for await (const chunk of chunks) {
    let from = 0
    if (carry.length > 0 || isSkipping) {
      const end = chunk.indexOf(LF)
      if (end >= 0) {
        if (isSkipping) sections.tooLong(maxLineBytes)
        else scan(join([carry, chunk.subarray(0, end + 1)]), tally, sections, refused)
        carry = new Uint8Array(0)
        isSkipping = false
        from = end + 1
      } else from = chunk.length
      if (end < 0 && !isSkipping) carry = join([carry, chunk])
    }
    const last = chunk.lastIndexOf(LF)
    if (last >= from) {
      scan(chunk.subarray(from, last + 1), tally, sections, refused)
      from = last + 1
    }
    // A copy: who gave the chunk may use its memory again.
    if (from < chunk.length) carry = chunk.slice(from)
    if (carry.length > maxLineBytes) {
      carry = new Uint8Array(0)
      isSkipping = true
    }
  }
  if (carry.length > 0) scan(join([carry, Uint8Array.of(LF)]), tally, sections, refused)
  else if (isSkipping) sections.tooLong(maxLineBytes)
  return { definition: lcovDefinition, ...sections.end() }
}

/**
 * `bytes` are whole lines and end in a line feed, which ends every inner loop: so no index passes the end, hence `as number`. The two
 * records that make up a report (DA, and BRDA with numbers) are read here, and gathered by words of 32 lines or branches before they go into the
 * tally; all else goes to `sections.record`, also numbers of more than nine digits, so that integers suffice here.
 */
function scan(bytes: Uint8Array, tally: Tally, sections: LcovSections, refused: RefusedList): void {
  const end = bytes.length
  let lineNumber = sections.lineNumber
  let isOpen = sections.isOpen
  let [page, found, executed] = [0, 0, 0]
  let [branchLine, branchBlock, branchPage, ways, taken] = [0, 0, 0, 0, 0]
  let p = 0
  while (p < end) {
    const start = p
    lineNumber += 1
    let c = bytes[p] as number
    if (isOpen && c === D && bytes[p + 1] === A && bytes[p + 2] === COLON) {
      // DA:<line>,<count>[,<checksum>]
      p += 3
      let line = 0
      for (c = bytes[p] as number; isDigit(c); c = bytes[(p += 1)] as number)
        line = (Math.imul(line, 10) + c - ZERO) | 0
      if (c === COMMA && p - start < 13) {
        let above = 0
        const countAt = (p += 1)
        for (c = bytes[p] as number; isDigit(c); c = bytes[(p += 1)] as number) above |= c - ZERO
        if (p > countAt && (c === LF || c === CR || c === COMMA) && line > 0) {
          if (line >>> 5 !== page) {
            if (found !== 0) tally.lines(page, found, executed)
            page = line >>> 5
            found = 0
            executed = 0
          }
          const bit = 1 << (line & 31)
          found |= bit
          if (above !== 0) executed |= bit
          while (c !== LF) c = bytes[(p += 1)] as number
          p += 1
          continue
        }
      }
    } else if (
      isOpen &&
      c === B &&
      bytes[p + 1] === R &&
      bytes[p + 2] === D &&
      bytes[p + 3] === A &&
      bytes[p + 4] === COLON
    ) {
      // BRDA:<line>,<block>,<branch>,<taken|->
      p += 5
      let line = 0
      for (c = bytes[p] as number; isDigit(c); c = bytes[(p += 1)] as number)
        line = (Math.imul(line, 10) + c - ZERO) | 0
      if (c === COMMA && p - start < 15) {
        let block = 0
        const blockAt = (p += 1)
        for (c = bytes[p] as number; isDigit(c); c = bytes[(p += 1)] as number)
          block = (Math.imul(block, 10) + c - ZERO) | 0
        if (c === COMMA && p > blockAt && p - blockAt < 10 && line > 0) {
          let branch = 0
          const branchAt = (p += 1)
          for (c = bytes[p] as number; isDigit(c); c = bytes[(p += 1)] as number)
            branch = (Math.imul(branch, 10) + c - ZERO) | 0
          if (c === COMMA && p > branchAt && p - branchAt < 10) {
            let above = 0
            const takenAt = (p += 1)
            c = bytes[p] as number
            if (c === MINUS) c = bytes[(p += 1)] as number
            else for (; isDigit(c); c = bytes[(p += 1)] as number) above |= c - ZERO
            if (c === CR) c = bytes[(p += 1)] as number
            if (c === LF && p > takenAt) {
              const bit = 1 << (branch & 31)
              if (line !== branchLine || block !== branchBlock || branch >>> 5 !== branchPage) {
                if (ways !== 0) tally.branches(branchLine, branchBlock, branchPage, ways, taken)
                branchLine = line
                branchBlock = block
                branchPage = branch >>> 5
                ways = 0
                taken = 0
              }
              ways |= bit
              if (above !== 0) taken |= bit
              p += 1
              continue
            }
          }
        }
      }
    }
    p = start
    if (isOpen && c === F && bytes[p + 1] === N) {
      const next = readFunction(bytes, p, tally)
      if (next > 0) {
        p = next
        continue
      }
    }
    while (bytes[p] !== LF) p += 1
    // What was gathered belongs to the section that this record may end.
    if (found !== 0) tally.lines(page, found, executed)
    if (ways !== 0) tally.branches(branchLine, branchBlock, branchPage, ways, taken)
    found = 0
    executed = 0
    ways = 0
    taken = 0
    sections.lineNumber = lineNumber
    const reason = sections.record(bytes, start, p > start && bytes[p - 1] === CR ? p - 1 : p)
    if (reason !== undefined) refuse(refused, `line ${lineNumber}`, reason)
    isOpen = sections.isOpen
    p += 1
  }
  if (found !== 0) tally.lines(page, found, executed)
  if (ways !== 0) tally.branches(branchLine, branchBlock, branchPage, ways, taken)
  sections.lineNumber = lineNumber
}

/**
 * FN:<start>[,<end>],<name> and FNDA:<count>,<name>, a fifth of most reports; names may hold commas. Where the next line begins, or 0 when it is
 * another record, or a broken one.
 */
function readFunction(bytes: Uint8Array, start: number, tally: Tally): number {
  let p = start + 2
  const hasCount = bytes[p] === D
  if (hasCount) {
    if (bytes[p + 1] !== A) return 0
    p += 2
  }
  if (bytes[p] !== COLON) return 0
  const first = (p += 1)
  let called = 0
  let c = bytes[p] as number
  for (; isDigit(c); c = bytes[(p += 1)] as number) if (c !== ZERO) called = 1
  if (c !== COMMA || p === first) return 0
  let name = (p += 1)
  if (!hasCount) {
    called = 0
    while (isDigit(bytes[p] as number)) p += 1
    if (bytes[p] === COMMA && p > name) name = p + 1
  }
  p = name
  while (bytes[p] !== LF) p += 1
  const to = bytes[p - 1] === CR ? p - 1 : p
  if (to <= name) return 0
  const { a, b } = fingerprint(bytes, name, to)
  tally.callable(a, b, called)
  return p + 1
}
