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
  /** Searches all rows for secrets, ends both and drops the database; fails when a test left a connection of its own open. */
  drop(): Promise<void>
}

/** A database of its own, cloned from the migrated template (about 26 ms). */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { url: serverUrl, template } = inject('postgres')
  const name = `proofline_test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`
  await administer(serverUrl, `create database ${name} template ${template}`)
  const url = withDatabase(serverUrl, name)
  alsoSecret(decodeURIComponent(/:\/\/[^:/@]*:([^@]*)@/.exec(url)?.[1] ?? ''))
  const db = createDatabase({ url })
  const owner = createDatabase({ url, role: 'none' })
  return {
    db,
    owner,
    url,
    async drop() {
      await searchRows(owner)
      await Promise.all([db.end(), owner.end()])
      await assertUnused(serverUrl, name)
      await administer(serverUrl, `drop database ${name} with (force)`)
    },
  }
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
