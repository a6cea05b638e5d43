import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { Rows } from './rows.ts'

/** Every statement that writes tables of the history, and what the projection itself reads back when it starts. */

export interface Position {
  next: number
  generation: number
}

export async function readPosition(db: Queryable, ledger: LedgerName): Promise<Position> {
  const { rows } = await db.query<{ next: number; generation: number }>({
    name: 'history_position',
    text: 'select next, generation from proofline_derived.history_positions where ledger = $1',
    values: [ledger],
  })
  return rows[0] ?? { next: 0, generation: 0 }
}

/** Moves the position; false when another one moved it or rebuilt the history meanwhile: then nothing may be inserted. */
export async function movePosition(db: Queryable, ledger: LedgerName, from: Position, next: number): Promise<boolean> {
  const moved = await db.query({
    name: 'move_history_position',
    text: 'update proofline_derived.history_positions set next = $4 where ledger = $1 and next = $2 and generation = $3',
    values: [ledger, from.next, from.generation, next],
  })
  if (moved.rowCount === 1 || from.next > 0 || from.generation > 0) return moved.rowCount === 1
  const begun = await db.query({
    name: 'begin_history_position',
    text: 'insert into proofline_derived.history_positions (ledger, generation, next) values ($1, 0, $2) on conflict do nothing',
    values: [ledger, next],
  })
  return begun.rowCount === 1
}

const tables = [
  'repositories',
  'paths',
  'layouts',
  'declared',
  'rejections',
  'runs',
  'commits',
  'changes',
  'inventories',
  'blobs',
  'maps',
]

/** The generation tells whoever holds rows in memory that they are of yesterday. The caller owns the transaction. */
export async function beginAnew(db: Queryable, ledger: LedgerName): Promise<void> {
  await db.query({
    text: `insert into proofline_derived.history_positions as p (ledger, generation, next) values ($1, 1, 0)
           on conflict (ledger) do update set generation = p.generation + 1, next = 0`,
    values: [ledger],
  })
}

/** All of a ledger goes. The caller owns the transaction. */
export async function dropHistory(db: Queryable, ledger: LedgerName): Promise<void> {
  await beginAnew(db, ledger)
  for (const table of tables)
    await db.query({ text: `delete from proofline_derived.history_${table} where ledger = $1`, values: [ledger], timeoutMs: 600_000 }) // oxfmt-ignore
}

/** In the transaction that moves the position. A row that is there already is another one's: the caller rolls back. */
export async function insertRows(db: Queryable, ledger: LedgerName, rows: Rows): Promise<void> {
  const insert = async (table: string, columns: readonly Column[]): Promise<void> => {
    const [first] = columns
    if (first === undefined || first.values.length === 0) return
    const names = columns.map(({ name }) => name).join(', ')
    const arrays = columns.map(({ type }, i) => `$${i + 2}::${type}[]`).join(', ')
    await db.query({
      name: `insert_history_${table}`,
      text: `insert into proofline_derived.history_${table} (ledger, ${names}) select $1, * from unnest(${arrays})`,
      values: [ledger, ...columns.map(({ values }) => values)],
      timeoutMs: 60_000,
    })
  }
  const { repositories, paths, layouts, declared, rejections, runs, commits, changes, inventories, blobs, maps } = rows
  await insert('repositories', [
    column('repository_id', 'integer', repositories, (row) => row.id),
    column('repository', 'text', repositories, (row) => row.repository),
  ])
  await insert('paths', [
    column('repository_id', 'integer', paths, (row) => row.repository),
    column('path_id', 'integer', paths, (row) => row.id),
    column('path', 'text', paths, (row) => row.path),
  ])
  await insert('layouts', [
    column('repository_id', 'integer', layouts, (row) => row.repository),
    column('layout_id', 'integer', layouts, (row) => row.id),
    column('digest', 'bytea', layouts, (row) => row.digest),
    column('paths', 'bytea', layouts, (row) => row.paths),
  ])
  await insert('declared', [
    column('repository_id', 'integer', declared, (row) => row.repository),
    column('seq', 'bigint', declared, (row) => row.seq),
    column('run', 'text', declared, (row) => row.run),
    column('suite', 'text', declared, (row) => row.suite),
    column('ref', 'text', declared, (row) => row.ref),
    column('commit', 'bytea', declared, (row) => row.commit),
    column('recorded_at', 'bigint', declared, (row) => row.recordedAt),
  ])
  await insert('rejections', [
    column('repository_id', 'integer', rejections, (row) => row.repository),
    column('seq', 'bigint', rejections, (row) => row.seq),
    column('recorded_at', 'bigint', rejections, (row) => row.recordedAt),
    column('run', 'text', rejections, (row) => row.run),
    column('commit', 'text', rejections, (row) => row.commit),
    column('reason', 'text', rejections, (row) => row.reason),
  ])
  await insert('runs', [
    column('repository_id', 'integer', runs, (row) => row.repository),
    column('seq', 'bigint', runs, (row) => row.seq),
    column('run', 'text', runs, (row) => row.run),
    column('suite', 'text', runs, (row) => row.suite),
    column('ref', 'text', runs, (row) => row.ref),
    column('commit', 'bytea', runs, (row) => row.commit),
    column('recorded_at', 'bigint', runs, (row) => row.recordedAt),
    column('reasons', 'text', runs, (row) => row.reasons),
    column('production', 'bytea', runs, (row) => row.production),
    column('base', 'bigint', runs, (row) => row.base),
    column('parts', 'text', runs, (row) => row.parts),
  ])
  await insert('commits', [
    column('repository_id', 'integer', commits, (row) => row.repository),
    column('seq', 'bigint', commits, (row) => row.seq),
    column('commit', 'bytea', commits, (row) => row.commit),
    column('committed_at', 'text', commits, (row) => row.committedAt),
    column('parents', 'bytea', commits, (row) => row.parents),
  ])
  await insert('changes', [
    column('repository_id', 'integer', changes, (row) => row.repository),
    column('path_id', 'integer', changes, (row) => row.path),
    column('definition', 'text', changes, (row) => row.definition),
    column('seq', 'bigint', changes, (row) => row.seq),
    column('blob', 'bytea', changes, (row) => row.blob),
    column('state', 'bytea', changes, (row) => row.state),
  ])
  await insert('inventories', [
    column('repository_id', 'integer', inventories, (row) => row.repository),
    column('seq', 'bigint', inventories, (row) => row.seq),
    column('commit', 'bytea', inventories, (row) => row.commit),
    column('base', 'bigint', inventories, (row) => row.base),
  ])
  await insert('blobs', [
    column('repository_id', 'integer', blobs, (row) => row.repository),
    column('path_id', 'integer', blobs, (row) => row.path),
    column('seq', 'bigint', blobs, (row) => row.seq),
    column('blob', 'bytea', blobs, (row) => row.blob),
  ])
  await insert('maps', [
    column('repository_id', 'integer', maps, (row) => row.repository),
    column('path_id', 'integer', maps, (row) => row.path),
    column('seq', 'bigint', maps, (row) => row.seq),
    column('from_path_id', 'integer', maps, (row) => row.fromPath),
    column('from_blob', 'bytea', maps, (row) => row.fromBlob),
    column('blob', 'bytea', maps, (row) => row.blob),
    column('hunks', 'text', maps, (row) => row.hunks),
  ])
}

interface Column {
  name: string
  type: string
  values: unknown[]
}

function column<T>(name: string, type: string, rows: readonly T[], value: (row: T) => unknown): Column {
  return { name, type, values: rows.map(value) }
}
