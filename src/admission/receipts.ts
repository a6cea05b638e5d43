import type { PartReceipt, SealReceipt } from '../api/runs.ts'
import type { Recorded } from '../ledger/appender.ts'
import type { Checkpoint } from '../ledger/publisher.ts'
import type { StoredRecord } from '../ledger/read.ts'
import { type LedgerName, encodeRecord, printTime, recordId } from '../record/record.ts'
import { sha256Hex } from '../record/sha256.ts'

/** Receipts are read off the records themselves, so the first one and every repeat have the same bytes. */

/** What a receipt is read off. */
export type AnsweredRecord = Omit<StoredRecord, 'kind' | 'size' | 'copyTo'>

/** The first record of what was recorded just now. Undefined when it was recorded before: then it is read back. */
export function recordJustMade(
  ledger: LedgerName,
  { firstSeq: seq, firstTime: recordedAt, payload }: Recorded,
): AnsweredRecord | undefined {
  if (payload === undefined) return undefined
  const bytes = encodeRecord(payload, { ledger, seq, recordedAt })
  return { ledger, seq, recordedAt, id: recordId(ledger, seq, sha256Hex(payload)), bytes }
}

/** The members of a record, which this service wrote itself. */
export function fieldsOf(record: AnsweredRecord): Record<string, unknown> {
  const fields: unknown = JSON.parse(Buffer.from(record.bytes).toString())
  if (typeof fields !== 'object' || fields === null) throw new Error(`record ${record.id} is not an object`)
  return { ...fields }
}

export function partReceipt(record: AnsweredRecord, checkpoint: Checkpoint): PartReceipt {
  const fields = fieldsOf(record)
  const pick = (name: string) => fields[name]
  return {
    schema: 'proofline.receipt.v1',
    ledger: record.ledger,
    run: pick('run'),
    part: pick('part'),
    artifact_sha256: pick('artifact_sha256'),
    bytes: pick('bytes'),
    format: pick('format'),
    metric: pick('metric'),
    definition: pick('definition'),
    tool: pick('tool'),
    shard: pick('shard'),
    incomplete: pick('incomplete'),
    files: pick('files'),
    records: pick('records'),
    ranges: pick('ranges'),
    ranges_digest: pick('ranges_digest'),
    part_record: { id: record.id, seq: record.seq },
    recorded_at: printTime(record.recordedAt),
    totals: pick('totals'),
    refused: pick('refused'),
    unresolved: pick('unresolved'),
    checkpoint: checkpoint.note,
  } as PartReceipt // the part record is written by parts.ts with exactly these members
}

export function sealReceipt(record: AnsweredRecord, checkpoint: Checkpoint): SealReceipt {
  const fields = fieldsOf(record)
  const pick = (name: string) => fields[name]
  return {
    schema: 'proofline.receipt.v1',
    ledger: record.ledger,
    run: pick('run'),
    id: record.id,
    seq: record.seq,
    recorded_at: printTime(record.recordedAt),
    admitted: pick('admitted'),
    reasons: pick('reasons'),
    observed: pick('observed'),
    outcome: pick('outcome'),
    tests: pick('tests'),
    parts: pick('parts'),
    shards: pick('shards'),
    earlier: pick('earlier'),
    earlier_digest: pick('earlier_digest'),
    left_out: pick('left_out'),
    left_out_digest: pick('left_out_digest'),
    records: pick('records'),
    root: pick('root'),
    contract: pick('contract'),
    contract_version: pick('contract_version'),
    contract_default: pick('contract_default'),
    production_digest: pick('production_digest'),
    unexplained_change: pick('unexplained_change'),
    totals: pick('totals'),
    totals_digest: pick('totals_digest'),
    checkpoint: checkpoint.note,
  } as SealReceipt // the seal record is written by seal.ts with exactly these members
}
