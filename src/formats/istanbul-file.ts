import { hashText, mix } from './fingerprint.ts'
import { toObject } from './json.ts'
import type { JsonCursor } from './json-cursor.ts'
import { createCursor } from './json-cursor.ts'
import { maxLine } from './tally.ts'

/** A place in the source; -1 for what is not known, `line` 0 for what is no line that can be recorded. */
export interface Span {
  line: number
  column: number
  endLine: number
  endColumn: number
}

/** Keys of maps are plain integers as a rule, and then numbers. */
type Id = string | number

/** One FileCoverage of Istanbul, its maps still apart, for they come in any order. */
export interface IstanbulFile {
  path: string | undefined
  /** Without one it is no coverage of a file. */
  statements: Map<Id, Span> | undefined
  statementCounts: Map<Id, number>
  branches: Map<Id, Place>
  branchCounts: Map<Id, readonly number[] | undefined>
  functions: Map<Id, Place>
  functionCounts: Map<Id, number>
}

export interface Place {
  line: number
  /** Equal for equal places. */
  name: number
}

const toNumber = (value: unknown): number => (typeof value === 'number' ? value : -1)

function toSpan(value: unknown): Span {
  const [start, end] = [toObject(toObject(value)?.['start']), toObject(toObject(value)?.['end'])]
  const line = toNumber(start?.['line'])
  return {
    line: Number.isInteger(line) && line >= 1 && line <= maxLine ? line : 0,
    column: toNumber(start?.['column']),
    endLine: toNumber(end?.['line']),
    endColumn: toNumber(end?.['column']),
  }
}

/** The value of a member of the report. Throws Problem('report_invalid', 'duplicate_key'); what merely has another shape is left out. */
export function readFileCoverage(bytes: Uint8Array, what: string): IstanbulFile {
  const file = emptyFile()
  const cursor = createCursor(bytes, what)
  if (cursor.peek() === 0x7b) readParts(cursor, file)
  else cursor.value()
  cursor.end()
  return file
}

function emptyFile(): IstanbulFile {
  return {
    path: undefined,
    statements: undefined,
    statementCounts: new Map(),
    branches: new Map(),
    branchCounts: new Map(),
    functions: new Map(),
    functionCounts: new Map(),
  }
}

function readParts(cursor: JsonCursor, file: IstanbulFile): void {
  const seen = new Set<Id>()
  const isObject = (): boolean => cursor.peek() === 0x7b
  cursor.members((key) => {
    if (seen.has(key)) cursor.twice(key)
    seen.add(key)
    if (key === 'path') {
      const path = cursor.value()
      if (typeof path === 'string' && path !== '') file.path = path
    } else if (!isObject()) cursor.value()
    else if (key === 'statementMap') file.statements = readMap(cursor, readSpan)
    else if (key === 's') file.statementCounts = readMap(cursor, readCount)
    else if (key === 'branchMap') file.branches = readMap(cursor, readBranchPlace)
    else if (key === 'b') file.branchCounts = readMap(cursor, readCounts)
    else if (key === 'fnMap') file.functions = readMap(cursor, readFunctionPlace)
    else if (key === 'f') file.functionCounts = readMap(cursor, readCount)
    else if (key === 'data') {
      // A FileCoverage of istanbul-lib-coverage, written as it is.
      const inner = emptyFile()
      readParts(cursor, inner)
      if (inner.statements !== undefined) Object.assign(file, inner)
    } else cursor.value()
  })
}

function readMap<T>(cursor: JsonCursor, read: (cursor: JsonCursor) => T): Map<Id, T> {
  const map = new Map<Id, T>()
  cursor.members((key) => {
    if (map.has(key)) cursor.twice(key)
    map.set(key, read(cursor))
  })
  return map
}

/** NaN for what is no number. */
function readCount(cursor: JsonCursor): number {
  const count = cursor.eatInteger()
  if (count >= 0) return count
  const value = cursor.value()
  return typeof value === 'number' ? value : Number.NaN
}

function readCounts(cursor: JsonCursor): number[] | undefined {
  if (cursor.peek() !== 0x5b) {
    cursor.value()
    return undefined
  }
  cursor.eat(0x5b)
  const counts: number[] = []
  if (cursor.eat(0x5d)) return counts
  do counts.push(readCount(cursor))
  while (cursor.eat(0x2c))
  return cursor.eat(0x5d) ? counts : cursor.fail()
}

const nowhere: Span = { line: 0, column: -1, endLine: -1, endColumn: -1 }

const toTexts = (...texts: string[]): Uint8Array[] => texts.map((text) => new TextEncoder().encode(text))
/** A location as Istanbul prints it. */
const location = toTexts('{"start":{"line":', ',"column":', '},"end":{"line":', ',"column":', '}}')
/** That of an `else` that is not written. */
const implicit = toTexts('{"start":{},"end":{}}')
const four = new Int32Array(4)

function readSpan(cursor: JsonCursor): Span {
  if (cursor.eatPattern(location, four)) {
    // Not destructured: the iterator of a typed array takes longer than the rest.
    return { line: four[0] ?? 0, column: four[1] ?? -1, endLine: four[2] ?? -1, endColumn: four[3] ?? -1 }
  }
  return cursor.eatPattern(implicit, four) ? nowhere : toSpan(cursor.value())
}

function readFunctionPlace(cursor: JsonCursor): Place {
  return readPlace(cursor, 'decl')
}

/** The line of a branch is where its `loc` starts, or, in older reports, `line` or its first location. */
function readBranchPlace(cursor: JsonCursor): Place {
  return readPlace(cursor, 'loc')
}

function readPlace(cursor: JsonCursor, preferred: 'decl' | 'loc'): Place {
  if (cursor.peek() !== 0x7b) {
    cursor.value()
    return { line: 0, name: 0 }
  }
  const seen: (string | number)[] = []
  let [first, second, third, type, line] = [nowhere, nowhere, nowhere, 0, 0]
  cursor.members((key) => {
    if (seen.includes(key)) cursor.twice(key)
    seen.push(key)
    if (key === preferred) first = readSpan(cursor)
    else if (key === 'loc') second = readSpan(cursor)
    else if (key === 'locations') third = readFirstSpan(cursor)
    else if (key === 'line') line = readCount(cursor)
    else {
      const value = cursor.value()
      if (key === 'type') type = hashText(String(value))
    }
  })
  const span = [first, second, third].find((each) => each.line > 0) ?? toSpan({ start: { line } })
  return { line: span.line, name: mix(span.column, span.endLine, span.endColumn, type) }
}

function readFirstSpan(cursor: JsonCursor): Span {
  if (cursor.peek() !== 0x5b) {
    cursor.value()
    return nowhere
  }
  cursor.eat(0x5b)
  if (cursor.eat(0x5d)) return nowhere
  const first = readSpan(cursor)
  while (cursor.eat(0x2c)) readSpan(cursor)
  return cursor.eat(0x5d) ? first : cursor.fail()
}
