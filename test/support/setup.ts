import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { startEmbedded } from '../../src/database/embedded.ts'
import { migrate } from '../../src/database/migrate.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { startSystemPostgres, systemPostgres, withDatabase } from './postgres.ts'
import type { TestServer } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgres: { url: string; template: string }
  }
}

/**
 * One PostgreSQL for all files of a project: makes the roles, migrates one template, and disconnects from it, for a template with a
 * connection cannot be cloned. `stories` always uses the product's own embedded server.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer(project.name)
  const template = `proofline_template_${process.pid}`
  await administer(server.url, `create database ${template}`)
  await migrate(withDatabase(server.url, template), join(import.meta.dirname, '../../migrations'))
  project.provide('postgres', { url: server.url, template })
  return async () => {
    await administer(server.url, `drop database ${template} with (force)`)
    await server.stop()
  }
}

async function startServer(project: string): Promise<TestServer> {
  const given = process.env['TEST_DATABASE_URL']
  if (given !== undefined && given !== '' && project !== 'stories') return { url: given, async stop() {} }
  const bin = systemPostgres()
  if (bin !== undefined && project !== 'stories') return startSystemPostgres(bin)
  const folder = await mkdtemp(join(tmpdir(), 'proofline-stories-'))
  const server = await startEmbedded(folder, { log: silentLogger })
  return {
    url: server.url,
    async stop() {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statement)
  await client.end()
}
