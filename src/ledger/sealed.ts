import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'

/** Seq of the newest seal of a suite on a ref, admitted or not; undefined when there is none. */
export async function findLastSeal(
  db: Queryable,
  ledger: LedgerName,
  repository: string,
  suite: string,
  ref: string,
): Promise<number | undefined> {
  const { rows } = await db.query<{ seq: number }>({
    name: 'find_last_seal',
    text: `select seq from seals where ledger = $1 and repository = $2 and suite = $3 and ref = $4
             and seq >= (select coalesce(max(next_seq), 0) from expired_days where ledger = $1) order by seq desc limit 1`,
    values: [ledger, repository, suite, ref],
  })
  return rows[0]?.seq
}
