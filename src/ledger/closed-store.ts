import { ofOrg } from './of-org.ts'
import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'

/** Every statement on closed_ledgers. Rows are only inserted, by the owner of the tables. */

/** A ledger that was closed with a loss. */
export interface ClosedLedger {
  ledger: LedgerName
  /** What is recorded in instead. */
  next: LedgerName
  /** It ends there for its readers: at the newest checkpoint that was left. */
  size: number
  root: Buffer
  /** Records behind it that are in the tables, and that no checkpoint covers which is left. */
  unsigned: number
  /** The last head that was signed: the records [size, signedSize) are lost. */
  signedSize: number
  signedRoot: Buffer
  /** Signed notes of what is lost, and who has them. */
  notes: readonly LostNote[]
  reason: string
  byWhom: string
  at: Micros
}

export interface LostNote {
  from: string
  size: number
  note: string
}

/** Of one org, first generations first. */
export async function readClosed(db: Queryable, org: string): Promise<ClosedLedger[]> {
  const { rows } = await db.query<ClosedLedger>({
    name: 'read_closed',
    text: `select ledger, next, size, root, unsigned, signed_size as "signedSize", signed_root as "signedRoot", notes, reason, by_whom as "byWhom", at
           from closed_ledgers where ${ofOrg('ledger', 1)} order by at, ledger`,
    values: [org],
  })
  return rows
}

/** As the owner. A crash before it leaves all as it was; after it the ledger is closed, and its next generation is opened by whoever starts. */
export async function insertClosed(owner: Queryable, row: Omit<ClosedLedger, 'at'>): Promise<Micros> {
  const { rows } = await owner.query<{ at: Micros }>({
    text: `insert into proofline.closed_ledgers (ledger, next, size, root, unsigned, signed_size, signed_root, notes, reason, by_whom, at)
           values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, proofline.clock_micros()) returning at`,
    values: [
      row.ledger,
      row.next,
      row.size,
      row.root,
      row.unsigned,
      row.signedSize,
      row.signedRoot,
      JSON.stringify(row.notes),
      row.reason,
      row.byWhom,
    ],
  })
  const at = rows[0]?.at
  if (at === undefined) throw new Error(`the closing of ${row.ledger} was swallowed`)
  return at
}
