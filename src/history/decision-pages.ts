import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import { type Decision, type DecisionKind, decisionColumns } from './decision-store.ts'

/** Pages of what stands in `changes`, newest first, and what was noted about something. Each costs what it shows: whatever is asked for is found by an index and not passed over. */

export interface DecisionFilter {
  kind: DecisionKind
  /** Undefined: all. */
  repositories: readonly string[] | undefined
  /** Seqs, half-open. */
  from: number
  before: number
  limit: number
  /** The commit, or how it begins. */
  commit?: string | undefined
  build?: string | undefined
  environment?: string | undefined
  /** Of a gate, or the decision of a deployment. */
  verdict?: string | undefined
  /** What a disposition is about. */
  target?: string | undefined
}

/** Gates without what overrode them: an override has no verdict of its own. */
export async function newestDecisions(db: Queryable, ledger: LedgerName, filter: DecisionFilter): Promise<Decision[]> {
  const { kind, repositories, from, before, limit, commit, build, environment, verdict, target } = filter
  const values: unknown[] = [ledger, kind, from, before, limit]
  const pieces: string[] = []
  const where = (name: string, text: (n: string) => string, given: string | undefined): string[] => {
    if (given === undefined) return []
    pieces.push(name)
    return [text(`$${values.push(given)}`)]
  }
  // Of one commit or build there are few, and in whichever order: they are read first, else the planner may look for them along the whole list.
  const named = [
    ...where('commit', (n) => `commit >= ${n} and commit < ${n} || 'g'`, commit),
    ...where('build', (n) => `build = ${n}`, build),
  ]
  const others = [
    ...where('environment', (n) => `environment = ${n}`, environment),
    ...where('verdict', (n) => `verdict = ${n}`, verdict),
    ...where('target', (n) => `name = ${n}`, target),
    ...(kind === 'gate' ? ['verdict is not null'] : []),
  ]
  const window = ['ledger = $1', 'kind = $2', 'seq >= $3', 'seq < $4', ...others]
  const page = (source: string, conditions: readonly string[]): string =>
    `select ${decisionColumns} from ${source} where ${conditions.join(' and ')} order by seq desc limit $5`
  if (repositories !== undefined) values.push(repositories)
  const given = `unnest($${values.length}::text[])`
  const text =
    named.length > 0 && repositories !== undefined
      ? `with named as materialized (select * from proofline_derived.decisions where ledger = $1 and repository = any($${values.length}) and ${named.join(' and ')}) ${page('named', window)}`
      : repositories === undefined
        ? page('proofline_derived.decisions', [...window, ...named])
        : // The newest of each repository, of which the newest: a list over several is not read to its end either.
          `select own.* from ${given} as of (name) cross join lateral (${page('proofline_derived.decisions', ['repository = of.name', ...window])}) as own order by seq desc limit $5` // oxfmt-ignore
  const { rows } = await db.query<Decision>({
    name: `newest_decisions_${[kind === 'gate' ? 'gate' : 'any', repositories === undefined ? 'all' : 'in', ...pieces].join('_')}`,
    text,
    values,
  })
  return rows
} // oxfmt-ignore

/** Whether a record stands there: where a page is to begin. */
export async function isDecision(db: Queryable, ledger: LedgerName, seq: number, id: string): Promise<boolean> {
  const { rows } = await db.query({
    name: 'decision_at',
    text: 'select 1 from proofline_derived.decisions where ledger = $1 and seq = $2 and id = $3',
    values: [ledger, seq, id],
  })
  return rows.length > 0
}

/** What overrides these gates: by what the records say, since a build may be named like one. In order of seq. */
export async function overridesOf(db: Queryable, ledger: LedgerName, size: number, gates: readonly string[]): Promise<Decision[]> {
  const { rows } = await db.query<Decision>({
    name: 'overrides_of',
    text: `select ${decisionColumns} from proofline_derived.decisions
           where ledger = $1 and kind = 'gate' and name = any($2) and verdict is null and seq < $3 order by seq`,
    values: [ledger, gates, size],
  })
  return rows
} // oxfmt-ignore

/** What people noted about these, in one repository; in order of seq. `subjects` as dispositions name them. */
export async function dispositionsAbout(
  db: Queryable,
  ledger: LedgerName,
  size: number,
  repository: string,
  subjects: readonly string[],
): Promise<Decision[]> {
  const { rows } = await db.query<Decision>({
    name: 'dispositions_about',
    text: `select ${decisionColumns} from proofline_derived.decisions
           where ledger = $1 and repository = $2 and subject = any($3) and seq < $4 order by seq`,
    values: [ledger, repository, subjects, size],
  })
  return rows
}

/**
 * What people noted about these files and about lines of them; in order of seq. Costs what there are fewer of: the notes on files of the
 * repository, or the files.
 */
export async function dispositionsOnFiles(
  db: Queryable,
  ledger: LedgerName,
  size: number,
  repository: string,
  paths: readonly string[],
): Promise<Decision[]> {
  if (paths.length <= fewPaths) return dispositionsByPath(db, ledger, size, repository, paths)
  const all = await dispositionsOnAnyFile(db, ledger, size, repository, paths.length + 1)
  if (all.length > paths.length) return dispositionsByPath(db, ledger, size, repository, paths)
  const asked = new Set(paths)
  return all.filter(({ fields }) => {
    const { target } = JSON.parse(fields) as { target: { path?: string } } // by dispositionPayload
    return target.path !== undefined && asked.has(target.path)
  })
}

/** A look into the index for each costs less than to find out how many notes there are. */
const fewPaths = 8

async function dispositionsOnAnyFile(db: Queryable, ledger: LedgerName, size: number, repository: string, limit: number): Promise<Decision[]> {
  const { rows } = await db.query<Decision>({
    name: 'dispositions_on_any_file',
    text: `select ${decisionColumns} from proofline_derived.decisions
           where ledger = $1 and repository = $2 and kind = 'disposition' and name in ('file', 'lines') and seq < $3 order by seq limit $4`,
    values: [ledger, repository, size, limit],
  })
  return rows
} // oxfmt-ignore

/** Behind the path and a colon there are numbers: where there is another colon it is the note of a longer path. */
async function dispositionsByPath(db: Queryable, ledger: LedgerName, size: number, repository: string, paths: readonly string[]): Promise<Decision[]> {
  const of = 'select * from proofline_derived.decisions where ledger = $1 and repository = $2 and seq < $4'
  const { rows } = await db.query<Decision>({
    name: 'dispositions_by_path',
    text: `select ${decisionColumns} from unnest($3::text[]) as asked (path) cross join lateral (
             ${of} and subject = 'file:' || asked.path
             union all
             ${of} and subject > 'lines:' || asked.path || ':' and subject < 'lines:' || asked.path || ';'
               and strpos(substr(subject, length('lines:' || asked.path || ':') + 1), ':') = 0) as noted
           order by seq`,
    values: [ledger, repository, paths, size],
  })
  return rows
} // oxfmt-ignore
