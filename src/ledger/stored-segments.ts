import type { LedgerName } from '../record/record.ts'
import { isCold } from './cold.ts'
import type { LedgerReader } from './read.ts'
import { unpackSegment } from './segments.ts'
import type { SegmentRow } from './store.ts'

/**
 * Segments as they are stored now, for who looks whether they were changed: nothing that a reader remembers comes between. What is kept
 * here was itself decompressed from stored bytes a moment ago, since the next segments need it as their dictionary.
 */
export interface StoredSegments {
  /** The segments in their order, each once; undefined when the next one begins at `before` or later. The ones behind are fetched meanwhile. */
  next(before: number): Promise<SegmentRow | undefined>
  /** Goes on at `from`, past what cannot be read. */
  seek(from: number): void
  /** Raw payloads; rejects when the bytes, or those of a dictionary, are damaged or missing. */
  unpack(row: SegmentRow): Promise<Buffer>
}

const segmentsAtOnce = 32
const bytesAtOnce = 8 * 1_048_576
const maxKeptBytes = 64 * 1_048_576

/** From the segment on that holds `from`. */
export function createStoredSegments(
  reader: Pick<LedgerReader, 'rowsFrom' | 'rowAt'>,
  ledger: LedgerName,
  from = 0,
): StoredSegments {
  const kept = new Map<number, Buffer>()
  let keptBytes = 0
  let rows: SegmentRow[] = []
  let at = 0
  let position = from
  let coming: Promise<SegmentRow[]> | undefined

  const keep = (seq: number, raw: Buffer): Buffer => {
    keptBytes += raw.length - (kept.get(seq)?.length ?? 0)
    kept.set(seq, raw)
    for (const [oldest, { length }] of kept) {
      if (keptBytes <= maxKeptBytes) break
      kept.delete(oldest)
      keptBytes -= length
    }
    return raw
  }

  const fetch = (): Promise<SegmentRow[]> => reader.rowsFrom(ledger, position, segmentsAtOnce, bytesAtOnce)

  const unpack = async (row: SegmentRow, depth = 0): Promise<Buffer> => {
    if (isCold(row)) return row.raw // as the archive has it; it was compressed there in another way
    if (row.dictionarySeq === null) return keep(row.firstSeq, unpackSegment(row.payloads, row.rawBytes, undefined))
    // The chain is at most 6 long where it is what was recorded; a forged one may lead in a circle.
    if (depth > 8) throw new Error(`the dictionaries of the segment at ${row.firstSeq} lead nowhere`)
    const { dictionarySeq } = row
    let dictionary = kept.get(dictionarySeq)
    if (dictionary === undefined) {
      const found = await reader.rowAt(ledger, dictionarySeq)
      if (found === undefined) throw new Error(`the segment at ${dictionarySeq}, its dictionary, is missing`)
      dictionary = await unpack(found, depth + 1)
    }
    return keep(row.firstSeq, unpackSegment(row.payloads, row.rawBytes, dictionary))
  }

  return {
    async next(before) {
      if (position >= before && at === rows.length) return undefined
      if (at === rows.length) {
        rows = await (coming ?? fetch())
        at = 0
        coming = undefined
        const last = rows.at(-1)
        if (last !== undefined) {
          position = last.firstSeq + last.count
          // Not when this was the end: what is recorded meanwhile shall be seen by the next call.
          if (position < before) {
            coming = fetch()
            coming.catch(() => {}) // whoever asks for it gets the error
          }
        }
      }
      const row = rows[at]
      if (row === undefined || row.firstSeq >= before) return undefined
      at++
      return row
    },
    seek(from) {
      rows = []
      at = 0
      position = from
      coming = undefined
    },
    unpack: (row) => unpack(row),
  }
}
