import type { Queryable } from '../database/database.ts'
import { type LedgerName, ledgerStem } from '../record/record.ts'
import type { LedgerReader } from './read.ts'
import { idHashesOf } from './segments-by-kind.ts'

const atOnce = 5_000

/**
 * Ids of committed records without their bytes, by seq. Not checked against anything: whoever needs proof reads the record. Where a month has
 * left the tables its records are read.
 */
export async function readIds(
  { db, reader }: { db: Queryable; reader: Pick<LedgerReader, 'readBatch'> },
  ledger: LedgerName,
  seqs: readonly number[],
): Promise<Map<number, string>> {
  const ids = new Map<number, string>()
  const name = ledgerStem(ledger)
  for (let at = 0; at < seqs.length; at += atOnce) {
    const wanted = seqs.slice(at, at + atOnce)
    for (const [seq, hash] of await idHashesOf(db, ledger, wanted)) ids.set(seq, `${name}-${seq}-${hash}`)
    for (const seq of wanted) {
      const [record] = ids.has(seq) ? [] : (await reader.readBatch(ledger, seq, { maxRecords: 1 })).records
      if (record !== undefined) ids.set(seq, record.id)
    }
  }
  return ids
}
