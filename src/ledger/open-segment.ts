import { hash } from 'node:crypto'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros, RecordKind } from '../record/record.ts'
import { createHeaderWriter } from './header-writer.ts'
import type { SegmentRow } from './store.ts'

/** One record as it is read back: the exact bytes that were hashed into the log. */
export interface StoredRecord {
  readonly ledger: LedgerName
  readonly seq: number
  readonly recordedAt: Micros
  readonly id: string
  readonly kind: RecordKind
  readonly bytes: Uint8Array
  /** Length of `bytes`. */
  readonly size: number
}

/** What the records of one segment share: their bytes lie behind each other, record i from starts[i] on, with a newline before the next. */
interface Opened {
  ledger: LedgerName
  kind: RecordKind
  firstSeq: number
  firstTime: Micros
  bytes: Buffer
  starts: Uint32Array
  /** Eight bytes a record. */
  idHashes: Buffer
}

/**
 * Makes what is asked for when it is asked for: a forwarder that moves a million of them needs neither their ids as text nor a view of the
 * bytes of each (2.2 of 4 us a record, half of it for the garbage collector). A class, since an object with accessors of its own costs more.
 */
class OpenedRecord implements StoredRecord {
  private readonly of: Opened
  private readonly i: number
  constructor(of: Opened, i: number) {
    this.of = of
    this.i = i
  }
  get ledger(): LedgerName {
    return this.of.ledger
  }
  get kind(): RecordKind {
    return this.of.kind
  }
  get seq(): number {
    return this.of.firstSeq + this.i
  }
  get recordedAt(): Micros {
    return this.of.firstTime + this.i
  }
  get id(): string {
    const { ledger, idHashes } = this.of
    return `${ledger.replace('/', '.')}-${this.seq}-${idHashes.toString('hex', this.i * 8, this.i * 8 + 8)}`
  }
  get bytes(): Uint8Array {
    const { bytes, starts } = this.of
    return bytes.subarray(starts[this.i], (starts[this.i + 1] ?? 0) - 1)
  }
  get size(): number {
    const { starts } = this.of
    return (starts[this.i + 1] ?? 0) - (starts[this.i] ?? 0) - 1
  }
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
  const headers = createHeaderWriter(ledger)
  const opened: Opened = {
    ledger,
    kind,
    firstSeq: firstSeq + skipped,
    firstTime: firstTime + skipped,
    // One byte in front of each record: the newline of the one before, or for a moment the zero that it is hashed behind.
    bytes: Buffer.allocUnsafeSlow(1 + size + (end - skipped) * maxHeader),
    starts: new Uint32Array(Math.max(0, end - skipped) + 1),
    idHashes: idHashes.subarray(skipped * 8, end * 8),
  }
  const { bytes, starts } = opened
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
    starts[nth] = first
    starts[nth + 1] = at + 1
    records.push(new OpenedRecord(opened, nth))
    given += at - first
    start = stop + 1
  }
  return records
}
