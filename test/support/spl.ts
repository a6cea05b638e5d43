import { hash } from 'node:crypto'
import type { Span } from './bodies.ts'

/** As much of SPL's `tstats`, and of `search ... | table proofline_id _raw`, as delivery writes; anything else is an error, so that a changed query is noticed. */

export interface SplunkEvent {
  id: string
  copies: number
  /** How many of the copies say that they may be one; told only where events are kept as bytes. */
  marked: number
  storedAt: number
  /** Where its `_raw` is kept. */
  at: Span | undefined
  envelope: Readonly<Record<string, unknown>> | undefined
  fields: Readonly<Record<string, string>>
}

type Row = Record<string, string | string[]>

export function answerSearch(
  search: string,
  events: readonly SplunkEvent[],
  earliest: number,
  latest: number,
  raw: (event: SplunkEvent) => Buffer | undefined,
): Row[] {
  const ended = /^(.+) \| append \[\| makeresults \| eval (\w+)="([^"]*)"\]$/s.exec(search)
  if (ended !== null) {
    const [, main = '', field = '', value = ''] = ended
    return [...answerSearch(main, events, earliest, latest, raw), { [field]: value }]
  }
  const read = /^search (.+) \| table proofline_id _raw$/.exec(search)?.[1]
  if (read !== undefined) {
    const matches = parseWhere(read)
    return events
      .filter((event) => inTime(event, earliest, latest) && matches(event))
      .flatMap((event) =>
        Array.from({ length: event.copies }, () => ({ proofline_id: event.id, _raw: rawOf(raw(event)) })),
      )
  }
  const canary =
    /^search index=("(?:[^"\\]|\\.)*") sourcetype="proofline:canary" proofline_canary::([0-9a-f-]{36}) \| eval digest=sha256\(_raw\) \| table digest$/.exec(
      search,
    )
  if (canary !== null) {
    const [, index = '""', id] = canary
    const found = events.filter(
      (event) => event.id === id && inTime(event, earliest, latest) && valueOf(event, 'index') === unquote(index),
    )
    return found.map((event) => ({ digest: hash('sha256', rawOf(raw(event)), 'hex') }))
  }
  const match = /^\| tstats (.+?) where (.+?)(?: by (\w+))?$/.exec(search)
  if (match === null) throw new Error(`not a search that is known here: ${search}`)
  const [, what = '', where = '', by] = match
  const matches = parseWhere(where)
  const found = events.filter((event) => inTime(event, earliest, latest) && matches(event))
  const groups = new Map<string, SplunkEvent[]>()
  for (const event of found) {
    const key = by === undefined ? '' : (valueOf(event, by) ?? '')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [event])
    else group.push(event)
  }
  if (by === undefined && groups.size === 0) groups.set('', [])
  return [...groups].map(([key, members]) => ({
    ...(by === undefined ? {} : { [by]: key }),
    ...aggregate(what, members),
  }))
}

/** `_raw` of an event that is a JSON string is the string. */
function rawOf(raw: Buffer | undefined): string {
  const text = raw?.toString() ?? ''
  return text.startsWith('"') ? (JSON.parse(text) as string) : text
}

function inTime(event: SplunkEvent, earliest: number, latest: number): boolean {
  const time = Number(event.envelope?.['time'] ?? earliest)
  return time >= earliest && time < latest
}

function valueOf(event: SplunkEvent, name: string): string | undefined {
  if (name === 'index' || name === 'sourcetype') {
    const value = event.envelope?.[name]
    return typeof value === 'string' ? value : undefined
  }
  return name === 'proofline_id' ? event.id : event.fields[name]
}

function parseWhere(text: string): (event: SplunkEvent) => boolean {
  const tests: ((event: SplunkEvent) => boolean)[] = []
  const term = /(\w+)(?:(=|>=|<=)("(?:[^"\\]|\\.)*"|\d+)| IN \(([^)]*)\))\s*/gy
  let at = 0
  for (let match = term.exec(text); match !== null; match = term.exec(text)) {
    at = term.lastIndex
    const [, name = '', operator, value, list] = match
    if (list !== undefined) {
      const wanted = new Set(list.split(',').map(unquote))
      tests.push((event) => wanted.has(valueOf(event, name) ?? ''))
    } else if (operator === '=') {
      tests.push((event) => valueOf(event, name) === unquote(value ?? ''))
    } else {
      const limit = Number(value)
      tests.push((event) => {
        const number = Number(valueOf(event, name) ?? NaN)
        return operator === '>=' ? number >= limit : number <= limit
      })
    }
  }
  if (at !== text.length) throw new Error(`not a condition that is known here: ${text.slice(at)}`)
  return (event) => tests.every((test) => test(event))
}

const unquote = (text: string): string => (text.startsWith('"') ? (JSON.parse(text) as string) : text)

function aggregate(what: string, events: readonly SplunkEvent[]): Row {
  const row: Row = {}
  for (const part of what
    .split(' ')
    .reduce<string[]>(
      (parts, word) =>
        /^(as|\w+)$/.test(word) && word !== 'count'
          ? [...parts.slice(0, -1), `${parts.at(-1)} ${word}`]
          : [...parts, word],
      [],
    )) {
    const [, name = '', field, as = name] = /^(count|sum|values)(?:\((\w+)\))?(?: as (\w+))?$/.exec(part) ?? []
    if (name === 'count') row[as] = String(events.reduce((sum, { copies }) => sum + copies, 0))
    else if (name === 'sum')
      row[as] = String(events.reduce((sum, event) => sum + event.copies * Number(event.fields[field ?? ''] ?? 0), 0))
    else if (name === 'values') {
      const values = [...new Set(events.flatMap((event) => event.fields[field ?? ''] ?? []))]
      row[as] = values.length === 1 ? (values[0] ?? '') : values
    } else throw new Error(`not an aggregate that is known here: ${part}`)
  }
  return row
}
