import type { Queryable } from '../database/database.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { holdsWithoutRow, insertHold, insertRelease } from './hold-store.ts'
import { settingsWithoutRow, setRetention } from './retention-store.ts'

/**
 * Holds and what was promised of retention stand in tables and on record. A database that was restored from a backup, or filled again by
 * `proofline recover`, has the records and not the rows: without them it would delete what somebody was told is kept. The records say it all.
 * A crash in between leaves some rows for the next time.
 */

/** Before anything expires. Answers the holds that are in force, or released, again. */
export async function restoreHolds(
  db: Queryable,
  reader: Pick<Reader, 'readBatch'>,
  operations: LedgerName,
): Promise<string[]> {
  const restored: string[] = []
  for (const { hold, seqs } of await holdsWithoutRow(db, operations)) {
    const records = []
    for (const seq of seqs) records.push(await fieldsOf(reader, operations, seq))
    const added = records.find(({ act }) => act === 'added')
    if (added === undefined) continue
    // Releases first: a hold without them would only keep more, but nobody could tell why.
    const asked = records.find(({ act }) => act === 'release_asked')
    const released = records.find(({ act, by }) => act === 'released' && by !== asked?.by)
    if (asked !== undefined) await insertRelease(db, operations, hold, 'asked', asked.by, asked.reason)
    if (asked !== undefined && released !== undefined)
      await insertRelease(db, operations, hold, 'confirmed', released.by, released.reason)
    const { repository, path = null, from_day: from = null, to_day: to = null, reason, ticket, by } = added
    await insertHold(db, operations, { hold, repository, path, from, to, reason, ticket, byWhom: by })
    restored.push(hold)
  }
  return restored
}

/** Before the configuration is compared with it: what was promised last counts, in the order in which it was. */
export async function restorePromises(
  db: Queryable,
  reader: Pick<Reader, 'readBatch'>,
  operations: readonly [LedgerName, ...LedgerName[]],
): Promise<void> {
  for (const { ledger, seq } of await settingsWithoutRow(db, operations)) {
    const { online, kept } = await fieldsOf(reader, ledger, seq)
    await setRetention(db, ledger, online, kept === 'forever' ? null : kept)
  }
}

interface Fields {
  act: string
  by: string
  reason: string
  ticket: string
  repository: string
  path?: string
  from_day?: string
  to_day?: string
  online: number
  kept: number | 'forever'
}

/** Of a record of our own, checked against its leaf. */
async function fieldsOf(reader: Pick<Reader, 'readBatch'>, ledger: LedgerName, seq: number): Promise<Fields> {
  const [record] = (await reader.readBatch(ledger, seq, { maxRecords: 1 })).records
  if (record === undefined) throw new Problem('unavailable', `${ledger}: record ${seq} is not published yet`)
  return JSON.parse(Buffer.from(record.bytes).toString()) as Fields
}
