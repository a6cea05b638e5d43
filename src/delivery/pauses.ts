import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Lane } from './lane.ts'

/** Every statement on pauses. Rows are only inserted; the newest one of a lane holds. */

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

/** Undefined while nobody holds the lane. */
export async function currentPause(db: Queryable, lane: Lane): Promise<PauseRow | undefined> {
  const { rows } = await db.query<PauseRow>({
    name: 'latest_pause',
    text: `select at, paused, reason, by_whom as "byWhom" from pauses where ledger = $1 and destination = $2 order by n desc limit 1`,
    values: [lane.ledger, lane.destination],
  })
  return rows[0]?.paused === true ? rows[0] : undefined
}
