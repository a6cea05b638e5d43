import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Lane } from './lane.ts'

/**
 * Every statement on pauses, and what of a drill holds a lane. Rows are only inserted; the newest one of a lane holds. A drill holds beside
 * it, so that neither lifts the other.
 */

export interface PauseRow {
  at: Micros
  paused: boolean
  reason: string
  byWhom: string
}

/** Answers the ledgers whose lanes changed: one that is so already stays as it is, so a repeat writes nothing. */
export async function insertPauses(
  db: Queryable,
  destination: string,
  ledgers: readonly LedgerName[],
  row: PauseRow,
): Promise<LedgerName[]> {
  const { rows } = await db.query<{ ledger: LedgerName }>({
    name: 'insert_pauses',
    text: `insert into pauses (ledger, destination, n, at, paused, reason, by_whom)
           select l.ledger, $1, coalesce(p.n, 0) + 1, $3, $4, $5, $6 from unnest($2::text[]) as l (ledger)
             left join lateral (select n, paused from pauses where ledger = l.ledger and destination = $1 order by n desc limit 1) p on true
           where coalesce(p.paused, false) <> $4
           on conflict do nothing returning ledger`,
    values: [destination, ledgers, row.at, row.paused, row.reason, row.byWhom],
  })
  return rows.map(({ ledger }) => ledger)
}

/**
 * Undefined while nobody holds the lane. A person's word is told before a drill. A drill holds until it was measured, and never past its
 * hold_until by the database's clock: when every process is gone, time alone lets the lane go on.
 */
export async function currentPause(db: Queryable, lane: Lane): Promise<PauseRow | undefined> {
  const { rows } = await db.query<PauseRow>({
    name: 'current_pause',
    text: `select at, paused, reason, by_whom as "byWhom" from (
             select at, paused, reason, by_whom, 0 as place from (
               select * from pauses where ledger = $1 and destination = $2 order by n desc limit 1) as newest where paused
             union all
             select d.started_at, true, d.reason, 'drill ' || d.n, 1 from drills d
             where d.ledger = $1 and d.destination = $2 and clock_micros() < d.hold_until and not exists (
               select from drill_steps s where s.ledger = d.ledger and s.destination = d.destination and s.n = d.n)
           ) as holds order by place limit 1`,
    values: [lane.ledger, lane.destination],
  })
  return rows[0]
}
