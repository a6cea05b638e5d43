import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { SuiteOnRef } from './batch.ts'

/** Reads `seals`, whose rows come with their appends (migrations/0001_ledger.sql). */

/** Seq of the newest seal before `size` that counts of a suite on a ref. */
export async function findLastCounting(
  db: Queryable,
  ledger: LedgerName,
  { repository, suite, ref }: SuiteOnRef,
  size: number,
): Promise<number | undefined> {
  const { rows } = await db.query<{ seq: number }>({
    name: 'find_last_counting',
    text: `select seq from seals where ledger = $1 and repository = $2 and suite = $3 and ref = $4 and seq < $5 and admitted
             and seq >= (select coalesce(max(next_seq), 0) from expired_days where ledger = $1)
           order by seq desc limit 1`,
    values: [ledger, repository, suite, ref, size],
  })
  return rows[0]?.seq
}
