import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../database/database.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { readHead } from '../ledger/store.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { type Day, dayOf, nextDay, startOf } from './calendar.ts'
import { type ColdDay, newestColdDay, readClock } from './store.ts'
import { type DayToWrite, type DayWriter, writeDay } from './write-day.ts'

/** Closed days of a ledger go into the archive one after the other, from the day of its first record on. */

export interface DayClock {
  clock: Micros
  /** So long after midnight a day takes no record any more: an append is refused whose times are 30 s behind the database clock. */
  closesAfterMicros: Micros
}

/**
 * Pure: the day that follows `newest`, when it has closed. A record that comes all the same, because the database clock was put back behind
 * a midnight, lies in the file of the next day that is written: positions decide, not times.
 */
export function dueDay(
  newest: Day | undefined,
  firstTime: Micros,
  { clock, closesAfterMicros }: DayClock,
): Day | undefined {
  const day = newest === undefined ? dayOf(firstTime) : nextDay(newest)
  return clock >= startOf(nextDay(day)) + closesAfterMicros ? day : undefined
}

/** What would be written next; undefined when the day is not over, or something of it is not published yet. */
export async function findDueDay(
  db: Database,
  reader: LedgerReader,
  ledger: LedgerName,
  closesAfterMicros: Micros,
): Promise<DayToWrite | undefined> {
  const newest = await newestColdDay(db, ledger)
  const [firstRecord] = newest === undefined ? (await reader.readBatch(ledger, 0, { maxRecords: 1 })).records : []
  if (newest === undefined && firstRecord === undefined) return undefined
  const clock = await readClock(db)
  const day = dueDay(newest?.day, firstRecord?.recordedAt ?? 0, { clock, closesAfterMicros })
  if (day === undefined) return undefined
  const end = startOf(nextDay(day))
  // The head is read before what is published: what is published then covers it, or reaches past the day.
  const { head } = await readHead(db, ledger)
  const published = await reader.published(ledger)
  if (head === undefined || published === undefined) return undefined
  if (published.size < head.size && published.lastTime < end) return undefined
  const first = newest?.next ?? 0
  const next = published.lastTime < end ? published.size : Math.max(first, await reader.seqAt(ledger, end))
  return { day, first, next, lastTime: newest?.lastTime ?? -1, previous: newest }
}

export interface ArchiveRun {
  ledger: LedgerName
  days: ColdDay[]
}

/** Writes every closed day that is missing; answers them. */
export async function archiveDays(deps: DayWriter, closesAfterMicros: Micros, signal: AbortSignal): Promise<ColdDay[]> {
  const written: ColdDay[] = []
  for (;;) {
    signal.throwIfAborted()
    const due = await findDueDay(deps.db, deps.reader, deps.ledger, closesAfterMicros)
    if (due === undefined) return written
    written.push(await writeDay(deps, due, signal))
  }
}

/** `work`, and again after a pause, until the signal aborts. */
export async function everySoOften(work: () => Promise<void>, everyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await work()
    await sleep(everyMs, undefined, { signal }).catch(() => {}) // aborted
  }
}
