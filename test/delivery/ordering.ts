import type { Database } from '../../src/database/database.ts'
import type { Destination } from '../../src/delivery/destination.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import type { DestinationSettings } from '../../src/delivery/settings.ts'
import type { Reader } from '../../src/ledger/read.ts'
import { createOrdering, type Ordering } from '../../src/watch/ordering.ts'
import type { Command } from '../../src/watch/commands.ts'
import type { TestDatabase } from '../support/database.ts'
import { findStatus } from './lane.ts'

export const ann = { id: 'token:ann', method: 'token' } as const

export interface Orders extends Ordering {
  commands: Command[]
  /** As the metric counts them. */
  duplicates(): number
  close(): Promise<void>
}

/** What an operator orders of one destination, with the commands that went on record. */
export async function openOrdering(
  database: TestDatabase,
  name: string,
  settings: DestinationSettings,
  reader: Reader,
  db: Database = database.db,
): Promise<Orders> {
  const now = (): Date => new Date()
  const destination: Destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now })
  const commands: Command[] = []
  let duplicates = 0
  const ordering = createOrdering({
    org: 'main',
    db,
    reader,
    ledgers: ['main/unit'],
    destinations: new Map([[name, { destination, settings }]]),
    publicHost: 'proofline.acme.example',
    recordCommand: async (command) => void commands.push(command),
    metrics: { duplicates: (_, __, count) => void (duplicates += count) },
    now,
  })
  return { ...ordering, commands, duplicates: () => duplicates, close: () => destination.close() }
}

/** Whether it has `records` and carried out everything that was ordered. */
export async function isDone(database: TestDatabase, name: string, records: number): Promise<boolean> {
  const lane = await findStatus(database.db, name)
  return lane?.provedTo === records && lane.orders.every(({ endedAt }) => endedAt !== undefined)
}
