import type { Row, Value } from './spl-expression.ts'

/** What SPL's `search` and the `where` of `tstats` filter by: terms that all must hold, and the time. */

export interface Filter {
  matches: (row: Row) => boolean
  /** Seconds; by `_time` and by when it was indexed. */
  time: { earliest?: number; latest?: number; indexedEarliest?: number; indexedLatest?: number }
}

const unquote = (text: string): string => (text.startsWith('"') ? text.slice(1, -1) : text)

/** `now`, `0`, `-24h`, `-65m@m`: snapping to the minute is a minute earlier at most. */
export function timeOf(text: string, now: number): number {
  if (text === 'now') return now
  if (/^\d+$/.test(text)) return Number(text)
  const [, count = '', unit = ''] = /^-(\d+)([smhd])(?:@m)?$/.exec(text) ?? []
  const seconds = { s: 1, m: 60, h: 3_600, d: 86_400 }[unit]
  if (seconds === undefined) throw new Error(`not a time that is known here: ${text}`)
  return now - Number(count) * seconds
}

const term = /(\w[\w.{}]*)\s*(!=|=)\s*("[^"]*"|[^\s"()[\]]+)\s*|(\w[\w.{}]*) IN \(([^)]*)\)\s*/y
const times = { earliest: 'earliest', latest: 'latest', _index_earliest: 'indexedEarliest', _index_latest: 'indexedLatest' } as const // oxfmt-ignore

export function parseTerms(text: string, now: number): Filter {
  const tests: ((row: Row) => boolean)[] = []
  const time: Filter['time'] = {}
  let at = 0
  const trimmed = text.trim()
  while (at < trimmed.length) {
    term.lastIndex = at
    const match = term.exec(trimmed)
    if (match === null) throw new Error(`not a term that is known here: ${trimmed.slice(at)}`)
    at = term.lastIndex
    const [, name = '', operator, value = '', listed, list] = match
    if (listed !== undefined) {
      const wanted = (list ?? '').split(',').map((one) => unquote(one.trim()))
      tests.push((row) => wanted.some((one) => has(row.get(listed), one)))
    } else if (isTime(name)) time[times[name]] = timeOf(unquote(value), now)
    // An event without the field is found neither by `=` nor by `!=`.
    else if (operator === '!=') tests.push((row) => row.get(name) !== undefined && !has(row.get(name), unquote(value)))
    else tests.push((row) => has(row.get(name), unquote(value)))
  }
  return { matches: (row) => tests.every((test) => test(row)), time }
}

const isTime = (name: string): name is keyof typeof times => Object.hasOwn(times, name)

function has(value: Value, wanted: string): boolean {
  if (value === undefined) return false
  const pattern = new RegExp(`^${wanted.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`, 'i') // oxfmt-ignore
  return [value].flat().some((one) => pattern.test(String(one)))
}
