import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Consumers, createConsumers } from '../../src/answers/consumers.ts'
import type { Database } from '../../src/database/database.ts'
import type { ClosedLedger } from '../../src/ledger/closed-store.ts'
import { createGenerations } from '../../src/ledger/generations.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

let test: TestDatabase
let node: TestNode
let clock = Date.parse('2026-11-23T05:00:00Z')
const generations = createGenerations('main', [])

beforeEach(async () => {
  test = await createTestDatabase()
  await test.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  node = await openNode(test.db, await createMemorySigner())
})
afterEach(async () => {
  await node.book.close()
  await test.drop()
})

const open = (more: { db?: Database; most?: number } = {}): Consumers =>
  createConsumers({ db: test.db, reader: node.reader, generations, now: () => new Date((clock += 1_000)), ...more })
const record = async (count: number): Promise<void> => {
  await node.book.appender.submit([aSubmission(`run:${clock++}`, 'x', count)])
  await node.book.publisher.catchUp()
}

it('is there after a restart, with the lag in records and since when they wait', async () => {
  await record(10)
  await record(20)
  const before = open()
  before.saw('main/unit', 'siem', 0, 'token:a')
  before.saw('main/unit', 'siem', 12, 'token:a')
  before.saw('main/unit', 'cribl', 30, 'token:b')
  before.saw('main/changes', 'siem', 0, 'token:a')
  await before.flush()

  const records = (await node.reader.readBatch('main/unit', 0)).records
  const after = open()
  expect(await after.list()).toMatchObject([
    { consumer: 'cribl', ledger: 'main/unit', next: 30, lag: 0, waitingSince: undefined, by: 'token:b' },
    { consumer: 'siem', ledger: 'main/unit', next: 12, lag: 18, waitingSince: records[12]?.recordedAt },
    { consumer: 'siem', ledger: 'main/changes', next: 0, lag: 0 },
  ])
  await record(5)
  expect((await after.list()).map(({ lag }) => lag)).toEqual([5, 23, 0])
})

it('shows on every node what any of them answered, and that a puller went back', async () => {
  await record(100)
  const [a, b] = [open(), open()]
  a.saw('main/unit', 'siem', 50, 'token:a')
  expect((await b.list())[0]).toBeUndefined()
  await a.flush()
  expect(await b.list()).toMatchObject([{ next: 50, rewound: undefined }])
  b.saw('main/unit', 'siem', 20, 'token:a')
  const [seen] = await b.list()
  expect(seen).toMatchObject({ next: 20, lag: 80, rewound: { from: 50, to: 20 } })
  expect(await a.list()).toEqual([seen])
})

it('goes on from one generation of a ledger to the next', async () => {
  await record(10)
  const closed = { ledger: 'main/unit', next: 'main/unit/2', size: 10 } as unknown as ClosedLedger // the rest is about the loss
  const sizes: Record<string, number> = { 'main/unit': 10, 'main/unit/2': 4 }
  const published = async (ledger: string) => ({ size: sizes[ledger] ?? 0, note: '', lastTime: 0 })
  const consumers = createConsumers({ db: test.db, reader: { published }, generations: createGenerations('main', [closed]) }) // oxfmt-ignore
  consumers.saw('main/unit', 'siem', 7, 'token:a')
  expect(await consumers.list()).toMatchObject([{ ledger: 'main/unit', next: 7, lag: 7 }])
  consumers.saw('main/unit/2', 'siem', 1, 'token:a')
  expect(await consumers.list()).toMatchObject([{ ledger: 'main/unit/2', next: 1, lag: 3, rewound: undefined }])
})

it('forgets nothing when the database is away, and goes back by itself', async () => {
  let isAway = true
  const db: Database = {
    ...test.db,
    transaction: (work, options) => (isAway ? Promise.reject(new Error('away')) : test.db.transaction(work, options)),
  }
  const consumers = open({ db })
  consumers.saw('main/unit', 'siem', 5, 'token:a')
  await expect(consumers.flush()).rejects.toThrow('away')
  consumers.saw('main/unit', 'siem', 3, 'token:a')
  isAway = false
  expect(await consumers.list()).toMatchObject([{ next: 3, rewound: { from: 5, to: 3 } }])
})

it('keeps those that were seen last, however many names callers give themselves', async () => {
  const consumers = open({ most: 10 })
  for (let i = 0; i < 25; i++) {
    consumers.saw('main/unit', `name ${i}`, i, 'token:a')
    if (i % 7 === 0) await consumers.flush()
  }
  const names = (await consumers.list()).map(({ next }) => next)
  expect(names.toSorted((a, b) => a - b)).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23, 24])
})

it('is forgotten in every ledger once that is on record, and is there again when it pulls again', async () => {
  await record(10)
  const consumers = open()
  consumers.saw('main/unit', 'retired', 3, 'token:a')
  consumers.saw('main/changes', 'retired', 0, 'token:a')
  consumers.saw('main/unit', 'siem', 5, 'token:a')
  const names = async () => (await consumers.list()).map(({ consumer, ledger }) => `${consumer} ${ledger}`)
  let there: string[] = []
  // A command that cannot be put on record is not carried out.
  await expect(consumers.forget('retired', () => Promise.reject(new Error('recording is stopped')))).rejects.toThrow('stopped') // oxfmt-ignore
  expect(await names()).toHaveLength(3)
  expect(await consumers.forget('retired', async () => void (there = await names()))).toBe(true)
  expect(there).toHaveLength(3)
  expect(await names()).toEqual(['siem main/unit'])
  expect(await consumers.forget('retired', () => Promise.reject(new Error('nothing to record')))).toBe(false)
  consumers.saw('main/unit', 'retired', 4, 'token:a')
  expect(await names()).toEqual(['retired main/unit', 'siem main/unit'])
})
