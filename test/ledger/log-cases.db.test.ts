import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { auditDatabase } from '../../src/ledger/audit-database.ts'
import * as store from '../../src/ledger/store.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import type { Signer } from '../../src/signing/signer.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

/** Hard cases of the log that two writers, or one that dies, make: whatever happens, one index for one submission, and none is given twice. */

const ledger = 'main/unit'
const origin = `localhost/${ledger}`
let test: TestDatabase
let signer: Signer
const nodes: TestNode[] = []

beforeEach(async () => {
  test = await createTestDatabase()
  await test.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  signer = await createMemorySigner()
})
afterEach(async () => {
  for (const { book } of nodes.splice(0)) await book.close()
  await test.drop()
})

async function open(name: string, db: Database = test.db): Promise<TestNode> {
  const node = await openNode(db, signer, name)
  nodes.push(node)
  return node
}

async function expectWhole(size: number): Promise<void> {
  const { reader } = await open('auditor')
  const vkeys = [await createSigningKey(origin, 1, new Uint8Array(32).fill(7))]
  const found = await auditDatabase({ db: test.db, reader, ledger, origin, vkeys, signal: new AbortController().signal }) // oxfmt-ignore
  expect(found).toMatchObject({ size, signed: size, differences: [] })
}

describe('two nodes', () => {
  it('case 5: give one index and one receipt to a submission that both are brought at once', async () => {
    const [a, b] = [await open('a'), await open('b')]
    for (let round = 0; round < 10; round++) {
      const brought = () => [aSubmission(`run:${round}`, `text ${round}`, 3)]
      const answers = await Promise.all([a, b, a, b].map(({ book }) => book.appender.submit(brought())))
      expect(new Set(answers.map(([one]) => JSON.stringify([one?.firstSeq, one?.lastSeq, one?.firstTime, one?.checkpoint]))).size).toBe(1) // oxfmt-ignore
      expect(answers.filter(([one]) => one?.repeated === false)).toHaveLength(1)
    }
    await expectWhole(30)
  })

  it('case 26: that both take themselves for the writer leave no gap and give no index twice', async () => {
    const [a, b] = [await open('a'), await open('b')]
    const submitted = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? a : b).book.appender.submit([aSubmission(`run:${i}`)])) // oxfmt-ignore
    const seqs = (await Promise.all(submitted)).map(([one]) => one?.firstSeq)
    expect(seqs.toSorted((x, y) => (x ?? 0) - (y ?? 0))).toEqual(Array.from({ length: 40 }, (_, i) => i))
    await expectWhole(40)
  })
})

describe('a key', () => {
  it('case 6: with other content is refused, and the first receipt stays', async () => {
    const { book } = await open('a')
    const [first] = await book.appender.submit([aSubmission('run:a', 'one')])
    await expect(book.appender.submit([aSubmission('run:a', 'two')])).rejects.toMatchObject({ code: 'run_conflict' })
    expect((await book.appender.submit([aSubmission('run:a', 'one')]))[0]).toMatchObject({ firstSeq: first?.firstSeq, repeated: true }) // oxfmt-ignore
    await expectWhole(1)
  })

  it('case 7: is compared whole, and so is the digest: one that differs in its last bit alone gets no old receipt', async () => {
    const { book } = await open('a')
    const one = aSubmission('run:a', 'one')
    await book.appender.submit([one])
    const digest = Buffer.from(one.digest)
    digest[31] = (digest[31] ?? 0) ^ 1
    await expect(book.appender.submit([{ ...one, digest }])).rejects.toMatchObject({ code: 'run_conflict' })
    const long = `run:${'a'.repeat(200)}`
    await book.appender.submit([aSubmission(`${long}1`, 'long one')])
    expect((await book.appender.submit([aSubmission(`${long}2`, 'long two')]))[0]?.repeated).toBe(false)
    await expectWhole(3)
  })
})

describe('a node that dies between commit and signature', () => {
  it('case 23: leaves records whose index stays: the next start signs them, and a retry gets the same receipt', async () => {
    const dying = await open('a', {
      ...test.db,
      query: (asked) => (asked.name === 'publish_checkpoint' && asked.values?.[1] !== 0 ? new Promise(() => {}) : test.db.query(asked)), // oxfmt-ignore
    })
    void dying.book.appender.submit([aSubmission('run:a', 'one', 5)]).catch(() => {})
    while ((await store.readHead(test.db, ledger)).head?.size !== 5) await new Promise((done) => setTimeout(done, 10))
    nodes.pop() // it never comes back: as if killed
    expect((await store.newestCheckpoint(test.db, ledger))?.size ?? 0).toBe(0)
    const { book } = await open('b')
    expect((await store.newestCheckpoint(test.db, ledger))?.size).toBe(5)
    const [again] = await book.appender.submit([aSubmission('run:a', 'one', 5)])
    expect(again).toMatchObject({ firstSeq: 0, lastSeq: 4, repeated: true, checkpoint: { size: 5 } })
    expect((await book.appender.submit([aSubmission('run:b')]))[0]?.firstSeq).toBe(5)
    await expectWhole(6)
  })
})
