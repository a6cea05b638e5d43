import { appendFile, cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createDatabase } from '../../src/database/database.ts'
import type { Database } from '../../src/database/database.ts'
import { migrate, schemaState } from '../../src/database/migrate.ts'
import { withDatabase } from '../support/postgres.ts'

const { url: serverUrl } = inject('postgres')
let admin: Database
let folder: string
let names: string[]

beforeAll(() => {
  admin = createDatabase({ url: serverUrl, role: 'none' })
})
afterAll(() => admin.end())

beforeEach(async () => {
  names = []
  folder = await mkdtemp(join(tmpdir(), 'proofline-migrations-'))
  await writeFile(
    join(folder, '0001_first.sql'),
    'create table ones (ledger text primary key);\ngrant select on ones to proofline_runtime;\n',
  )
  await writeFile(
    join(folder, '0002_second.sql'),
    '-- citus: select no_such_function();\ncreate table proofline_derived.twos (ledger text primary key);\n',
  )
})
afterEach(async () => {
  await rm(folder, { recursive: true })
  for (const name of names) await admin.query({ text: `drop database ${name} with (force)` })
})

async function emptyDatabase(): Promise<string> {
  const name = `proofline_migrate_${process.pid}_${Math.random().toString(36).slice(2, 10)}`
  names.push(name)
  await admin.query({ text: `create database ${name}` })
  return withDatabase(serverUrl, name)
}

async function using<T>(url: string, work: (db: Database) => Promise<T>, role?: string): Promise<T> {
  const db = createDatabase(role === undefined ? { url } : { url, role })
  try {
    return await work(db)
  } finally {
    await db.end()
  }
}

describe('migrate', () => {
  it('applies the files in order, once, as proofline_owner', async () => {
    const url = await emptyDatabase()
    expect(await migrate(url, folder)).toEqual(['0001_first.sql', '0002_second.sql'])
    expect(await migrate(url, folder)).toEqual([])
    const text = `select schemaname || '.' || tablename as name, tableowner as owner from pg_tables where tablename in ('ones', 'twos') order by 1`
    expect((await using(url, (db) => db.query({ text }))).rows).toEqual([
      { name: 'proofline.ones', owner: 'proofline_owner' },
      { name: 'proofline_derived.twos', owner: 'proofline_owner' },
    ])
  })

  it('refuses a file that was edited after it was applied, and leaves the database alone', async () => {
    const url = await emptyDatabase()
    await migrate(url, folder)
    await appendFile(join(folder, '0001_first.sql'), '-- a harmless remark\n')
    await writeFile(join(folder, '0003_third.sql'), 'create table threes (ledger text primary key);')
    await expect(migrate(url, folder)).rejects.toThrow('0001_first.sql was edited after it was applied')
    const state = await using(url, (db) => schemaState(db, folder))
    expect(state).toMatchObject({
      version: 2,
      pending: ['0003_third.sql'],
      problems: [expect.stringContaining('edited')],
    })
  })

  it('takes a file with CRLF for the same file', async () => {
    const url = await emptyDatabase()
    await migrate(url, folder)
    await writeFile(
      join(folder, '0001_first.sql'),
      'create table ones (ledger text primary key);\r\ngrant select on ones to proofline_runtime;\r\n',
    )
    expect(await migrate(url, folder)).toEqual([])
  })

  it('refuses a database that a newer program migrated', async () => {
    const url = await emptyDatabase()
    await migrate(url, folder)
    await rm(join(folder, '0002_second.sql'))
    await expect(migrate(url, folder)).rejects.toThrow('0002_second.sql is in the database but unknown to this program')
  })

  it('refuses a file that comes before what is applied', async () => {
    const url = await emptyDatabase()
    await rename(join(folder, '0002_second.sql'), join(folder, '0005_second.sql'))
    await migrate(url, folder)
    await writeFile(join(folder, '0004_late.sql'), 'select 1;')
    await expect(migrate(url, folder)).rejects.toThrow('0004_late.sql comes before migration 5')
  })

  it('names file and line of a failing statement, keeps the files before it, and goes on once it is mended', async () => {
    const url = await emptyDatabase()
    await writeFile(
      join(folder, '0003_third.sql'),
      'create table threes (ledger text primary key);\n\nselect nonsense from ones;\n',
    )
    await expect(migrate(url, folder)).rejects.toThrow(/0003_third.sql, line 3: .*nonsense/)
    expect(await using(url, (db) => schemaState(db, folder))).toMatchObject({ version: 2, pending: ['0003_third.sql'] })
    await writeFile(join(folder, '0003_third.sql'), 'create table threes (ledger text primary key);\n')
    expect(await migrate(url, folder)).toEqual(['0003_third.sql'])
  })

  it('runs once when started four times at once, also on two databases of one cluster', async () => {
    const [one, two] = [await emptyDatabase(), await emptyDatabase()]
    const applied = await Promise.all([
      migrate(one, folder),
      migrate(one, folder),
      migrate(two, folder),
      migrate(two, folder),
    ])
    expect(applied.map((list) => list.length).toSorted((a, b) => a - b)).toEqual([0, 0, 2, 2])
  })

  it('refuses names without a number and two files of one number', async () => {
    await writeFile(join(folder, '0002_also.sql'), 'select 1;')
    await expect(migrate(serverUrl, folder)).rejects.toThrow('same number')
    await writeFile(join(folder, 'x.sql'), 'select 1;')
    await expect(migrate(serverUrl, folder)).rejects.toThrow('x.sql is no name of a migration')
  })

  it('lets a user without superuser rights migrate a database of its own', async () => {
    const url = await emptyDatabase()
    const name = names[0]
    await admin.query({ text: `create role plain_${process.pid} login createrole password 'p'` })
    await admin.query({ text: `grant proofline_owner, proofline_runtime to plain_${process.pid}` })
    await admin.query({ text: `alter database ${name} owner to plain_${process.pid}` })
    const plain = url.replace(/\/\/[^@]*@/, `//plain_${process.pid}:p@`)
    expect(await migrate(plain, folder)).toHaveLength(2)
    await using(plain, (db) => db.query({ text: 'select from ones' }))
    await admin.query({ text: `drop database ${names.pop()} with (force)` })
    await admin.query({ text: `drop role plain_${process.pid}` })
  })

  it('applies the migrations of the project', async () => {
    const url = await emptyDatabase()
    const project = join(folder, 'project')
    await cp(join(import.meta.dirname, '../../migrations'), project, { recursive: true })
    await migrate(url, project)
    expect(await using(url, (db) => schemaState(db, project))).toMatchObject({ pending: [], problems: [] })
  })
})

describe('schemaState', () => {
  it('finds everything pending in a database that nobody migrated', async () => {
    const url = await emptyDatabase()
    const state = await using(url, (db) => schemaState(db, folder))
    expect(state).toEqual({ version: 0, applied: [], pending: ['0001_first.sql', '0002_second.sql'], problems: [] })
  })
})
