import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'

/** Every statement on file_layouts, file_parts, file_runs, file_maps and file_positions. All of it is derived from the ledgers. */

export interface PartRow {
  seq: number
  repository: string
  run: string
  chain: Buffer
  base: number | null
  layout: Buffer
  changed: string
  ranges: string
}

export interface RunRow {
  seq: number
  repository: string
  run: string
  suite: string
  ref: string
  commit: string
  counted: boolean
}

export async function filePosition(db: Queryable, ledger: LedgerName): Promise<number> {
  const { rows } = await db.query<{ next: number }>({
    name: 'file_position',
    text: 'select next from file_positions where ledger = $1',
    values: [ledger],
  })
  return rows[0]?.next ?? 0
}

/** In the transaction of what it stands for. */
export async function setFilePosition(tx: Queryable, ledger: LedgerName, next: number): Promise<void> {
  await tx.query({
    name: 'set_file_position',
    text: 'insert into file_positions (ledger, next) values ($1, $2) on conflict (ledger) do update set next = excluded.next',
    values: [ledger, next],
  })
}

export async function insertLayout(tx: Queryable, ledger: LedgerName, layout: Buffer, names: Buffer): Promise<void> {
  await tx.query({
    name: 'insert_file_layout',
    text: 'insert into file_layouts (ledger, layout, names) values ($1, $2, $3) on conflict do nothing',
    values: [ledger, layout, names],
  })
}

export async function insertPart(tx: Queryable, ledger: LedgerName, row: PartRow): Promise<void> {
  const { repository, seq, run, chain, base, layout, changed, ranges } = row
  await tx.query({
    name: 'insert_file_part',
    text: `insert into file_parts (ledger, repository, seq, run, chain, base, layout, changed, ranges)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`,
    values: [ledger, repository, seq, run, chain, base, layout, changed, ranges],
  })
}

export async function insertRun(tx: Queryable, ledger: LedgerName, row: RunRow): Promise<void> {
  const { repository, seq, run, suite, ref, commit, counted } = row
  await tx.query({
    name: 'insert_file_run',
    text: `insert into file_runs (ledger, repository, seq, run, suite, ref, commit, counted)
           values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
    values: [ledger, repository, seq, run, suite, ref, commit, counted],
  })
}

export async function insertMap(
  tx: Queryable,
  ledger: LedgerName,
  repository: string,
  path: string,
  seq: number,
): Promise<void> {
  await tx.query({
    name: 'insert_file_map',
    text: 'insert into file_maps (ledger, repository, path, seq) values ($1, $2, $3, $4) on conflict do nothing',
    values: [ledger, repository, path, seq],
  })
}

const partColumns = 'repository, seq, run, chain, base, layout, changed, ranges'

/** The newest part of a chain before `seq`. */
export async function lastOfChain(
  db: Queryable,
  ledger: LedgerName,
  chain: Buffer,
  seq: number,
): Promise<PartRow | undefined> {
  const { rows } = await db.query<PartRow>({
    name: 'last_of_file_chain',
    text: `select ${partColumns} from file_parts where ledger = $1 and chain = $2 and seq < $3 order by seq desc limit 1`,
    values: [ledger, chain, seq],
  })
  return rows[0]
}

/** In order of seq. */
export async function partsBefore(
  db: Queryable,
  ledger: LedgerName,
  repository: string,
  seq: number,
): Promise<PartRow[]> {
  const { rows } = await db.query<PartRow>({
    name: 'file_parts_before',
    text: `select ${partColumns} from file_parts where ledger = $1 and repository = $2 and seq < $3 order by seq`,
    values: [ledger, repository, seq],
    timeoutMs: 60_000,
  })
  return rows
}

export async function runsBetween(
  db: Queryable,
  ledger: LedgerName,
  repository: string,
  from: number,
  to: number,
): Promise<RunRow[]> {
  const { rows } = await db.query<RunRow>({
    name: 'file_runs_between',
    text: `select repository, seq, run, suite, ref, commit, counted from file_runs
           where ledger = $1 and repository = $2 and seq >= $3 and seq < $4 order by seq`,
    values: [ledger, repository, from, to],
    timeoutMs: 60_000,
  })
  return rows
}

export async function mapsBetween(
  db: Queryable,
  ledger: LedgerName,
  repository: string,
  path: string,
  from: number,
  to: number,
): Promise<number[]> {
  const { rows } = await db.query<{ seq: number }>({
    name: 'file_maps_between',
    text: 'select seq from file_maps where ledger = $1 and repository = $2 and path = $3 and seq >= $4 and seq < $5 order by seq',
    values: [ledger, repository, path, from, to],
  })
  return rows.map(({ seq }) => seq)
}

export async function layoutNames(
  db: Queryable,
  ledger: LedgerName,
  layouts: readonly Buffer[],
): Promise<{ layout: Buffer; names: Buffer }[]> {
  const { rows } = await db.query<{ layout: Buffer; names: Buffer }>({
    name: 'file_layout_names',
    text: 'select layout, names from file_layouts where ledger = $1 and layout = any($2::bytea[])',
    values: [ledger, layouts],
  })
  return rows
}
