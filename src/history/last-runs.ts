import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'

/** What the tables say of all repositories of a ledger, below a size: for answers about many of them, which would take too long one by one. */

export interface KnownRepository {
  ledger: LedgerName
  id: number
  repository: string
}

/** Repositories of which a run was declared, or has ended, below the size of its ledger. */
export async function knownRepositories(
  db: Queryable,
  sizes: readonly { ledger: LedgerName; size: number }[],
): Promise<KnownRepository[]> {
  const { rows } = await db.query<KnownRepository>({
    name: 'history_known_repositories',
    text: `select ledger, repository_id as id, repository from proofline_derived.history_repositories as r join unnest($1::text[], $2::bigint[]) as a(ledger, size) using (ledger)
           where exists (select from proofline_derived.history_declared as d where d.ledger = r.ledger and d.repository_id = r.repository_id and d.seq < a.size)
              or exists (select from proofline_derived.history_runs as e where e.ledger = r.ledger and e.repository_id = r.repository_id and e.seq < a.size)`,
    values: [sizes.map(({ ledger }) => ledger), sizes.map(({ size }) => size)],
    timeoutMs: 60_000,
  })
  return rows
} // oxfmt-ignore

export interface LastRun {
  id: number
  suite: string
  run: string
  ref: string
  commit: string
  recordedAt: Micros
  reasons: string
}

/** Of each suite the last run that was sealed, and the last that counts, which may be the same. */
export async function lastRuns(db: Queryable, ledger: LedgerName, size: number, ids: readonly number[]): Promise<{ sealed: LastRun[]; counting: LastRun[] }> {
  const of = async (which: 'sealed' | 'counting'): Promise<LastRun[]> => {
    const { rows } = await db.query<LastRun>({
      name: `history_last_${which}`,
      text: `select distinct on (repository_id, suite) repository_id as id, suite, run, ref, encode(commit, 'hex') as commit, recorded_at as "recordedAt", reasons
             from proofline_derived.history_runs where ledger = $1 and repository_id = any($2) and seq < $3 and ${which === 'sealed' ? "reasons <> 'abandoned'" : "reasons = ''"}
             order by repository_id, suite, seq desc`,
      values: [ledger, ids, size],
      timeoutMs: 60_000,
    })
    return rows
  }
  const [sealed, counting] = await Promise.all([of('sealed'), of('counting')])
  return { sealed, counting }
} // oxfmt-ignore
