import { hashText, mix } from './fingerprint.ts'
import { isLine } from './json-numbers.ts'
import { toObject } from './json.ts'
import { maxLine } from './tally.ts'

/**
 * One coverage event, for producers that have no report file (docs/formats.md, "Coverage events"). Checked strictly: an unknown member is an error, since
 * its producer believes that it says something.
 */
export type CoverageEvent = ProducerEvent | FileEvent | EndEvent

export interface ProducerEvent {
  event: 'producer'
  tool: { name: string; version?: string }
  /** Name and version of the rule by which the producer decides what a line is and when it is executed. */
  rule: string
}

export interface FileEvent {
  event: 'file'
  /** In UTF-8. */
  path: Uint8Array
  /** First and last line of each range. */
  covered: number[]
  partial: number[]
  missed: number[]
  /** Four integers for up to 32 ways out of a line: the line, the first way / 32, the ways that there are, one a bit, and those taken among them. */
  branches: number[]
  /** Three integers for each: two that name it, and 1 when it was called, else 0. */
  functions: number[]
}

export interface EndEvent {
  event: 'end'
  /** How many `file` events there were. */
  files: number
}

export const eventsSchema = 'proofline.events.v1'

/** What is wrong with an event, for the person who wrote its producer. */
export class EventError extends Error {
  override readonly name = 'EventError'
}

/** Out of one line. */
export const maxWays = 65_536

const encoder = new TextEncoder()

type Fields = Readonly<Record<string, unknown>>

const members = {
  producer: ['event', 'schema', 'tool', 'rule'],
  file: ['event', 'path', 'covered', 'partial', 'missed', 'branches', 'functions'],
  end: ['event', 'files'],
} as const

/** Throws EventError. */
export function toEvent(value: unknown): CoverageEvent {
  const fields = toObject(value)
  if (fields === undefined) throw new EventError('not a JSON object')
  const kind = fields['event']
  if (kind !== 'producer' && kind !== 'file' && kind !== 'end')
    throw new EventError('"event" is not one of "producer", "file", "end"')
  const unknown = Object.keys(fields).find((key) => !(members[kind] as readonly string[]).includes(key))
  if (unknown !== undefined) throw new EventError(`a ${kind} event has no member ${show(unknown)}`)
  if (kind === 'producer') return toProducer(fields)
  if (kind === 'file') return toFile(fields)
  return { event: 'end', files: toCount('files', fields['files']) }
}

function toProducer({ schema, tool, rule }: Fields): ProducerEvent {
  if (schema !== eventsSchema) throw new EventError(`"schema" is not ${show(eventsSchema)}`)
  const { name, version, ...more } = toObject(tool) ?? {}
  const isVersion = version === undefined || isShort(version)
  if (!isShort(name) || !isVersion || Object.keys(more).length > 0)
    throw new EventError('"tool" is not {"name":"...","version":"..."} with texts of 1 to 100 characters')
  if (typeof rule !== 'string' || !/^[a-z0-9][a-z0-9._-]{0,63}@[1-9]\d{0,5}$/.test(rule))
    throw new EventError('"rule" is not a name and version like "acme.statement@1"')
  return { event: 'producer', tool: { name, ...(version === undefined ? {} : { version }) }, rule }
}

function toFile(fields: Fields): FileEvent {
  const { path } = fields
  if (typeof path !== 'string' || path === '') throw new EventError('"path" is not a text')
  if (!path.isWellFormed()) throw new EventError('"path" is not valid Unicode')
  const covered = toRanges('covered', fields['covered'])
  const partial = toRanges('partial', fields['partial'])
  const missed = toRanges('missed', fields['missed'])
  const event: FileEvent = { event: 'file', path: encoder.encode(path), covered, partial, missed, branches: [], functions: [] } // oxfmt-ignore
  const twice = twiceIn(event)
  if (twice !== undefined) throw new EventError(`line ${twice} is in two of "covered", "partial" and "missed"`)
  // Of JSON, so that all their keys are their own.
  const branches = objectOf('branches', fields['branches'])
  for (const line in branches) addWays(event.branches, line, branches[line])
  const functions = objectOf('functions', fields['functions'])
  for (const name in functions)
    addFunction(event.functions, hashText(name), name.length, toCount('functions', functions[name]) > 0)
  return event
}

/** `hash` and `length` of its name. */
export function addFunction(functions: number[], hash: number, length: number, isCalled: boolean): void {
  functions.push(hash, mix(hash, length, 0, 0), isCalled ? 1 : 0)
}

/** A line that is in two of the three sets, where none may be. */
export function twiceIn({ covered, partial, missed }: FileEvent): number | undefined {
  return common(covered, missed) ?? common(covered, partial) ?? common(partial, missed)
}

/** "1-5,9,12-14", ascending; touching ranges may be written apart. Absent is none. */
function toRanges(name: string, value: unknown): number[] {
  if (value === undefined || value === '') return []
  if (typeof value !== 'string') throw new EventError(`"${name}" is not a text of line ranges like "1-5,9"`)
  const ranges: number[] = []
  let before = 0
  for (let at = 0; at <= value.length; at += 1) {
    const start = at
    const from = numberAt(value, at)
    at = numberEnd
    const isRange = value[at] === '-'
    const to = isRange ? numberAt(value, at + 1) : from
    if (isRange) at = numberEnd
    if (from <= before || to < from || !(at === value.length || value[at] === ',')) {
      const shown = show(value.slice(start, start + 30).split(',')[0] ?? '')
      throw new EventError(`"${name}" is not a text of ascending line ranges like "1-5,9": ${shown} after ${before}`)
    }
    if (from === before + 1 && before > 0) ranges[ranges.length - 1] = to
    else ranges.push(from, to)
    before = to
  }
  return ranges
}

let numberEnd = 0
/** The line number that begins at `from`; 0 when there is none that can be. Leaves its end in `numberEnd`. */
function numberAt(text: string, from: number): number {
  let [at, value] = [from, 0]
  for (let d = text.charCodeAt(at) - 0x30; d >= 0 && d <= 9; d = text.charCodeAt(at) - 0x30) {
    value = value * 10 + d
    at += 1
  }
  numberEnd = at
  return at > from && text[from] !== '0' && isLine(value) ? value : 0
}

/** The first line that is in both sets. */
function common(a: readonly number[], b: readonly number[]): number | undefined {
  for (let [i, j] = [0, 0]; i < a.length && j < b.length;) {
    const [from, other] = [a[i] as number, b[j] as number] // below the lengths, and lengths are even
    if ((a[i + 1] as number) < other) i += 2
    else if ((b[j + 1] as number) < from) j += 2
    else return Math.max(from, other)
  }
  return undefined
}

const nothing: Fields = {}

function objectOf(name: string, value: unknown): Fields {
  if (value === undefined) return nothing
  const object = toObject(value)
  if (object === undefined) throw new EventError(`"${name}" is not an object`)
  return object
}

function addWays(branches: number[], line: string, counts: unknown): void {
  const number = numberAt(line, 0)
  if (number === 0 || numberEnd < line.length)
    throw new EventError(`"branches" has ${show(line)}, which is no line from 1 to ${maxLine}`)
  if (!Array.isArray(counts) || counts.length === 0 || counts.length > maxWays)
    throw new EventError(`"branches" of line ${line} is not a list of counts, one for each way`)
  for (let way = 0; way < counts.length; way += 1) {
    if ((way & 31) === 0) branches.push(number, way >>> 5, 0, 0)
    const [bit, last] = [1 << (way & 31), branches.length - 1]
    branches[last - 1] = (branches[last - 1] as number) | bit // just pushed, as is the next
    if (toCount('branches', counts[way]) > 0) branches[last] = (branches[last] as number) | bit
  }
}

function toCount(name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw new EventError(`"${name}" is not a whole number from 0`)
  return value
}

const isShort = (value: unknown): value is string =>
  typeof value === 'string' && value.length >= 1 && value.length <= 100
const show = (text: string): string => JSON.stringify(text.slice(0, 80))
