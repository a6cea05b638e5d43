import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import type { BlockReason, Receipt, Split } from './destination.ts'
import type { Lane } from './lane.ts'
import type { MemberRange } from './range.ts'

/**
 * Every statement on cuts, attempts and outcomes. Rows are only inserted; a primary key refuses the second one, which is how two workers
 * are told apart: `false` means that another was there first, and nothing was written.
 */

export interface AttemptRow extends MemberRange {
  month: string
  try: number
  target: string
  channel: string
  mark: number
  render: number
  request: Buffer
  openedAt: Micros
  sendBefore: Micros
  deadline: Micros
  /** The order that it carries out; undefined for one of a cut. */
  redelivery: number | undefined
}

export interface OutcomeRow {
  step: number
  at: Micros
  source: 'answer' | 'look' | 'loss' | 'policy' | 'operator'
  marks: string
  reason: string | undefined
  /** Offset of a member -> its reason, where it differs. */
  reasons: Readonly<Record<string, string>> | undefined
  split: Split | undefined
  retryAt: Micros | undefined
  block: BlockReason | undefined
  receipt: Receipt | undefined
  answer: Readonly<Record<string, unknown>> | undefined
  /** How long it was looked for until then, by all processes. */
  lookedMs: number | undefined
}

/** An outcome of which nothing is known but its marks. */
export const blankOutcome: Omit<OutcomeRow, 'step' | 'at' | 'source' | 'marks'> = {
  reason: undefined, reasons: undefined, split: undefined, retryAt: undefined, block: undefined, receipt: undefined, answer: undefined,
  lookedMs: undefined,
} // oxfmt-ignore

export interface ParkedRow {
  seq: number
  id: string
  kind: 'refused' | 'unresolved' | 'unproved'
  reason: string
}

export const attemptColumns = `month, first_seq, try, last_seq, left_out, target, channel, mark, render, request, opened_at, send_before, deadline,
  redelivery`
export const attemptValues = (from: number): string =>
  [
    'date',
    'bigint',
    'integer',
    'bigint',
    'bytea',
    'text',
    'uuid',
    'integer',
    'smallint',
    'bytea',
    'bigint',
    'bigint',
    'bigint',
    'bigint',
  ]
    .map((type, i) => `$${from + i}::${type}[]`)
    .join(', ')

export function attemptArrays(rows: readonly AttemptRow[]): unknown[] {
  return [
    rows.map((row) => row.month),
    rows.map((row) => row.first),
    rows.map((row) => row.try),
    rows.map((row) => row.last),
    rows.map((row) => row.leftOut ?? null),
    rows.map((row) => row.target),
    rows.map((row) => row.channel),
    rows.map((row) => row.mark),
    rows.map((row) => row.render),
    rows.map((row) => row.request),
    rows.map((row) => row.openedAt),
    rows.map((row) => row.sendBefore),
    rows.map((row) => row.deadline),
    rows.map((row) => row.redelivery ?? null),
  ]
}

/** A cut and its attempts, in one statement. `base` must be the `next` of an earlier cut; -1 begins the lane. */
export async function insertCut(
  db: Queryable,
  lane: Lane,
  cut: { month: string; base: number; next: number },
  attempts: readonly AttemptRow[],
): Promise<boolean> {
  const { rows } = await db.query<{ cuts: number; attempts: number }>({
    name: 'insert_cut',
    text: `with cut as (
             insert into cuts (ledger, destination, month, base, next)
             select $1, $2, $3::date, $4::bigint, $5::bigint
             where $4::bigint = -1 or exists (select from cuts where ledger = $1 and destination = $2 and next = $4::bigint)
             on conflict do nothing returning 1
           ), opened as (
             insert into attempts (ledger, destination, ${attemptColumns})
             select $1, $2, a.* from unnest(${attemptValues(6)}) as a cross join cut returning 1
           ) select (select count(*) from cut) as cuts, (select count(*) from opened) as attempts`,
    values: [lane.ledger, lane.destination, cut.month, cut.base, cut.next, ...attemptArrays(attempts)],
  })
  return written(rows[0], 'cuts', attempts.length)
}

/** One step of an attempt, with the attempts that follow from it and what it parks, in one statement. */
export async function insertOutcome(
  db: Queryable,
  lane: Lane,
  attempt: { month: string; first: number; try: number },
  outcome: OutcomeRow,
  next: readonly AttemptRow[] = [],
  parked: readonly ParkedRow[] = [],
): Promise<boolean> {
  const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value))
  const base = [
    lane.ledger, lane.destination, attempt.month, attempt.first, attempt.try, outcome.step, outcome.at, outcome.source, outcome.marks,
    outcome.reason ?? null, json(outcome.reasons), outcome.split ?? null, outcome.retryAt ?? null, outcome.block ?? null,
    json(outcome.receipt), json(outcome.answer), outcome.lookedMs ?? null,
  ] // oxfmt-ignore
  const insert = `insert into outcomes (ledger, destination, month, first_seq, try, step, at, source, marks, reason, reasons, split, retry_at, block,
                    receipt, answer, looked_ms)
                  values ($1, $2, $3::date, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) on conflict do nothing returning 1`
  if (next.length === 0 && parked.length === 0) {
    const { rowCount } = await db.query({ name: 'insert_outcome', text: insert, values: base })
    return rowCount === 1
  }
  const { rows } = await db.query<{ outcomes: number; attempts: number; parked: number }>({
    name: 'insert_outcome_with',
    text: `with outcome as (${insert}), opened as (
             insert into attempts (ledger, destination, ${attemptColumns})
             select $1, $2, a.* from unnest(${attemptValues(18)}) as a cross join outcome returning 1
           ), parks as (
             insert into parked (ledger, destination, seq, try, month, first_seq, id, kind, reason, at)
             select $1, $2, p.seq, $5, $3::date, $4, p.id, p.kind, p.reason, $7
             from unnest($32::bigint[], $33::text[], $34::text[], $35::text[]) as p(seq, id, kind, reason) cross join outcome returning 1
           ) select (select count(*) from outcome) as outcomes, (select count(*) from opened) as attempts, (select count(*) from parks) as parked`,
    values: [
      ...base,
      ...attemptArrays(next),
      parked.map((row) => row.seq),
      parked.map((row) => row.id),
      parked.map((row) => row.kind),
      parked.map((row) => row.reason),
    ],
  })
  const [row] = rows
  if (row?.outcomes === 1 && row.parked !== parked.length) throw new Error('parked records were swallowed')
  return written(row, 'outcomes', next.length)
}

/** Whether the first of the things that belong together was inserted; then all of them must have been. */
export function written(
  row: ({ attempts: number } & Record<string, number>) | undefined,
  first: string,
  attempts: number,
): boolean {
  if (row === undefined) throw new Error('the database answered no row')
  if (row[first] !== 1) return false
  if (row.attempts !== attempts) throw new Error('attempts were swallowed')
  return true
}

export interface OpenRow extends AttemptRow {
  /** The newest outcome row, absent when there is none. */
  step: number | null
  at: Micros | null
  marks: string | null
  split: Split | null
  retryAt: Micros | null
  block: BlockReason | null
  /** Some member was in doubt at some step: its bytes may have left. */
  left: boolean
  /** What was kept of the answer (readings.ts), without its text. */
  answer: Readonly<Record<string, unknown>> | null
  /** As the newest row says that says it. */
  lookedMs: number | null
}

const openOnes = (where: string): string =>
  `select a.month::text, a.first_seq as first, a.last_seq as last, a.left_out as "leftOut", a.try, a.target, a.channel::text, a.mark, a.render,
     a.request, a.opened_at as "openedAt", a.send_before as "sendBefore", a.deadline, a.redelivery, o.step, o.at, o.marks, o.split,
     o.retry_at as "retryAt", o.block,
     exists (select from outcomes x where x.ledger = a.ledger and x.destination = a.destination and x.month = a.month
       and x.first_seq = a.first_seq and x.try = a.try and x.marks ~ 'i') as left,
     (select x.answer - 'body' - 'message' from outcomes x where x.ledger = a.ledger and x.destination = a.destination
       and x.month = a.month and x.first_seq = a.first_seq and x.try = a.try and x.step = 0) as answer,
     (select max(x.looked_ms) from outcomes x where x.ledger = a.ledger and x.destination = a.destination and x.month = a.month
       and x.first_seq = a.first_seq and x.try = a.try) as "lookedMs"
   from attempts a left join lateral (
     select step, at, marks, split, retry_at, block from outcomes o where o.ledger = a.ledger and o.destination = a.destination
       and o.month = a.month and o.first_seq = a.first_seq and o.try = a.try order by step desc limit 1) as o on true
   where a.ledger = $1 and a.destination = $2 and ${where} and (o.marks is null or o.marks ~ '[auie]')
   order by a.first_seq, a.try`

type FoundRow = Omit<OpenRow, 'leftOut' | 'redelivery'> & { leftOut: Buffer | null; redelivery: number | null }
const toOpenRow = (row: FoundRow): OpenRow => ({
  ...row,
  leftOut: row.leftOut ?? undefined,
  redelivery: row.redelivery ?? undefined,
})

/** Attempts of cuts, from `from` on, that have no outcome, or whose newest one leaves a member open; in order. */
export async function openAttempts(
  db: Queryable,
  lane: Lane,
  months: readonly string[],
  from: number,
): Promise<OpenRow[]> {
  const { rows } = await db.query<FoundRow>({
    name: 'open_attempts',
    text: openOnes('a.redelivery is null and a.month = any($3::date[]) and a.first_seq >= $4'),
    values: [lane.ledger, lane.destination, months, from],
  })
  return rows.map(toOpenRow)
}

/** The same of those that carry out these orders: they lie anywhere behind the position. */
export async function openOrderAttempts(db: Queryable, lane: Lane, orders: readonly number[]): Promise<OpenRow[]> {
  if (orders.length === 0) return []
  const { rows } = await db.query<FoundRow>({
    name: 'open_order_attempts',
    text: openOnes('a.redelivery = any($3::bigint[])'),
    values: [lane.ledger, lane.destination, orders],
  })
  return rows.map(toOpenRow)
}

export interface CutEnds {
  /** Where the lane starts, where its cuts end, and the months that its attempts can lie in. */
  start: number
  next: number
  firstMonth: string | null
  lastMonth: string
}

/** Undefined when the lane has not begun. */
export async function cutEnds(db: Queryable, lane: Lane): Promise<CutEnds | undefined> {
  const { rows } = await db.query<CutEnds>({
    name: 'cut_ends',
    text: `select (select next from cuts where ledger = $1 and destination = $2 and base = -1) as start, last.next, last.month::text as "lastMonth",
             (select month::text from cuts where ledger = $1 and destination = $2 and base >= 0 order by base limit 1) as "firstMonth"
           from cuts as last where last.ledger = $1 and last.destination = $2 order by last.base desc limit 1`,
    values: [lane.ledger, lane.destination],
  })
  return rows[0]
}

/** Makes the partitions for the month of a cut and the one behind it. */
export async function ensureMonth(db: Queryable, month: string): Promise<void> {
  await db.query({
    name: 'ensure_delivery_partitions',
    text: 'select ensure_delivery_partitions($1::date, 2)',
    values: [month],
  })
}
