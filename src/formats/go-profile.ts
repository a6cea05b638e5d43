import { Problem } from '../record/problem.ts'
import { join } from './detect.ts'
import type { GoBlocks } from './go-blocks.ts'
import { addBlock, createGoBlocks, tallyBlocks } from './go-blocks.ts'
import { createLineRun } from './line-run.ts'
import { createPathIndex } from './path-index.ts'
import { decodePath } from './paths.ts'
import type { Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import { maxLine } from './tally.ts'
import { createUnitRun } from './units.ts'

/**
 * Go cover profiles (COVERAGE.md 1.5): `mode:` and then a block a line, `path:line.column,line.column statements count`. The native unit is the
 * statement. Lines are derived: all from the first to the last of each block, partial when blocks on one line differ.
 */
export const goDefinition = 'go.block@1'

const maxLineBytes = 1024 * 1024
const [LF, CR, SPACE, COMMA, DOT, COLON, ZERO] = [0x0a, 0x0d, 0x20, 0x2c, 0x2e, 0x3a, 0x30]
const latin1 = new TextDecoder('latin1')
const notABlock = 'not a block (path:line.column,line.column statements count)'

/** Throws Problem('report_invalid') without a mode, Problem('report_contradictory') and what `tally` throws. */
export async function readGoProfile(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const profile = createProfile(tally, refused)
  let carry: Uint8Array = new Uint8Array(0)
  for await (const chunk of chunks) {
    const last = chunk.lastIndexOf(LF)
    if (last < 0) carry = join([carry, chunk.slice()])
    else {
      const first = carry.length === 0 ? 0 : chunk.indexOf(LF) + 1
      if (first > 0) profile.scan(join([carry, chunk.subarray(0, first)]))
      profile.scan(chunk.subarray(first, last + 1))
      carry = chunk.slice(last + 1)
    }
    if (carry.length > maxLineBytes) throw new Problem('report_invalid', `a line longer than ${maxLineBytes} bytes`)
  }
  return profile.end(carry)
}

interface Profile {
  /** Whole lines, each with its line feed. */
  scan(bytes: Uint8Array): void
  /** `rest` is a last line that has no end. */
  end(rest: Uint8Array): Reading
}

function createProfile(tally: Tally, refused: RefusedList): Profile {
  const modes: string[] = []
  const paths = createPathIndex()
  /** By number of the path; undefined for a path that was refused. */
  const files: (GoBlocks | undefined)[] = []
  const numbers: number[] = []
  const names: string[] = []
  let lineNumber = 0
  // Six integers; see go-blocks.ts.
  const block = new Int32Array(6)
  let pathEnd = 0

  /** Reads the digits that end before `at`; answers where they begin, or -1, and leaves the number in `number`. */
  let number = 0
  function digitsBefore(bytes: Uint8Array, at: number, from: number): number {
    let i = at
    let scale = 1
    number = 0
    for (let c = bytes[i - 1] as number; i > from && (c - ZERO) >>> 0 < 10; c = bytes[i - 1] as number) {
      number += (c - ZERO) * scale
      scale *= 10
      i -= 1
    }
    return i < at && number <= maxLine ? i : -1
  }

  /** From the end, since a path may hold anything. Leaves the numbers in `block` and the end of the path in `pathEnd`. */
  function readBlock(bytes: Uint8Array, from: number, to: number): boolean {
    let i = to
    let above = 0
    while (i > from && ((bytes[i - 1] as number) - ZERO) >>> 0 < 10) above |= (bytes[--i] as number) - ZERO
    if (i === to || bytes[i - 1] !== SPACE) return false
    block[5] = above === 0 ? 0 : 1
    i = digitsBefore(bytes, i - 1, from)
    if (i < 0 || bytes[i - 1] !== SPACE) return false
    block[4] = number
    i = digitsBefore(bytes, i - 1, from)
    if (i < 0 || bytes[i - 1] !== DOT) return false
    block[3] = number
    i = digitsBefore(bytes, i - 1, from)
    if (i < 0 || bytes[i - 1] !== COMMA) return false
    block[2] = number
    i = digitsBefore(bytes, i - 1, from)
    if (i < 0 || bytes[i - 1] !== DOT) return false
    block[1] = number
    i = digitsBefore(bytes, i - 1, from)
    if (i < 0 || bytes[i - 1] !== COLON) return false
    block[0] = number
    pathEnd = i - 1
    return pathEnd > from
  }

  function fileOf(bytes: Uint8Array, from: number, to: number): GoBlocks | undefined {
    const known = paths.find(bytes, from, to)
    if (known >= 0) return files[known]
    const written = decodePath(bytes.subarray(from, to))
    const opened = tally.add(written)
    paths.add(bytes, from, to)
    numbers.push(opened)
    names.push(written.text)
    const blocks = opened < 0 ? undefined : createGoBlocks()
    files.push(blocks)
    return blocks
  }

  function readLine(bytes: Uint8Array, from: number, to: number): void {
    if (readBlock(bytes, from, to)) {
      if (modes.length === 0)
        throw new Problem(
          'report_invalid',
          'a Go cover profile begins with its mode, `mode: set` for example: this one does not',
        )
      const [sl, el] = [block[0] as number, block[2] as number]
      if (sl < 1 || el < sl || (el === sl && (block[3] as number) < (block[1] as number)))
        refuse(refused, `line ${lineNumber}`, 'a block that ends before it begins')
      else {
        const blocks = fileOf(bytes, from, pathEnd)
        if (blocks !== undefined) addBlock(blocks, block)
      }
      return
    }
    const text = latin1.decode(bytes.subarray(from, Math.min(to, from + 100))).trim()
    const mode = /^mode: (set|count|atomic)$/.exec(text)?.[1]
    if (mode !== undefined) {
      if (!modes.includes(mode)) modes.push(mode)
    } else if (text !== '') refuse(refused, `line ${lineNumber}`, notABlock)
  }

  function scan(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      let to = from
      while (bytes[to] !== LF) to += 1
      lineNumber += 1
      readLine(bytes, from, to > from && bytes[to - 1] === CR ? to - 1 : to)
      from = to + 1
    }
  }

  function end(rest: Uint8Array): Reading {
    const before = refused.count
    if (rest.length > 0) scan(join([rest, Uint8Array.of(LF)]))
    const isCut = refused.count > before
    if (modes.length === 0)
      throw new Problem(
        'report_invalid',
        'a Go cover profile begins with its mode, `mode: set` for example: this one does not',
      )
    const run = createLineRun(tally)
    const statements = createUnitRun(tally, 'statements')
    for (const [i, blocks] of files.entries()) {
      if (blocks === undefined) continue
      tally.open(numbers[i] as number) // files and numbers are of one length
      tallyBlocks(blocks, names[i] ?? '', tally, run, statements)
      files[i] = undefined
    }
    return {
      definition: goDefinition,
      // Where modes are mixed nothing is lost: only whether a block ran is kept.
      dialect: modes.join('+'),
      tool: { name: 'go' },
      // What `go test` writes where no package has a statement.
      ...(files.length === 0 && refused.count === 0 ? { isEmpty: true } : {}),
      ...(isCut ? { incomplete: 'the last line is not whole: the profile broke off' } : {}),
      testNames: [],
    }
  }

  return { scan, end }
}
