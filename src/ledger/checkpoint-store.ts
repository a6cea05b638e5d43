import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'

/** Statements on checkpoints for those who show them to others. Those that publish are in store.ts. */

/** The checkpoint of exactly this size. */
export async function checkpointAt(
  db: Queryable,
  ledger: LedgerName,
  size: number,
): Promise<{ size: number; note: string } | undefined> {
  const { rows } = await db.query<{ size: number; note: string }>({
    name: 'checkpoint_at',
    text: 'select size, note from checkpoints where ledger = $1 and size = $2',
    values: [ledger, size],
  })
  return rows[0]
}

/** For each seq the note of the smallest checkpoint that covers it: the one that its receipt names. Undefined for what none covers. */
export async function checkpointsCovering(
  db: Queryable,
  ledger: LedgerName,
  seqs: readonly number[],
): Promise<(string | undefined)[]> {
  const { rows } = await db.query<{ note: string | null }>({
    name: 'checkpoints_covering',
    text: `select c.note from unnest($2::bigint[]) with ordinality as w(seq, i) left join lateral (
             select note from checkpoints where ledger = $1 and size > w.seq order by size limit 1) as c on true order by w.i`,
    values: [ledger, seqs],
  })
  return rows.map(({ note }) => note ?? undefined)
}
