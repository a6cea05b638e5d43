import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StoredRecord } from '../../src/ledger/read.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import * as store from '../../src/ledger/store.ts'
import type { Signer } from '../../src/signing/signer.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

/** What a process remembers of a ledger saves it reading and hashing; none of it may hide what a superuser changed in the tables. */

const ledger = 'main/unit'
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

async function open(node = 'a'): Promise<TestNode> {
  const opened = await openNode(test.db, signer, node)
  nodes.push(opened)
  return opened
}

async function forge(change: string): Promise<void> {
  await test.owner.query({ text: 'alter table proofline.segments disable trigger write_once_row' })
  await test.owner.query({ text: `update proofline.segments set ${change}` })
}

const turnFirstBit = (column: string): string => `${column} = set_byte(${column}, 0, get_byte(${column}, 0) # 1)`

describe('a reader', () => {
  it('serves what its process appended, and no longer when a leaf hash or an id was changed since', async () => {
    const { book, reader } = await open()
    await book.appender.submit([aSubmission('run:a', 'a', 100)])
    expect((await reader.readBatch(ledger, 0)).records).toHaveLength(100)
    await forge(turnFirstBit('leaf_hashes'))
    await expect(reader.readBatch(ledger, 0)).rejects.toMatchObject({ code: 'integrity' })
    await forge(turnFirstBit('leaf_hashes'))
    expect((await reader.readBatch(ledger, 0)).records).toHaveLength(100)
    await forge(turnFirstBit('id_hashes'))
    await expect(reader.readBatch(ledger, 0)).rejects.toMatchObject({ code: 'integrity' })
  })

  it('checks every record of what another process appended, also when it has read it before', async () => {
    const { book } = await open()
    await book.appender.submit([aSubmission('run:a', 'a', 100)])
    const { reader } = await open('b')
    const once = await reader.readBatch(ledger, 0)
    const bytesOf = ({ bytes }: StoredRecord) => Buffer.from(bytes).toString()
    expect((await reader.readBatch(ledger, 0)).records.map(bytesOf)).toEqual(once.records.map(bytesOf))
    await forge(turnFirstBit('leaf_hashes'))
    await expect(reader.readBatch(ledger, 0)).rejects.toMatchObject({ code: 'integrity' })
    await expect(reader.readBatch(ledger, 0, { maxRecords: 1 })).rejects.toMatchObject({ code: 'integrity' })
  })
})

describe('an appender', () => {
  it('goes on from a head only when the stored hashes lead to its root', async () => {
    const first = await open()
    await first.book.appender.submit([aSubmission('run:a', 'a', 300)])
    await nodes.pop()?.book.close()
    const second = await open('b')
    expect((await second.book.appender.submit([aSubmission('run:b')]))[0]?.firstSeq).toBe(300)
    await nodes.pop()?.book.close()
    await forge(
      `leaf_hashes = set_byte(leaf_hashes, length(leaf_hashes) - 1, 255 - get_byte(leaf_hashes, length(leaf_hashes) - 1))`,
    )
    const third = await open('c')
    await expect(third.book.appender.submit([aSubmission('run:c')])).rejects.toMatchObject({ code: 'integrity' })
    expect((await store.readHead(test.db, ledger)).head?.size).toBe(301)
  })
})

describe('the chains of a book', () => {
  it('lead to the same place and dictionary whether this process appended them or reads them', async () => {
    const { book } = await open()
    for (let i = 0; i < 21; i++) {
      const link = await book.link('github.com/acme/payments', 'api', 'lcov.info', 0)
      expect(link.index).toBe(i)
      const payload = Buffer.from(JSON.stringify({ schema: 'proofline.run.v1', kind: 'run', ledger, text: `run ${i}` }))
      const segments = [packSegment('run', [payload], link)]
      await book.appender.submit([{ key: `run:${i}`, digest: Buffer.alloc(32, i), conflict: 'run_conflict', segments }])
      const fresh = await openNode(test.db, signer, `fresh ${i}`)
      const own = await book.link('github.com/acme/payments', 'api', 'lcov.info', 0)
      const read = await fresh.book.link('github.com/acme/payments', 'api', 'lcov.info', 0)
      await fresh.book.close()
      expect([own.index, own.dictionary?.seq, own.dictionary?.depth]).toEqual([
        read.index,
        read.dictionary?.seq,
        read.dictionary?.depth,
      ])
      expect(Buffer.from(own.dictionary?.raw ?? [])).toEqual(Buffer.from(read.dictionary?.raw ?? []))
    }
  })
})
