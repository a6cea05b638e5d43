import { cp } from 'node:fs/promises'
import { createFolderObjects } from '../../src/objects/folder.ts'
import type { Objects } from '../../src/objects/objects.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { type SettableClock, createSettableClock, settableClock } from '../support/clock.ts'
import { type TestDatabase, createTestDatabase, dropTestDatabase } from '../support/database.ts'
import { type SignerMemory, createMemorySigner, createSignerMemory } from '../support/ledger.ts'
import { temporaryFolder } from '../support/service.ts'
import { type ArchiveNode, openArchiveNode } from './archive.ts'

/** A database, a folder of objects, a clock and a node over them. */
export interface ArchivePlace {
  database: TestDatabase
  folder: string
  objects: Objects
  clock: SettableClock
  node: ArchiveNode
  close(): Promise<void>
}

export interface ArchiveTemplate {
  copy(): Promise<ArchivePlace>
  drop(): Promise<void>
}

export const placeLedgers: readonly LedgerName[] = ['main/unit', 'main/operations']

async function openPlace(
  database: TestDatabase,
  folder: { path: string; remove(): Promise<void> },
  clock: SettableClock,
  memory: SignerMemory,
): Promise<ArchivePlace> {
  const objects = await createFolderObjects(folder.path)
  const signer = await createMemorySigner(memory)
  const node = await openArchiveNode({ db: database.db, objects, ledgers: placeLedgers, signer })
  return {
    database,
    folder: folder.path,
    objects,
    clock,
    node,
    async close() {
      await node.close()
      await database.drop()
      await folder.remove()
    },
  }
}

/**
 * Three years of partitions from 2 November 2027 on, and what `fill` puts there: made once, copied for each test. Months of records and the
 * days of their archive take a second to make, and a few hundredths to copy.
 */
export async function createArchiveTemplate(
  fill: (place: ArchivePlace) => Promise<void> = async () => {},
): Promise<ArchiveTemplate> {
  const database = await createTestDatabase()
  const folder = await temporaryFolder('archive')
  const memory = createSignerMemory()
  const clock = await createSettableClock(database.owner, '2027-11-02T10:00:00Z')
  await database.db.query({ text: `select ensure_partitions('2027-11-01', 36)` })
  const place = await openPlace(database, folder, clock, memory)
  await fill(place)
  await place.node.close()
  await database.leave()
  return {
    async copy() {
      const copied = await createTestDatabase(database.name)
      const files = await temporaryFolder('archive')
      await cp(folder.path, files.path, { recursive: true })
      return openPlace(copied, files, settableClock(copied.owner), createSignerMemory(memory))
    },
    async drop() {
      await dropTestDatabase(database.name)
      await folder.remove()
    },
  }
}
