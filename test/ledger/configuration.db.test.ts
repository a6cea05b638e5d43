import { afterAll, beforeAll, expect, it } from 'vitest'
import { recordConfiguration } from '../../src/ledger/configuration-records.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createMemorySigner, openNode, type TestNode } from '../support/ledger.ts'

let test: TestDatabase
let operations: TestNode
beforeAll(async () => {
  test = await createTestDatabase()
  await ensurePartitions(test.db)
  operations = await openNode(test.db, await createMemorySigner(), 'a', 'main/operations')
})
afterAll(async () => {
  await operations.book.close()
  await test.drop()
})

it('a node has a record of each change of its version or configuration, also of going back, and none of starting as before', async () => {
  const start = (node: string, version: string, configuration: object) =>
    recordConfiguration(test.db, operations.book, node, version, configuration)
  await Promise.all([start('a', '1', { x: 1 }), start('a', '1', { x: 1 })])
  await start('a', '1', { x: 1 })
  await start('a', '2', { x: 1 })
  await start('b', '1', { x: 1 })
  await start('a', '2', { x: 1 })
  await start('a', '1', { x: 1 })
  await start('a', '1', { x: 1 })
  await start('a', '1', { x: 2 })
  const { records } = await operations.reader.readBatch('main/operations', 0)
  const told = records.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, string>)
  expect(told.map(({ node, version, configuration_digest: digest = '' }) => `${node} ${version} ${digest.slice(0, 4)}`)).toEqual([
    'a 1 5041', 'a 2 5041', 'b 1 5041', 'a 1 5041', 'a 1 5e2b',
  ]) // oxfmt-ignore
})
