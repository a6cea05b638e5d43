import type { Queryable } from '../database/database.ts'
import { dayMicros, dayOf } from '../history/evidence-days.ts'
import type { AsOfLedger } from '../history/file-facts.ts'
import { type Window, counts } from '../history/ref-runs.ts'
import type { Reader } from '../ledger/read.ts'
import { timeOfRecord } from '../ledger/segments-by-kind.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { toMicros } from './as-of.ts'

/** Which ref and which time a question is about. Every default comes from what it is asked as of, never from the clock. */

export interface WindowQuestion {
  ref?: string | undefined
  /** Days or times of recorded_at, half-open. */
  from?: string | undefined
  to?: string | undefined
}

/** The time of an as_of: when the last record below its sizes was recorded; 0 where there is none. */
export async function momentOf(
  { db, reader }: { db: Queryable; reader: Pick<Reader, 'readBatch'> },
  ledgers: readonly { ledger: LedgerName; size: number }[],
): Promise<Micros> {
  const timeOf = async ({ ledger, size }: { ledger: LedgerName; size: number }): Promise<Micros> => {
    if (size === 0) return 0
    const hot = await timeOfRecord(db, ledger, size - 1)
    return hot ?? (await reader.readBatch(ledger, size - 1, { maxRecords: 1 })).records[0]?.recordedAt ?? 0
  }
  return Math.max(0, ...(await Promise.all(ledgers.map(timeOf))))
}

/** By default from a year before its end, which is the end of the last day as of which is asked. */
export function toWindow({ ref, from, to }: WindowQuestion, moment: Micros, ledgers: readonly AsOfLedger[]): Window {
  return { ref: ref ?? commonRef(ledgers), ...toSpan({ from, to }, moment) }
}

export function toSpan({ from, to }: Omit<WindowQuestion, 'ref'>, moment: Micros): { from: Micros; to: Micros } {
  const end = to === undefined ? (dayOf(moment) + 1) * dayMicros : toTime(to, 'to')
  const start = from === undefined ? yearBefore(end) : toTime(from, 'from')
  if (start >= end) throw new Problem('request_invalid', 'from has to be before to')
  return { from: start, to: end }
}

function toTime(text: string, name: string): Micros {
  const micros = toMicros(text)
  if (micros === undefined) throw new Problem('request_invalid', `${name} is a day or an RFC 3339 time with an offset`)
  return micros
}

function yearBefore(micros: Micros): Micros {
  const date = new Date(micros / 1000)
  date.setUTCFullYear(date.getUTCFullYear() - 1)
  return date.getTime() * 1000
}

const usualRefs = ['refs/heads/main', 'refs/heads/master', 'refs/heads/trunk']

/** The usual main branch where runs of it count, else the ref of most of them. */
export function commonRef(ledgers: readonly AsOfLedger[]): string {
  const runs = new Map<string, number>()
  for (const { history, runs: count } of ledgers)
    for (const run of history.runs.slice(0, count)) if (counts(run)) runs.set(run.ref, (runs.get(run.ref) ?? 0) + 1)
  const usual = usualRefs.find((ref) => runs.has(ref))
  const most = [...runs].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0]?.[0]
  return usual ?? most ?? usualRefs[0] ?? ''
}
