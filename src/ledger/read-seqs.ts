import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { monthOf } from './batch.ts'
import { openRecords } from './open-segment.ts'
import type { LedgerReader, StoredRecord } from './read.ts'
import { type SegmentRow, segmentColumns, testTypeOf } from './store.ts'

/** Where a record stands; its time says in which month, and so in which partition it is looked for. */
export interface RecordPlace {
  seq: number
  recordedAt: Micros
}

/**
 * Some records that lie apart, by seq, each checked against its leaf hash: in one statement, where the table has them. What has left it is
 * read from the archive; throws Problem('expired') for what is deleted there. The caller asks for published records only.
 */
export async function readSeqs(
  { db, reader }: { db: Queryable; reader: LedgerReader },
  ledger: LedgerName,
  places: readonly RecordPlace[],
): Promise<Map<number, StoredRecord>> {
  const found = new Map<number, StoredRecord>()
  if (places.length === 0) return found
  const { rows } = await db.query<SegmentRow & { seq: number }>({
    name: 'segments_of_seqs',
    text: `select w.seq, s.* from unnest($3::bigint[], $4::date[]) as w(seq, month), lateral (
             select ${segmentColumns} from segments where ledger = $1 and test_type = $2 and month = w.month
               and first_seq > w.seq - 1024 and first_seq <= w.seq and first_seq + count > w.seq limit 1) as s`,
    values: [ledger, testTypeOf(ledger), places.map(({ seq }) => seq), places.map(({ recordedAt }) => monthOf(recordedAt))], // oxfmt-ignore
  })
  await Promise.all(
    rows.map(async ({ seq, ...row }) => {
      const raw = await reader.unpack(ledger, row)
      const span = { from: seq, until: seq + 1, maxBytes: Infinity, atLeastOne: true }
      for (const record of openRecords(ledger, row, raw, span, true)) found.set(record.seq, record)
    }),
  )
  for (const { seq } of places) {
    if (found.has(seq)) continue
    for (const record of (await reader.readBatch(ledger, seq, { maxRecords: 1 })).records) found.set(record.seq, record)
  }
  return found
}
