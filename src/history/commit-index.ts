import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { DecisionKind } from './decision-store.ts'

/** Where to begin when only a commit or a name is known: without reading all of a repository, and without knowing which one it is. */

export interface DeclaredAt {
  /** Of the `run` record. */
  seq: number
  run: string
  recordedAt: Micros
}

/** Runs of a commit that were declared below `size`, newest first, and how many there are. */
export async function declaredOfCommit(
  db: Queryable,
  ledger: LedgerName,
  size: number,
  { repository, commit }: { repository: string; commit: string },
  limit: number,
): Promise<{ runs: DeclaredAt[]; count: number }> {
  const { rows } = await db.query<DeclaredAt & { count: number }>({
    name: 'declared_of_commit',
    text: `select d.seq, d.run, d.recorded_at as "recordedAt", count(*) over () as count
           from proofline_derived.history_declared d join proofline_derived.history_repositories r using (ledger, repository_id)
           where d.ledger = $1 and d.commit = $2 and r.repository = $3 and d.seq < $4 order by d.seq desc limit $5`,
    values: [ledger, Buffer.from(commit, 'hex'), repository, size, limit],
  })
  return { runs: rows, count: rows[0]?.count ?? 0 }
}

export interface FoundCommit {
  repository: string
  commit: string
}

/** Where a search for a name goes on: of one repository, or of all in order, behind the last that was found. */
export interface NameSearch {
  repository: string | undefined
  after: FoundCommit | undefined
  limit: number
}

/** Commits that begin with these hex digits, of which a run was declared below `size`, by repository. */
export async function commitsWith(
  db: Queryable,
  ledger: LedgerName,
  size: number,
  prefix: string,
  { repository, after, limit }: NameSearch,
): Promise<FoundCommit[]> {
  const [low, high] = ['0', 'f'].map((digit) => Buffer.from(prefix.padEnd(prefix.length + (prefix.length % 2), digit), 'hex'))
  const { rows } = await db.query<FoundCommit>({
    name: 'commits_with',
    text: `select distinct r.repository, encode(d.commit, 'hex') as commit
           from proofline_derived.history_declared d join proofline_derived.history_repositories r using (ledger, repository_id)
           where d.ledger = $1 and d.commit >= $2 and d.commit <= $3 || decode(repeat('ff', 32), 'hex') and d.seq < $4
             and ($5::text is null or r.repository = $5) and ($6::text is null or (r.repository, d.commit) > ($6, $7)) order by 1, 2 limit $8`,
    values: [ledger, low, high, size, repository ?? null, after?.repository ?? null, after === undefined ? null : Buffer.from(after.commit, 'hex'), limit],
  })
  return rows
} // oxfmt-ignore

/** Repositories that have a build or a deployment of this name below `size`, in order. */
export async function repositoriesNaming(
  db: Queryable,
  ledger: LedgerName,
  size: number,
  { kind, name }: { kind: DecisionKind; name: string },
  { after, limit }: Pick<NameSearch, 'limit'> & { after: string | undefined },
): Promise<string[]> {
  const { rows } = await db.query<{ repository: string }>({
    name: 'repositories_naming',
    text: `select distinct repository from proofline_derived.decisions where ledger = $1 and kind = $2 and name = $3 and seq < $4 and repository > $5 order by 1 limit $6`,
    values: [ledger, kind, name, size, after ?? '', limit],
  })
  return rows.map(({ repository }) => repository)
}
