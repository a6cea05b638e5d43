import { nextDay, sameDayLater, startOf } from './archive/calendar.ts'
import { detachDueMonths } from './archive/detach.ts'
import { promiseRetention } from './archive/promise.ts'
import { archiveDays, everySoOften } from './archive/run-archive.ts'
import { newestColdDay, readClock } from './archive/store.ts'
import type { Config } from './config.ts'
import type { Keeper, KeepingDeps } from './keeping.ts'
import type { PutOptions } from './objects/objects.ts'
import { type LedgerName, printTime } from './record/record.ts'
import type { Finding } from './watch/alerts.ts'

/** Closed days into the archive, then months out of the database: in one process at a time. Throws when less retention is configured than was promised. */
export const keepArchive: Keeper = async (deps, work) => {
  const { config, db, operations, log } = deps
  await promiseRetention(db, operations, config.retention)
  /** Why the last try did not come to its end; undefined where it did. */
  const failures = new Map<string, string>()
  const tried = async (subject: string, signal: AbortSignal, act: () => Promise<void>): Promise<void> => {
    try {
      await act()
      failures.delete(subject)
    } catch (error) {
      if (signal.aborted) return
      failures.set(subject, error instanceof Error ? error.message : String(error))
      log.error('archive.failed', { subject, error: String(error) })
    }
  }

  const pass = async (signal: AbortSignal): Promise<void> => {
    for (const ledger of deps.ledgers) await tried(ledger, signal, () => archiveLedger(deps, ledger, signal))
    if (!config.retention.detach) return
    await tried('months', signal, async () => {
      for (const { testType, month, ledgers } of await detachDueMonths({ db, operations, online: config.retention.online }, signal))
        log.info('month.detached', { test_type: testType, month, ledgers })
    })
  } // oxfmt-ignore
  work('archive', (signal) => everySoOften(() => pass(signal), config.archive.every_ms, signal))

  return async () => {
    const clock = await readClock(db)
    const findings: Finding[] = []
    for (const ledger of [...deps.ledgers, 'months'] as const) {
      const archivedTo = ledger === 'months' ? undefined : await archivedUntil(deps, ledger)
      const why = failures.get(ledger)
      const isLate = archivedTo !== undefined && clock > startOf(nextDay(archivedTo)) + config.archive.overdue_ms * 1000
      if (!isLate && why === undefined) continue
      const detail = archivedTo === undefined ? '' : `nothing from ${archivedTo} on is archived; `
      findings.push({ code: 'archive_overdue', subject: ledger, detail: `${detail}${why ?? 'no try has ended yet'}` })
    }
    return findings
  }
}

async function archiveLedger(deps: KeepingDeps, ledger: LedgerName, signal: AbortSignal): Promise<void> {
  const { config, books, log } = deps
  const tree = books.get(ledger)?.tree
  if (tree === undefined || signal.aborted) return
  const lock = (day: string): PutOptions => lockOf(config, day)
  const writer = { ...deps, ledger, tree, origin: deps.originOf(ledger), lock }
  for (const { day, first, next, bytes } of await archiveDays(writer, config.archive.closes_after_ms * 1000, signal))
    log.info('day.archived', { ledger, day, first, next, bytes })
}

/** The first day of a ledger that is not in the archive; undefined while it has no records. */
async function archivedUntil({ db, reader }: KeepingDeps, ledger: LedgerName): Promise<string | undefined> {
  const newest = await newestColdDay(db, ledger)
  if (newest !== undefined) return nextDay(newest.day)
  const [first] = (await reader.readBatch(ledger, 0, { maxRecords: 1 })).records
  return first === undefined ? undefined : printTime(first.recordedAt).slice(0, 10)
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
