import type { Database } from '../database/database.ts'
import { sqlState } from '../database/failure.ts'
import type { Book } from '../ledger/book.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { recordRetention } from './retention-records.ts'
import { restorePromises } from './restore.ts'
import { readRetention, refusals, setRetention } from './retention-store.ts'
import type { RetentionSettings } from './settings.ts'

/**
 * What the configuration says of retention becomes what was promised: a row, and a record in `operations`. A shorter promise than the one
 * before stops the start; the database refuses it. A crash between the two leaves a row whose record the next start makes.
 */
export async function promiseRetention(
  db: Database,
  reader: Pick<Reader, 'readBatch'>,
  operations: Book,
  { online, kept }: RetentionSettings,
  /** Generations of `operations` before it, oldest first. */
  earlier: readonly LedgerName[] = [],
): Promise<void> {
  await restorePromises(db, reader, [earlier[0] ?? operations.ledger, ...earlier.slice(1), ...(earlier.length > 0 ? [operations.ledger] : [])]) // oxfmt-ignore
  try {
    await setRetention(db, operations.ledger, online, kept === 'forever' ? null : kept)
  } catch (cause) {
    if (sqlState(cause) !== refusals.ratchet) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Problem('request_invalid', `retention.kept: ${why}`, { cause })
  }
  const promised = await readRetention(db, operations.ledger)
  if (promised === undefined || operations.publisher.stopped() !== undefined) return
  const { n, ...settings } = promised
  await recordRetention(operations, `settings:${n}`, {
    act: 'settings',
    online: settings.online,
    kept: settings.kept ?? 'forever',
  })
}
