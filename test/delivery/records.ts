import type { Published, Reader, RecordBatch, StoredRecord } from '../../src/ledger/read.ts'
import { encodeRecord, type LedgerName, parseRecordId, type RecordKind } from '../../src/record/record.ts'
import { storedRecord } from '../support/stored-record.ts'

const encoder = new TextEncoder()
/** 2026-11-23T05:00:00Z */
export const firstTime = Date.UTC(2026, 10, 23, 5) * 1000

export interface MadeRecord {
  ledger?: LedgerName
  kind?: RecordKind
  recordedAt?: number
  repository?: string
  extra?: Record<string, unknown>
}

export function makeRecord(seq: number, options: MadeRecord = {}): StoredRecord {
  const {
    ledger = 'main/unit',
    kind = 'coverage',
    recordedAt = firstTime + seq,
    repository = 'github.com/acme/payments',
    extra = {},
  } = options
  const payload = {
    schema: `proofline.${kind}.v1`, kind, ledger, run: 'github.7351001.api.unit', part: 'coverage/lcov.info', ordinal: seq, repository,
    commit: '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b', ref: 'refs/heads/main', build: 'payments-2026.11.23-7351', build_seq: 512, suite: 'api',
    test_type: 'unit', path: `src/refund-${seq}.ts`, blob: '9c1f0e5b7d2a4c6e8f1029384756afbecd012345', metric: 'line', definition: 'lcov.da@1',
    tool: { name: 'nyc', version: '17.1.0' }, lines: { found: 22, covered: 15, partial: 2, missed: 5 }, branches: { found: 8, covered: 6 },
    functions: { found: 3, covered: 3 }, artifact_sha256: 'ab'.repeat(32),
    ranges: { covered: '1-5,9-17,20', partial: '21,45', missed: '6-8,18-19' }, ...extra,
  } // oxfmt-ignore
  const bytes = encodeRecord(encoder.encode(JSON.stringify(payload)), { ledger, seq, recordedAt })
  const { id } = JSON.parse(new TextDecoder().decode(bytes)) as { id: string }
  return storedRecord({ ledger, seq, recordedAt, id, kind, bytes })
}

export interface MemoryReader extends Reader {
  records: StoredRecord[]
  add(...records: StoredRecord[]): void
}

/** The whole reader's interface over one ledger in memory. */
export function createMemoryReader(records: StoredRecord[] = []): MemoryReader {
  let wake = Promise.withResolvers<void>()
  const reader: MemoryReader = {
    records,
    add(...more) {
      records.push(...more)
      wake.resolve()
      wake = Promise.withResolvers<void>()
    },
    async published(): Promise<Published> {
      return { size: records.length, note: '', lastTime: records.at(-1)?.recordedAt ?? 0 }
    },
    async readBatch(
      ledger,
      from,
      { maxRecords = 1_000, maxBytes = 1_048_576, until = Infinity } = {},
    ): Promise<RecordBatch> {
      const batch: StoredRecord[] = []
      let bytes = 0
      for (let seq = from; seq < Math.min(records.length, until) && batch.length < maxRecords; seq++) {
        const record = records[seq]!
        bytes += record.bytes.length
        if (batch.length > 0 && bytes > maxBytes) break
        batch.push(record)
      }
      return { ledger, first: from, next: from + batch.length, records: batch }
    },
    async findRecord(id) {
      return records[parseRecordId(id)?.seq ?? -1]
    },
    async *tail(ledger, next, signal, options) {
      for (let at = next; !signal.aborted;) {
        const batch = await reader.readBatch(ledger, at, options)
        if (batch.next > at) {
          at = batch.next
          yield batch
          continue
        }
        const aborted = Promise.withResolvers<void>()
        const onAbort = (): void => aborted.resolve()
        signal.addEventListener('abort', onAbort, { once: true })
        await Promise.race([wake.promise, aborted.promise])
        signal.removeEventListener('abort', onAbort)
      }
    },
    earliest: async () => 0,
    async seqAt(_, at) {
      const found = records.findIndex((record) => record.recordedAt >= at)
      return found < 0 ? records.length : found
    },
  }
  return reader
}
