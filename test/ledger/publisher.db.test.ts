import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { insertGenesis } from '../../src/ledger/insert-append.ts'
import { createPublisher } from '../../src/ledger/publisher.ts'
import { createReader } from '../../src/ledger/read.ts'
import { createTree } from '../../src/ledger/tree.ts'
import { createWatch } from '../../src/ledger/watch.ts'
import { emptyRoot } from '../../src/log/merkle.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/unit'
let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
})
afterAll(() => database.drop())

describe('a signer that is away', () => {
  it('lets nobody wait for ever, and what was recorded meanwhile is signed when it comes back', async () => {
    const { db } = database
    await insertGenesis(db, ledger, emptyRoot)
    const real = await createMemorySigner()
    const signer = { ...real, away: true, sign: (...args: Parameters<typeof real.sign>) => (signer.away ? Promise.reject(new Error('ECONNREFUSED')) : real.sign(...args)) } // oxfmt-ignore
    const reader = createReader(db, createWatch(db))
    const publisher = createPublisher({ ledger, db, signer, tree: createTree(db, ledger, reader), node: 'a', log: silentLogger, patienceMs: 300 }) // oxfmt-ignore
    await expect(publisher.covering(0)).rejects.toMatchObject({ code: 'unavailable' })
    const asked = async (): Promise<boolean> => {
      await publisher.covering(0).catch(() => undefined)
      return publisher.isDelayed()
    }
    await expect.poll(asked, { timeout: 20_000 }).toBe(true)
    signer.away = false
    await expect
      .poll(() => publisher.covering(0).catch(() => undefined), { timeout: 20_000 })
      .toMatchObject({ size: 0 })
    expect(publisher.isDelayed()).toBe(false)
    await publisher.close()

    const { book } = await openNode(db, real)
    const [recorded] = await book.appender.submit([aSubmission('run:a')])
    expect(recorded).toMatchObject({ firstSeq: 0, checkpoint: { size: 1 } })
    await book.close()
  })
})
