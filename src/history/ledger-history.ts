import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import { findRepository, splitHex } from './load-memory.ts'
import type { PartLayout } from './rows.ts'

/**
 * The runs of one repository in one ledger, kept in memory between questions: rows are only inserted, in the order of the ledger, so what is held
 * is extended and never changed. What a question sees of it ends at its own size.
 */
export interface LedgerHistory {
  readonly ledger: LedgerName
  readonly id: number
  /** In order of seq, like everything here. */
  readonly runs: RunFacts[]
  readonly declared: DeclaredRun[]
  readonly rejections: Rejection[]
  readonly commits: CommitTold[]
  readonly inventories: InventoryFacts[]
  /** Path ids of records, by layout. */
  readonly layouts: Map<number, readonly number[]>
}

export interface RunFacts {
  /** Of the seal, or of the abandonment. */
  seq: number
  run: string
  suite: string
  ref: string
  commit: string
  recordedAt: number
  /** Why it does not count; empty when it counts. */
  reasons: readonly string[]
  production: string | undefined
  /** Index of the run that it is stored as a difference to; -1 for none. */
  base: number
  parts: readonly PartLayout[]
}

export interface DeclaredRun {
  /** Of the `run` record. */
  seq: number
  run: string
  suite: string
  ref: string
  commit: string
  recordedAt: number
}

/** What was refused; run and commit as far as they were told. */
export interface Rejection {
  seq: number
  recordedAt: number
  run: string | undefined
  commit: string | undefined
  reason: string
}

export interface CommitTold {
  seq: number
  commit: string
  committedAt: string | undefined
  parents: readonly string[]
}

export interface InventoryFacts {
  seq: number
  commit: string
  base: number
}

export interface Histories {
  /** With everything below `size`; undefined where the ledger knows nothing of the repository. `generation`: of the position. */
  open(ledger: LedgerName, repository: string, generation: number, size: number): Promise<LedgerHistory | undefined>
}

/** Runs held at once: some 400 bytes each. */
const maxRuns = 300_000

export function createHistories(db: Queryable): Histories {
  const held = new Map<string, { history: LedgerHistory; generation: number; next: number; extending: Promise<void> }>()

  const begin = async (ledger: LedgerName, repository: string, generation: number) => {
    const id = await findRepository(db, ledger, repository)
    if (id === undefined) return undefined
    const history: LedgerHistory = {
      ledger,
      id,
      runs: [],
      declared: [],
      rejections: [],
      commits: [],
      inventories: [],
      layouts: new Map(),
    }
    return { history, generation, next: 0, extending: Promise.resolve() }
  }

  return {
    async open(ledger, repository, generation, size) {
      const key = `${ledger} ${repository}`
      let known = held.get(key)
      if (known?.generation !== generation) known = await begin(ledger, repository, generation)
      if (known === undefined) return undefined
      held.delete(key)
      held.set(key, known)
      const entry = known
      // One after the other: two questions at once must not append the same rows twice. One that failed is tried again by the next.
      const extended = entry.extending.then(async () => {
        if (entry.next >= size) return
        await extend(db, entry.history, entry.next, size)
        entry.next = size
      })
      entry.extending = extended.catch(() => {})
      await extended
      let runs = [...held.values()].reduce((sum, { history }) => sum + history.runs.length, 0)
      for (const [name, { history }] of held) {
        if (runs <= maxRuns || held.size === 1) break
        held.delete(name)
        runs -= history.runs.length
      }
      return entry.history
    },
  }
}

const timeoutMs = 60_000

/** All rows of [from, to) are read before any is taken over, so that a failure leaves what was there. */
async function extend(db: Queryable, history: LedgerHistory, from: number, to: number): Promise<void> {
  const values = [history.ledger, history.id, from, to]
  const [runs, declared, rejections, commits, inventories] = await Promise.all([
    db.query<Omit<RunFacts, 'reasons' | 'parts' | 'production'> & { reasons: string; parts: string | null; production: string | null }>({
      name: 'history_runs_between',
      text: `select seq, run, suite, ref, encode(commit, 'hex') as commit, recorded_at as "recordedAt", reasons, encode(production, 'hex') as production, base, parts
             from proofline_derived.history_runs where ledger = $1 and repository_id = $2 and seq >= $3 and seq < $4 order by seq`,
      values, timeoutMs,
    }),
    db.query<DeclaredRun>({
      name: 'history_declared_between',
      text: `select seq, run, suite, ref, encode(commit, 'hex') as commit, recorded_at as "recordedAt"
             from proofline_derived.history_declared where ledger = $1 and repository_id = $2 and seq >= $3 and seq < $4 order by seq`,
      values, timeoutMs,
    }),
    db.query<Omit<Rejection, 'run' | 'commit'> & { run: string | null; commit: string | null }>({
      name: 'history_rejections_between',
      text: `select seq, recorded_at as "recordedAt", run, commit, reason
             from proofline_derived.history_rejections where ledger = $1 and repository_id = $2 and seq >= $3 and seq < $4 order by seq`,
      values, timeoutMs,
    }),
    db.query<{ seq: number; commit: string; committedAt: string | null; parents: string }>({
      name: 'history_commits_between',
      text: `select seq, encode(commit, 'hex') as commit, committed_at as "committedAt", encode(parents, 'hex') as parents
             from proofline_derived.history_commits where ledger = $1 and repository_id = $2 and seq >= $3 and seq < $4 order by seq`,
      values, timeoutMs,
    }),
    db.query<InventoryFacts>({
      name: 'history_inventories_between',
      text: `select seq, encode(commit, 'hex') as commit, base
             from proofline_derived.history_inventories where ledger = $1 and repository_id = $2 and seq >= $3 and seq < $4 order by seq`,
      values, timeoutMs,
    }),
  ]) // oxfmt-ignore
  for (const { reasons, parts, production, base, ...row } of runs.rows)
    history.runs.push({
      ...row,
      reasons: reasons === '' ? [] : reasons.split(','),
      production: production ?? undefined,
      base: indexOfSeq(history.runs, base),
      parts: parts === null ? [] : (JSON.parse(parts) as PartLayout[]), // written by plan-step.ts
    })
  for (const row of declared.rows) history.declared.push(row)
  for (const { run, commit, ...row } of rejections.rows)
    history.rejections.push({ ...row, run: run ?? undefined, commit: commit ?? undefined })
  for (const { seq, commit, committedAt, parents } of commits.rows)
    history.commits.push({ seq, commit, committedAt: committedAt ?? undefined, parents: splitHex(parents, commit.length) })
  for (const { seq, commit, base } of inventories.rows)
    history.inventories.push({ seq, commit, base: indexOfSeq(history.inventories, base) })
} // oxfmt-ignore

/** Index of the row with this seq; -1 when there is none. */
function indexOfSeq(rows: readonly { seq: number }[], seq: number): number {
  const index = countBelow(rows, seq)
  return rows[index]?.seq === seq ? index : -1
}

/** How many rows stand below a size. */
export function countBelow(rows: readonly { seq: number }[], size: number): number {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle]?.seq ?? 0) < size) low = middle + 1
    else high = middle
  }
  return low
}
