import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Signer } from '../../src/signing/signer.ts'
import { readHead } from '../../src/ledger/store.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/unit'
const databases: TestDatabase[] = []
const nodes: TestNode[] = []
let signer: Signer

beforeEach(async () => {
  signer = await createMemorySigner()
})
afterEach(async () => {
  for (const { book } of nodes.splice(0)) await book.close()
  for (const database of databases.splice(0)) await database.drop()
})

async function open(by: Signer): Promise<TestNode & { database: TestDatabase }> {
  const database = await createTestDatabase()
  databases.push(database)
  await database.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  const node = await openNode(database.db, by)
  nodes.push(node)
  return { ...node, database }
}

describe('a database that is older than what was signed', () => {
  it('is noticed when it is opened, before anything is recorded in it', async () => {
    const first = await open(signer)
    await first.book.appender.submit([aSubmission('run:a')])
    expect(first.book.publisher.stopped()).toBeUndefined()

    const empty = await open(signer)
    expect(empty.book.publisher.stopped()).toMatchObject({ code: 'rollback_detected' })
    await expect(empty.book.appender.submit([aSubmission('run:b')])).rejects.toMatchObject({
      code: 'rollback_detected',
    })
    expect((await readHead(empty.database.db, ledger)).head?.size ?? 0).toBe(0)
  })

  it('is noticed too when it has as many records, and other ones', async () => {
    const first = await open(signer)
    await first.book.appender.submit([aSubmission('run:a')])
    const other = await open(await createMemorySigner())
    await other.book.appender.submit([aSubmission('run:b')])

    const again = await openNode(other.database.db, signer, 'b')
    nodes.push(again)
    expect(again.book.publisher.stopped()).toMatchObject({ code: 'rollback_detected' })
  })

  /** As a replica that was promoted without the last commits, or a backup under services that run. */
  async function rollBack({ owner }: TestDatabase, size: number): Promise<void> {
    const rows = { heads: 'size > $1', checkpoints: 'size > $1', submissions: 'first_seq >= $1', segments: 'first_seq >= $1' } // oxfmt-ignore
    for (const [table, where] of Object.entries(rows)) {
      await owner.query({ text: `alter table proofline.${table} disable trigger user` })
      await owner.query({ text: `delete from proofline.${table} where ${where}`, values: [size] })
    }
  }

  it('case 8: gets no record when it appears under services that run: nothing is in the way of what is put back later', async () => {
    let isAway = false
    const switched: Signer = {
      ...signer,
      last: async (of) => (isAway ? Promise.reject(new Error('the signer is away')) : signer.last(of)),
      sign: async (of, request) =>
        isAway ? Promise.reject(new Error('the signer is away')) : signer.sign(of, request),
    }
    const first = await open(switched)
    for (const run of ['a', 'b', 'c']) await first.book.appender.submit([aSubmission(`run:${run}`)])
    const beside = await openNode(first.database.db, switched, 'b')
    nodes.push(beside)
    await rollBack(first.database, 2)
    // The one beside knows it of the signer, the first also by itself.
    for (const [node, away] of [
      [beside, false],
      [first, true],
    ] as const) {
      // oxfmt-ignore
      isAway = away
      await expect(node.book.appender.submit([aSubmission('run:d')])).rejects.toMatchObject({ code: 'rollback_detected' }) // oxfmt-ignore
      expect((await readHead(first.database.db, ledger)).head?.size).toBe(2)
      expect(node.book.publisher.stopped()).toMatchObject({ code: 'rollback_detected' })
    }
  })
})
