import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import { unpackLayout } from './project-run.ts'
import type { PartLayout } from './rows.ts'

/** The runs of a repository that ended before a size, and what each says of one file, without a look into any record. */
export interface MeasuredRun {
  /** Of the seal or abandonment. */
  seq: number
  run: string
  suite: string
  ref: string
  commit: string
  counted: boolean
  /** The file's coverage records in the parts that count; empty: the run did not measure it, or does not count. */
  records: number[]
  /** Runs with the same one say the same of the file; others may. */
  same: number
}

interface Row {
  seq: number
  run: string
  suite: string
  ref: string
  commit: string
  reasons: string
  base: number
  parts: string | null
}

/** In order of seq. */
export async function measuredRuns(
  db: Queryable,
  ledger: LedgerName,
  repository: string,
  path: string,
  until: number,
): Promise<MeasuredRun[]> {
  const id = await repositoryId(db, ledger, repository)
  if (id === undefined) return []
  const { rows } = await db.query<Row>({
    name: 'history_runs_before',
    text: `select seq, run, suite, ref, encode(commit, 'hex') as commit, reasons, base, parts from proofline_derived.history_runs
           where ledger = $1 and repository_id = $2 and seq < $3 order by seq`,
    values: [ledger, id, until],
    timeoutMs: 60_000,
  })
  const pathId = await pathIdOf(db, ledger, id, path)
  const changed = pathId === undefined ? new Set<number>() : await changedAt(db, ledger, id, pathId, until)
  const indexes = pathId === undefined ? new Map<number, number[]>() : await indexesOf(db, ledger, id, pathId)
  const same = new Map<number, number>()
  return rows.map(({ seq, run, suite, ref, commit, reasons, base, parts }) => {
    const own = changed.has(seq) ? seq : (same.get(base) ?? seq)
    same.set(seq, own)
    const records = parts === null ? [] : recordsOf(parts, indexes)
    return { seq, run, suite, ref, commit, counted: reasons === '', records, same: own }
  })
}

/** Seqs of the line maps that lead from or to the path. */
export async function mapsOf(
  db: Queryable,
  ledger: LedgerName,
  repository: string,
  path: string,
  from: number,
  to: number,
): Promise<number[]> {
  const id = await repositoryId(db, ledger, repository)
  const pathId = id === undefined ? undefined : await pathIdOf(db, ledger, id, path)
  const { rows } = await db.query<{ seq: number }>({
    name: 'history_maps_of',
    text: `select distinct seq from proofline_derived.history_maps
           where ledger = $1 and repository_id = $2 and (path_id = $3 or from_path_id = $3) and seq >= $4 and seq < $5 order by seq`,
    values: [ledger, id ?? -1, pathId ?? -1, from, to],
  })
  return rows.map(({ seq }) => seq)
}

/** Of the parts of one run, those of the path: each layout says which of a part's records they are. */
function recordsOf(parts: string, indexes: ReadonlyMap<number, readonly number[]>): number[] {
  const found: number[] = []
  for (const [layout, , ...ranges] of JSON.parse(parts) as PartLayout[])
    for (const index of indexes.get(layout) ?? []) found.push(nth(ranges, index))
  return found.toSorted((a, b) => a - b)
}

/** The n-th number, from 0, of ranges that stand as first, last, first, last. */
function nth(ranges: readonly number[], n: number): number {
  let left = n
  for (let i = 0; i < ranges.length; i += 2) {
    const [first = 0, last = 0] = ranges.slice(i, i + 2)
    if (left <= last - first) return first + left
    left -= last - first + 1
  }
  throw new Error(`a part has no record ${n}`)
}

async function repositoryId(db: Queryable, ledger: LedgerName, repository: string): Promise<number | undefined> {
  const { rows } = await db.query<{ id: number }>({
    name: 'history_repository_id',
    text: 'select repository_id as id from proofline_derived.history_repositories where ledger = $1 and repository = $2',
    values: [ledger, repository],
  })
  return rows[0]?.id
}

async function pathIdOf(db: Queryable, ledger: LedgerName, id: number, path: string): Promise<number | undefined> {
  const { rows } = await db.query<{ id: number }>({
    name: 'history_path_id',
    text: 'select path_id as id from proofline_derived.history_paths where ledger = $1 and repository_id = $2 and path = $3',
    values: [ledger, id, JSON.stringify(path)],
  })
  return rows[0]?.id
}

async function changedAt(
  db: Queryable,
  ledger: LedgerName,
  id: number,
  path: number,
  until: number,
): Promise<Set<number>> {
  const { rows } = await db.query<{ seq: number }>({
    name: 'history_changed_at',
    text: `select distinct seq from proofline_derived.history_changes
           where ledger = $1 and repository_id = $2 and path_id = $3 and seq < $4`,
    values: [ledger, id, path, until],
  })
  return new Set(rows.map(({ seq }) => seq))
}

const layoutsAtOnce = 200

/** By layout, where the path stands among a part's records. Layouts are few: a suite has a new one when its files change. */
async function indexesOf(db: Queryable, ledger: LedgerName, id: number, path: number): Promise<Map<number, number[]>> {
  const found = new Map<number, number[]>()
  for (let from = 0; ; from += layoutsAtOnce) {
    const { rows } = await db.query<{ layout: number; paths: Buffer }>({
      name: 'history_layouts_from',
      text: `select layout_id as layout, paths from proofline_derived.history_layouts
             where ledger = $1 and repository_id = $2 and layout_id >= $3 and layout_id < $4`,
      values: [ledger, id, from, from + layoutsAtOnce],
    })
    for (const { layout, paths } of rows) {
      const indexes = unpackLayout(paths).flatMap((one, i) => (one === path ? [i] : []))
      if (indexes.length > 0) found.set(layout, indexes)
    }
    if (rows.length < layoutsAtOnce) return found
  }
}
