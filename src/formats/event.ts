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
  path: string
  covered: number[]
  partial: number[]
  missed: number[]
  /** By line: how often each way out of it was taken. */
  branches: [line: number, counts: readonly number[]][]
  functions: [name: string, count: number][]
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
  const sets = {
    covered: toRanges('covered', fields['covered']),
    partial: toRanges('partial', fields['partial']),
    missed: toRanges('missed', fields['missed']),
  }
  const twice = firstCommon(Object.values(sets))
  if (twice !== undefined) throw new EventError(`line ${twice} is in two of "covered", "partial" and "missed"`)
  const branches = entriesOf('branches', fields['branches']).map(([line, counts]): [number, number[]] => {
    if (!/^[1-9]\d*$/.test(line) || !isLine(Number(line)))
      throw new EventError(`"branches" has ${show(line)}, which is no line from 1 to ${maxLine}`)
    if (!Array.isArray(counts) || counts.length === 0 || counts.length > 65_536)
      throw new EventError(`"branches" of line ${line} is not a list of counts, one for each way`)
    return [Number(line), counts.map((count) => toCount(`branches of line ${line}`, count))]
  })
  const functions = entriesOf('functions', fields['functions']).map(([name, count]): [string, number] => [
    name,
    toCount(`functions, ${name}`, count),
  ])
  return { event: 'file', path, ...sets, branches, functions }
}

/** "1-5,9,12-14", ascending; touching ranges may be written apart. Absent is none. */
function toRanges(name: string, value: unknown): number[] {
  if (value === undefined || value === '') return []
  if (typeof value !== 'string') throw new EventError(`"${name}" is not a text of line ranges like "1-5,9"`)
  const ranges: number[] = []
  let before = 0
  for (const range of value.split(',')) {
    const match = /^([1-9]\d{0,9})(?:-([1-9]\d{0,9}))?$/.exec(range)
    const from = Number(match?.[1])
    const to = match?.[2] === undefined ? from : Number(match[2])
    if (match === null || !isLine(to) || to < from || from <= before)
      throw new EventError(
        `"${name}" is not a text of ascending line ranges like "1-5,9": ${show(range)} after ${before}`,
      )
    ranges.push(from, to)
    before = to
  }
  return ranges
}

/** A line that is in two of these sets. */
function firstCommon(sets: readonly number[][]): number | undefined {
  const ranges = sets.flatMap((set) =>
    set.flatMap((from, i) => (i % 2 === 0 ? [[from, set[i + 1] ?? from] as const] : [])),
  )
  ranges.sort(([a], [b]) => a - b)
  let end = 0
  for (const [from, to] of ranges) {
    if (from <= end) return from
    end = to
  }
  return undefined
}

function entriesOf(name: string, value: unknown): [string, unknown][] {
  if (value === undefined) return []
  const object = toObject(value)
  if (object === undefined) throw new EventError(`"${name}" is not an object`)
  return Object.entries(object)
}

function toCount(name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw new EventError(`"${name}" is not a whole number from 0`)
  return value
}

const isShort = (value: unknown): value is string =>
  typeof value === 'string' && value.length >= 1 && value.length <= 100
const show = (text: string): string => JSON.stringify(text.slice(0, 80))
