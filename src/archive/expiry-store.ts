import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { Day } from './calendar.ts'

/** Every statement on expired_days and destroyed_days, and what of day_artifacts may go with a day. */

export interface ExpirableDay {
  day: Day
  first: number
  next: number
  /** SHA-256 of its manifest's payload, hex. */
  manifest: string
  repositories: string[]
}

/** Days that have left the tables, are not expired, and lie before `before`; oldest first; with the hold that keeps each, if one does. */
export async function daysBefore(
  db: Queryable,
  ledger: LedgerName,
  before: Day,
  after: Day | undefined,
  limit: number,
): Promise<(ExpirableDay & { hold: string | null })[]> {
  const { rows } = await db.query<ExpirableDay & { hold: string | null }>({
    name: 'days_before',
    text: `select to_char(d.day, 'YYYY-MM-DD') as day, d.first_seq as first, d.next_seq as next, encode(d.manifest, 'hex') as manifest, d.repositories,
             (select h.hold from active_holds as h where h.ledger = split_part($1, '/', 1) || '/operations' and h.repository = any(d.repositories)
                and d.day >= coalesce(h.from_day, d.day) and d.day <= coalesce(h.to_day, d.day) order by h.hold limit 1) as hold
           from cold_days as d where d.ledger = $1 and d.day < $2::date and d.day > coalesce($3::date, '-infinity')
             and not exists (select from expired_days as e where e.ledger = d.ledger and e.day = d.day)
             and exists (select from detached_months as m where m.ledger = d.ledger and m.next_seq >= d.next_seq)
           order by d.day limit $4`,
    values: [ledger, before, after ?? null, limit],
  })
  return rows
}

/** Fails with PL006 when a condition is not met; false when it was expired before. */
export async function expireDay(db: Queryable, ledger: LedgerName, day: Day): Promise<boolean> {
  const { rows } = await db.query<{ done: boolean }>({
    text: 'select expire_day($1, $2::date) as done',
    values: [ledger, day],
  })
  return rows[0]?.done === true
}

/** Days that are expired and whose files may still be there. */
export async function undestroyedDays(db: Queryable, ledger: LedgerName): Promise<ExpirableDay[]> {
  const { rows } = await db.query<ExpirableDay>({
    text: `select to_char(e.day, 'YYYY-MM-DD') as day, e.first_seq as first, e.next_seq as next, encode(d.manifest, 'hex') as manifest, d.repositories
           from expired_days as e join cold_days as d on d.ledger = e.ledger and d.day = e.day
           where e.ledger = $1 and not exists (select from destroyed_days as x where x.ledger = e.ledger and x.day = e.day) order by e.day`,
    values: [ledger],
  })
  return rows
}

/** Artifacts that a day names and no archived day that is still there does, of any ledger of the org. Lower-case hex. */
export async function loneArtifacts(
  db: Queryable,
  ledger: LedgerName,
  day: Day,
  ledgers: readonly LedgerName[],
): Promise<string[]> {
  const { rows } = await db.query<{ sha256: string }>({
    text: `select encode(a.sha256, 'hex') as sha256 from day_artifacts as a where a.ledger = $1 and a.day = $2::date
             and not exists (select from day_artifacts as b where b.ledger = any($3::text[]) and b.sha256 = a.sha256
               and not exists (select from expired_days as e where e.ledger = b.ledger and e.day = b.day))`,
    values: [ledger, day, ledgers],
    timeoutMs: 60_000,
  })
  return rows.map(({ sha256 }) => sha256)
}

/** Everything of the day that could be deleted is. */
export async function insertDestroyed(
  db: Queryable,
  ledger: LedgerName,
  day: Day,
  files: number,
  artifacts: number,
): Promise<void> {
  await db.query({
    text: `insert into destroyed_days (ledger, day, files, artifacts, at) values ($1, $2::date, $3, $4, clock_micros()) on conflict do nothing`,
    values: [ledger, day, files, artifacts],
  })
}
