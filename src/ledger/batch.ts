import { hash } from 'node:crypto'
import { type Edge, appendLeaves, createEdge } from '../log/merkle.ts'
import { type LedgerName, type Micros, ledgerKindOf, printTime, recordId } from '../record/record.ts'
import type { PackedSegment } from './segments.ts'

/**
 * Pure: what one append writes, from the head it extends. Records get consecutive seqs and times one microsecond apart, the first one
 * later than the head's last; the tree grows from the head's edge, so nothing but the head row has to be read.
 */

export const maxBatchRecords = 16_384
export const maxBatchBytes = 16 * 1_048_576

export interface Head {
  ledger: LedgerName
  edge: Edge
  root: Uint8Array
  /** recorded_at of the last record; 0 when there is none. */
  lastTime: Micros
}

export interface PlacedSegment {
  firstSeq: number
  firstTime: Micros
  segment: PackedSegment
  leafHashes: Uint8Array
}

export interface PlacedSubmission {
  key: string
  digest: Uint8Array
  firstSeq: number
  lastSeq: number
  firstTime: Micros
}

/** `ref` is empty where the run named none. */
export interface SuiteOnRef {
  repository: string
  suite: string
  ref: string
}

export interface SealRow extends SuiteOnRef {
  seq: number
  admitted: boolean
  measure_digest: string
}

export interface Append {
  base: number
  next: Head
  firstTime: Micros
  month: string
  testType: 'unit' | 'integration' | 'other'
  submissions: PlacedSubmission[]
  segments: PlacedSegment[]
  tileRoots: { level: number; index: number; root: Uint8Array }[]
  seals: SealRow[]
}

export interface Batch {
  /** Size of the ledger that this batch extends. */
  base: number
  /** Seq and time of the next record. */
  next(): { seq: number; time: Micros }
  records(): number
  bytes(): number
  add(key: string, digest: Uint8Array, segments: readonly PackedSegment[]): PlacedSubmission
  addSeal(row: SealRow): void
  /** Seq of this batch's own newest seal that counts of a suite on a ref. */
  lastCounting(suite: SuiteOnRef): number | undefined
  /** Leaf hashes of this batch's own segments that reach into [from, to). */
  leafHashesBetween(from: number, to: number): { firstSeq: number; count: number; leafHashes: Uint8Array }[]
  /** Payload of one of this batch's own records. */
  payload(seq: number): Buffer | undefined
  finish(): Append
}

/** The edge of a tree of `size` leaves out of its hashes joined, as a head keeps them. */
export function edgeOf(size: number, joined: Uint8Array): Edge {
  const hashes: Uint8Array[] = []
  for (let at = 0; at < joined.length; at += 32) hashes.push(joined.subarray(at, at + 32))
  return createEdge(size, hashes)
}

/** First day of the month of `at`, as PostgreSQL writes a date. */
export function monthOf(at: Micros): string {
  return `${printTime(at).slice(0, 7)}-01`
}

function nextMonth(at: Micros): Micros {
  const day = new Date(Math.floor(at / 1000))
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 1) * 1000
}

/** An append lies in one month: one that could cross begins at the new month's first microsecond. */
export function firstTimeOf(head: Head, now: Micros): Micros {
  const first = Math.max(now, head.lastTime + 1)
  return monthOf(first) === monthOf(first + maxBatchRecords) ? first : nextMonth(first)
}

/** `now` is the database clock. */
export function startBatch(head: Head, now: Micros): Batch {
  const { ledger } = head
  const base = head.edge.size
  const firstTime = firstTimeOf(head, now)
  const submissions: PlacedSubmission[] = []
  const segments: PlacedSegment[] = []
  const seals: SealRow[] = []
  let records = 0
  let bytes = 0
  return {
    base,
    next: () => ({ seq: base + records, time: firstTime + records }),
    records: () => records,
    bytes: () => bytes,
    add(key, digest, packed) {
      const firstSeq = base + records
      for (const segment of packed) {
        const place = { firstSeq: base + records, firstTime: firstTime + records }
        segments.push({ ...place, segment, leafHashes: leafHashesOf(ledger, place.firstSeq, place.firstTime, segment) })
        records += segment.count
        bytes += segment.rawBytes
      }
      const placed = { key, digest, firstSeq, lastSeq: base + records - 1, firstTime: firstTime + firstSeq - base }
      submissions.push(placed)
      return placed
    },
    addSeal: (row) => seals.push(row),
    lastCounting: ({ repository, suite, ref }) =>
      seals.findLast((row) => row.admitted && row.repository === repository && row.suite === suite && row.ref === ref)
        ?.seq,
    leafHashesBetween: (from, to) =>
      segments
        .filter((s) => s.firstSeq < to && s.firstSeq + s.segment.count > from)
        .map((s) => ({ firstSeq: s.firstSeq, count: s.segment.count, leafHashes: s.leafHashes })),
    payload(seq) {
      const found = segments.find((s) => seq >= s.firstSeq && seq < s.firstSeq + s.segment.count)
      return found === undefined ? undefined : payloadAt(Buffer.from(found.segment.raw), seq - found.firstSeq)
    },
    finish() {
      if (records === 0) throw new Error('an append without records')
      const { size, hashes, root, completed } = appendLeaves(head.edge, concat(segments.map((s) => s.leafHashes)))
      const kind = ledgerKindOf(ledger)
      return {
        base,
        next: { ledger, edge: { size, hashes }, root, lastTime: firstTime + records - 1 },
        firstTime,
        month: monthOf(firstTime),
        testType: kind === 'unit' || kind === 'integration' ? kind : 'other',
        submissions,
        segments,
        tileRoots: completed.map(({ height, index, hash: nodeHash }) => ({ level: height / 8, index, root: nodeHash })),
        seals,
      }
    },
  }
}

// One buffer for 0x00 and a record's bytes; a record never exceeds 4,900 bytes. Used synchronously only.
const scratch = Buffer.alloc(8_192)

/** SHA-256(0x00 || record bytes) of every record of a segment at its place: 32 bytes each. */
export function leafHashesOf(ledger: LedgerName, firstSeq: number, firstTime: Micros, segment: PackedSegment): Buffer {
  const hashes = Buffer.allocUnsafeSlow(segment.count * 32)
  const raw = Buffer.from(segment.raw.buffer, segment.raw.byteOffset, segment.raw.byteLength)
  const ids = Buffer.from(segment.idHashes.buffer, segment.idHashes.byteOffset, segment.idHashes.byteLength)
  let start = 0
  for (let i = 0; i < segment.count; i++) {
    const end = raw.indexOf(10, start)
    const length = writeRecord(
      scratch,
      1,
      ledger,
      firstSeq + i,
      firstTime + i,
      ids.toString('hex', i * 8, i * 8 + 8),
      raw,
      start,
      end,
    )
    hashes.write(hash('sha256', scratch.subarray(0, 1 + length), 'latin1'), i * 32, 32, 'latin1')
    start = end + 1
  }
  return hashes
}

/** Writes record bytes (header, then payload without its brace) into `target` at `at`; answers their length. */
export function writeRecord(
  target: Buffer,
  at: number,
  ledger: LedgerName,
  seq: number,
  time: Micros,
  idHash: string,
  raw: Buffer,
  start: number,
  end: number,
): number {
  const header = `{"id":"${recordId(ledger, seq, idHash)}","seq":${seq},"recorded_at":"${printTime(time)}",`
  const written = target.write(header, at, 'latin1')
  return written + raw.copy(target, at + written, start + 1, end)
}

/** Payload number `index` of a segment's raw bytes. */
export function payloadAt(raw: Buffer, index: number): Buffer {
  let start = 0
  for (let i = 0; i < index; i++) start = raw.indexOf(10, start) + 1
  return raw.subarray(start, raw.indexOf(10, start))
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const only = parts[0]
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
}
