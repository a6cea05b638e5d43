import { ensureSecret } from '../access/first-token.ts'
import { type Consumer, createConsumers } from '../answers/consumers.ts'
import { createFeed } from '../answers/feed.ts'
import { createCursors } from '../answers/position.ts'
import type { ConsumerTold } from '../api/consumers.ts'
import type { Database } from '../database/database.ts'
import { mountConsumers, tellConsumer } from '../http/consumers.ts'
import { mountFeed } from '../http/feed.ts'
import type { Mount } from '../http/mount.ts'
import type { Generations } from '../ledger/generations.ts'
import type { LedgerReader } from '../ledger/read.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { RecordCommand } from '../watch/commands.ts'

/** The feed, and who pulls it. */
export interface Feeding {
  consumers(): Promise<ConsumerTold[]>
  /** Writes down what was seen last. */
  close(): Promise<void>
}

export interface FeedingDeps {
  mount: Mount
  db: Database
  reader: LedgerReader
  generations: Generations
  log: Logger
  metrics: Pick<Metrics, 'setConsumers'>
  recordCommand: RecordCommand
}

/** How often positions are written down, and read again for the metrics: what other processes answered shows with this delay. */
const everyMs = 5_000

export async function openFeed({
  mount,
  db,
  reader,
  generations,
  log,
  metrics,
  recordCommand,
}: FeedingDeps): Promise<Feeding> {
  const cursors = createCursors(await ensureSecret(db, 'cursors'))
  const consumers = createConsumers({ db, reader, generations })
  mountFeed(mount, createFeed({ reader, cursors, earliest: reader.earliest, generations, saw: consumers.saw }), cursors)

  const told = async (): Promise<ConsumerTold[]> => {
    const list = await consumers.list()
    return list.map((one) => tellConsumer(one, new Date()))
  }
  mountConsumers(mount, { list: told, forget: consumers.forget, recordCommand })

  let known: readonly Consumer[] = []
  metrics.setConsumers(() => known)
  const look = async (): Promise<void> => {
    known = await consumers.list().catch((error: unknown) => {
      log.warn('consumers.unwritten', { error })
      return known
    })
  }
  let looking = look()
  const timer = setInterval(() => void (looking = looking.then(look)), everyMs)
  return {
    consumers: told,
    async close() {
      clearInterval(timer)
      await looking
      await consumers.flush()
    },
  }
}
