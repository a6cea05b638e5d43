import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listDeadLetters } from '../../src/delivery/status.ts'
import { type FakeBulk, type ItemFailure, startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { elasticSettings, eventually, findStatus, getStatus, startLane } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

/** Answers of Elastic that say nothing against a record, and those that do: what is kept, what is parked. */

let database: TestDatabase
let lanes = 0
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const records = Array.from({ length: 20 }, (_, seq) => makeRecord(seq))
const ids = records.map(({ id }) => id)

const status = (name: string) => getStatus(database.db, name)

async function delivering(prepare: (fake: FakeBulk) => void) {
  const fake = await startFakeBulk()
  prepare(fake)
  const name = `elk-${++lanes}`
  const reader = createMemoryReader([...records])
  const lane = await startLane({ name, db: database.db, reader, settings: elasticSettings(fake) })
  const has = (wanted: Partial<Awaited<ReturnType<typeof status>>>) =>
    eventually(
      async () => {
        const found = await findStatus(database.db, name)
        const there = new Map(Object.entries(found ?? {}))
        return Object.entries(wanted).every(([key, value]) => there.get(key) === value)
      },
      () => status(name),
    )
  return { fake, name, has, close: () => lane.stop().then(() => fake.close()) }
}

describe('delivery to Elastic', () => {
  it('case 32: parks what went to a failure store, and does not send it again', async () => {
    const { fake, name, has, close } = await delivering((f) => {
      const items = ids.map((_id, n) => ({
        create: { _index: 'proofline-unit-2026.11', _id, status: 201, result: 'created', ...(n === 7 ? { failure_store: 'used' } : {}) },
      })) // oxfmt-ignore
      f.answerNext(200, { errors: false, items })
    })
    await has({ provedTo: 20, parked: 1 })
    expect(await listDeadLetters(database.db, { org: 'main', destination: name, limit: 10 })).toMatchObject([
      { id: ids[7], kind: 'refused', reason: expect.stringContaining('failure store') as string },
    ])
    expect(fake.counters.requests).toBe(1)
    await close()
  })

  const blocks: [string, string, ItemFailure][] = [
    ['case 33: a cluster block by an administrator', 'cluster_block', { status: 403, type: 'cluster_block_exception', reason: 'index read-only / allow delete' }],
    ['case 33: a cluster block by a full disk', 'cluster_block', { status: 429, type: 'cluster_block_exception', reason: 'disk usage exceeded flood-stage watermark' }],
    ['case 33: a privilege that was taken away', 'credentials', { status: 403, type: 'security_exception', reason: 'action is unauthorized' }],
    ['case 34: an index that may not be made', 'index', { status: 404, type: 'index_not_found_exception', reason: 'no such index' }],
    ['case 39: a collection that takes no ids', 'settings', { status: 400, type: 'illegal_argument_exception', reason: 'Document ID is not supported in create/index operation request' }],
    ['a cluster without a shard left for a new month', 'index', { status: 400, type: 'validation_exception', reason: 'this action would add [2] shards' }],
    ['a pipeline that is gone', 'settings', { status: 400, type: 'illegal_argument_exception', reason: 'pipeline with id [p] does not exist' }],
  ] // oxfmt-ignore
  it.each(blocks)('%s blocks (%s) and parks nothing; it goes on by itself', async (_, reason, failure) => {
    const { fake, has, name, close } = await delivering((f) => (f.refuse = () => failure))
    await has({ state: 'blocked' })
    expect(await status(name)).toMatchObject({ reason, parked: 0, sentTo: 0 })
    expect(fake.documents()).toEqual([])
    fake.refuse = () => undefined
    await has({ state: 'running', provedTo: 20 })
    expect(fake.ids().toSorted()).toEqual(ids.toSorted())
    expect(await status(name)).toMatchObject({ parked: 0, inDoubt: 0 })
    await close()
  })
})

describe('an index of another name in the configuration', () => {
  it.each(['drop-after-storing', 'drop-before-storing'] as const)(
    'makes no second document of what was in doubt after %s: it is looked for where it went',
    async (mode) => {
      const fake = await startFakeBulk()
      const name = `elk-${++lanes}`
      const reader = createMemoryReader([...records])
      fake.failNext(mode)
      const first = await startLane({ name, db: database.db, reader, settings: elasticSettings(fake, { retry_delays_ms: [600_000] }) }) // oxfmt-ignore
      await eventually(async () => ((await findStatus(database.db, name))?.inDoubt ?? 0) === 20)
      await first.stop()
      const settings = elasticSettings(fake, { indexes: { unit: 'coverage' } })
      const second = await startLane({ name, db: database.db, reader, settings })
      await eventually(async () => (await status(name)).provedTo === 20)
      await second.stop()
      await fake.close()
      const index = mode === 'drop-after-storing' ? 'proofline-unit-2026.11' : 'coverage-2026.11'
      expect(fake.documents()).toEqual(ids.map((id) => `${index}/${id}`))
      expect(await status(name)).toMatchObject({ parked: 0, inDoubt: 0 })
    },
  )
})
