import { hash } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, type RecordKind, parseRecordId, printTime } from '../record/record.ts'
import { payloadAt } from './batch.ts'
import { unpackSegment } from './segments.ts'
import * as store from './store.ts'
import type { Watch } from './watch.ts'

/** One record as it is read back: the exact bytes that were hashed into the log. */
export interface StoredRecord {
  ledger: LedgerName
  seq: number
  recordedAt: Micros
  id: string
  kind: RecordKind
  bytes: Uint8Array
}

/** Consecutive published records; `next` is the position after the last one (also past records that a filter left out). */
export interface RecordBatch {
  ledger: LedgerName
  first: number
  next: number
  records: StoredRecord[]
}

export interface Published {
  /** Number of records covered by the newest signed checkpoint. */
  size: number
  /** The signed note, as served at /log/{org}/{ledger}/checkpoint. */
  note: string
  /** recorded_at of the last published record; 0 for an empty ledger. */
  lastTime: Micros
}

export interface ReadOptions {
  maxRecords?: number
  maxBytes?: number
  /** Reading stops before this seq. */
  until?: number
}

/** Reads published records only: nothing here ever yields one that no signed checkpoint covers. Safe to call concurrently. */
export interface Reader {
  published(ledger: LedgerName): Promise<Published | undefined>
  /** One batch from `from` on, empty at the end. At most maxRecords (default 1,000) and about maxBytes (default 1 MiB, at least one record). */
  readBatch(ledger: LedgerName, from: number, options?: ReadOptions): Promise<RecordBatch>
  findRecord(id: string): Promise<StoredRecord | undefined>
  /** Published batches from `next` on, for ever; waits at the head (woken in-process, else polls); ends when the signal aborts. */
  tail(ledger: LedgerName, next: number, signal: AbortSignal, options?: ReadOptions): AsyncIterable<RecordBatch>
  /** Smallest published seq whose recorded_at is at or after `at`; the published size when there is none. */
  seqAt(ledger: LedgerName, at: Micros): Promise<number>
}

/** Decoded segments kept: dictionaries of the segments that follow, and what several followers read at about the same time. */
const maxCachedBytes = 64 * 1_048_576
const segmentsAtOnce = 16

export interface LedgerReader extends Reader {
  /** Payload of a committed record, published or not: for seals, which sum up their parts. */
  payload(ledger: LedgerName, seq: number): Promise<Buffer>
  /** Raw payloads of a committed segment, for use as a dictionary. */
  rawSegment(ledger: LedgerName, firstSeq: number): Promise<Buffer>
}

export function createReader(db: Queryable, watch: Watch): LedgerReader {
  const cache = new Map<string, Buffer>()
  let cachedBytes = 0

  const keep = (key: string, raw: Buffer): Buffer => {
    cache.delete(key)
    cache.set(key, raw)
    cachedBytes += raw.length
    for (const [oldest, bytes] of cache) {
      if (cachedBytes <= maxCachedBytes) break
      cache.delete(oldest)
      cachedBytes -= bytes.length
    }
    return raw
  }

  const rawOf = async (ledger: LedgerName, row: store.SegmentRow): Promise<Buffer> => {
    const key = `${ledger}/${row.firstSeq}`
    const cached = cache.get(key)
    if (cached !== undefined) return cached
    const dictionary = row.dictionarySeq === null ? undefined : await rawSegment(ledger, row.dictionarySeq)
    try {
      return keep(key, unpackSegment(row.payloads, row.rawBytes, dictionary))
    } catch (cause) {
      throw new Problem('integrity', `${ledger}: the segment at ${row.firstSeq} cannot be decompressed`, { cause })
    }
  }

  const rawSegment = async (ledger: LedgerName, firstSeq: number): Promise<Buffer> => {
    const cached = cache.get(`${ledger}/${firstSeq}`)
    if (cached !== undefined) return cached
    const row = await store.segmentAt(db, ledger, firstSeq)
    if (row === undefined) throw new Problem('integrity', `${ledger}: the segment at ${firstSeq} is missing`)
    return rawOf(ledger, row)
  }

  const published = async (ledger: LedgerName): Promise<Published | undefined> => {
    const newest = await store.newestCheckpoint(db, ledger)
    if (newest === undefined) return undefined
    watch.published(ledger, newest.size)
    const head = await store.findHead(db, ledger, newest.size)
    return { size: newest.size, note: newest.note, lastTime: head?.lastTime ?? 0 }
  }

  const readBatch = async (ledger: LedgerName, from: number, options: ReadOptions = {}): Promise<RecordBatch> => {
    const { maxRecords = 1_000, maxBytes = 1_048_576 } = options
    const size = (await store.newestCheckpoint(db, ledger))?.size ?? 0
    const until = Math.min(size, options.until ?? size, from + maxRecords)
    const records: StoredRecord[] = []
    let bytes = 0
    let next = from
    while (next < until && (bytes < maxBytes || records.length === 0)) {
      const rows = await store.segmentsFrom(
        db,
        ledger,
        next,
        Math.min(segmentsAtOnce, until - next),
        Math.max(1, maxBytes - bytes),
      )
      if (rows.length === 0) throw new Problem('integrity', `${ledger}: record ${next} of ${size} is missing`)
      for (const row of rows) {
        if (next >= until || (bytes >= maxBytes && records.length > 0)) break
        if (row.firstSeq > next)
          throw new Problem('integrity', `${ledger}: record ${next} is missing, the next one is ${row.firstSeq}`)
        const opened = openRecords(
          ledger,
          row,
          await rawOf(ledger, row),
          next,
          until,
          maxBytes - bytes,
          records.length === 0,
        )
        for (const record of opened) {
          records.push(record)
          bytes += record.bytes.length
        }
        next += opened.length
        if (next < row.firstSeq + row.count) return { ledger, first: from, next, records }
      }
    }
    return { ledger, first: from, next, records }
  }

  return {
    published,
    readBatch,
    rawSegment,
    async payload(ledger, seq) {
      const row = (await store.segmentsFrom(db, ledger, seq, 1))[0]
      if (row === undefined || row.firstSeq > seq) throw new Problem('integrity', `${ledger}: record ${seq} is missing`)
      return payloadAt(await rawOf(ledger, row), seq - row.firstSeq)
    },
    async findRecord(id) {
      const parsed = parseRecordId(id)
      if (parsed === undefined) return undefined
      const { records } = await readBatch(parsed.ledger, parsed.seq, { maxRecords: 1 })
      return records[0]?.id === id ? records[0] : undefined
    },
    async *tail(ledger, next, signal, options = {}) {
      for (let at = next; !signal.aborted && at < (options.until ?? Infinity);) {
        const batch = await readBatch(ledger, at, options)
        if (batch.next > at) {
          at = batch.next
          yield batch
        } else await watch.grown(ledger, at, 5_000, signal)
      }
    },
    async seqAt(ledger, at) {
      const size = (await store.newestCheckpoint(db, ledger))?.size ?? 0
      const segment = await store.segmentBefore(db, ledger, at)
      if (segment === undefined) return size
      return Math.min(size, segment.firstSeq + Math.max(0, at - segment.firstTime))
    },
  }
}

/** Longest text in front of a payload: `{"id":"<ledger>-<seq>-<16>","seq":<seq>,"recorded_at":"<27>",` with two numbers of 16 digits. */
const maxHeader = 160
const zero = Buffer.alloc(1)

/**
 * Records [from, until) of a segment as bytes, as far as `maxBytes` go, all in one buffer. Each must hash to its leaf: a record that fails
 * is never served.
 */
function openRecords(
  ledger: LedgerName,
  row: store.SegmentRow,
  raw: Buffer,
  from: number,
  until: number,
  maxBytes: number,
  atLeastOne: boolean,
): StoredRecord[] {
  const records: StoredRecord[] = []
  const { firstSeq, count, firstTime, kind } = row
  const skipped = Math.max(0, from - firstSeq)
  const end = Math.min(count, until - firstSeq)
  let start = 0
  for (let i = 0; i < skipped; i++) start = raw.indexOf(10, start) + 1
  let size = raw.length - start
  if (end - skipped < 16) {
    let last = start // a few records out of a large segment shall not keep a buffer of its size
    for (let i = skipped; i < end; i++) last = raw.indexOf(10, last) + 1
    size = last - start
  }
  const ids = row.idHashes.toString('hex', skipped * 8, end * 8)
  const leaves = row.leafHashes.toString('latin1', skipped * 32, end * 32)
  const name = ledger.replace('/', '.')
  // Every record lies behind a zero byte, so that the same bytes are hashed as a leaf and handed out as a record.
  const bytes = Buffer.allocUnsafeSlow(size + (end - skipped) * maxHeader)
  let at = 0
  let given = 0
  for (let i = skipped; i < end; i++) {
    if (given >= maxBytes && !(atLeastOne && records.length === 0)) break
    const stop = raw.indexOf(10, start)
    const seq = firstSeq + i
    const nth = i - skipped
    const id = `${name}-${seq}-${ids.slice(nth * 16, nth * 16 + 16)}`
    zero.copy(bytes, at)
    const first = at + 1
    at = first + bytes.write(`{"id":"${id}","seq":${seq},"recorded_at":"${printTime(firstTime + i)}",`, first, 'latin1')
    at += raw.copy(bytes, at, start + 1, stop)
    if (hash('sha256', bytes.subarray(first - 1, at), 'latin1') !== leaves.slice(nth * 32, nth * 32 + 32)) {
      throw new Problem('integrity', `${ledger}: record ${seq} does not hash to its leaf`)
    }
    records.push({ ledger, seq, recordedAt: firstTime + i, id, kind, bytes: bytes.subarray(first, at) })
    given += at - first
    start = stop + 1
  }
  return records
}
