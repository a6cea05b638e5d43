import { afterEach, beforeEach, expect, it } from 'vitest'
import { createArchiving, keepArchive } from '../../src/service/archiving.ts'
import { readConfig } from '../../src/config.ts'
import type { KeepingDeps } from '../../src/service/keeping.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { createSettableClock } from '../support/clock.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { createMemoryObjects } from '../support/memory-objects.ts'
import { type ArchiveNode, openArchiveNode } from './archive.ts'

const signal = new AbortController().signal
const ledgers = ['main/unit', 'main/operations'] as const
let database: TestDatabase
let node: ArchiveNode
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  await node.close()
  await database.drop()
})

it('nothing is archived while database and machine disagree about the day; every process hears of it, and that it passed', async () => {
  const { db } = database
  const now = Date.now()
  const day = 86_400_000
  const clock = await createSettableClock(database.owner, (now - 3 * day) * 1000)
  await db.query({ text: `select ensure_partitions((current_date - 40)::date, 24)` })
  const objects = createMemoryObjects()
  node = await openArchiveNode({ db, objects, ledgers })
  await node.record('main/unit', 'r1', 'acme/pay', 3)
  // One process; what of the others' parts it would be given is not used.
  const deps = { config: readConfig(undefined, {}), db, reader: node.reader, objects, signer: node.signer, generations: { every: ledgers, chain: (one: string) => [one] }, treeOf: (one: (typeof ledgers)[number]) => node.books.get(one)?.tree, books: node.books, operations: node.books.get('main/operations'), originOf: (ledger: string) => `localhost/${ledger}`, log: silentLogger } as unknown as KeepingDeps // oxfmt-ignore
  const [here, elsewhere] = [createArchiving(deps), createArchiving(deps)]
  const findings = await keepArchive(elsewhere)(deps, () => {})

  await clock.set((now + 400 * day) * 1000)
  await here.pass('retention', signal)
  const status = await elsewhere.status()
  expect(status.failures).toEqual([{ subject: 'clock', reason: expect.stringMatching(/^the database clock is \d+ s ahead of that of this machine/) as string }]) // oxfmt-ignore
  expect(status.ledgers.map(({ days }) => days)).toEqual([0, 0])
  expect((await findings()).map(({ code, subject }) => [code, subject])).toContainEqual(['archive_overdue', 'clock'])

  await clock.set(now * 1000)
  await here.pass('archive', signal)
  const after = await elsewhere.status()
  expect([after.failures, after.ledgers.map(({ failure }) => failure)]).toEqual([[], [null, null]])
  expect(after.ledgers[0]?.days).toBeGreaterThan(1)
  expect(await findings()).toEqual([])
})
