import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Difference } from '../verify/differences.ts'

/** Every statement on scrubs. Times are the database's, in microseconds. */

export interface ScrubFound extends Difference {
  /** How many the same look found. */
  count: number
}

export interface ScrubRow {
  ledger: LedgerName
  position: number
  pass: number
  startedAt: Micros
  passedAt: Micros | null
  passedTo: number | null
  found: ScrubFound | null
  foundAt: Micros | null
}

const columns = `ledger, position, pass, started_at as "startedAt", passed_at as "passedAt", passed_to as "passedTo", found, found_at as "foundAt"`

/** The pass under way of a ledger; the first one begins now. */
export async function openScrub(db: Queryable, ledger: LedgerName): Promise<ScrubRow & { clock: Micros }> {
  await db.query({
    name: 'begin_scrubs',
    text: 'insert into proofline_derived.scrubs (ledger, started_at) values ($1, clock_micros()) on conflict do nothing',
    values: [ledger],
  })
  const { rows } = await db.query<ScrubRow & { clock: Micros }>({
    name: 'open_scrub',
    text: `select ${columns}, clock_micros() as clock from proofline_derived.scrubs where ledger = $1`,
    values: [ledger],
  })
  const row = rows[0]
  if (row === undefined) throw new Error(`the scrub of ${ledger} was deleted just now`)
  return row
}

export async function listScrubs(db: Queryable, ledgers: readonly LedgerName[]): Promise<ScrubRow[]> {
  const { rows } = await db.query<ScrubRow>({
    name: 'list_scrubs',
    text: `select ${columns} from proofline_derived.scrubs where ledger = any($1) order by ledger`,
    values: [ledgers],
  })
  return rows
}

/** What was found stays as it was found first, until a whole pass did not find it. */
export async function keepFound(db: Queryable, ledger: LedgerName, found: ScrubFound): Promise<void> {
  await db.query({
    name: 'keep_scrub_found',
    text: `update proofline_derived.scrubs set found_pass = pass,
             found = case when found is null or (found->>'seq')::bigint >= $2 then $3::jsonb else found end,
             found_at = coalesce(found_at, clock_micros())
           where ledger = $1`,
    values: [ledger, found.seq, JSON.stringify(found)],
  })
}

/** A crash before it has the same stretch read again. */
export async function moveScrub(db: Queryable, ledger: LedgerName, position: number): Promise<void> {
  await db.query({
    name: 'move_scrub',
    text: 'update proofline_derived.scrubs set position = $2 where ledger = $1',
    values: [ledger, position],
  })
}

/** The pass came to the end of the ledger, and the next one may begin. */
export async function endPass(db: Queryable, ledger: LedgerName, size: number): Promise<void> {
  await db.query({
    name: 'end_scrub_pass',
    text: `update proofline_derived.scrubs set passed_at = clock_micros(), passed_to = $2,
             found = case when found_pass = pass then found end, found_at = case when found_pass = pass then found_at end
           where ledger = $1`,
    values: [ledger, size],
  })
}

export async function beginPass(db: Queryable, ledger: LedgerName): Promise<void> {
  await db.query({
    name: 'begin_scrub_pass',
    text: 'update proofline_derived.scrubs set position = 0, pass = pass + 1, started_at = clock_micros() where ledger = $1',
    values: [ledger],
  })
}
