import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { SegmentRow } from './store.ts'
import { segmentColumns } from './store.ts'

/**
 * Records whose month left the tables, made from the archive into rows as the tables would give them. Rows are cut as the archive's frames
 * are and need no dictionary; whoever opens them checks every record against its leaf hash, as of any other row.
 */
export interface ColdSource {
  /** Rows that hold records from `from` on, at least one and about as many as `maxBytes` takes; `from` lies below `hotFrom`. */
  segmentsFrom(ledger: LedgerName, from: number, maxBytes: number): Promise<ColdRow[]>
}

/** A row whose payloads are decompressed already. */
export interface ColdRow extends SegmentRow {
  raw: Buffer
}

export const isCold = (row: SegmentRow): row is ColdRow => 'raw' in row

/** First seq that is in the tables; what lies below has left them. */
export async function hotFrom(db: Queryable, ledger: LedgerName): Promise<number> {
  const { rows } = await db.query<{ next: number }>({
    name: 'hot_from',
    text: 'select coalesce(max(next_seq), 0) as next from detached_months where ledger = $1',
    values: [ledger],
  })
  return rows[0]?.next ?? 0
}

/** The first record behind all that has expired: where feed and log begin. */
export async function earliestSeq(db: Queryable, ledger: LedgerName): Promise<number> {
  const { rows } = await db.query<{ seq: number }>({
    name: 'earliest_seq',
    text: 'select coalesce(max(next_seq), 0) as seq from expired_days where ledger = $1',
    values: [ledger],
  })
  return rows[0]?.seq ?? 0
}

/** A segment that stayed because younger ones were compressed with it. */
export async function findDictionary(
  db: Queryable,
  ledger: LedgerName,
  firstSeq: number,
): Promise<SegmentRow | undefined> {
  const { rows } = await db.query<SegmentRow>({
    name: 'find_dictionary',
    text: `select ${segmentColumns} from dictionaries where ledger = $1 and first_seq = $2`,
    values: [ledger, firstSeq],
  })
  return rows[0]
}

export interface LeafPiece {
  first: number
  hashes: Buffer
}

/** Leaf hashes of records that left the tables: the pieces that reach into [from, to), in order, whole. */
export async function leafPiecesBetween(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  to: number,
): Promise<LeafPiece[]> {
  const { rows } = await db.query<LeafPiece>({
    name: 'leaf_pieces_between',
    text: `select first_seq as first, hashes from leaf_tiles
           where ledger = $1 and first_seq > $2 - 256 and first_seq < $3 and first_seq + count > $2 order by first_seq`,
    values: [ledger, from, to],
  })
  return rows
}

/** Pure: the hashes of [from, to) out of pieces in order, which may overlap but say the same; undefined when some are in none. */
export function joinLeaves(pieces: readonly LeafPiece[], from: number, to: number): Buffer | undefined {
  const joined = Buffer.alloc((to - from) * 32)
  let at = from
  for (const { first, hashes } of pieces.toSorted((a, b) => a.first - b.first)) {
    const end = Math.min(to, first + hashes.length / 32)
    if (end <= at) continue
    if (first > at) return undefined
    hashes.copy(joined, (at - from) * 32, (at - first) * 32, (end - first) * 32)
    at = end
  }
  return at >= to ? joined : undefined
}
