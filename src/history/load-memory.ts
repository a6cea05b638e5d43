import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import {
  type DefinedState,
  type InventoryState,
  type Known,
  type RepositoryMemory,
  type RunState,
  emptyMemory,
  rememberCommit,
  rememberInventory,
  rememberRun,
} from './repository-memory.ts'

/** Reads back what the projection knew before it was started anew. */

export async function findRepository(db: Queryable, ledger: LedgerName, repository: string): Promise<number | undefined> {
  const { rows } = await db.query<{ id: number }>({
    name: 'find_history_repository',
    text: 'select repository_id as id from proofline_derived.history_repositories where ledger = $1 and repository = $2',
    values: [ledger, repository],
  })
  return rows[0]?.id
} // oxfmt-ignore

export async function countRepositories(db: Queryable, ledger: LedgerName): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    name: 'count_history_repositories',
    text: 'select count(*) as count from proofline_derived.history_repositories where ledger = $1',
    values: [ledger],
  })
  return rows[0]?.count ?? 0
}

const timeoutMs = 60_000

export async function loadRepository(db: Queryable, ledger: LedgerName, id: number): Promise<RepositoryMemory> {
  const memory = emptyMemory(id)
  const values = [ledger, id]
  const paths = await db.query<{ id: number; path: string }>({
    text: 'select path_id as id, path from proofline_derived.history_paths where ledger = $1 and repository_id = $2 order by path_id',
    values, timeoutMs,
  }) // oxfmt-ignore
  for (const row of paths.rows) memory.paths.set(Buffer.from(row.path).toString('latin1'), row.id)
  const layouts = await db.query<{ id: number; digest: string }>({
    text: `select layout_id as id, encode(digest, 'hex') as digest from proofline_derived.history_layouts where ledger = $1 and repository_id = $2 order by layout_id`,
    values, timeoutMs,
  }) // oxfmt-ignore
  for (const row of layouts.rows) memory.layouts.set(row.digest, row.id)
  const commits = await db.query<{ commit: string; committedAt: string | null; parents: string }>({
    text: `select encode(commit, 'hex') as commit, committed_at as "committedAt", encode(parents, 'hex') as parents
           from proofline_derived.history_commits where ledger = $1 and repository_id = $2 order by seq`,
    values, timeoutMs,
  }) // oxfmt-ignore
  for (const { commit, committedAt, parents } of commits.rows)
    rememberCommit(memory, commit, committedAt ?? undefined, splitHex(parents, commit.length))
  const inventories = await db.query<{ seq: number; commit: string; base: number }>({
    text: `select seq, encode(commit, 'hex') as commit, base from proofline_derived.history_inventories where ledger = $1 and repository_id = $2 order by seq`,
    values, timeoutMs,
  }) // oxfmt-ignore
  for (const { seq, commit, base } of inventories.rows) rememberInventory(memory, seq, commit, base)
  const runs = await db.query<{ seq: number; suite: string; ref: string; commit: string; base: number }>({
    text: `select seq, suite, ref, encode(commit, 'hex') as commit, base from proofline_derived.history_runs
           where ledger = $1 and repository_id = $2 and reasons = '' order by seq`,
    values, timeoutMs,
  }) // oxfmt-ignore
  for (const { base, ...run } of runs.rows) rememberRun(memory, run, base)
  return memory
}

/** Ids in one string, each as long as the commit that they belong to. */
export function splitHex(text: string, length: number): string[] {
  return Array.from({ length: length === 0 ? 0 : text.length / length }, (_, i) => text.slice(i * length, (i + 1) * length))
} // oxfmt-ignore

/** The seqs that a state is made of: its own, its base's, and so on. */
function chainOf(bases: ReadonlyMap<number, number>, seq: number): number[] {
  const chain: number[] = []
  for (let at = seq; at >= 0; at = bases.get(at) ?? -1) chain.push(at)
  return chain
}

/** The state of a run: of each file what its newest change on the way back through the bases says. */
export async function loadRunState(db: Queryable, ledger: LedgerName, memory: RepositoryMemory, seq: number): Promise<RunState> {
  const { rows } = await db.query<{ path: number; definition: string; blob: string | null; state: Buffer | null }>({
    text: `select distinct on (path_id, definition) path_id as path, definition, encode(blob, 'hex') as blob, state
           from proofline_derived.history_changes where ledger = $1 and repository_id = $2 and seq = any($3::bigint[])
           order by path_id, definition, seq desc`,
    values: [ledger, memory.id, chainOf(memory.bases, seq)], timeoutMs,
  }) // oxfmt-ignore
  const state = new Map<number, Known & { states: DefinedState[] }>()
  for (const { path, definition, blob, state: packed } of rows) {
    if (packed === null) continue
    const known = state.get(path) ?? { text: undefined, states: [] }
    known.states.push({ definition, blob: blob ?? undefined, packed: packed.toString('latin1') })
    state.set(path, known)
  }
  return state
} // oxfmt-ignore

export async function loadInventoryState(db: Queryable, ledger: LedgerName, memory: RepositoryMemory, seq: number): Promise<InventoryState> {
  const { rows } = await db.query<{ path: number; blob: string | null }>({
    text: `select distinct on (path_id) path_id as path, encode(blob, 'hex') as blob
           from proofline_derived.history_blobs where ledger = $1 and repository_id = $2 and seq = any($3::bigint[])
           order by path_id, seq desc`,
    values: [ledger, memory.id, chainOf(memory.inventoryBases, seq)], timeoutMs,
  }) // oxfmt-ignore
  return new Map(rows.flatMap(({ path, blob }) => (blob === null ? [] : [[path, blob] as const])))
} // oxfmt-ignore
