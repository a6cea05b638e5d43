import { hash } from 'node:crypto'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, type RecordKind, ledgerStem, maxRecordBytes } from '../record/record.ts'
import { type HeaderWriter, createHeaderWriter } from './header-writer.ts'
import type { SegmentRow } from './store.ts'

/** One record as it is read back: the exact bytes that were hashed into the log. */
export interface StoredRecord {
  readonly ledger: LedgerName
  readonly seq: number
  readonly recordedAt: Micros
  readonly id: string
  readonly kind: RecordKind
  /** A copy, made each time. */
  readonly bytes: Uint8Array
  /** Length of `bytes`. */
  readonly size: number
  /** Writes the bytes to where they are needed; returns their length. */
  copyTo(target: Uint8Array, at: number): number
}

/** What the records of one segment share: payload i begins at starts[i] of `raw`, with a newline before the next. */
interface Opened {
  ledger: LedgerName
  kind: RecordKind
  firstSeq: number
  firstTime: Micros
  raw: Buffer
  starts: Uint32Array
  /** Eight bytes a record. */
  idHashes: Uint8Array
  headers: HeaderWriter
}

/**
 * Makes what is asked for when it is asked for: a forwarder that moves a million of them needs no ids as text, and has its own place for
 * the bytes of each (together 3 of 4 us a record, most of it for the garbage collector). A class, since an object with accessors of its
 * own costs more.
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
    return recordIdOf(ledger, this.seq, idHashes.subarray(this.i * 8, this.i * 8 + 8))
  }
  get bytes(): Uint8Array {
    const bytes = new Uint8Array(this.size)
    this.copyTo(bytes, 0)
    return bytes
  }
  get size(): number {
    const { starts, headers } = this.of
    // Without the payload's opening brace, which the header brings, and its newline.
    return headers.length(this.seq) + (starts[this.i + 1] ?? 0) - (starts[this.i] ?? 0) - 2
  }
  copyTo(target: Uint8Array, at: number): number {
    const { raw, starts, headers, firstTime, idHashes } = this.of
    const header = headers.write(this.seq, firstTime + this.i, idHashes, this.i * 8)
    target.set(header, at)
    const start = starts[this.i] ?? 0
    return header.length + raw.copy(target, at + header.length, start + 1, (starts[this.i + 1] ?? 0) - 1)
  }
}

const recordIdOf = (ledger: LedgerName, seq: number, idHash: Uint8Array): string =>
  `${ledgerStem(ledger)}-${seq}-${Buffer.from(idHash).toString('hex')}`

/** Which records of a segment, and how many bytes of them at most. */
export interface Span {
  from: number
  until: number
  maxBytes: number
  atLeastOne: boolean
}

const newline = 10

/** What the payload at `start` says of its kind; empty when it begins like none. */
export function kindAt(raw: Buffer, start: number): string {
  const head = raw.toString('latin1', start, start + 160)
  return /^\{"schema":"[^"]*","kind":"([a-z]+)"/.exec(head)?.[1] ?? ''
}

/** A record behind the zero that RFC 6962 hashes a leaf with. */
const leaf = Buffer.alloc(1 + maxRecordBytes)
/** So few out of a large segment shall not keep all of it in memory. */
const few = 16

/**
 * Records of a segment. With `check` each must hash to its leaf: a record that fails is never served. Without it the caller knows that
 * they do.
 */
export function openRecords(
  ledger: LedgerName,
  row: SegmentRow,
  raw: Buffer,
  span: Span,
  check: boolean,
): StoredRecord[] {
  const { firstSeq, count, firstTime, kind, idHashes } = row
  const skipped = Math.max(0, span.from - firstSeq)
  const wanted = Math.max(0, Math.min(count, span.until - firstSeq) - skipped)
  const starts = new Uint32Array(wanted + 1)
  for (let i = 0; i < skipped; i++) starts[0] = raw.indexOf(newline, starts[0]) + 1
  for (let i = 0; i < wanted; i++) starts[i + 1] = raw.indexOf(newline, starts[i]) + 1
  const opened: Opened = {
    ledger,
    kind,
    firstSeq: firstSeq + skipped,
    firstTime: firstTime + skipped,
    raw,
    starts,
    idHashes: idHashes.subarray(skipped * 8),
    headers: createHeaderWriter(ledger),
  }
  if (wanted < few && wanted < count) {
    const [first = 0] = starts
    opened.raw = Buffer.from(raw.subarray(first, starts[wanted]))
    opened.starts = starts.map((start) => start - first)
  }
  // Leaves bind the records' bytes, not this column, which readers filter by.
  const found = check && wanted > 0 ? kindAt(raw, starts[0] ?? 0) : kind
  if (found !== kind)
    throw new Problem('integrity', `${ledger}: record ${firstSeq + skipped} is stored as ${kind}, and is a ${found}`)
  const leaves = check ? row.leafHashes.toString('latin1', skipped * 32, (skipped + wanted) * 32) : ''
  const records: StoredRecord[] = []
  let given = 0
  for (let i = 0; i < wanted; i++) {
    if (given >= span.maxBytes && !(span.atLeastOne && i === 0)) break
    const record = new OpenedRecord(opened, i)
    const { size } = record
    if (check) {
      if (size > maxRecordBytes) throw new Problem('integrity', `${ledger}: record ${record.seq} has ${size} bytes`)
      record.copyTo(leaf, 1)
      if (hash('sha256', leaf.subarray(0, 1 + size), 'latin1') !== leaves.slice(i * 32, i * 32 + 32))
        throw new Problem('integrity', `${ledger}: record ${record.seq} does not hash to its leaf`)
    }
    records.push(record)
    given += size
  }
  return records
}
