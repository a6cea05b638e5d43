import { Problem } from '../record/problem.ts'
import { mix } from './fingerprint.ts'
import { readMembers } from './json.ts'
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

type Json = Readonly<Record<string, unknown>>

/** JSON objects only; their keys are data and may be named like members of Object.prototype, which have none of the shapes looked for. */
function toObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
}

const has = (object: Json, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined)

/** The object with `statementMap`: the member itself, or its `data` (a FileCoverage of istanbul-lib-coverage written as it is). */
function toFile(value: unknown): Json | undefined {
  const object = toObject(value)
  if (object === undefined) return undefined
  if (toObject(has(object, 'statementMap')) !== undefined) return object
  const data = toObject(has(object, 'data'))
  return data !== undefined && toObject(has(data, 'statementMap')) !== undefined ? data : undefined
}

const partsOfOne = new Set(['path', 'statementMap', 'fnMap', 'branchMap', 's', 'f', 'b'])

/** Reads a map of files, or a single FileCoverage object. Throws Problem('report_invalid', 'duplicate_key') and what `tally` throws. */
export async function readIstanbul(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const dialect = createDialect()
  const one: Record<string, unknown> = Object.create(null) as Record<string, unknown> // an empty object has every shape
  let files = 0
  for await (const { key, value } of readMembers(chunks)) {
    const file = toFile(value)
    if (file !== undefined) {
      files += 1
      const path = has(file, 'path')
      readFile(typeof path === 'string' && path !== '' ? path : key, file, tally, refused, dialect)
    } else if (partsOfOne.has(key)) one[key] = value
    else if (files > 0 || toObject(value) !== undefined) refuse(refused, key, 'not the coverage of a file')
  }
  if (toObject(one['statementMap']) !== undefined) {
    files += 1
    const path = one['path']
    // An object on its own may have no name; it is kept, and flagged, under this one.
    readFile(typeof path === 'string' && path !== '' ? path : '<unnamed>', one, tally, refused, dialect)
  } else for (const key of Object.keys(one)) refuse(refused, key, 'not the coverage of a file')
  if (files === 0 && refused.count > 0)
    throw new Problem('report_invalid', 'no member of the report is the coverage of a file')
  return dialect.isV8()
    ? { definition: v8LinesDefinition, dialect: 'v8-lines', testNames: [] }
    : { definition: istanbulDefinition, testNames: [] }
}

interface Span {
  line: number
  column: number
  endLine: number
  endColumn: number
}

const toNumber = (value: unknown): number => (typeof value === 'number' ? value : -1)

/** undefined without a usable first line. */
function toSpan(value: unknown): Span | undefined {
  const start = toObject(toObject(value)?.['start'])
  const line = start?.['line']
  if (start === undefined || typeof line !== 'number' || !Number.isInteger(line) || line < 1 || line > maxLine)
    return undefined
  const end = toObject(toObject(value)?.['end'])
  return {
    line,
    column: toNumber(start['column']),
    endLine: toNumber(end?.['line']),
    endColumn: toNumber(end?.['column']),
  }
}

function readFile(path: string, file: Json, tally: Tally, refused: RefusedList, dialect: Dialect): void {
  if (!tally.open(toWrittenPath(path))) return
  const wrong = (what: string): void => refuse(refused, path, what)
  readStatements(file, tally, wrong, dialect)
  const seen = new Map<number, number>()
  readBranches(file, tally, wrong, seen)
  const functions = toObject(file['f']) ?? {}
  const functionMap = toObject(file['fnMap']) ?? {}
  seen.clear()
  for (const id of Object.keys(functions)) {
    const entry = toObject(functionMap[id])
    const span = toSpan(entry?.['decl']) ?? toSpan(entry?.['loc'])
    const name = span === undefined ? hashText(id) : mix(span.line, span.column, span.endLine, span.endColumn)
    tally.callable(name, occurrence(seen, name), toNumber(functions[id]) > 0)
  }
}

function readStatements(file: Json, tally: Tally, wrong: (what: string) => void, dialect: Dialect): void {
  const counts = toObject(file['s']) ?? {}
  const map = toObject(file['statementMap']) ?? {}
  dialect.file()
  for (const id of Object.keys(counts)) {
    const span = toSpan(map[id])
    const count = counts[id]
    if (span === undefined) wrong(`statement ${id} has no line between 1 and ${maxLine}`)
    else if (typeof count !== 'number') wrong(`statement ${id} has no count`)
    else {
      tally.line(span.line, count > 0)
      dialect.statement(span)
    }
  }
}

/**
 * Branches are named by place, not by index: two reports of one file need not number alike, and istanbul merges by place too. Two
 * branches at one place (code before source maps were applied) are told apart by their order.
 */
function readBranches(file: Json, tally: Tally, wrong: (what: string) => void, seen: Map<number, number>): void {
  const counts = toObject(file['b']) ?? {}
  const map = toObject(file['branchMap']) ?? {}
  for (const id of Object.keys(counts)) {
    const entry = toObject(map[id])
    const locations = entry?.['locations']
    const first: unknown = Array.isArray(locations) ? locations[0] : undefined
    const span = toSpan(entry?.['loc']) ?? toSpan(first) ?? toSpan({ start: { line: entry?.['line'] } })
    const ways = counts[id]
    if (span === undefined) wrong(`branch ${id} has no line between 1 and ${maxLine}`)
    else if (!Array.isArray(ways) || ways.length > 65_535) wrong(`branch ${id} has no counts`)
    else {
      const name = mix(span.column, span.endLine, span.endColumn, hashText(String(entry?.['type'])))
      const nth = occurrence(seen, mix(span.line, name, 0, 0))
      for (let way = 0; way < ways.length; way += 1)
        tally.branch(span.line, name, nth * 65_536 + way, toNumber(ways[way]) > 0)
    }
  }
}

/** How often this name was seen before in the file. */
function occurrence(seen: Map<number, number>, name: number): number {
  const before = seen.get(name) ?? 0
  seen.set(name, before + 1)
  return before
}

function hashText(text: string): number {
  let h = text.length
  for (let i = 0; i < text.length; i += 1) h = (Math.imul(h, 31) + text.charCodeAt(i)) | 0
  return h
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
