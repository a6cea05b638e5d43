import { ofOrg } from '../ledger/of-org.ts'
import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import type { Lane } from './lane.ts'

/** Every statement on positions and standings. Rows are only inserted. */

export interface PositionRow {
  at: Micros
  openFrom: number
  openMonth: string
  sentTo: number
  provedTo: number
}

export async function latestPosition(db: Queryable, lane: Lane): Promise<PositionRow | undefined> {
  const { rows } = await db.query<PositionRow>({
    name: 'latest_position',
    text: `select at, open_from as "openFrom", open_month::text as "openMonth", sent_to as "sentTo", proved_to as "provedTo"
           from positions where ledger = $1 and destination = $2 order by at desc limit 1`,
    values: [lane.ledger, lane.destination],
  })
  return rows[0]
}

export async function insertPosition(db: Queryable, lane: Lane, row: PositionRow): Promise<void> {
  await db.query({
    name: 'insert_position',
    text: `insert into positions (ledger, destination, at, open_from, open_month, sent_to, proved_to) values ($1, $2, $3, $4, $5::date, $6, $7)
           on conflict do nothing`,
    values: [lane.ledger, lane.destination, row.at, row.openFrom, row.openMonth, row.sentTo, row.provedTo],
  })
}

export interface StandingRow {
  at: Micros
  state: 'running' | 'paused' | 'blocked'
  reason: string
  detail: string
}

/** Twins are harmless: the later of two workers that saw the same keeps quiet. */
export async function insertStanding(db: Queryable, lane: Lane, row: StandingRow): Promise<void> {
  await db.query({
    name: 'insert_standing',
    text: `insert into standings (ledger, destination, n, at, state, reason, detail)
           select $1, $2, coalesce(max(n), 0) + 1, $3, $4, $5, $6 from standings where ledger = $1 and destination = $2 on conflict do nothing`,
    values: [lane.ledger, lane.destination, row.at, row.state, row.reason, row.detail],
  })
}

export async function latestStanding(db: Queryable, lane: Lane): Promise<StandingRow | undefined> {
  const { rows } = await db.query<StandingRow>({
    name: 'latest_standing',
    text: 'select at, state, reason, detail from standings where ledger = $1 and destination = $2 order by n desc limit 1',
    values: [lane.ledger, lane.destination],
  })
  return rows[0]
}

/** The lanes of an org that have begun. */
export async function lanes(db: Queryable, org: string): Promise<Lane[]> {
  const { rows } = await db.query<Lane>({
    text: `select ledger, destination from cuts where base = -1 and ${ofOrg('ledger', 1)} order by destination, ledger`,
    values: [org],
  })
  return rows
}
