import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'

/** What is asked of seals and submissions to find evidence that is missing. Reads only. */

/** Runs that were declared before `before` and have no end, in order of their names; at most `limit` behind `after`. */
export async function openRunsBefore(
  db: Queryable,
  ledger: LedgerName,
  before: Micros,
  after: string,
  limit: number,
): Promise<{ run: string; declaredAt: Micros }[]> {
  const { rows } = await db.query<{ run: string; declaredAt: Micros }>({
    name: 'open_runs_before',
    text: `select substr(r.key, 5) as run, r.first_time as "declaredAt" from submissions as r
           where r.ledger = $1 and r.key > 'run:' || $3 and r.key < 'run;' and r.first_time <= $2
             and not exists (select from submissions as e where e.ledger = $1 and e.key = 'end:' || substr(r.key, 5))
           order by r.key limit $4`,
    values: [ledger, before, after, limit],
    timeoutMs: 60_000,
  })
  return rows
}

export interface SealPlace {
  repository: string
  suite: string
  ref: string
  seq: number
}

/** Seals that count, from `from` on and before `to`, the newest `limit` of them in order. */
export async function sealsBetween(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  to: number,
  limit: number,
): Promise<SealPlace[]> {
  const { rows } = await db.query<SealPlace>({
    name: 'seals_between',
    text: `select * from (select repository, suite, ref, seq from seals where ledger = $1 and seq >= $2 and seq < $3 and admitted
             order by seq desc limit $4) as newest order by seq`,
    values: [ledger, from, to, limit],
    timeoutMs: 60_000,
  })
  return rows
}

/** The newest seal that counts of each ref of a suite. */
export async function lastCountingByRef(
  db: Queryable,
  ledger: LedgerName,
  repository: string,
  suite: string,
): Promise<{ ref: string; seq: number }[]> {
  const { rows } = await db.query<{ ref: string; seq: number }>({
    name: 'last_counting_by_ref',
    text: `select ref, max(seq) as seq from seals where ledger = $1 and repository = $2 and suite = $3 and admitted
             and seq >= (select coalesce(max(next_seq), 0) from expired_days where ledger = $1) group by ref`,
    values: [ledger, repository, suite],
  })
  return rows
}

/** Repositories of which a seal or a contract is known. `*` is the org's default. */
export async function knownRepositories(
  db: Queryable,
  ofRuns: readonly LedgerName[],
  changes: LedgerName,
): Promise<string[]> {
  const { rows } = await db.query<{ repository: string }>({
    name: 'known_repositories',
    text: `select distinct repository from seals where ledger = any($1::text[])
           union select distinct substring(key from '^contract:(.*)@[0-9]+$') from submissions
           where ledger = $2 and key > 'contract:' and key < 'contract;' order by repository`,
    values: [ofRuns, changes],
    timeoutMs: 60_000,
  })
  return rows.map(({ repository }) => repository)
}

/** Rejections from `from` on and before `to`, the newest `limit` of them in order. */
export async function rejectionsBetween(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  to: number,
  limit: number,
): Promise<{ seq: number; at: Micros }[]> {
  const { rows } = await db.query<{ seq: number; at: Micros }>({
    name: 'rejections_between',
    text: `select * from (select first_seq as seq, first_time as at from submissions where ledger = $1 and key > 'reject:' and key < 'reject;'
             and first_seq >= $2 and first_seq < $3 order by first_seq desc limit $4) as newest order by seq`,
    values: [ledger, from, to, limit],
    timeoutMs: 60_000,
  })
  return rows
}
