import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRunsStore } from '../../src/admission/runs-store.ts'
import type { LedgerReader } from '../../src/ledger/read.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { recordInventory } from '../support/record-runs.ts'

let database: TestDatabase
let node: TestNode
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  node = await openNode(database.db, await createMemorySigner(), 'a')
})
afterAll(async () => {
  await node.book.close()
  await database.drop()
})

const id = (text: string): string => Buffer.from(text).toString('hex').padEnd(40, '0')

it('keeps inventories as long as they take no more bytes than they may, and the newest whatever it takes', async () => {
  const filesOf = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}.ts`, id(`f${i}`)])) // oxfmt-ignore
  for (const [commit, count] of [['s1', 10], ['s2', 10], ['big', 200]] as const) await recordInventory(node.book, 'r', id(commit), filesOf(count)) // oxfmt-ignore
  let reads = 0
  const { payload, rawSegment } = node.reader
  const reader: LedgerReader = { ...node.reader, payload, rawSegment: (...asked) => ((reads += 1), rawSegment(...asked)) } // oxfmt-ignore
  const runs = createRunsStore(database.db, reader, 4_000)
  const isRead = async (commit: string): Promise<boolean> => {
    const before = reads
    expect((await runs.inventoryOf('main/unit', 'r', id(commit)))?.length).toBeGreaterThan(0)
    return reads > before
  }
  const asked: [string, boolean][] = [['s1', true], ['s2', true], ['s1', false], ['s2', false], ['big', true], ['big', false], ['s1', true], ['s1', false], ['big', true]] // oxfmt-ignore
  for (const [i, [commit, expected]] of asked.entries()) expect([i, await isRead(commit)]).toEqual([i, expected])
})
