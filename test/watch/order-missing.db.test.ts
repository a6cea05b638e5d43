import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { findDifferences } from '../../src/watch/comparison-store.ts'
import { mostListed } from '../../src/watch/reconcile.ts'
import { reconcileDestination } from '../../src/watch/run-reconciliation.ts'
import { elasticSettings, eventually, startLane } from '../delivery/lane.ts'
import { ann, isDone, openOrdering } from '../delivery/ordering.ts'
import { createMemoryReader, makeRecord } from '../delivery/records.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createMemorySigner, openNode, type TestNode } from '../support/ledger.ts'

let database: TestDatabase
let operations: TestNode
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  operations = await openNode(database.db, await createMemorySigner(), 'a', 'main/operations')
})
afterAll(async () => {
  await operations.book.close()
  await database.drop()
})

it('orders all that is missing, also what a comparison does not list by id', async () => {
  const { db } = database
  const records = Array.from({ length: mostListed + 300 }, (_, seq) => makeRecord(seq))
  const fake = await startFakeBulk()
  const settings = elasticSettings(fake, { visible_after_ms: 0, request_timeout_ms: 10_000, batch: { records: 1_000, bytes: 524_288 } }) // oxfmt-ignore
  const reader = createMemoryReader(records)
  const lane = await startLane({ name: 'elk', db, reader, settings })
  const kept = { text: `select from positions where destination = 'elk' and proved_to = $1`, values: [records.length] }
  await eventually(async () => (await db.query(kept)).rowCount > 0, undefined, 30_000) // a comparison goes so far
  const destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now: () => new Date() })
  const compare = async () => {
    const deps = { name: 'elk', db, reader, destination, settings, selects: () => settings.select, now: () => new Date(), operations: operations.book, log: silentLogger, sample: 10 } // oxfmt-ignore
    return (await reconcileDestination(deps, 0, AbortSignal.timeout(60_000)))[0]
  }
  const lost = records.slice(50, -50)
  for (const { id } of lost) fake.forget(id)
  expect(await compare()).toMatchObject({ verdict: 'differs', missing: lost.length })
  const differences = await findDifferences(db, { ledger: 'main/unit', destination: 'elk' })
  expect(differences.length).toBe(mostListed)

  // One that is not answered takes nothing back.
  fake.searchDown = true
  expect(await compare()).toMatchObject({ verdict: 'unknown' })
  fake.searchDown = false
  const orders = await openOrdering(database, 'elk', settings, reader)
  const told = await orders.redeliver(ann, 'elk', { ledger: undefined }, 'the index was lost')
  expect(told).toEqual({ orders: [{ ledger: 'main/unit', n: 1, first: 50, last: mostListed + 249 }], records: lost.length, left: 0 }) // oxfmt-ignore
  expect(await orders.redeliver(ann, 'elk', { ledger: undefined }, 'again')).toMatchObject({ records: 0, left: 0 })
  await eventually(() => fake.ids().length === records.length, undefined, 30_000)
  await eventually(() => isDone(database, 'elk', records.length), undefined, 30_000)
  expect(await compare()).toMatchObject({ verdict: 'same', missing: 0 })
  expect(await orders.redeliver(ann, 'elk', { ledger: undefined }, 'once more')).toMatchObject({ records: 0, left: 0 })
  await Promise.all([lane.stop(), orders.close(), destination.close()])
  await fake.close()
}, 120_000)
