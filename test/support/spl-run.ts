import { numberOf, parseExpression, type Row, type Value } from './spl-expression.ts'
import { type Filter, parseTerms } from './spl-terms.ts'

/** Runs the searches of our add-on over events in memory, command by command. What is not known here is an error. */

export interface Indexed {
  index: string
  sourcetype: string
  /** Seconds. */
  time: number
  indexedAt: number
  raw: string
  /** What was sent as indexed fields. */
  fields: Readonly<Record<string, string>>
}

export interface Splunk {
  events: readonly Indexed[]
  macros: ReadonlyMap<string, string>
  /** Seconds. */
  now: number
}

export interface Span {
  earliest: number
  latest: number
}

export function runSearch(search: string, span: Span, splunk: Splunk): Row[] {
  const text = search.replaceAll(/`([^`]+)`/g, (_, name: string) => {
    const definition = splunk.macros.get(name)
    if (definition === undefined) throw new Error(`there is no macro ${name}`)
    return definition
  })
  return run(text.trim(), span, splunk)
}

/** Cuts at `mark` outside quotes and brackets. */
function split(text: string, mark: string): string[] {
  const parts = ['']
  let depth = 0
  let quoted = false
  for (const c of text) {
    if (c === '"') quoted = !quoted
    if (!quoted && '[('.includes(c)) depth++
    if (!quoted && '])'.includes(c)) depth--
    if (c === mark && depth === 0 && !quoted) parts.push('')
    else parts[parts.length - 1] += c
  }
  return parts.map((part) => part.trim())
}

function run(text: string, span: Span, splunk: Splunk): Row[] {
  const [first = '', ...commands] = text.startsWith('|') ? ['', ...split(text.slice(1), '|')] : split(text, '|')
  let rows: Row[] = first === '' ? [] : found(first.replace(/^search /, ''), span, splunk)
  for (const command of commands) rows = apply(command, rows, span, splunk)
  return rows
}

function apply(command: string, rows: Row[], span: Span, splunk: Splunk): Row[] {
  const [name = '', ...words] = command.split(' ')
  const rest = words.join(' ')
  switch (name) {
    case 'tstats':
      return tstats(rest, span, splunk)
    case 'stats': {
      const [aggregates = '', by] = rest.split(/ by /)
      return stats(aggregates, by?.split(/[ ,]+/), rows)
    }
    case 'eval': {
      const assigned = split(rest, ',').map((one) => /^(\w+)=(.+)$/s.exec(one) ?? fail(one))
      return rows.map((row) => assigned.reduce((next, [, field = '', text = '']) => withValue(next, field, parseExpression(text)(next, splunk.now)), row)) // oxfmt-ignore
    }
    case 'where': {
      const test = parseExpression(rest)
      return rows.filter((row) => test(row, splunk.now) === true)
    }
    case 'fields':
    case 'table':
      return rows.map((row) => new Map(rest.split(/[ ,]+/).map((field) => [field, row.get(field)])))
    case 'fillnull': {
      const [, value = '', fields = ''] = /^value=(\S+) (.+)$/.exec(rest) ?? fail(rest)
      return rows.map((row) => fields.split(' ').reduce((next, field) => (next.get(field) === undefined ? withValue(next, field, value) : next), row)) // oxfmt-ignore
    }
    case 'rename': {
      const pairs = split(rest, ',').flatMap((part) => [...part.matchAll(/("[^"]+"|\S+) as (\S+)/g)])
      return rows.map((row) => pairs.reduce((next, [, from = '', to = '']) => renamed(next, from.replaceAll('"', ''), to), row)) // oxfmt-ignore
    }
    case 'spath': {
      const [, input = '_raw'] = /input=(\S+)/.exec(rest) ?? []
      const [, path] = /path=(\S+)/.exec(rest) ?? []
      const [, output = path ?? ''] = /output=(\S+)/.exec(rest) ?? []
      return rows.map((row) => {
        const fields = extract(JSON.parse(String(row.get(input))) as unknown, '')
        if (path === undefined) return new Map([...row, ...fields])
        const objects = path.endsWith('{}') ? (JSON.parse(String(row.get(input))) as Record<string, unknown[]>)[path.slice(0, -2)] : undefined // oxfmt-ignore
        return withValue(row, output, objects?.map((one) => JSON.stringify(one)) ?? fields.get(path))
      })
    }
    case 'convert':
      return rows // how a time is shown
    case 'mvexpand':
      return rows.flatMap((row) => [row.get(rest)].flat().flatMap((one) => (one === undefined ? [] : [withValue(row, rest, one)]))) // oxfmt-ignore
    case 'join':
      return join(rest, rows, span, splunk)
    default:
      return fail(command)
  }
}

function fail(text: string): never {
  throw new Error(`not a command that is known here: ${text}`)
}

const withValue = (row: Row, field: string, value: Value): Row => new Map([...row, [field, value]])

function renamed(row: Row, from: string, to: string): Row {
  const next = new Map(row)
  next.set(to, next.get(from))
  next.delete(from)
  return next
}

/** As Splunk names what it extracts of JSON: `a.b`, `a{}`, `a{}.b`. */
function extract(value: unknown, at: string, into = new Map<string, Value>()): Map<string, Value> {
  if (Array.isArray(value)) for (const one of value as unknown[]) extract(one, `${at}{}`, into)
  else if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) extract(inner, at === '' ? key : `${at}.${key}`, into)
  else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    const known = into.get(at)
    into.set(at, known === undefined ? String(value) : [known, String(value)].flat().map(String))
  }
  return into
}

function selected(filter: Filter, span: Span, { events, now }: Splunk, extracted: boolean): Row[] {
  const { earliest = span.earliest, latest = span.latest, indexedEarliest = 0, indexedLatest = now } = filter.time
  const inTime = events.filter(
    ({ time, indexedAt }) =>
      time >= earliest && time < latest && indexedAt >= indexedEarliest && indexedAt <= indexedLatest,
  )
  return inTime
    .map(({ index, sourcetype, time, raw, fields }): Row => {
      const own = { index, sourcetype, _time: String(time), ...fields }
      return new Map([...(extracted ? extract(JSON.parse(raw) as unknown, '') : []), ...Object.entries(own), ...(extracted ? ([['_raw', raw]] as const) : [])]) // oxfmt-ignore
    })
    .filter(filter.matches)
}

function found(terms: string, span: Span, splunk: Splunk): Row[] {
  return selected(parseTerms(terms, splunk.now), span, splunk, true)
}

/** Sees what is in the index only: no field of the event itself. A subsearch among the terms becomes one alternative a row of it. */
function tstats(text: string, span: Span, splunk: Splunk): Row[] {
  const [, aggregates = '', where = '', by] = /^(.+?) where (.+?)(?: by ([\w ,]+))?$/s.exec(text) ?? fail(text)
  const [, terms = where, sub] = /^(.*?)\s*\[(.*)\]$/s.exec(where.trim()) ?? []
  const alternatives = sub === undefined ? undefined : run(sub.trim(), span, splunk)
  const rows = selected(parseTerms(terms, splunk.now), span, splunk, false).filter(
    (row) =>
      alternatives === undefined ||
      alternatives.some((one) => [...one].every(([field, value]) => String(row.get(field)) === String(value))),
  )
  return stats(aggregates, by?.split(/[ ,]+/), rows)
}

const aggregate = /(count|dc|sum|max|min|latest|values)(?:\(([^)]+)\))?(?: as (\w+|"[^"]+"))?\s*/y

/** Rows without one of the fields they are grouped by are left out. Without any row at all a count is 0, and the rest is not there. */
function stats(text: string, by: readonly string[] | undefined, rows: readonly Row[]): Row[] {
  const wanted: { name: string; field: string; as: string }[] = []
  aggregate.lastIndex = 0
  for (let at = 0; at < text.trim().length; at = aggregate.lastIndex) {
    const [, name = '', field = '', as] = aggregate.exec(text.trim()) ?? fail(text)
    wanted.push({ name, field, as: (as ?? (field === '' ? name : `${name}(${field})`)).replaceAll('"', '') })
  }
  const keyed = rows.filter((row) => (by ?? []).every((field) => row.get(field) !== undefined))
  const groups = Map.groupBy(keyed, (row) => JSON.stringify((by ?? []).map((field) => String(row.get(field)))))
  if (by === undefined && groups.size === 0) {
    return wanted.some(({ name }) => name === 'count')
      ? [new Map(wanted.map(({ name, as }) => [as, name === 'count' ? 0 : undefined]))]
      : []
  }
  return [...groups].map(([key, members]) => {
    const row = new Map<string, Value>((JSON.parse(key) as string[]).map((value, i) => [by?.[i] ?? '', value]))
    for (const { name, field, as } of wanted) row.set(as, aggregated(name, field, members))
    return row
  })
}

function aggregated(name: string, field: string, rows: readonly Row[]): Value {
  if (name === 'count') return rows.length
  const values = rows.flatMap((row) => [row.get(field)].flat()).filter((value) => value !== undefined)
  const numbers = values.map(numberOf).filter((value) => value !== undefined)
  if (name === 'dc') return new Set(values.map(String)).size
  if (values.length === 0) return undefined
  if (name === 'values') return [...new Set(values.map(String))]
  if (name === 'latest')
    return rows.filter((row) => row.get(field) !== undefined).toSorted((a, b) => Number(b.get('_time') ?? 0) - Number(a.get('_time') ?? 0))[0]?.get(field) // oxfmt-ignore
  if (name === 'sum') return numbers.reduce((sum, number) => sum + number, 0)
  return name === 'max' ? Math.max(...numbers) : Math.min(...numbers)
}

/** The first row of the subsearch that agrees in the fields; its fields go over those of the row. */
function join(text: string, rows: Row[], span: Span, splunk: Splunk): Row[] {
  const [, type = '', fields = '', sub = ''] = /^type=(left|inner) (.+?) \[(.*)\]$/s.exec(text) ?? fail(text)
  const others = run(sub.trim(), span, splunk)
  const agrees = (a: Row, b: Row): boolean => fields.split(/[ ,]+/).every((field) => String(a.get(field)) === String(b.get(field))) // oxfmt-ignore
  return rows.flatMap((row): Row[] => {
    const other = others.find((one) => agrees(row, one))
    if (other === undefined) return type === 'left' ? [row] : []
    return [new Map([...row, ...other])]
  })
}
