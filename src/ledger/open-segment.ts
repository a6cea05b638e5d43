import { hash } from 'node:crypto'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros, RecordKind } from '../record/record.ts'
import { createHeaderWriter } from './header-writer.ts'
import type { SegmentRow } from './store.ts'

/** One record as it is read back: the exact bytes that were hashed into the log. */
export interface StoredRecord {
  ledger: LedgerName
  seq: number
  recordedAt: Micros
  id: string
  kind: RecordKind
  bytes: Uint8Array
}

/** Which records of a segment, and how many bytes of them at most. */
export interface Span {
  from: number
  until: number
  maxBytes: number
  atLeastOne: boolean
}

/** Longest text in front of a payload: `{"id":"<ledger>-<seq>-<16>","seq":<seq>,"recorded_at":"<27>",` with two numbers of 16 digits. */
const maxHeader = 160
const newline = 10

/**
 * Records of a segment as bytes, all in one buffer, a newline behind each. With `check` each must hash to its leaf: a record that fails is
 * never served. Without it the caller knows that they do.
 */
export function openRecords(
  ledger: LedgerName,
  row: SegmentRow,
  raw: Buffer,
  span: Span,
  check: boolean,
): StoredRecord[] {
  const records: StoredRecord[] = []
  const { firstSeq, count, firstTime, kind, idHashes } = row
  const skipped = Math.max(0, span.from - firstSeq)
  const end = Math.min(count, span.until - firstSeq)
  let start = 0
  for (let i = 0; i < skipped; i++) start = raw.indexOf(newline, start) + 1
  let size = raw.length - start
  if (end - skipped < 16) {
    let last = start // a few records out of a large segment shall not keep a buffer of its size
    for (let i = skipped; i < end; i++) last = raw.indexOf(newline, last) + 1
    size = last - start
  }
  const leaves = check ? row.leafHashes.toString('latin1', skipped * 32, end * 32) : ''
  const ids = idHashes.toString('hex', skipped * 8, end * 8)
  const idName = `${ledger.replace('/', '.')}-`
  const headers = createHeaderWriter(ledger)
  // One byte in front of each record: the newline of the one before, or for a moment the zero that it is hashed behind.
  const bytes = Buffer.allocUnsafeSlow(1 + size + (end - skipped) * maxHeader)
  let at = 0
  let given = 0
  for (let i = skipped; i < end; i++) {
    if (given >= span.maxBytes && !(span.atLeastOne && records.length === 0)) break
    const stop = raw.indexOf(newline, start)
    const seq = firstSeq + i
    const nth = i - skipped
    const header = headers.write(seq, firstTime + i, idHashes, i * 8)
    const first = at + 1
    bytes.set(header, first)
    at = first + header.length
    at += raw.copy(bytes, at, start + 1, stop)
    if (check) {
      bytes[first - 1] = 0
      if (hash('sha256', bytes.subarray(first - 1, at), 'latin1') !== leaves.slice(nth * 32, nth * 32 + 32))
        throw new Problem('integrity', `${ledger}: record ${seq} does not hash to its leaf`)
      bytes[first - 1] = newline
    }
    bytes[at] = newline
    const id = `${idName}${seq}-${ids.slice(nth * 16, nth * 16 + 16)}`
    records.push({ ledger, seq, recordedAt: firstTime + i, id, kind, bytes: bytes.subarray(first, at) })
    given += at - first
    start = stop + 1
  }
  return records
}
