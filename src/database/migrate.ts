import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import type { Logger } from '../telemetry/logger.ts'
import { clientConfig, describeAddress } from './connection.ts'
import type { Queryable } from './database.ts'
import { DatabaseFailure, sqlState } from './failure.ts'

export interface Migration {
  number: number
  name: string
  /** Lower-case hex over the text with LF line ends, so that a checkout with CRLF is the same file. */
  sha256: string
  sql: string
}

interface Applied {
  number: number
  name: string
  sha256: string
}

export interface SchemaState {
  /** Number of the newest migration in the database; 0 before the first one. */
  version: number
  applied: string[]
  pending: string[]
  /** Everything that forbids to start: edited, unknown, or skipped migrations, one sentence each. */
  problems: string[]
}

/**
 * Brings the database up to the numbered .sql files of `folder`: roles, schemas, then each new file in a transaction of its own as
 * proofline_owner. One runner at a time per database, by an advisory lock on the one client that does the work. A crash between two
 * files leaves a database that the next run goes on from.
 * @returns the names of the files that were applied
 * @throws when the database cannot be reached, a file was edited after it ran, the database is newer than this program, or a statement fails (with file and line)
 */
export async function migrate(url: string, folder: string, options: { log?: Logger } = {}): Promise<string[]> {
  const migrations = await readMigrations(folder)
  const config = clientConfig({ url, role: 'none', applicationName: 'proofline migrate' })
  const client = new pg.Client(config)
  client.on('error', () => {}) // the statement under way fails by itself
  await client.connect().catch((error: unknown) => {
    const why = error instanceof Error ? error.message || error.name : String(error)
    throw new DatabaseFailure(
      'unreachable',
      'none',
      `The database at ${describeAddress(config)} cannot be reached: ${why}`,
      error,
    )
  })
  try {
    await client.query(`select pg_advisory_lock(hashtextextended('proofline.migrate', 0))`)
    await ensureRoles(client)
    await ensureSchemas(client)
    const state = compare(migrations, await readApplied(client))
    if (state.problems.length > 0) throw new Error(`The database was not migrated: ${state.problems.join('; ')}`)
    const { rowCount } = await client.query(`select from pg_extension where extname = 'citus'`)
    for (const migration of migrations.filter(({ name }) => state.pending.includes(name))) {
      const startedAt = performance.now()
      await apply(client, migration, rowCount === 1)
      options.log?.info('migration.applied', { name: migration.name, ms: Math.round(performance.now() - startedAt) })
    }
    return state.pending
  } finally {
    await client.end()
  }
}

/** What of `folder` this database has. Asks with one statement; also for the role proofline_runtime. */
export async function schemaState(db: Queryable, folder: string): Promise<SchemaState> {
  const migrations = await readMigrations(folder)
  try {
    const { rows } = await db.query<Applied & pg.QueryResultRow>({ text: selectApplied })
    return compare(migrations, rows)
  } catch (error) {
    // Undefined table, schema, or role: nobody ever migrated this database.
    if (['42P01', '3F000', '22023'].includes(sqlState(error) ?? '')) return compare(migrations, [])
    throw error
  }
}

export async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const migrations = await Promise.all(
    names.map(async (name) => {
      const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1]
      if (number === undefined) throw new Error(`${name} is no name of a migration: 0001_what_it_does.sql`)
      const sql = (await readFile(join(folder, name), 'utf8')).replaceAll('\r\n', '\n')
      return { number: Number(number), name, sha256: createHash('sha256').update(sql).digest('hex'), sql }
    }),
  )
  for (const [i, { number, name }] of migrations.entries()) {
    if (migrations[i - 1]?.number === number)
      throw new Error(`${migrations[i - 1]?.name} and ${name} have the same number`)
  }
  return migrations
}

/** Pure. What is pending, and why the database must not be touched. */
export function compare(migrations: readonly Migration[], applied: readonly Applied[]): SchemaState {
  const known = new Map(migrations.map((migration) => [migration.number, migration]))
  const done = new Map(applied.map((row) => [row.number, row]))
  const version = Math.max(0, ...done.keys())
  const problems: string[] = []
  for (const row of applied) {
    const file = known.get(row.number)
    if (file === undefined)
      problems.push(`${row.name} is in the database but unknown to this program: it was migrated by a newer version`)
    else if (file.sha256 !== row.sha256)
      problems.push(`${file.name} was edited after it was applied (as ${row.name}); write a new migration instead`)
  }
  const pending = migrations.filter(({ number }) => !done.has(number))
  for (const { number, name } of pending) {
    if (number < version)
      problems.push(`${name} comes before migration ${version}, which is applied already: give it a new number`)
  }
  return { version, applied: applied.map(({ name }) => name), pending: pending.map(({ name }) => name), problems }
}

const selectApplied = 'select number, name, sha256 from proofline.migrations order by number'

async function readApplied(client: pg.Client): Promise<Applied[]> {
  return (await client.query<Applied>(selectApplied)).rows
}

async function apply(client: pg.Client, { number, name, sha256, sql }: Migration, distributed: boolean): Promise<void> {
  // Lines for a distributed PostgreSQL stand in the file as `-- citus: statement;` and are comments to a plain one.
  const text = distributed ? sql.replaceAll(/^-- citus: /gm, '') : sql
  try {
    await client.query('begin')
    await client.query('set local role proofline_owner')
    await client.query('set local search_path = proofline, proofline_derived')
    await client.query(text)
    await client.query('insert into proofline.migrations (number, name, sha256) values ($1, $2, $3)', [
      number,
      name,
      sha256,
    ])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => {})
    const position = error instanceof pg.DatabaseError ? Number(error.position) : Number.NaN
    const line = Number.isNaN(position) ? '' : `, line ${text.slice(0, position).split('\n').length}`
    throw new Error(`Migration ${name}${line}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/**
 * Roles belong to the whole cluster, our advisory lock to one database: two databases migrated at once meet here. Whoever comes second
 * gets duplicate_object or unique_violation, which mean that the work is done, or "tuple concurrently updated", which means again.
 */
async function ensureRoles(client: pg.Client): Promise<void> {
  for (const role of ['proofline_owner', 'proofline_runtime']) {
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
    if (rowCount === 0) await unlessRaced(client, `create role ${role} nologin`)
    // From 16 on a member may be one without the right to SET ROLE.
    const { rows } = await client.query<{ member: boolean }>(
      `select pg_has_role(current_user, $1, case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end) as member`,
      [role],
    )
    if (rows[0]?.member !== true) await unlessRaced(client, `grant ${role} to current_user`)
  }
  await ensureRole(client, 'proofline_reader')
  // Once: who takes it from the service later does not get it back by the next start.
  if (await ensureRole(client, 'proofline_retention'))
    await unlessRaced(client, 'grant proofline_retention to proofline_runtime')
}

/** A role that is good to have. False when it is there, or may not be made by this user: everything works without it. */
async function ensureRole(client: pg.Client, role: string): Promise<boolean> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
  if (rowCount === 1) return false
  try {
    await client.query(`create role ${role} nologin`)
    return true
  } catch (error) {
    // Not permitted; or made by somebody else just now.
    if (['42501', '42710', '23505'].includes(sqlState(error) ?? '')) return false
    throw error
  }
}

async function unlessRaced(client: pg.Client, statement: string, tries = 5): Promise<void> {
  try {
    await client.query(statement)
  } catch (error) {
    const state = sqlState(error)
    if (state === '42501') {
      throw new Error(`This database user may not manage roles. An administrator has to run once: ${statement};`, {
        cause: error,
      })
    }
    if (state === '42710' || state === '23505') return
    const concurrently = state === 'XX000' && error instanceof Error && error.message.includes('concurrently')
    if (!concurrently || tries === 0) throw error
    await unlessRaced(client, statement, tries - 1) // the other one may have granted it to somebody else
  }
}

async function ensureSchemas(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query(`select from pg_class where oid = to_regclass('proofline.migrations')`)
  if (rowCount === 1) return
  await client.query(`
    begin;
    create schema if not exists proofline authorization proofline_owner;
    create schema if not exists proofline_derived authorization proofline_owner;
    set local role proofline_owner;
    create table proofline.migrations (
      number integer primary key,
      name text not null,
      sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
      applied_at timestamptz not null default now()
    );
    grant usage on schema proofline, proofline_derived to proofline_runtime;
    grant select on proofline.migrations to proofline_runtime;
    commit;
  `)
}
