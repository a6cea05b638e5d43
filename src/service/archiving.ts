import type { ArchiveStatus } from '../api/archive.ts'
import { nextDay, sameDayLater, startOf } from '../archive/calendar.ts'
import { assertClocksAgree, assertRanForADay } from '../archive/clocks.ts'
import { detachDueMonths, dueMonths } from '../archive/detach.ts'
import { expireLedger, expires, planExpiry } from '../archive/expire.ts'
import { createHolds } from '../archive/holds.ts'
import { promiseRetention } from '../archive/promise.ts'
import { restoreHolds } from '../archive/restore.ts'
import { attachedMonths, testTypeParts } from '../archive/retention-store.ts'
import { archiveDays, everySoOften } from '../archive/run-archive.ts'
import { countDays, newestColdDay, readClock } from '../archive/store.ts'
import type { DayWriter } from '../archive/write-day.ts'
import type { Config } from '../config.ts'
import { type Database, createDatabase } from '../database/database.ts'
import type { Keeper, KeepingDeps } from './keeping.ts'
import { earliestSeq, hotFrom } from '../ledger/cold.ts'
import type { PutOptions } from '../objects/objects.ts'
import { type LedgerName, type Micros, printTime } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Finding } from '../watch/alerts.ts'
import { createTroubles, listTroubles } from '../watch/troubles.ts'

/** Under which it is told what went wrong. */
const part = 'archive'

/** Closed days into the archive, then months out of the database, then what has expired out of the archive. */
export interface Archiving {
  /** All that is due now. What fails does not end it: it is told to all processes (`troubles`), and tried again with the next pass. */
  pass(what: 'archive' | 'retention', signal: AbortSignal): Promise<void>
  status(): Promise<ArchiveStatus>
}

export function createArchiving(deps: KeepingDeps): Archiving {
  const { config, db, reader, operations, log, generations } = deps
  const ledgers = generations.every
  const { online, kept, detach, expire } = config.retention
  /** By ledger, or `months` and the like: why it did not come to its end. */
  type Failures = Map<string, string>
  const told = () => listTroubles(db, operations.ledger, part)
  const tell = async (what: 'archive' | 'retention', failures: Failures): Promise<void> => {
    const before = what === 'archive' ? await told() : []
    const others = before.filter(
      ({ subject }) => subject !== 'clock' && !(ledgers as readonly string[]).includes(subject),
    )
    const found = [...failures].map(([subject, detail]): Finding => ({ code: 'archive_overdue', subject, detail }))
    await createTroubles(db, operations.ledger, part).keep([...others, ...found])
  }
  const trying =
    (failures: Failures) =>
    async (subject: string, signal: AbortSignal, act: () => Promise<void>): Promise<void> => {
      try {
        if (signal.aborted) return
        await act()
      } catch (error) {
        if (signal.aborted) return
        failures.set(subject, error instanceof Error ? error.message : String(error))
        log.error('archive.failed', { subject, error: String(error) })
      }
    }

  const work = async (what: 'archive' | 'retention', failures: Failures, signal: AbortSignal): Promise<void> => {
    const tried = trying(failures)
    await tried('clock', signal, () => assertClocksAgree(db, () => new Date()))
    if (failures.has('clock')) return
    for (const ledger of ledgers) await tried(ledger, signal, () => archiveLedger(deps, ledger, signal))
    if (what === 'archive') return
    await tried('holds', signal, async () => {
      const restored: string[] = []
      for (const ledger of generations.chain(operations.ledger)) restored.push(...(await restoreHolds(db, reader, ledger))) // oxfmt-ignore
      if (restored.length > 0) log.warn('holds.restored', { holds: restored })
      await createHolds(db, operations).recordMissing()
    })
    const retiring = openRetiring(config, log)
    if (detach)
      await tried('months', signal, async () => {
        const archived = ledgers.map((ledger) => ({
          ...writerOf(deps, ledger),
          onRewritten: (day: string, files: string[]) => log.warn('archive.rewritten', { ledger, day, files }),
        }))
        for (const { testType, month, ledgers: left } of await detachDueMonths(
          { db, retiring, operations, online, archived },
          signal,
        ))
          log.info('month.detached', { test_type: testType, month, ledgers: left })
      })
    // What is held is not known for sure: nothing is deleted.
    const mayExpire = expire && !failures.has('holds')
    for (const ledger of mayExpire ? ledgers.filter(expires) : [])
      await tried(`expiry of ${ledger}`, signal, async () => {
        const plan = await planExpiry(db, operations.ledger, ledger)
        if (plan !== undefined && plan.days.length > 0) await assertRanForADay(db, operations.ledger)
        const destroyed = await expireLedger({ ...deps, ledgers, retiring }, ledger, signal)
        if (destroyed.days > 0 || destroyed.locked > 0) log.info('days.destroyed', { ...destroyed })
      })
    await retiring?.end()
  }

  return {
    async pass(what, signal) {
      const failures: Failures = new Map()
      await work(what, failures, signal)
      if (!signal.aborted) await tell(what, failures)
    },
    async status() {
      const months = await Promise.all(
        testTypeParts.map(async (testType) => {
          const attached = await attachedMonths(db, testType)
          return { test_type: testType, oldest: attached[0]?.slice(0, 7) ?? null, due: dueMonths(attached, await readClock(db), online).length } // oxfmt-ignore
        }),
      )
      const troubles = new Map((await told()).map(({ subject, detail }) => [subject, detail]))
      const of = await Promise.all(ledgers.map((ledger) => ledgerStatus(deps, ledger, troubles.get(ledger) ?? null)))
      const others = [...troubles].filter(([subject]) => !of.some(({ ledger }) => ledger === subject))
      return {
        retention: { online, kept, detach, expire },
        ledgers: of,
        months,
        failures: others.map(([subject, reason]) => ({ subject, reason })),
      }
    },
  }
}

/** Who lets months and days go, where that is not the service itself. */
function openRetiring({ database }: Config, log: Logger): Database | undefined {
  const url = database.retention_url
  return url === undefined ? undefined : createDatabase({ url, role: 'proofline_retention', maxConnections: 1, log })
}

/** In one process at a time. Throws when less retention is configured than was promised. */
export const keepArchive =
  (archiving: Pick<Archiving, 'pass'>): Keeper =>
  async (deps, work) => {
    const { config, db, reader, operations } = deps
    await promiseRetention(db, reader, operations, config.retention, deps.generations.chain(operations.ledger).slice(0, -1)) // oxfmt-ignore
    const everyMs = config.archive.every_ms
    work('archive', (signal) => everySoOften(() => archiving.pass('retention', signal), everyMs, signal))

    return async () => {
      const late = await findLate(deps, await readClock(db))
      const troubles = new Map(
        (await listTroubles(db, operations.ledger, part)).map((one) => [one.subject, one.detail]),
      )
      return [...new Set([...late.keys(), ...troubles.keys()])].map((subject): Finding => {
        const detail = [late.get(subject), troubles.get(subject)].filter((text) => text !== undefined)
        return { code: 'archive_overdue', subject, detail: detail.join('; ') }
      })
    }
  }

/** Out of the database, whichever process it is that archives. */
async function findLate(deps: KeepingDeps, clock: Micros): Promise<Map<string, string>> {
  const { config, db, generations } = deps
  const { online, detach } = config.retention
  const overdue = config.archive.overdue_ms * 1000
  const late = new Map<string, string>()
  for (const ledger of generations.every) {
    const missing = await firstMissing(deps, ledger)
    if (missing !== undefined && clock > startOf(nextDay(missing)) + overdue)
      late.set(ledger, `nothing from ${missing} on is archived`)
  }
  for (const testType of detach ? testTypeParts : []) {
    const [month] = dueMonths(await attachedMonths(db, testType), clock - overdue, online)
    if (month !== undefined) late.set('months', `${month.slice(0, 7)} of ${testType} is still in the database`)
  }
  return late
}

function writerOf(deps: KeepingDeps, ledger: LedgerName): DayWriter {
  const tree = deps.treeOf(ledger)
  if (tree === undefined) throw new Error(`${ledger} is not open`)
  const lock = (day: string): PutOptions => lockOf(deps.config, day)
  return { ...deps, ledger, tree, origin: deps.originOf(ledger), lock }
}

async function archiveLedger(deps: KeepingDeps, ledger: LedgerName, signal: AbortSignal): Promise<void> {
  const { config, log } = deps
  const closesAfter = config.archive.closes_after_ms * 1000
  for (const { day, first, next, bytes } of await archiveDays(writerOf(deps, ledger), closesAfter, signal))
    log.info('day.archived', { ledger, day, first, next, bytes })
}

async function ledgerStatus(
  deps: KeepingDeps,
  ledger: LedgerName,
  failure: string | null,
): Promise<ArchiveStatus['ledgers'][number]> {
  const { db, operations } = deps
  const plan = await planExpiry(db, operations.ledger, ledger)
  const { days, expired } = await countDays(db, ledger)
  return {
    ledger,
    days,
    archived_to: (await newestColdDay(db, ledger))?.day ?? null,
    database_from: await hotFrom(db, ledger),
    earliest: await earliestSeq(db, ledger),
    expired_days: expired,
    expirable: {
      days: plan?.days.length ?? 0,
      records: plan?.days.reduce((sum, { first, next }) => sum + next - first, 0) ?? 0,
    },
    held: { days: plan?.held.length ?? 0, holds: [...new Set(plan?.held.map(({ hold }) => hold))] },
    failure,
  }
}

/** The first day of a ledger that is not in the archive; undefined while it has no records. */
async function firstMissing({ db, reader }: KeepingDeps, ledger: LedgerName): Promise<string | undefined> {
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
