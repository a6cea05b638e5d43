import type { Reader, StoredRecord } from '../ledger/read.ts'
import type { LedgerName } from '../record/record.ts'

/** Records of [first, last], in order, checked against the log as every reader's are. */
export async function* readSpan(
  reader: Pick<Reader, 'readBatch'>,
  ledger: LedgerName,
  first: number,
  last: number,
): AsyncGenerator<StoredRecord> {
  for (let next = first; next <= last;) {
    const batch = await reader.readBatch(ledger, next, { maxRecords: last - next + 1, maxBytes: 4 * 1_048_576, until: last + 1 })
    if (batch.records.length === 0) throw new Error(`${ledger}: record ${next} is not published`)
    yield* batch.records
    next = batch.next
  }
} // oxfmt-ignore

export function fieldsOf(record: StoredRecord): Record<string, unknown> {
  return JSON.parse(Buffer.from(record.bytes).toString()) as Record<string, unknown> // records are objects
}

export async function fieldsAt(
  reader: Pick<Reader, 'readBatch'>,
  ledger: LedgerName,
  seq: number,
): Promise<Record<string, unknown>> {
  for await (const record of readSpan(reader, ledger, seq, seq)) return fieldsOf(record)
  throw new Error(`${ledger}: record ${seq} is not published`)
}
