import type { Queryable } from '../database/database.ts'
import { ownBytes } from './own-bytes.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, parseRecordId } from '../record/record.ts'
import { type Append, bufferOf, payloadAt } from './batch.ts'
import { createKnownSegments } from './known-segments.ts'
import { type Span, type StoredRecord, openRecords } from './open-segment.ts'
import { unpackSegment } from './segments.ts'
import { type ColdSource, earliestSeq, isCold } from './cold.ts'
import { createRows } from './rows.ts'
import * as store from './store.ts'
import type { Watch } from './watch.ts'

export type { StoredRecord }

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
  /** The first record behind all that has expired: 0 while nothing has. */
  earliest(ledger: LedgerName): Promise<number>
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
  /** Rows that hold committed records from `from` on, out of the tables or the archive. */
  rowsFrom(ledger: LedgerName, from: number, limit: number, maxBytes?: number): Promise<store.SegmentRow[]>
  /** Raw payloads of one whose row was read already. */
  unpack(ledger: LedgerName, row: store.SegmentRow): Promise<Buffer>
  /** A segment by its first seq, for use as a dictionary. */
  rowAt(ledger: LedgerName, firstSeq: number): Promise<store.SegmentRow | undefined>
  /** An append of this process whose commit came back clean: what it holds need be neither decoded nor hashed again. */
  appended(append: Pick<Append, 'next' | 'segments'>): void
}

interface Decoded {
  raw: Buffer
  /** These are the bytes whose records were found to hash to their leaves. */
  isKnown: boolean
}

/** With the buffer's objects, within the heap and outside it: most segments of small pushes are smaller than these. */
const bytesOf = ({ raw }: Decoded): number => raw.length + 700

/** A segment of which less is wanted is checked record by record: that is cheaper than to hash all that is stored of it. */
const fewRecords = 32

/** `cold`: where records are read from whose month has left the tables. */
export function createReader(db: Queryable, watch: Watch, cold?: ColdSource): LedgerReader {
  const stored = createRows(db, cold)
  const cache = new Map<string, Decoded>()
  const known = createKnownSegments()
  let cachedBytes = 0

  const keep = (key: string, { raw: bytes, isKnown }: Decoded): Decoded => {
    const decoded = { raw: ownBytes(bytes), isKnown }
    const before = cache.get(key)
    cachedBytes += bytesOf(decoded) - (before === undefined ? 0 : bytesOf(before))
    cache.delete(key)
    cache.set(key, decoded)
    for (const [oldest, one] of cache) {
      if (cachedBytes <= maxCachedBytes) break
      cache.delete(oldest)
      cachedBytes -= bytesOf(one)
    }
    return decoded
  }

  const decode = async (ledger: LedgerName, row: store.SegmentRow): Promise<Decoded> => {
    if (isCold(row)) return { raw: row.raw, isKnown: false }
    const key = `${ledger}/${row.firstSeq}`
    const cached = cache.get(key)
    if (cached !== undefined) return cached
    const dictionary = row.dictionarySeq === null ? undefined : await decodeAt(ledger, row.dictionarySeq)
    try {
      const raw = unpackSegment(row.payloads, row.rawBytes, dictionary?.raw)
      return keep(key, { raw, isKnown: (dictionary?.isKnown ?? true) && known.has(ledger, row) })
    } catch (cause) {
      throw new Problem('integrity', `${ledger}: the segment at ${row.firstSeq} cannot be decompressed`, { cause })
    }
  }

  const decodeAt = async (ledger: LedgerName, firstSeq: number): Promise<Decoded> => {
    const cached = cache.get(`${ledger}/${firstSeq}`)
    if (cached !== undefined) return cached
    const row = await stored.at(ledger, firstSeq)
    if (row === undefined) throw new Problem('integrity', `${ledger}: the segment at ${firstSeq} is missing`)
    return decode(ledger, row)
  }

  /** Records of one segment. All of a segment that is not known is checked, and known from then on. */
  const open = async (ledger: LedgerName, row: store.SegmentRow, span: Span): Promise<StoredRecord[]> => {
    const decoded = await decode(ledger, row)
    const wanted = Math.min(span.until, row.firstSeq + row.count) - Math.max(span.from, row.firstSeq)
    const isKnown = wanted > fewRecords && decoded.isKnown && known.has(ledger, row)
    const records = openRecords(ledger, row, decoded.raw, span, !isKnown)
    if (!isKnown && records.length === row.count && row.count > fewRecords) {
      known.add(ledger, row)
      decoded.isKnown = true
    }
    return records
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
      const limit = Math.min(segmentsAtOnce, until - next)
      const rows = await stored.from(ledger, next, limit, Math.max(1, maxBytes - bytes))
      if (rows.length === 0) throw new Problem('integrity', `${ledger}: record ${next} of ${size} is missing`)
      for (const row of rows) {
        if (next >= until || (bytes >= maxBytes && records.length > 0)) break
        if (row.firstSeq > next)
          throw new Problem('integrity', `${ledger}: record ${next} is missing, the next one is ${row.firstSeq}`)
        const atLeastOne = records.length === 0
        const opened = await open(ledger, row, { from: next, until, maxBytes: maxBytes - bytes, atLeastOne })
        for (const record of opened) {
          records.push(record)
          bytes += record.size
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
    rawSegment: async (ledger, firstSeq) => (await decodeAt(ledger, firstSeq)).raw,
    rowsFrom: stored.from,
    unpack: async (ledger, row) => (await decode(ledger, row)).raw,
    rowAt: stored.at,
    appended({ next: { ledger }, segments }) {
      for (const { firstSeq, firstTime, segment, leafHashes } of segments) {
        const { compressed: payloads, idHashes, dictionarySeq = null, count, kind, rawBytes } = segment
        known.add(ledger, { firstSeq, count, firstTime, kind, rawBytes, dictionarySeq, payloads, leafHashes, idHashes })
        keep(`${ledger}/${firstSeq}`, { raw: bufferOf(segment.raw), isKnown: true })
      }
    },
    async payload(ledger, seq) {
      const row = (await stored.from(ledger, seq, 1))[0]
      if (row === undefined || row.firstSeq > seq) throw new Problem('integrity', `${ledger}: record ${seq} is missing`)
      return payloadAt((await decode(ledger, row)).raw, seq - row.firstSeq)
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
    earliest: (ledger) => earliestSeq(db, ledger),
    async seqAt(ledger, at) {
      const size = (await store.newestCheckpoint(db, ledger))?.size ?? 0
      return Math.min(size, (await stored.seqReaching(ledger, at)) ?? size)
    },
  }
}
