import { afterAll, beforeAll, expect, it } from 'vitest'
import { deliveryStatus } from '../../src/delivery/status.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { elasticSettings, eventually, startLane } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

let test: TestDatabase
beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(() => test.drop())

it('says why a destination that is not blocked gets nothing, with phase and address, until it does', async () => {
  const gone = await startFakeBulk()
  await gone.close()
  const port = Number(new URL(gone.url).port)
  const reader = createMemoryReader([makeRecord(0), makeRecord(1)])
  const lane = await startLane({ db: test.db, reader, settings: elasticSettings(gone) })
  const status = async () => (await deliveryStatus(test.db, 'main'))[0]
  await eventually(async () => (await status())?.failure !== undefined)
  expect(await status()).toMatchObject({
    state: 'running',
    sentTo: 0,
    failure: {
      phase: 'connect',
      address: `127.0.0.1:${port}`,
      reason: expect.stringMatching(new RegExp(`^connect 127.0.0.1:${port}: ECONNREFUSED`)) as string,
    },
  })
  // Tried again and again: each try has its turn without an outcome, and the reason stays in sight.
  for (let looks = 0; looks < 20; looks++) expect((await status())?.failure?.phase).toBe('connect')
  const back = await startFakeBulk({ port })
  await eventually(async () => (await status())?.provedTo === 2)
  expect((await status())?.failure).toBeUndefined()
  await lane.stop()
  await back.close()
})
