import { ofOrg } from '../ledger/of-org.ts'
import type { Queryable } from '../database/database.ts'
import type { Sum } from '../delivery/destination.ts'
import type { Lane } from '../delivery/lane.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Unlisted } from './unlisted.ts'

/** Every statement on block_sums, comparisons and differences, and those that comparing adds to positions and parked. */

export async function findBlockSums(
  db: Queryable,
  ledger: LedgerName,
  selection: string,
  from: number,
  to: number,
): Promise<Map<number, Sum>> {
  const { rows } = await db.query<Sum & { block: number }>({
    name: 'find_block_sums',
    text: `select block, records as count, check_sum as "checkSum" from block_sums
           where ledger = $1 and selection = $2 and block between $3 and $4`,
    values: [ledger, selection, from, to],
  })
  return new Map(rows.map(({ block, count, checkSum }) => [block, { count, checkSum }]))
}

/** Twins say the same. */
export async function insertBlockSum(
  db: Queryable,
  ledger: LedgerName,
  selection: string,
  block: number,
  sum: Sum,
): Promise<void> {
  await db.query({
    name: 'insert_block_sum',
    text: 'insert into block_sums (ledger, selection, block, records, check_sum) values ($1, $2, $3, $4, $5) on conflict do nothing',
    values: [ledger, selection, block, sum.count, sum.checkSum],
  })
}

/** Up to where everything was settled at `at` or before; undefined when the lane had no position then. */
export async function provedToAt(db: Queryable, lane: Lane, at: Micros): Promise<number | undefined> {
  const { rows } = await db.query<{ provedTo: number }>({
    name: 'proved_to_at',
    text: `select proved_to as "provedTo" from positions where ledger = $1 and destination = $2 and at <= $3 order by at desc limit 1`,
    values: [lane.ledger, lane.destination, at],
  })
  return rows[0]?.provedTo
}

export interface ParkedSeq {
  seq: number
  try: number
  id: string
  /** Still on the list. */
  isOpen: boolean
}

/**
 * Records that may be there or not: parked; disposed of while they were; or sent again so lately (after `since`) that they need not be
 * visible yet.
 */
export async function findParked(db: Queryable, lane: Lane, since: Micros): Promise<ParkedSeq[]> {
  const { rows } = await db.query<ParkedSeq>({
    name: 'find_parked',
    text: `select p.seq, p.try, p.id, e.how is null as "isOpen" from parked p
             left join parked_ends e on e.ledger = p.ledger and e.destination = p.destination and e.seq = p.seq and e.try = p.try
           where p.ledger = $1 and p.destination = $2 and (e.how is null or e.how = 'discarded' or (e.how = 'retried' and not exists (
             select from redelivery_ends r where r.ledger = $1 and r.destination = $2 and r.n = e.redelivery and r.at <= $3)))`,
    values: [lane.ledger, lane.destination, since],
  })
  return rows
}

/** What was parked turned out to be there. */
export async function endParked(db: Queryable, lane: Lane, rows: readonly ParkedSeq[], at: Micros): Promise<void> {
  await db.query({
    name: 'end_parked_found',
    text: `insert into parked_ends (ledger, destination, seq, try, how, reason, by_whom, at)
           select $1, $2, p.seq, p.try, 'found', 'a comparison found it there', 'reconciliation', $5
           from unnest($3::bigint[], $4::integer[]) as p(seq, try) on conflict do nothing`,
    values: [lane.ledger, lane.destination, rows.map(({ seq }) => seq), rows.map((row) => row.try), at],
  })
}

export type DifferenceKind = 'missing' | 'duplicated' | 'altered' | 'foreign'

export interface DifferenceRow {
  kind: DifferenceKind
  id: string
  /** -1 for an id that is none of ours. */
  seq: number
  detail: string
}

export interface StandingDifference extends DifferenceRow {
  state: 'found' | 'discarded'
  at: Micros
}

/** Differences that are open or were disposed of; those that are gone are not among them. */
export async function findDifferences(db: Queryable, lane: Lane): Promise<StandingDifference[]> {
  const { rows } = await db.query<StandingDifference>({
    name: 'find_differences',
    text: `select * from (
             select distinct on (kind, id) kind, id, seq, state, detail, at from differences
             where ledger = $1 and destination = $2 order by kind, id, n desc) as newest
           where state <> 'gone' order by seq, kind, id`,
    values: [lane.ledger, lane.destination],
  })
  return rows
}

export type DifferenceStep = DifferenceRow & { state: 'found' | 'gone' | 'discarded' }

/** The next row of each; answers how many. One that says what the newest row says already is left out: another comparison saw the same. */
export async function insertDifferences(
  db: Queryable,
  lane: Lane,
  steps: readonly DifferenceStep[],
  by: string,
  at: Micros,
): Promise<number> {
  if (steps.length === 0) return 0
  const { rowCount } = await db.query({
    name: 'insert_differences',
    text: `insert into differences (ledger, destination, kind, id, n, seq, state, detail, by_whom, at)
           select $1, $2, d.kind, d.id, coalesce(newest.n, 0) + 1, d.seq, d.state, d.detail, $8, $9
           from unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[]) as d(kind, id, seq, state, detail)
           left join lateral (select max(o.n) as n from differences o
             where o.ledger = $1 and o.destination = $2 and o.kind = d.kind and o.id = d.id) as newest on true
           where (coalesce(newest.n, 0) % 2 = 0) = (d.state = 'found')
           on conflict do nothing`,
    values: [
      lane.ledger, lane.destination, steps.map(({ kind }) => kind), steps.map(({ id }) => id), steps.map(({ seq }) => seq),
      steps.map(({ state }) => state), steps.map(({ detail }) => detail), by, at,
    ], // oxfmt-ignore
  })
  return rowCount
}

/** `unlisted`: of a comparison that was answered; without it what an earlier one found stays. */
export async function keepComparison(
  db: Queryable,
  lane: Lane,
  at: Micros,
  result: object,
  unlisted?: Unlisted,
): Promise<void> {
  await db.query({
    name: 'keep_comparison',
    text: `insert into comparisons (ledger, destination, at, result, unlisted) values ($1, $2, $3, $4, $5)
           on conflict (ledger, destination) do update set at = excluded.at, result = excluded.result,
             unlisted = coalesce(excluded.unlisted, comparisons.unlisted)`,
    values: [lane.ledger, lane.destination, at, JSON.stringify(result), unlisted === undefined ? null : JSON.stringify({ at, ...unlisted })], // oxfmt-ignore
  })
}

/** When the lane was last compared and the destination answered; 0 for never. */
export async function comparedAt(db: Queryable, lane: Lane): Promise<Micros> {
  const { rows } = await db.query<{ at: Micros }>({
    name: 'compared_at',
    text: `select at from comparisons where ledger = $1 and destination = $2 and result ->> 'verdict' <> 'unknown'`,
    values: [lane.ledger, lane.destination],
  })
  return rows[0]?.at ?? 0
}

export type UnlistedAt = Unlisted & { at: Micros }

/** Of the last comparison that was answered. */
export async function findUnlisted(db: Queryable, lane: Lane): Promise<UnlistedAt | undefined> {
  const { rows } = await db.query<{ unlisted: UnlistedAt | null }>({
    name: 'find_unlisted',
    text: 'select unlisted from comparisons where ledger = $1 and destination = $2',
    values: [lane.ledger, lane.destination],
  })
  return rows[0]?.unlisted ?? undefined
}

export interface KeptComparison extends Lane {
  at: Micros
  result: unknown
}

/** Of one org. */
export async function listComparisons(db: Queryable, org: string): Promise<KeptComparison[]> {
  const { rows } = await db.query<KeptComparison>({
    name: 'list_comparisons',
    text: `select ledger, destination, at, result from comparisons where ${ofOrg('ledger', 1)} order by destination, ledger`,
    values: [org],
  })
  return rows
}
