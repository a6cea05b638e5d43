import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { LedgerReader } from './read.ts'
import { testTypeOf } from './store.ts'

/**
 * Ids of committed records without their bytes: eight bytes each, cut out of their segments over there. Not checked against anything;
 * whoever needs proof reads the record. Where a month has left the tables its records are read.
 */
export async function readIds(
  { db, reader }: { db: Queryable; reader: Pick<LedgerReader, 'readBatch'> },
  ledger: LedgerName,
  seqs: readonly number[],
): Promise<Map<number, string>> {
  const ids = new Map<number, string>()
  const name = ledger.replace('/', '.')
  for (let at = 0; at < seqs.length; at += atOnce) {
    const wanted = seqs.slice(at, at + atOnce)
    const { rows } = await db.query<{ seq: number; hash: string }>({
      name: 'id_hashes_of',
      text: `select w.seq, encode(substring(s.id_hashes from 8 * (w.seq - s.first_seq)::integer + 1 for 8), 'hex') as hash
             from unnest($3::bigint[]) as w(seq), lateral (
               select first_seq, count, id_hashes from segments where ledger = $1 and test_type = $2 and first_seq <= w.seq
               order by first_seq desc limit 1) as s
             where w.seq < s.first_seq + s.count`,
      values: [ledger, testTypeOf(ledger), wanted],
      timeoutMs: 60_000,
    })
    for (const { seq, hash } of rows) ids.set(seq, `${name}-${seq}-${hash}`)
    for (const seq of wanted) {
      if (ids.has(seq)) continue
      const [record] = (await reader.readBatch(ledger, seq, { maxRecords: 1 })).records
      if (record !== undefined) ids.set(seq, record.id)
    }
  }
  return ids
}

const atOnce = 5_000
