import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'

/**
 * Every statement on `decisions`: what stands in the ledger `changes`, found by name, commit, build and time. Answers are in order of seq and end
 * below `size`, which makes them answers as of it.
 */

/** `rejection`s are not among them. */
export const decisionKinds = ['build', 'contract', 'gate', 'deployment', 'disposition', 'report'] as const
export type DecisionKind = (typeof decisionKinds)[number]

export interface Decision {
  seq: number
  kind: DecisionKind
  repository: string
  /**
   * build: its name. contract: its version. gate: the build, else the commit; an override: the id of the gate. deployment: its
   * id. disposition: the kind of its target. report: its digest.
   */
  name: string
  commit: string | null
  build: string | null
  environment: string | null
  /** Of a gate, not of what overrides one; of a deployment the decision that it rests on. */
  verdict: string | null
  /** What a disposition is about. */
  subject: string | null
  recordedAt: Micros
  /** Of the record. */
  id: string
  /** The record as JSON text. */
  fields: string
}

export const decisionColumns =
  'seq, kind, repository, name, commit, build, environment, verdict, subject, recorded_at as "recordedAt", id, fields'

/** Of one repository, kind and name. */
export async function decisionsByName(
  db: Queryable,
  ledger: LedgerName,
  size: number,
  { repository, kind, name }: { repository: string; kind: DecisionKind; name: string },
): Promise<Decision[]> {
  const { rows } = await db.query<Decision>({
    name: 'decisions_by_name',
    text: `select ${decisionColumns} from proofline_derived.decisions
           where ledger = $1 and repository = $2 and kind = $3 and name = $4 and seq < $5 order by seq`,
    values: [ledger, repository, kind, name, size],
  })
  return rows
}

export async function decisionsOfCommit(db: Queryable, ledger: LedgerName, size: number, repository: string, commit: string): Promise<Decision[]> {
  const { rows } = await db.query<Decision>({
    name: 'decisions_of_commit',
    text: `select ${decisionColumns} from proofline_derived.decisions where ledger = $1 and repository = $2 and commit = $3 and seq < $4 order by seq`,
    values: [ledger, repository, commit, size],
  })
  return rows
} // oxfmt-ignore

export async function decisionsOfBuild(db: Queryable, ledger: LedgerName, size: number, repository: string, build: string): Promise<Decision[]> {
  const { rows } = await db.query<Decision>({
    name: 'decisions_of_build',
    text: `select ${decisionColumns} from proofline_derived.decisions where ledger = $1 and repository = $2 and build = $3 and seq < $4 order by seq`,
    values: [ledger, repository, build, size],
  })
  return rows
} // oxfmt-ignore

/** Of one repository, by recorded_at, half-open. */
export async function deploymentsBetween(
  db: Queryable,
  ledger: LedgerName,
  size: number,
  repository: string,
  { from, to }: { from: Micros; to: Micros },
): Promise<Decision[]> {
  const { rows } = await db.query<Decision>({
    name: 'deployments_between',
    text: `select ${decisionColumns} from proofline_derived.decisions where ledger = $1 and repository = $2 and kind = 'deployment'
             and recorded_at >= $3 and recorded_at < $4 and seq < $5 order by seq`,
    values: [ledger, repository, from, to, size],
  })
  return rows
}

/** Of some kinds, from `from` on and below `size`, in order; at most `limit`. */
export async function decisionsFrom(
  db: Queryable,
  ledger: LedgerName,
  kinds: readonly DecisionKind[],
  { from, size, limit }: { from: number; size: number; limit: number },
): Promise<Decision[]> {
  const { rows } = await db.query<Decision>({
    name: 'decisions_from',
    text: `select ${decisionColumns} from proofline_derived.decisions
           where ledger = $1 and seq >= $2 and seq < $3 and kind = any($4) order by seq limit $5`,
    values: [ledger, from, size, kinds, limit],
  })
  return rows
}

/** Repositories about which something stands there. `*`, the default of an org, is one. */
export async function decidedRepositories(db: Queryable, ledger: LedgerName, size: number): Promise<string[]> {
  const { rows } = await db.query<{ repository: string }>({
    name: 'decided_repositories',
    // From one name to the next: a repository with a hundred thousand decisions costs what another one does.
    text: `with recursive names as (
             (select repository from proofline_derived.decisions where ledger = $1 order by repository limit 1)
             union all
             select (select d.repository from proofline_derived.decisions d where d.ledger = $1 and d.repository > names.repository order by 1 limit 1)
             from names where names.repository is not null)
           select repository from names where repository is not null
             and exists (select 1 from proofline_derived.decisions d where d.ledger = $1 and d.repository = names.repository and d.seq < $2)
           order by repository`,
    values: [ledger, size],
  })
  return rows.map(({ repository }) => repository)
}

/** In the transaction that moves the position. */
export async function insertDecisions(db: Queryable, ledger: LedgerName, decisions: readonly Decision[]): Promise<void> {
  if (decisions.length === 0) return
  const of = <K extends keyof Decision>(key: K): Decision[K][] => decisions.map((one) => one[key])
  await db.query({
    name: 'insert_decisions',
    text: `insert into proofline_derived.decisions (ledger, seq, kind, repository, name, commit, build, environment, verdict, subject, recorded_at, id, fields)
           select $1, * from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[])`,
    values: [ledger, of('seq'), of('kind'), of('repository'), of('name'), of('commit'), of('build'), of('environment'), of('verdict'), of('subject'), of('recordedAt'), of('id'), of('fields')],
  })
} // oxfmt-ignore

export async function deleteDecisions(db: Queryable, ledger: LedgerName): Promise<void> {
  await db.query({
    text: 'delete from proofline_derived.decisions where ledger = $1',
    values: [ledger],
    timeoutMs: 600_000,
  })
}
