import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import { type AttemptRow, attemptArrays, attemptColumns, attemptValues, written } from './attempts.ts'
import type { Lane } from './lane.ts'
import { toRange } from './range.ts'

/** Every statement on redeliveries, their cuts and ends, and settlements. Rows are only inserted. */

export interface NewOrder {
  first: number
  /** Excluded. */
  end: number
  /** Bit i stands for first + i, lowest bit of a byte first; undefined where all of the range is meant. */
  leftOut: Buffer | undefined
  why: 'retry' | 'missing' | 'range'
  /** What each try says of earlier ones that may have left; undefined for as many as there were. */
  mark: number | undefined
}

export interface Order extends NewOrder {
  n: number
  reason: string
  byWhom: string
  at: Micros
  /** Where its cuts end. */
  next: number
  endedAt: Micros | undefined
}

/** Seqs of one order lie no further apart, so that what it leaves out is 128 KiB at most. */
const widest = 1_048_576

/** Orders for these seqs, ascending and without repetition. Pure. */
export function toOrders(seqs: readonly number[], why: NewOrder['why'], mark: number | undefined): NewOrder[] {
  const orders: NewOrder[] = []
  let from = 0
  seqs.forEach((seq, i) => {
    const next = seqs[i + 1]
    if (next !== undefined && next - (seqs[from] ?? seq) < widest) return
    const { first, last, leftOut } = toRange(seqs.slice(from, i + 1))
    orders.push({ first, end: last + 1, leftOut, why, mark })
    from = i + 1
  })
  return orders
}

/** Inside a transaction: operators take turns, so that numbers have no gap and what is read holds until it is written. */
export async function lockOrders(tx: Queryable, lane: Lane): Promise<void> {
  await tx.query({
    name: 'lock_redeliveries',
    text: `select pg_advisory_xact_lock(hashtextextended('proofline.redeliveries ' || $1 || ' ' || $2, 0))`,
    values: [lane.ledger, lane.destination],
  })
}

/** Behind lockOrders. Answers the numbers, in the order given. */
export async function insertOrders(
  tx: Queryable,
  lane: Lane,
  orders: readonly NewOrder[],
  by: { reason: string; byWhom: string; at: Micros },
): Promise<number[]> {
  if (orders.length === 0) return []
  const { rows } = await tx.query<{ n: number }>({
    name: 'insert_redeliveries',
    text: `insert into redeliveries (ledger, destination, n, first_seq, next_seq, left_out, why, mark, reason, by_whom, at)
           select $1, $2, o.i + (select coalesce(max(n), 0) from redeliveries where ledger = $1 and destination = $2),
             o.first_seq, o.next_seq, o.left_out, o.why, o.mark, $8, $9, $10
           from unnest($3::bigint[], $4::bigint[], $5::bytea[], $6::text[], $7::integer[])
             with ordinality as o(first_seq, next_seq, left_out, why, mark, i) returning n`,
    values: [
      lane.ledger, lane.destination, orders.map(({ first }) => first), orders.map(({ end }) => end), orders.map(({ leftOut }) => leftOut ?? null),
      orders.map(({ why }) => why), orders.map(({ mark }) => mark ?? null), by.reason, by.byWhom, by.at,
    ], // oxfmt-ignore
  })
  if (rows.length !== orders.length) throw new Error('orders were swallowed')
  return rows.map(({ n }) => n).toSorted((a, b) => a - b)
}

type FoundOrder = Omit<Order, 'leftOut' | 'mark' | 'endedAt'> & {
  leftOut: Buffer | null
  mark: number | null
  endedAt: Micros | null
}
const orderText = `select r.n, r.first_seq as first, r.next_seq as "end", r.left_out as "leftOut", r.why, r.mark, r.reason, r.by_whom as "byWhom", r.at,
    coalesce((select c.next from redelivery_cuts c where c.ledger = $1 and c.destination = $2 and c.n = r.n order by c.base desc limit 1),
      r.first_seq) as next, e.at as "endedAt"
  from redeliveries r left join redelivery_ends e on e.ledger = r.ledger and e.destination = r.destination and e.n = r.n
  where r.ledger = $1 and r.destination = $2`
const toOrder = (row: FoundOrder): Order => ({
  ...row,
  leftOut: row.leftOut ?? undefined,
  mark: row.mark ?? undefined,
  endedAt: row.endedAt ?? undefined,
})

/** Those that have not ended, in the order in which they are carried out. */
export async function unfinishedOrders(db: Queryable, lane: Lane): Promise<Order[]> {
  const { rows } = await db.query<FoundOrder>({
    name: 'unfinished_redeliveries',
    text: `${orderText} and e.n is null order by r.n`,
    values: [lane.ledger, lane.destination],
  })
  return rows.map(toOrder)
}

/** Those that have not ended, and those that ended after `since`. */
export async function ordersSince(db: Queryable, lane: Lane, since: Micros): Promise<Order[]> {
  const { rows } = await db.query<FoundOrder>({
    name: 'redeliveries_since',
    text: `${orderText} and (e.n is null or e.at > $3) order by r.n`,
    values: [lane.ledger, lane.destination, since],
  })
  return rows.map(toOrder)
}

/** The newest number of each thing that a person may have said about the lane since somebody looked; 0 where there is none. */
export async function latestWords(db: Queryable, lane: Lane): Promise<{ orders: number; settlements: number }> {
  const { rows } = await db.query<{ orders: number; settlements: number }>({
    name: 'latest_words',
    text: `select coalesce((select max(n) from redeliveries where ledger = $1 and destination = $2), 0) as orders,
             coalesce((select max(n) from settlements where ledger = $1 and destination = $2), 0) as settlements`,
    values: [lane.ledger, lane.destination],
  })
  return rows[0] ?? { orders: 0, settlements: 0 }
}

/** A piece of an order with its attempts, in one statement. `base` is where the order begins or an earlier piece ends. */
export async function insertOrderCut(
  db: Queryable,
  lane: Lane,
  cut: { n: number; base: number; next: number },
  attempts: readonly AttemptRow[],
): Promise<boolean> {
  const { rows } = await db.query<{ cuts: number; attempts: number }>({
    name: 'insert_redelivery_cut',
    text: `with cut as (
             insert into redelivery_cuts (ledger, destination, n, base, next)
             select $1, $2, $3::bigint, $4::bigint, $5::bigint
             where exists (select from redeliveries where ledger = $1 and destination = $2 and n = $3::bigint and first_seq = $4::bigint)
                or exists (select from redelivery_cuts where ledger = $1 and destination = $2 and n = $3::bigint and next = $4::bigint)
             on conflict do nothing returning 1
           ), opened as (
             insert into attempts (ledger, destination, ${attemptColumns})
             select $1, $2, a.* from unnest(${attemptValues(6)}) as a cross join cut returning 1
           ) select (select count(*) from cut) as cuts, (select count(*) from opened) as attempts`,
    values: [lane.ledger, lane.destination, cut.n, cut.base, cut.next, ...attemptArrays(attempts)],
  })
  return written(rows[0], 'cuts', attempts.length)
}

/** Twins say the same. */
export async function insertOrderEnd(db: Queryable, lane: Lane, n: number, at: Micros): Promise<void> {
  await db.query({
    name: 'insert_redelivery_end',
    text: 'insert into redelivery_ends (ledger, destination, n, at) values ($1, $2, $3, $4) on conflict do nothing',
    values: [lane.ledger, lane.destination, n, at],
  })
}

/** No attempt of an order is wider, and none of a cut: so far back one can begin that reaches into a range. */
export const widestAttempt = 4_096

/** The largest try of the attempts that overlap these seqs; 0 where there is none. */
export async function largestTry(
  db: Queryable,
  lane: Lane,
  month: string,
  first: number,
  last: number,
): Promise<number> {
  const { rows } = await db.query<{ n: number | null }>({
    name: 'largest_try',
    text: `select max(try) as n from attempts where ledger = $1 and destination = $2 and month = $3::date
             and first_seq > $4::bigint - $6::bigint and first_seq <= $5 and last_seq >= $4`,
    values: [lane.ledger, lane.destination, month, first, last, widestAttempt],
  })
  return rows[0]?.n ?? 0
}

export interface Settlement {
  delivered: number
  altered: number
  absent: number
  duplicates: number
}

/** The bell: whoever works on the lane reads everything anew. */
export async function insertSettlement(
  db: Queryable,
  lane: Lane,
  row: Settlement & { reason: string; byWhom: string; at: Micros },
): Promise<void> {
  await db.query({
    name: 'insert_settlement',
    text: `insert into settlements (ledger, destination, n, delivered, altered, absent, duplicates, reason, by_whom, at)
           select $1, $2, coalesce(max(n), 0) + 1, $3, $4, $5, $6, $7, $8, $9 from settlements where ledger = $1 and destination = $2
           on conflict do nothing`,
    values: [
      lane.ledger, lane.destination, row.delivered, row.altered, row.absent, row.duplicates, row.reason, row.byWhom, row.at,
    ], // oxfmt-ignore
  })
}
