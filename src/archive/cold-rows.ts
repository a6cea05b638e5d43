import type { ColdRow } from '../ledger/cold.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type RecordKind, recordKinds } from '../record/record.ts'
import { createHeaderReader } from '../verify/header.ts'

/**
 * Pure: rows out of the lines of a frame, each of consecutive records of one kind whose times follow each other, as segments have them.
 * What is taken from a record's header is printed again when it is read, and compared by the leaf hash: nothing here is believed.
 */

export interface FrameLines {
  ledger: LedgerName
  firstSeq: number
  raw: Buffer
  /** Where each line's newline is. */
  ends: readonly number[]
  /** Of the lines, as the database has them. */
  leafHashes: Buffer
}

const isKind = (text: string): text is RecordKind => (recordKinds as readonly string[]).includes(text)

export function toColdRows({ ledger, firstSeq, raw, ends, leafHashes }: FrameLines): ColdRow[] {
  const headers = createHeaderReader(ledger)
  const rows: ColdRow[] = []
  let open: { at: number; time: number; kind: RecordKind; payloads: Buffer[]; ids: Buffer[] } | undefined
  const close = (): void => {
    if (open === undefined) return
    const { at, time, kind, payloads, ids } = open
    const joined = Buffer.concat(payloads)
    rows.push({
      firstSeq: firstSeq + at,
      count: ids.length,
      firstTime: time,
      kind,
      dictionarySeq: null,
      depth: 0,
      rawBytes: joined.length,
      payloads: Buffer.alloc(0),
      leafHashes: leafHashes.subarray(at * 32, (at + ids.length) * 32),
      idHashes: Buffer.concat(ids),
      raw: joined,
    })
    open = undefined
  }
  let start = 0
  for (const [i, end] of ends.entries()) {
    const line = raw.subarray(start, end)
    start = end + 1
    const header = headers.read(line)
    const kind = header === undefined ? '' : kindOf(line, header.length)
    if (header === undefined || header.seq !== firstSeq + i || !isKind(kind))
      throw new Problem('integrity', `the archive of ${ledger} has something else than record ${firstSeq + i}`, {
        extra: { next: firstSeq + ends.length },
      })
    const { recordedAt, hashAt, length } = header
    if (open !== undefined && (open.kind !== kind || open.time + open.ids.length !== recordedAt)) close()
    open ??= { at: i, time: recordedAt, kind, payloads: [], ids: [] }
    open.payloads.push(brace, line.subarray(length), newline)
    open.ids.push(Buffer.from(line.toString('latin1', hashAt, hashAt + 16), 'hex'))
  }
  close()
  return rows
}

const brace = Buffer.from('{')
const newline = Buffer.from('\n')
const kindName = Buffer.from('"kind":"')

/** All our schemas begin with schema and kind. */
function kindOf(line: Buffer, from: number): string {
  const at = line.indexOf(kindName, from)
  const start = at + kindName.length
  return at < 0 ? '' : line.toString('latin1', start, line.indexOf(0x22, start))
}
