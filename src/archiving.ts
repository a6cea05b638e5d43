import { nextDay, sameDayLater, startOf } from './archive/calendar.ts'
import { archiveDays, everySoOften } from './archive/run-archive.ts'
import { newestColdDay, readClock } from './archive/store.ts'
import type { DayWriter } from './archive/write-day.ts'
import type { Config } from './config.ts'
import type { Keeper } from './keeping.ts'
import type { PutOptions } from './objects/objects.ts'
import { printTime } from './record/record.ts'
import type { Finding } from './watch/alerts.ts'

/** Closed days into the archive, in one process at a time. */
export const keepArchive: Keeper = async (deps, work) => {
  const { config, db, reader, ledgers, books, log } = deps
  const { every_ms: everyMs, closes_after_ms: closesAfterMs, overdue_ms: overdueMs } = config.archive
  const failures = new Map<string, string>()

  work('archive', (signal) =>
    everySoOften(
      async () => {
        for (const ledger of ledgers) {
          const book = books.get(ledger)
          if (book === undefined || signal.aborted) continue
          const writer: DayWriter = { ...deps, ledger, tree: book.tree, origin: deps.originOf(ledger), lock: (day) => lockOf(config, day) }
          try {
            const days = await archiveDays(writer, closesAfterMs * 1000, signal)
            failures.delete(ledger)
            for (const { day, first, next, bytes } of days) log.info('day.archived', { ledger, day, first, next, bytes })
          } catch (error) {
            if (signal.aborted) return
            failures.set(ledger, error instanceof Error ? error.message : String(error))
            log.error('archive.failed', { ledger, error: String(error) })
          }
        }
      },
      everyMs,
      signal,
    ),
  ) // oxfmt-ignore

  return async () => {
    const findings: Finding[] = []
    const clock = await readClock(db)
    for (const ledger of ledgers) {
      const newest = await newestColdDay(db, ledger)
      const first = newest === undefined ? (await reader.readBatch(ledger, 0, { maxRecords: 1 })).records[0] : undefined
      if (newest === undefined && first === undefined) continue
      const archivedTo = newest === undefined ? (first?.recordedAt ?? 0) : startOf(nextDay(newest.day))
      // Midnight after the first day that is not there, and the time that it may take.
      const due = startOf(nextDay(printTime(archivedTo).slice(0, 10))) + overdueMs * 1000
      const why = failures.get(ledger)
      if (clock > due || why !== undefined)
        findings.push({ code: 'archive_overdue', subject: ledger, detail: `archived to ${printTime(archivedTo)}${why === undefined ? '' : `: ${why}`}` }) // oxfmt-ignore
    }
    return findings
  }
}

/** How long nobody may delete the files of a day: to the end of its retention, and no shorter than other objects, where objects are locked at all. */
export function lockOf(config: Pick<Config, 'artifacts' | 'retention'>, day: string): PutOptions {
  const lock = config.artifacts.s3?.object_lock
  const { kept } = config.retention
  if (lock === undefined || kept === 'forever') return {} // the storage's own: `object_lock.days` from now
  const until = new Date(startOf(nextDay(sameDayLater(day, kept))) / 1000)
  const least = new Date(Date.now() + lock.days * 86_400_000)
  return { retention: { mode: lock.mode, until: until > least ? until : least } }
}
