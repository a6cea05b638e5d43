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
