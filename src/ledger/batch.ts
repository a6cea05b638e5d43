import { type Edge, appendLeaves } from '../log/merkle.ts'
import { type LedgerName, type Micros, ledgerKindOf, printTime } from '../record/record.ts'
import { sha256Into } from '../record/sha256.ts'
import { createHeaderWriter } from './header-writer.ts'
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
  /** Leaf hashes of this batch's own records [from, to), packed. */
  leafHashesFrom(from: number, to: number): Buffer
  /** Payload of one of this batch's own records. */
  payload(seq: number): Buffer | undefined
  finish(): Append
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
    leafHashesFrom: (from, to) =>
      Buffer.concat(
        segments.map(({ firstSeq, leafHashes }) =>
          leafHashes.subarray(Math.max(0, from - firstSeq) * 32, Math.max(0, to - firstSeq) * 32),
        ),
      ),
    payload(seq) {
      const found = segments.find((s) => seq >= s.firstSeq && seq < s.firstSeq + s.segment.count)
      return found === undefined ? undefined : payloadAt(bufferOf(found.segment.raw), seq - found.firstSeq)
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
  const raw = bufferOf(segment.raw)
  const headers = createHeaderWriter(ledger)
  let start = 0
  for (let i = 0; i < segment.count; i++) {
    const end = raw.indexOf(10, start)
    const header = headers.write(firstSeq + i, firstTime + i, segment.idHashes, i * 8)
    scratch.set(header, 1)
    const length = 1 + header.length + raw.copy(scratch, 1 + header.length, start + 1, end)
    sha256Into(scratch.subarray(0, length), hashes, i * 32)
    start = end + 1
  }
  return hashes
}

/** The same bytes, not a copy of them. */
export function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
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
