import type { Database, Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Day } from './calendar.ts'

/** Every statement on cold_days and day_artifacts. Rows are only inserted. */

export interface ColdDay {
  day: Day
  /** Records [first, next). */
  first: number
  next: number
  lastTime: Micros
  root: Buffer
  /** SHA-256 of the manifest's payload. */
  manifest: Buffer
  bytes: number
  repositories: string[]
}

const columns = `to_char(day, 'YYYY-MM-DD') as day, first_seq as first, next_seq as next, last_time as "lastTime", root, manifest, bytes, repositories`

/** The newest day of a ledger that counts as archived. */
export async function newestColdDay(db: Queryable, ledger: LedgerName): Promise<ColdDay | undefined> {
  const { rows } = await db.query<ColdDay>({
    name: 'newest_cold_day',
    text: `select ${columns} from cold_days where ledger = $1 order by day desc limit 1`,
    values: [ledger],
  })
  return rows[0]
}

export async function findColdDay(db: Queryable, ledger: LedgerName, day: Day): Promise<ColdDay | undefined> {
  const { rows } = await db.query<ColdDay>({
    name: 'find_cold_day',
    text: `select ${columns} from cold_days where ledger = $1 and day = $2::date`,
    values: [ledger, day],
  })
  return rows[0]
}

/** The day that holds a record. */
export async function coldDayHolding(db: Queryable, ledger: LedgerName, seq: number): Promise<ColdDay | undefined> {
  const { rows } = await db.query<ColdDay>({
    name: 'cold_day_holding',
    text: `select ${columns} from cold_days where ledger = $1 and next_seq > $2 and first_seq <= $2 order by next_seq limit 1`,
    values: [ledger, seq],
  })
  return rows[0]
}

/** Days in their order, from the one behind `after` on; with whether they were expired since. */
export async function listColdDays(
  db: Queryable,
  ledger: LedgerName,
  after: Day | undefined,
  limit: number,
): Promise<(ColdDay & { expired: boolean })[]> {
  const { rows } = await db.query<ColdDay & { expired: boolean }>({
    name: 'list_cold_days',
    text: `select ${columns}, exists (select from expired_days as e where e.ledger = c.ledger and e.day = c.day) as expired from cold_days as c
           where ledger = $1 and day > coalesce($2::date, '-infinity') order by c.day limit $3`,
    values: [ledger, after ?? null, limit],
  })
  return rows
}

/**
 * Puts down that a day was read back and verified; the database demands that it continues the day before. A crash before leaves the files,
 * which the next try finds and verifies again.
 */
export async function insertColdDay(
  db: Database,
  ledger: LedgerName,
  day: ColdDay,
  artifacts: readonly string[],
): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query({
      name: 'insert_day_artifacts',
      text: `insert into day_artifacts (ledger, sha256, day) select $1, decode(a, 'hex'), $2::date from unnest($3::text[]) as u(a) on conflict do nothing`,
      values: [ledger, day.day, artifacts],
    })
    const { rows } = await tx.query<{ news: boolean }>({
      name: 'put_cold_day',
      text: 'select put_cold_day($1, $2::date, $3, $4, $5, $6, $7, $8, $9::text[]) as news',
      values: [ledger, day.day, day.first, day.next, day.lastTime, day.root, day.manifest, day.bytes, day.repositories],
    })
    if (rows[0]?.news === true) return
    const there = await findColdDay(tx, ledger, day.day)
    if (there === undefined || !there.manifest.equals(day.manifest))
      throw new Error(`${ledger} ${day.day}: another manifest of this day counts as archived`)
  })
}

/** Days of a month in the tables, with those behind it that hold records of it, that were not read back since `since`. */
export async function unreadDays(
  db: Queryable,
  ledger: LedgerName,
  testType: string,
  month: Day,
  since: Micros,
): Promise<ColdDay[]> {
  const { rows } = await db.query<ColdDay>({
    name: 'unread_days',
    text: `select ${columns} from cold_days as c where ledger = $1 and day in (
             select d from (select first_seq + count as next from segments where ledger = $1 and test_type = $2 and month = $3::date
               order by first_seq desc limit 1) as newest cross join lateral days_of_month($1, $3::date, newest.next) as d)
             and not exists (select from archive_readings as r where r.ledger = c.ledger and r.day = c.day and r.at >= $4) order by c.day`,
    values: [ledger, testType, month, since],
  })
  return rows
}

/** A crash before only means that the day is read once more. */
export async function insertReading(db: Queryable, ledger: LedgerName, day: Day): Promise<void> {
  const { rowCount } = await db.query({
    text: 'insert into archive_readings (ledger, day) values ($1, $2::date) returning 1',
    values: [ledger, day],
  })
  if (rowCount !== 1) throw new Error(`the reading of ${day} of ${ledger} was swallowed`)
} // oxfmt-ignore

/** Database time in microseconds. */
export async function readClock(db: Queryable): Promise<Micros> {
  const { rows } = await db.query<{ clock: number }>({ name: 'read_clock', text: 'select clock_micros() as clock' })
  const [row] = rows
  if (row === undefined) throw new Error('the database answered no clock')
  return row.clock
}

/** Whether its files may be gone. */
export async function isExpired(db: Queryable, ledger: LedgerName, day: Day): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'is_expired_day',
    text: 'select from expired_days where ledger = $1 and day = $2::date',
    values: [ledger, day],
  })
  return rowCount > 0
}

/** Days that count as archived, those of which expired included. */
export async function countDays(db: Queryable, ledger: LedgerName): Promise<{ days: number; expired: number }> {
  const { rows } = await db.query<{ days: number; expired: number }>({
    name: 'count_cold_days',
    text: `select (select count(*)::integer from cold_days where ledger = $1) as days,
             (select count(*)::integer from expired_days where ledger = $1) as expired`,
    values: [ledger],
  })
  return rows[0] ?? { days: 0, expired: 0 }
}
