import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'

/** Whether a run has at least `most` parts; looks at no more of them. Beside store.ts, which is full. */
export async function hasPartsUpTo(db: Queryable, ledger: LedgerName, run: string, most: number): Promise<boolean> {
  const { rows } = await db.query({
    name: 'has_parts_up_to',
    text: `select 1 from submissions where ledger = $1 and key > 'part:' || $2::text || '/' and key < 'part:' || $2::text || '0'
           offset $3 - 1 limit 1`,
    values: [ledger, run, most],
  })
  return rows.length > 0
}
