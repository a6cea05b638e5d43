import pg from 'pg'
import { inject } from 'vitest'
import { createDatabase } from '../../src/database/database.ts'
import type { Database } from '../../src/database/database.ts'
import { withDatabase } from './postgres.ts'
import { alsoSecret } from './secrets.ts'
import { searchRows } from './search-rows.ts'

export interface TestDatabase {
  /** As the service sees it: role proofline_runtime. */
  db: Database
  /** As superuser, for tests that tamper. */
  owner: Database
  /** Superuser's URL of this database. */
  url: string
  name: string
  /** Searches all rows for secrets and ends both; fails when a test left a connection of its own open. What is left can be cloned. */
  leave(): Promise<void>
  /** Leaves it, and drops it. */
  drop(): Promise<void>
}

/** A database of its own, cloned from the migrated template (about 26 ms), or from one that was filled and left. */
export async function createTestDatabase(template = inject('postgres').template): Promise<TestDatabase> {
  const serverUrl = inject('postgres').url
  const name = `proofline_test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`
  await administer(serverUrl, `create database ${name} template ${template}`)
  const url = withDatabase(serverUrl, name)
  alsoSecret(decodeURIComponent(/:\/\/[^:/@]*:([^@]*)@/.exec(url)?.[1] ?? ''))
  const db = createDatabase({ url })
  const owner = createDatabase({ url, role: 'none' })
  const leave = async (): Promise<void> => {
    await searchRows(owner)
    await Promise.all([db.end(), owner.end()])
    await assertUnused(serverUrl, name)
  }
  return {
    db,
    owner,
    url,
    name,
    leave,
    async drop() {
      await leave()
      await dropTestDatabase(name)
    },
  }
}

export async function dropTestDatabase(name: string): Promise<void> {
  await administer(inject('postgres').url, `drop database ${name} with (force)`)
}

async function administer(serverUrl: string, statement: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  try {
    return await client.query(statement)
  } finally {
    await client.end()
  }
}

/** A closed connection's server process takes a moment to go, so this looks for up to a second. */
async function assertUnused(serverUrl: string, name: string): Promise<void> {
  let left: unknown[] = []
  for (let tries = 0; tries < 20; tries++) {
    left = (
      await administer(
        serverUrl,
        `select application_name, state, query from pg_stat_activity where datname = '${name}'`,
      )
    ).rows
    if (left.length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`The test left connections open: ${JSON.stringify(left)}`)
}
