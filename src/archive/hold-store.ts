import type { Queryable } from '../database/database.ts'
import { type LedgerName, type Micros, firstGeneration } from '../record/record.ts'
import type { Day } from './calendar.ts'

/** Every statement on holds and hold_releases. Rows are only inserted; `ledger` is the first generation of the org's `operations`: a hold outlives a loss. */

/** Under which key a step of a hold is on record: a release is asked for and confirmed by somebody, so a second one who asks is on record too. */
export const holdKey = (hold: string, act: string, by: string): string =>
  act === 'added' ? `hold:${hold}/added` : `hold:${hold}/${act}/${by}`

export interface HoldRow {
  hold: string
  repository: string
  path: string | null
  from: Day | null
  to: Day | null
  reason: string
  ticket: string
  byWhom: string
  at: Micros
  /** Who asked for its release, and why; null when nobody did. */
  askedBy: string | null
  askedReason: string | null
  /** Who confirmed it: then it holds nothing any more. */
  releasedBy: string | null
  releasedAt: Micros | null
  /** Days in the archive that it keeps now, or would keep. */
  days: number
}

const selectHolds = `select h.hold, h.repository, h.path, to_char(h.from_day, 'YYYY-MM-DD') as "from", to_char(h.to_day, 'YYYY-MM-DD') as "to", h.reason, h.ticket,
    h.by_whom as "byWhom", h.at, a.by_whom as "askedBy", a.reason as "askedReason", c.by_whom as "releasedBy", c.at as "releasedAt",
    (select count(*)::integer from cold_days as d where split_part(d.ledger, '/', 1) = split_part(h.ledger, '/', 1) and h.repository = any(d.repositories)
       and d.day >= coalesce(h.from_day, d.day) and d.day <= coalesce(h.to_day, d.day)
       and not exists (select from expired_days as e where e.ledger = d.ledger and e.day = d.day)) as days
  from holds as h
  left join hold_releases as a on a.ledger = h.ledger and a.hold = h.hold and a.step = 'asked'
  left join hold_releases as c on c.ledger = h.ledger and c.hold = h.hold and c.step = 'confirmed' and c.by_whom <> a.by_whom
  where h.ledger = $1`

/** Newest first. */
export async function listHolds(db: Queryable, operations: LedgerName, all: boolean): Promise<HoldRow[]> {
  const { rows } = await db.query<HoldRow>({
    text: `${selectHolds} and ($2 or c.hold is null) order by h.at desc, h.hold`,
    values: [firstGeneration(operations), all],
    timeoutMs: 60_000,
  })
  return rows
}

export async function findHold(db: Queryable, operations: LedgerName, hold: string): Promise<HoldRow | undefined> {
  const { rows } = await db.query<HoldRow>({
    text: `${selectHolds} and h.hold = $2`,
    values: [firstGeneration(operations), hold],
    timeoutMs: 60_000,
  })
  return rows[0]
}

export type NewHold = Pick<HoldRow, 'hold' | 'repository' | 'path' | 'from' | 'to' | 'reason' | 'ticket' | 'byWhom'>

/** In force once this comes back: an expiry at the same time has either seen it or was before it. */
export async function insertHold(db: Queryable, operations: LedgerName, row: NewHold): Promise<void> {
  await db.query({
    text: 'select add_hold($1, $2, $3, $4, $5::date, $6::date, $7, $8, $9)',
    values: [
      firstGeneration(operations),
      row.hold,
      row.repository,
      row.path,
      row.from,
      row.to,
      row.reason,
      row.ticket,
      row.byWhom,
    ],
  })
}

/** False when this step was taken before. */
export async function insertRelease(
  db: Queryable,
  operations: LedgerName,
  hold: string,
  step: 'asked' | 'confirmed',
  byWhom: string,
  reason: string,
): Promise<boolean> {
  const { rowCount } = await db.query({
    text: `insert into hold_releases (ledger, hold, step, by_whom, reason, at)
           values ($1, $2, $3, $4, $5, clock_micros()) on conflict do nothing returning 1`,
    values: [firstGeneration(operations), hold, step, byWhom, reason],
  })
  return rowCount === 1
}

/** Holds that are on record and have no row, with the seqs of their records in order. */
export async function holdsWithoutRow(
  db: Queryable,
  operations: LedgerName,
): Promise<{ hold: string; seqs: number[] }[]> {
  const { rows } = await db.query<{ hold: string; seqs: number[] }>({
    name: 'holds_without_row',
    text: `select split_part(substr(s.key, 6), '/', 1) as hold, array_agg(s.first_seq order by s.first_seq) as seqs from submissions as s
           where s.ledger = $1 and s.key > 'hold:' and s.key < 'hold;'
             and not exists (select from holds as h where h.ledger = $2 and h.hold = split_part(substr(s.key, 6), '/', 1))
           group by 1 order by 1`,
    values: [operations, firstGeneration(operations)],
  })
  return rows.map(({ hold, seqs }) => ({ hold, seqs: seqs.map(Number) }))
}
