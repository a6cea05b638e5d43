import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createColdSource } from '../archive/cold.ts'
import type { Config } from '../config.ts'
import { type Database, createDatabase } from '../database/database.ts'
import { type Embedded, joinEmbedded, startEmbedded } from '../database/embedded.ts'
import { migrate } from '../database/migrate.ts'
import { readClosed } from '../ledger/closed-store.ts'
import { type Generations, createGenerations } from '../ledger/generations.ts'
import { type LedgerReader, createReader } from '../ledger/read.ts'
import { type Watch, createWatch } from '../ledger/watch.ts'
import type { Objects } from '../objects/objects.ts'
import type { ObjectsSettings } from '../objects/settings.ts'
import { openObjects } from '../objects/open-objects.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'

/** Database, artifact storage and the reader over both, without the service: for serving, and for commands that look into them. */
export interface Storage {
  db: Database
  reader: LedgerReader
  watch: Watch
  /** Artifacts, and the archive of closed days. */
  objects: Objects
  /** What is recorded in; `generations` has those too that were closed with a loss. */
  ledgers: readonly LedgerName[]
  generations: Generations
  /** What PostgreSQL it is, for people. */
  database: string
  /** Aborts when the embedded server is gone without having been asked to. */
  lost: AbortSignal | undefined
  /** As the owner of the tables, for what the service may never do. Whoever opens it ends it. */
  openOwner(): Database
  close(): Promise<void>
}

/** The migrations lie beside src in a checkout and beside dist in the package. */
export const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

/** Months of partitions that are made ahead. */
const monthsAhead = 6

/**
 * Starts the embedded server or connects, brings the schema up to date and makes partitions. Throws with what to do about it. The service
 * owns its embedded server; a command uses the one of a service that runs, and lets it be.
 */
export async function openStorage(config: Config, log: Logger, by: 'service' | 'command'): Promise<Storage> {
  await mkdir(config.data_dir, { recursive: true, mode: 0o700 })
  const { url: given, owner_url } = config.database
  const embedded = given === undefined ? await openEmbedded(join(config.data_dir, 'postgres'), log, by) : undefined
  const url = given ?? embedded?.url ?? ''
  try {
    await migrate(owner_url ?? url, migrationsFolder, { log })
    const db = createDatabase({ url, maxConnections: config.database.connections, log })
    const watch = createWatch(db)
    await ensurePartitions(db)
    const objects = await openObjects(objectsSettings(config))
    const generations = createGenerations(config.org, await readClosed(db, config.org))
    const { rows } = await db.query<{ version: string }>({
      text: `select current_setting('server_version') as version`,
    })
    return {
      db,
      watch,
      objects,
      reader: createReader(db, watch, createColdSource(db, objects)),
      ledgers: generations.current,
      generations,
      database: `PostgreSQL ${rows[0]?.version ?? ''}${embedded === undefined ? '' : ' (embedded: one node, no replica)'}`,
      lost: embedded?.lost,
      openOwner: () =>
        createDatabase({
          url: owner_url ?? url,
          role: 'proofline_owner',
          maxConnections: 2,
          queryTimeoutMs: 120_000,
          log,
        }),
      async close() {
        await objects.close()
        await db.end()
        await embedded?.stop()
      },
    }
  } catch (error) {
    await embedded?.stop()
    throw error
  }
}

/** Where artifacts are; a parse worker opens the same storage by it. */
export function objectsSettings(config: Config): ObjectsSettings {
  return { folder: join(config.data_dir, 'artifacts'), s3: config.artifacts.s3 }
}

function openEmbedded(
  folder: string,
  log: Logger,
  by: 'service' | 'command',
): Promise<Omit<Embedded, 'lost'> & Partial<Embedded>> {
  return by === 'service' ? startEmbedded(folder, { log }) : joinEmbedded(folder, { log })
}

/** This month's partitions and those of the months ahead; those that exist stay. */
export async function ensurePartitions(db: Database): Promise<void> {
  await db.query({
    text: `select ensure_partitions(date_trunc('month', now() at time zone 'UTC')::date, $1)`,
    values: [monthsAhead + 1],
  })
  await db.query({
    text: `select ensure_delivery_partitions(date_trunc('month', now() at time zone 'UTC')::date, $1)`,
    values: [monthsAhead + 1],
  })
}
