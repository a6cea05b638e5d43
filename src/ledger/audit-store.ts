import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { testTypeOf } from './store.ts'

/** What only an audit asks of the tables: each row by the place that it claims, also where no reader would look. */

const patienceMs = 600_000

export interface TileRow {
  index: number
  root: Buffer
}

/** Entries [from, to) of a tile row, each with its index, so that a missing one can be named. */
export async function tileRowsBetween(db: Queryable, ledger: LedgerName, level: number, from: number, to: number): Promise<TileRow[]> {
  const { rows } = await db.query<TileRow>({
    name: 'tile_rows_between',
    text: 'select index, root from tile_roots where ledger = $1 and level = $2 and index >= $3 and index < $4 order by index',
    values: [ledger, level, from, to],
  })
  return rows
} // oxfmt-ignore

/** Checkpoints of more than `from` and at most `to` records, in order. */
export async function checkpointsBetween(db: Queryable, ledger: LedgerName, from: number, to: number, limit: number): Promise<{ size: number; note: string }[]> {
  const { rows } = await db.query<{ size: number; note: string }>({
    name: 'checkpoints_between',
    text: 'select size, note from checkpoints where ledger = $1 and size > $2 and size <= $3 order by size limit $4',
    values: [ledger, from, to, limit],
  })
  return rows
} // oxfmt-ignore

/** Where the given keys stand. */
export async function placesOfKeys(db: Queryable, ledger: LedgerName, keys: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await db.query<{ key: string; firstSeq: number }>({
    name: 'places_of_keys',
    text: 'select key, first_seq as "firstSeq" from submissions where ledger = $1 and key = any($2)',
    values: [ledger, keys],
  })
  return new Map(rows.map(({ key, firstSeq }) => [key, firstSeq]))
} // oxfmt-ignore

export interface SubmissionFault {
  key: string
  firstSeq: number
  lastSeq: number
  firstTime: Micros
  /** Where the one before it ended; -1 for the first. */
  before: number
  /** Time of the record at firstSeq where a segment begins there. */
  segmentTime: number | null
}

/**
 * Submissions of the first `size` records that do not follow on each other, or do not begin where a segment does, or say another time than
 * it: together they must tile the ledger. One sort of the table.
 */
export async function findSubmissionFaults(db: Queryable, ledger: LedgerName, size: number, limit: number): Promise<SubmissionFault[]> {
  const { rows } = await db.query<SubmissionFault>({
    text: `select key, u.first_seq as "firstSeq", last_seq as "lastSeq", u.first_time as "firstTime", before, g.first_time as "segmentTime" from (
             select *, coalesce(max(last_seq) over (order by first_seq rows between unbounded preceding and 1 preceding), -1) as before
             from submissions where ledger = $1 and first_seq < $3) as u
           left join segments as g on g.ledger = $1 and g.test_type = $2 and g.first_seq = u.first_seq
           where u.first_seq <> before + 1 or (g.first_time is distinct from u.first_time and u.first_seq >= $5) order by u.first_seq limit $4`,
    values: [ledger, testTypeOf(ledger), size, limit, await firstStored(db, ledger)],
    timeoutMs: patienceMs,
  })
  return rows
} // oxfmt-ignore

/** Where the submissions of the first `size` records end; -1 for none. */
export async function lastSubmitted(db: Queryable, ledger: LedgerName, size: number): Promise<number> {
  const { rows } = await db.query<{ last: number }>({
    text: 'select coalesce(max(last_seq), -1) as last from submissions where ledger = $1 and first_seq < $2',
    values: [ledger, size],
    timeoutMs: patienceMs,
  })
  return rows[0]?.last ?? -1
}

export interface StraySegment {
  firstSeq: number
  count: number
  month: string
  /** Where those before it end. */
  before: number
  /** Size of the newest head, as of the same moment. */
  newest: number
}

/**
 * Segments that lie behind the newest head, in another month than their time, or over others, in order. The head is read in the same
 * statement: what is recorded meanwhile is seen with its head or not at all.
 */
export async function findStraySegments(db: Queryable, ledger: LedgerName, limit: number): Promise<StraySegment[]> {
  const { rows } = await db.query<StraySegment>({
    text: `select first_seq as "firstSeq", count, month::text, before, newest from (
             select first_seq, count, month, first_time,
                    coalesce(max(first_seq + count) over (order by first_seq rows between unbounded preceding and 1 preceding), 0) as before
             from segments where ledger = $1 and test_type = $2) as s,
             (select coalesce(max(size), 0) as newest from heads where ledger = $1) as h
           where first_seq + count > newest or first_seq < before
              or month <> date_trunc('month', to_timestamp(first_time / 1000000) at time zone 'UTC')::date
           order by first_seq limit $3`,
    values: [ledger, testTypeOf(ledger), limit],
    timeoutMs: patienceMs,
  })
  return rows
} // oxfmt-ignore

/** Seq of the first record that still lies in the database; 0 when there is none. */
export async function firstStored(db: Queryable, ledger: LedgerName): Promise<number> {
  const { rows } = await db.query<{ first: number }>({
    name: 'first_stored',
    text: 'select coalesce((select first_seq from segments where ledger = $1 and test_type = $2 order by first_seq limit 1), 0) as first',
    values: [ledger, testTypeOf(ledger)],
  })
  return rows[0]?.first ?? 0
}
