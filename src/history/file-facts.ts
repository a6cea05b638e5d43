import type { Queryable } from '../database/database.ts'
import { parseHunks } from '../record/hunks.ts'
import { type VersionMap, versionOf } from './follow-line.ts'
import { type LedgerHistory, countBelow } from './ledger-history.ts'
import type { LedgerView } from './ref-runs.ts'

/** What the tables have of one file, under every name that line maps join to it, as of a size of each ledger. */

export interface FileFacts {
  /** The one that was asked for first, then the others in order. */
  paths: readonly string[]
  maps: readonly VersionMap[]
  ledgers: readonly LedgerFacts[]
}

export interface LedgerFacts {
  /** By path, in the order of `paths`; undefined where the ledger does not know the path. */
  ids: readonly (number | undefined)[]
  /** For each path and definition the index of the change that holds at each run; -1 for none. */
  changes: readonly PathChanges[]
  /** For each path the blob at an inventory; undefined where the file is not there. */
  blobs: readonly ((inventory: number) => string | undefined)[]
}

export interface PathChanges {
  path: number
  definition: string
  rows: readonly { blob: string | undefined; state: Buffer | undefined }[]
  at: Int32Array
}

export interface AsOfLedger extends LedgerView {
  size: number
}

export function viewOf(history: LedgerHistory, size: number): AsOfLedger {
  const [runs, inventories, commits] = [history.runs, history.inventories, history.commits].map((rows) => countBelow(rows, size))
  return { history, size, runs: runs ?? 0, inventories: inventories ?? 0, commits: commits ?? 0 }
} // oxfmt-ignore

/** Whether anything of the repository is recorded below the size: the ledger may have come to know it later. */
export function knowsRepository({ history: { runs, declared, rejections, inventories }, size }: AsOfLedger): boolean {
  return [runs, declared, rejections, inventories].some(([first]) => first !== undefined && first.seq < size)
}

/** Names that are joined to a file beyond these are not followed: copies of copies in a large repository. */
const maxPaths = 64

export async function readFileFacts(db: Queryable, ledgers: readonly AsOfLedger[], path: string): Promise<FileFacts> {
  const { names, maps } = await readMaps(db, ledgers, [path])
  const paths = [path, ...[...names].filter((name) => name !== path).sort()]
  const facts = await Promise.all(ledgers.map((one) => readLedgerFacts(db, one, paths)))
  return { paths, maps, ledgers: facts }
}

interface MapRow {
  seq: number
  from: string
  fromBlob: string
  to: string
  blob: string
  hunks: string
}

/** The maps of all names that are joined to these, found name by name; `most` names, or somewhat more. */
export async function readMaps(
  db: Queryable,
  ledgers: readonly AsOfLedger[],
  paths: readonly string[],
  most: number = maxPaths + paths.length - 1,
): Promise<{ names: Set<string>; maps: VersionMap[] }> {
  const names = new Set(paths)
  const maps: VersionMap[] = []
  for (let asked = [...names]; asked.length > 0 && names.size < most;) {
    const found = (await Promise.all(ledgers.map((one) => mapsOf(db, one, asked)))).flat()
    const next = new Set<string>()
    for (const { from, fromBlob, to, blob, hunks } of found) {
      const [a, b] = [parseText(from), parseText(to)]
      maps.push({ from: versionOf(a, fromBlob), to: versionOf(b, blob), hunks: parseHunks(hunks) })
      for (const name of [a, b]) if (!names.has(name)) next.add(name)
    }
    asked = [...next]
    for (const name of asked) names.add(name)
  }
  return { names, maps }
}

async function mapsOf(db: Queryable, { history, size }: AsOfLedger, paths: readonly string[]): Promise<MapRow[]> {
  const { rows } = await db.query<MapRow>({
    name: 'history_maps_around',
    text: `with asked as (select path_id from proofline_derived.history_paths where ledger = $1 and repository_id = $2 and path = any($3))
           select m.seq, f.path as from, encode(from_blob, 'hex') as "fromBlob", t.path as to, encode(blob, 'hex') as blob, hunks from (
             select * from proofline_derived.history_maps where ledger = $1 and repository_id = $2 and path_id in (select path_id from asked) and seq < $4
             union
             select * from proofline_derived.history_maps where ledger = $1 and repository_id = $2 and from_path_id <> path_id
               and from_path_id in (select path_id from asked) and seq < $4) as m
           join proofline_derived.history_paths as f on f.ledger = $1 and f.repository_id = $2 and f.path_id = m.from_path_id
           join proofline_derived.history_paths as t on t.ledger = $1 and t.repository_id = $2 and t.path_id = m.path_id`,
    values: [history.ledger, history.id, paths.map(printText), size],
  })
  return rows
}

async function readLedgerFacts(db: Queryable, { history, size, runs, inventories }: AsOfLedger, paths: readonly string[]): Promise<LedgerFacts> {
  const values = [history.ledger, history.id, paths.map(printText), size]
  const [ids, changes, blobs] = await Promise.all([
    db.query<{ id: number; path: string }>({
      name: 'history_path_ids',
      text: 'select path_id as id, path from proofline_derived.history_paths where ledger = $1 and repository_id = $2 and path = any($3)',
      values: values.slice(0, 3),
    }),
    db.query<{ path: string; definition: string; seq: number; blob: string | null; state: Buffer | null }>({
      name: 'history_changes_of',
      text: `select p.path, c.definition, c.seq, encode(c.blob, 'hex') as blob, c.state
             from proofline_derived.history_paths as p join proofline_derived.history_changes as c using (ledger, repository_id, path_id)
             where p.ledger = $1 and p.repository_id = $2 and p.path = any($3) and c.seq < $4 order by p.path, c.definition, c.seq`,
      values,
    }),
    db.query<{ path: string; seq: number; blob: string | null }>({
      name: 'history_blobs_of',
      text: `select p.path, b.seq, encode(b.blob, 'hex') as blob
             from proofline_derived.history_paths as p join proofline_derived.history_blobs as b using (ledger, repository_id, path_id)
             where p.ledger = $1 and p.repository_id = $2 and p.path = any($3) and b.seq < $4 order by p.path, b.seq`,
      values,
    }),
  ])
  const byDefinition = Map.groupBy(changes.rows, ({ path, definition }) => JSON.stringify([path, definition]))
  const pathOf = new Map(paths.map((path, i) => [printText(path), i]))
  return {
    ids: paths.map((path) => ids.rows.find((row) => row.path === printText(path))?.id),
    changes: [...byDefinition.values()].map((rows) => ({
      path: pathOf.get(rows[0]?.path ?? '') ?? 0,
      definition: rows[0]?.definition ?? '',
      rows: rows.map(({ blob, state }) => ({ blob: blob ?? undefined, state: state ?? undefined })),
      at: holdsAt(history.runs, runs, rows),
    })),
    blobs: paths.map((path) => {
      const rows = blobs.rows.filter((row) => row.path === printText(path))
      const at = holdsAt(history.inventories, inventories, rows)
      return (inventory) => rows[at[inventory] ?? -1]?.blob ?? undefined
    }),
  }
} // oxfmt-ignore

/** For each of the first `count` entries the index of the row that holds there: its own, else that of its base. */
function holdsAt(entries: readonly { seq: number; base: number }[], count: number, rows: readonly { seq: number }[]): Int32Array {
  const at = new Int32Array(count)
  let next = 0
  for (let i = 0; i < count; i++) {
    const { seq, base } = entries[i] as { seq: number; base: number } // below the count
    if (rows[next]?.seq === seq) at[i] = next++
    else at[i] = base < 0 ? -1 : (at[base] as number)
  }
  return at
} // oxfmt-ignore

/** As the tables have paths. */
const printText = (path: string): string => JSON.stringify(path)
const parseText = (text: string): string => JSON.parse(text) as string
