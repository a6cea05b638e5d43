import { setTimeout as sleep } from 'node:timers/promises'
import type { Reader, StoredRecord } from '../../src/ledger/read.ts'
import { type LedgerName, type RecordKind, encodeRecord, recordId } from '../../src/record/record.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { storedRecord } from '../support/stored-record.ts'

/** A Reader over records in memory, one microsecond apart unless told, all published at once. */
export interface FakeReader extends Reader {
  add(count: number, fields?: { kind?: RecordKind; repository?: string; at?: number }): StoredRecord[]
  reads: number
  /** How often somebody began to wait for more. */
  waits: number
  /** How many wait now. */
  waiting: number
}

export const startMicros = Date.parse('2026-11-23T05:00:00Z') * 1000

export function createFakeReader(ledger: LedgerName = 'main/unit'): FakeReader {
  const records: StoredRecord[] = []
  let time = startMicros
  const batch: Reader['readBatch'] = async (_ledger, from, { maxRecords = 1_000, until = Infinity } = {}) => {
    reader.reads += 1
    const found = records.slice(from, Math.min(from + maxRecords, until))
    return { ledger, first: from, next: from + found.length, records: found }
  }
  const reader: FakeReader = {
    reads: 0,
    waits: 0,
    waiting: 0,
    add(count, { kind = 'coverage', repository = 'github.com/acme/payments', at } = {}) {
      if (at !== undefined) time = at
      const added: StoredRecord[] = []
      for (let i = 0; i < count; i++) {
        const seq = records.length
        const payload = Buffer.from(
          JSON.stringify({
            schema: 'proofline.coverage.v1',
            kind,
            ledger,
            repository,
            nested: { repository: 'github.com/other/one' },
            path: `src/${seq}.ts`,
          }),
        )
        const bytes = encodeRecord(payload, { ledger, seq, recordedAt: time })
        const record = storedRecord({
          ledger,
          seq,
          recordedAt: time,
          id: recordId(ledger, seq, sha256Hex(payload)),
          kind,
          bytes,
        })
        records.push(record)
        added.push(record)
        time += 1
      }
      return added
    },
    published: async (asked) =>
      asked !== ledger || records.length === 0
        ? undefined
        : { size: records.length, note: `note of ${records.length}\n`, lastTime: records.at(-1)!.recordedAt },
    readBatch: batch,
    findRecord: async (id) => records.find((record) => record.id === id),
    async *tail(asked, next, signal, options) {
      reader.waits += 1
      reader.waiting += 1
      try {
        for (let at = next; !signal.aborted;) {
          const found = await batch(asked, at, options)
          at = found.next
          if (found.records.length > 0) yield found
          else await sleep(5, undefined, { signal }).catch(() => {})
        }
      } finally {
        reader.waiting -= 1
      }
    },
    earliest: async () => 0,
    seqAt: async (_ledger, at) => {
      const index = records.findIndex((record) => record.recordedAt >= at)
      return index < 0 ? records.length : index
    },
  }
  return reader
}
