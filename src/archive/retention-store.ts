import type { Queryable } from '../database/database.ts'
import { type LedgerName, firstGeneration } from '../record/record.ts'
import type { Day } from './calendar.ts'

/** Every statement on retention_settings and detached_months; the rules stand in the functions of migration 0017. What an org promised
 * stands under the first generation of its `operations`, whichever is recorded in: a loss lowers no promise. */

/** SQLSTATEs of these functions. */
export const refusals = { detach: 'PL004', ratchet: 'PL005', expire: 'PL006' } as const

export type TestTypePart = 'unit' | 'integration' | 'other'
export const testTypeParts: readonly TestTypePart[] = ['unit', 'integration', 'other']

/** Puts down how long records of the org stay; false when it is so already. Fails with PL005 when `kept` would be lowered. */
export async function setRetention(
  db: Queryable,
  operations: LedgerName,
  online: number,
  kept: number | null,
): Promise<boolean> {
  const { rows } = await db.query<{ news: boolean }>({
    text: 'select set_retention($1, $2, $3) as news',
    values: [firstGeneration(operations), online, kept],
  })
  return rows[0]?.news === true
}

export interface RetentionRow {
  n: number
  online: number
  /** Null for ever. */
  kept: number | null
}

/** What counts now. */
export async function readRetention(db: Queryable, operations: LedgerName): Promise<RetentionRow | undefined> {
  const { rows } = await db.query<RetentionRow>({
    text: 'select n, online, kept from retention_settings where ledger = $1 order by n desc limit 1',
    values: [firstGeneration(operations)],
  })
  return rows[0]
}

/** What the keys of the records of promises begin with. */
export const settingsKey = 'retention:settings:'

/**
 * `retention` records of promises that have no row, in all generations of `operations`: each row has one, in the same order. A later
 * generation begins with what stood then, said again, which is no news to whoever puts it down.
 */
export async function settingsWithoutRow(
  db: Queryable,
  operations: readonly [LedgerName, ...LedgerName[]],
): Promise<{ ledger: LedgerName; seq: number }[]> {
  const { rows } = await db.query<{ ledger: LedgerName; seq: number }>({
    name: 'settings_without_row',
    text: `select s.ledger, s.first_seq as seq from unnest($1::text[]) with ordinality as g(ledger, n) join submissions as s on s.ledger = g.ledger
           where s.key > '${settingsKey}' and s.key < 'retention:settings;'
           order by g.n, s.first_seq offset (select count(*) from retention_settings where ledger = $2)`,
    values: [operations, firstGeneration(operations[0])],
  })
  return rows
}

/** Months that are still in the tables, oldest first. */
export async function attachedMonths(db: Queryable, testType: TestTypePart): Promise<Day[]> {
  const { rows } = await db.query<{ month: Day }>({
    text: `select to_char(month, 'YYYY-MM-DD') as month from attached_months($1) as m(month)`,
    values: [testType],
  })
  return rows.map(({ month }) => month)
}

export interface Detached {
  ledgers: { ledger: LedgerName; first_seq: number; next_seq: number }[]
  leaf_hashes: number
  dictionaries: number
}

const detachTimeoutMs = 3_600_000

/**
 * One transaction; undefined when there is no such month any more. Fails with PL004 when a condition is not met. What a broken connection
 * leaves is all or nothing, and asking again is safe.
 */
export async function detachMonth(db: Queryable, testType: TestTypePart, month: Day): Promise<Detached | undefined> {
  const { rows } = await db.query<{ told: Detached | null }>({
    text: 'select detach_month($1, $2::date) as told',
    values: [testType, month],
    timeoutMs: detachTimeoutMs,
  })
  return rows[0]?.told ?? undefined
}

export interface DetachedMonth extends Pick<Detached, 'ledgers'> {
  testType: TestTypePart
  month: Day
}

/** Months that left the tables and of which no `retention` record says so yet. */
export async function unrecordedMonths(db: Queryable, operations: LedgerName): Promise<DetachedMonth[]> {
  const { rows } = await db.query<DetachedMonth>({
    text: `select test_type as "testType", to_char(month, 'YYYY-MM-DD') as month,
             jsonb_agg(jsonb_build_object('ledger', ledger, 'first_seq', first_seq, 'next_seq', next_seq) order by ledger) as ledgers
           from detached_months as d where split_part(ledger, '/', 1) = split_part($1, '/', 1)
             and not exists (select from submissions as s where s.ledger = $1 and s.key = 'retention:detached:' || d.test_type || '/' || to_char(d.month, 'YYYY-MM'))
           group by test_type, month order by month, test_type`,
    values: [operations],
  })
  return rows
}
