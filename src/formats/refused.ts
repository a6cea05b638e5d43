/** What a report said that could not be taken: how often, and the first twenty with place and reason. Never silent, never unbounded. */
export interface Refusal {
  where: string
  reason: string
}

export interface RefusedList {
  count: number
  first: Refusal[]
}

/** Lists what could not be taken, for those who know the place. */
export type Refuse = (reason: string) => void

const kept = 20
const longest = 120

/** `where` is a place in the report ("line 12") or a path; what is too long or not printable is shortened for the person who reads it. */
export function refuse(list: RefusedList, where: string, reason: string): void {
  list.count += 1
  if (list.first.length < kept) list.first.push({ where: toPrintable(where), reason: toPrintable(reason) })
}

/** Control characters as \xNN, and at most 120 characters. */
export function toPrintable(text: string): string {
  const short = text.length > longest ? `${text.slice(0, longest)}... (${text.length} characters)` : text
  return short.toWellFormed().replaceAll(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
