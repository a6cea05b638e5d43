import { Problem } from '../record/problem.ts'
import { mix } from './fingerprint.ts'
import { join } from './detect.ts'
import type { IstanbulFile, Span } from './istanbul-file.ts'
import { readFileCoverage } from './istanbul-file.ts'
import { jsonLimits, parseJson, quoted } from './json.ts'
import { walkJson } from './json-walk.ts'
import { toWrittenPath } from './paths.ts'
import type { Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import { maxLine } from './tally.ts'

/**
 * Istanbul's coverage-final.json (COVERAGE.md 1.4). Its native unit is the statement; lines are derived as istanbul-lib-coverage does: the lines on
 * which statements start, covered when one of these ran. Every entry of `b` is a branch, on the line where its `loc` starts.
 */
export const istanbulDefinition = 'istanbul.statement@1'
/** Converted from V8's ranges (c8, older vitest): the same shape with one "statement" a physical line, comments and blanks too. Not comparable. */
export const v8LinesDefinition = 'istanbul.v8-lines@1'

const partsOfOne = new Set(['path', 'statementMap', 'fnMap', 'branchMap', 's', 'f', 'b'])

/** Reads a map of files, or a single FileCoverage object. Throws Problem('report_invalid', 'duplicate_key') and what `tally` throws. */
export async function readIstanbul(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const dialect = createDialect()
  /** Files by path as written: two members may name one. */
  const numbers = new Map<string, number>()
  const encoder = new TextEncoder()
  /** Should the report be one object: its text, put together again. */
  const one: Uint8Array[] = []
  let oneBytes = 0
  let files = 0
  const take = (bytes: Uint8Array, key: string): void => {
    const what = `the member ${quoted(key)}`
    if (files === 0 && partsOfOne.has(key)) {
      parseJson(bytes, what)
      oneBytes += bytes.length
      if (oneBytes > jsonLimits.maxMemberBytes)
        throw new Problem('report_invalid', `one file's coverage is longer than ${jsonLimits.maxMemberBytes} bytes`)
      one.push(encoder.encode(`${one.length === 0 ? '{' : ','}${JSON.stringify(key)}:`), bytes.slice())
      return
    }
    const file = readFileCoverage(bytes, what)
    if (file.statements !== undefined) {
      files += 1
      tallyFile(file.path ?? key, file, tally, numbers, refused, dialect)
    } else if (one.length === 0) refuse(refused, key, 'not the coverage of a file')
  }
  await walkJson(chunks, { choose: () => 'take', take: (bytes, _, key) => take(bytes, key) })
  const single = one.length === 0 ? undefined : readFileCoverage(join([...one, encoder.encode('}')]), 'the report')
  if (single?.statements !== undefined) {
    files += 1
    // An object on its own may have no name; it is kept, and flagged, under this one.
    tallyFile(single.path ?? '<unnamed>', single, tally, numbers, refused, dialect)
  }
  if (files === 0 && (refused.count > 0 || one.length > 0))
    throw new Problem('report_invalid', 'no member of the report is the coverage of a file')
  return dialect.isV8()
    ? { definition: v8LinesDefinition, dialect: 'v8-lines', testNames: [] }
    : { definition: istanbulDefinition, testNames: [] }
}

function tallyFile(
  path: string,
  file: IstanbulFile,
  tally: Tally,
  numbers: Map<string, number>,
  refused: RefusedList,
  dialect: Dialect,
): void {
  const written = toWrittenPath(path)
  const known = numbers.get(written.text)
  if (known !== undefined) tally.open(known)
  else {
    const number = tally.add(written)
    if (number < 0) return
    numbers.set(written.text, number)
  }
  const wrong = (what: string): void => refuse(refused, path, what)
  dialect.file()
  for (const [id, count] of file.statementCounts) {
    const span = file.statements?.get(id)
    if (span === undefined || span.line < 1) wrong(`statement ${id} has no line between 1 and ${maxLine}`)
    else if (Number.isNaN(count)) wrong(`statement ${id} has no count`)
    else {
      tally.line(span.line, count > 0)
      dialect.statement(span)
    }
  }
  tallyBranches(file, tally, wrong)
  const seen = new Map<number, number>()
  for (const [id, count] of file.functionCounts) {
    const place = file.functions.get(id)
    const name = mix(place?.line ?? 0, place?.name ?? 0, 0, 0)
    tally.callable(name, occurrence(seen, name), count > 0 ? 1 : 0)
  }
}

/**
 * Branches are named by place, not by index: two reports of one file need not number alike, and istanbul merges by place too. Two
 * branches at one place (code before source maps were applied) are told apart by their order.
 */
function tallyBranches(file: IstanbulFile, tally: Tally, wrong: (what: string) => void): void {
  const seen = new Map<number, number>()
  for (const [id, counts] of file.branchCounts) {
    const place = file.branches.get(id)
    if (place === undefined || place.line < 1) wrong(`branch ${id} has no line between 1 and ${maxLine}`)
    else if (counts === undefined || counts.length > 65_535) wrong(`branch ${id} has no counts`)
    else {
      const nth = occurrence(seen, mix(place.line, place.name, 0, 0))
      for (const [way, count] of counts.entries()) tally.branch(place.line, place.name, nth * 65_536 + way, count > 0)
    }
  }
}

/** How often this name was seen before in the file. */
function occurrence(seen: Map<number, number>, name: number): number {
  const before = seen.get(name) ?? 0
  seen.set(name, before + 1)
  return before
}

interface Dialect {
  file(): void
  statement(span: Span): void
  isV8(): boolean
}

/**
 * The shape alone does not tell V8's lines from statements, so this is a judgement (COVERAGE.md 1.4): in every file the statements are the lines 1 to n, each
 * from column 0 to its end, and some are empty (a blank line is no statement of any language) or there are more than twenty.
 */
function createDialect(): Dialect {
  let isPossible = true
  let next = 1
  let statements = 0
  let blanks = 0
  return {
    file() {
      next = 1
    },
    statement({ line, column, endLine, endColumn }) {
      if (line !== next || column !== 0 || endLine !== line) isPossible = false
      next += 1
      statements += 1
      if (endColumn === 0) blanks += 1
    },
    isV8: () => isPossible && (blanks > 0 || statements > 20),
  }
}
