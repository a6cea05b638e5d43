import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

let database: TestDatabase
let nodes: TestNode[]
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  nodes = [await openNode(database.db, signer, 'a'), await openNode(database.db, signer, 'b')]
})
afterAll(async () => {
  for (const { book } of nodes) await book.close()
  await database.drop()
})

describe('two nodes', () => {
  it('answer everybody who joins what the other node records at that moment', { timeout: 90_000 }, async () => {
    for (let round = 0; round < 15; round++) {
      const group = Array.from({ length: 40 }, (_, i) => ({ ...aSubmission(`joined:${round}/${i}`), firstWins: true }))
      const answers = await Promise.all([...nodes, ...nodes, ...nodes].map(({ book }) => book.appender.submit(group)))
      const seqs = answers.map((recorded) => recorded.map(({ firstSeq }) => firstSeq))
      for (const other of seqs) expect(other).toEqual(seqs[0])
      expect(new Set(answers.map((recorded) => recorded.at(-1)?.checkpoint.note)).size).toBe(1)
    }
  })
})
