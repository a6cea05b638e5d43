import type { Database } from '../database/database.ts'
import { sqlState } from '../database/failure.ts'
import type { Book } from '../ledger/book.ts'
import { hotFrom } from '../ledger/cold.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { artifactKey } from '../objects/objects.ts'
import type { Objects } from '../objects/objects.ts'
import { type LedgerName, type Micros, ledgerKindOf } from '../record/record.ts'
import { dayKey, leavesFile, recordsFile } from '../verify/day-manifest.ts'
import { type Day, dayOf, monthOfDay, sameDayLater } from './calendar.ts'
import { createDayNames } from './day-names.ts'
import {
  type ExpirableDay,
  daysBefore,
  expireDay,
  insertDestroyed,
  loneArtifacts,
  undestroyedDays,
} from './expiry-store.ts'
import { recordRetention } from './retention-records.ts'
import { readRetention, refusals } from './retention-store.ts'
import { newestColdDay, readClock } from './store.ts'

/**
 * Deletes from the archive what is older than was promised and under no hold: coverage only, since `changes` and `operations` hold what was
 * decided and done, this deletion too. The order is: on record, marked in the database (which demands every condition itself), files, the
 * artifacts that nothing younger names, what was destroyed on record. A crash leaves a mark without an end, and the next pass deletes again.
 * Manifests, tiles, heads and checkpoints stay: they prove that what is left is whole.
 */

export interface ExpireDeps {
  db: Database
  /** Who may let days expire; default the service itself. */
  retiring?: Database | undefined
  reader: LedgerReader
  objects: Objects
  operations: Book
  /** All of the org. */
  ledgers: readonly LedgerName[]
}

/** Pure: the first day that is still kept; every day before it has been over for `kept` months by the calendar. */
export function keptFrom(now: Micros, kept: number): Day {
  const today = dayOf(now)
  let day = sameDayLater(monthOfDay(today), -kept)
  // Of days that only longer months have, the last one of a month goes with the same day as the one before it.
  while (sameDayLater(day, kept) < today) day = dayOf(Date.parse(`${day}T00:00:00Z`) * 1000 + 86_400_000_000)
  return day
}

export const expires = (ledger: LedgerName): boolean => ['unit', 'integration'].includes(ledgerKindOf(ledger))

export interface Expiry {
  ledger: LedgerName
  /** What may go now. */
  days: ExpirableDay[]
  /** What would, but for a hold. */
  held: (ExpirableDay & { hold: string })[]
}

const daysAtOnce = 1_000

/** What would be deleted now; undefined when nothing ever is. */
export async function planExpiry(
  db: Database,
  operations: LedgerName,
  ledger: LedgerName,
): Promise<Expiry | undefined> {
  const promised = await readRetention(db, operations)
  if (promised === undefined || promised.kept === null || !expires(ledger)) return undefined
  const before = keptFrom(await readClock(db), promised.kept)
  const plan: Expiry = { ledger, days: [], held: [] }
  for (let after: Day | undefined; ;) {
    const page = await daysBefore(db, ledger, before, after, daysAtOnce)
    for (const { hold, ...day } of page) {
      if (hold === null) plan.days.push(day)
      else plan.held.push({ ...day, hold })
    }
    after = page.at(-1)?.day
    if (page.length < daysAtOnce) return plan
  }
}

export interface Destroyed {
  ledger: LedgerName
  days: number
  records: number
  files: number
  artifacts: number
  /** Files and artifacts that the storage has locked: they go with a later pass. */
  locked: number
}

/** Deletes what is due of one ledger, a month at a time; what an earlier pass left half done first. */
export async function expireLedger(deps: ExpireDeps, ledger: LedgerName, signal: AbortSignal): Promise<Destroyed> {
  const { db, operations } = deps
  const sum: Destroyed = { ledger, days: 0, records: 0, files: 0, artifacts: 0, locked: 0 }
  const destroy = async (days: readonly ExpirableDay[]): Promise<void> => {
    const destroyed = await destroyDays(deps, ledger, days)
    for (const key of ['days', 'records', 'files', 'artifacts', 'locked'] as const) sum[key] += destroyed[key]
  }
  for (const days of byMonth(await undestroyedDays(db, ledger))) await destroy(days)
  const plan = await planExpiry(db, operations.ledger, ledger)
  for (const days of byMonth(plan?.days ?? [])) {
    if (signal.aborted) break
    await recordRetention(operations, `expiring:${nameOf(ledger, days)}`, { act: 'expire', state: 'begun', ...factsOf(ledger, days) })
    const marked: ExpirableDay[] = []
    for (const day of days) {
      // A hold that came meanwhile wins.
      const isMarked = await expireDay(deps.retiring ?? db, ledger, day.day).catch((error: unknown) => {
        if (sqlState(error) !== refusals.expire) throw error
        return false
      })
      if (isMarked) marked.push(day)
    }
    if (marked.length > 0) await destroy(marked)
  }
  return sum
} // oxfmt-ignore

async function destroyDays(deps: ExpireDeps, ledger: LedgerName, days: readonly ExpirableDay[]): Promise<Destroyed> {
  const { db, objects, operations, ledgers } = deps
  const sum: Destroyed = { ledger, days: 0, records: 0, files: 0, artifacts: 0, locked: 0 }
  const recent = await namedLately(deps)
  for (const one of days) {
    const { day, first, next } = one
    let files = 0
    let artifacts = 0
    let locked = 0
    const remove = async (key: string): Promise<'removed' | 'absent' | 'locked'> => {
      const removed = await objects.remove(key)
      if (removed === 'locked') locked++
      return removed
    }
    // What an earlier pass deleted before it broke off counts as deleted.
    for (const file of next > first ? [recordsFile, leavesFile] : [])
      if ((await remove(dayKey(ledger, day, file))) !== 'locked') files++
    // Most of what looks like a digest names no artifact.
    for (const sha256 of await loneArtifacts(db, ledger, day, ledgers))
      if (!recent.has(sha256) && (await remove(artifactKey(sha256))) === 'removed') artifacts++
    if (locked > 0) sum.locked += locked
    else {
      const destroyed = { ...factsOf(ledger, [one]), files, artifacts, manifest_sha256: one.manifest }
      await recordRetention(operations, `destroyed:${nameOf(ledger, [one])}`, { act: 'expire', state: 'done', ...destroyed })
      await insertDestroyed(db, ledger, day, files, artifacts)
      sum.days++
      sum.records += next - first
    }
    sum.files += files
    sum.artifacts += artifacts
  }
  return sum
} // oxfmt-ignore

/**
 * Artifacts that records name which are not in the archive yet. An upload of the very same bytes whose record comes after this look and
 * whose bytes were found stored before it would lose them: that is a matter of seconds, years after the first upload.
 */
async function namedLately({ db, reader, ledgers }: ExpireDeps): Promise<Set<string>> {
  const names = createDayNames()
  for (const ledger of ledgers) {
    let at = (await newestColdDay(db, ledger))?.next ?? (await hotFrom(db, ledger))
    for (;;) {
      const batch = await reader.readBatch(ledger, at)
      for (const { bytes } of batch.records) names.add(Buffer.from(bytes))
      if (batch.next === at) break
      at = batch.next
    }
  }
  return names.artifacts()
}

function byMonth(days: readonly ExpirableDay[]): ExpirableDay[][] {
  return [...Map.groupBy(days, ({ day }) => monthOfDay(day)).values()]
}

const nameOf = (ledger: LedgerName, days: readonly ExpirableDay[]): string =>
  `${ledger}/${days[0]?.day ?? ''}/${days.at(-1)?.day ?? ''}`

function factsOf(ledger: LedgerName, days: readonly ExpirableDay[]): object {
  const [first, last] = [days[0], days.at(-1)]
  return {
    of: ledger,
    from_day: first?.day,
    to_day: last?.day,
    days: days.length,
    records: days.reduce((sum, day) => sum + day.next - day.first, 0),
    first_seq: first?.first,
    next_seq: last?.next,
  }
}
