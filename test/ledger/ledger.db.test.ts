import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { DatabaseFailure } from '../../src/database/failure.ts'
import { createAudit } from '../../src/verify/audit.ts'
import { Problem } from '../../src/record/problem.ts'
import { openRecord } from '../../src/record/record.ts'
import type { LedgerReader, StoredRecord } from '../../src/ledger/read.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import * as store from '../../src/ledger/store.ts'
import type { Signer } from '../../src/signing/signer.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

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

async function open(db: Database = test.db, node = 'a'): Promise<TestNode> {
  const opened = await openNode(db, signer, node)
  nodes.push(opened)
  return opened
}

/** Every record through the audit, against leaf hashes, heads and checkpoints as they are stored. */
async function audit(reader: LedgerReader): Promise<{ size: number; differences: unknown[]; keys: string[] }> {
  const key = await createSigningKey(`localhost/${ledger}`, 1, new Uint8Array(32).fill(7))
  const checking = createAudit({ ledger, origin: `localhost/${ledger}`, vkeys: [key], parseEvery: 1 })
  for (const head of await store.headsFrom(test.db, ledger, 0, 10_000)) checking.expectHead(head.size, head.root)
  const newest = await store.newestCheckpoint(test.db, ledger)
  if (newest !== undefined) await checking.expectCheckpoint(newest.note)
  const keys: string[] = []
  for (let at = 0; ;) {
    const batch = await reader.readBatch(ledger, at)
    if (batch.next === at) break
    for (const record of batch.records) {
      checking.add(record.bytes, record.seq)
      keys.push(String(openRecord(record.bytes).fields['text']))
    }
    at = batch.next
  }
  const { size, differences, proved } = checking.finish()
  expect(proved).toBe(size)
  return { size, differences, keys }
}

const submissionsStored = async (): Promise<number> =>
  (await test.db.query<{ n: number }>({ text: 'select count(*) as n from submissions' })).rows[0]?.n ?? -1

/** A database of which one statement fails once, before or after it was executed. */
function failing(db: Database, statement: string, when: 'not stored' | 'stored'): Database {
  let armed = true
  return {
    ...db,
    async query(asked) {
      if (!armed || asked.name !== statement) return db.query(asked)
      armed = false
      if (when === 'stored') await db.query(asked)
      throw new DatabaseFailure('lost', 'unknown', `connection lost, ${when}`)
    },
  }
}

describe('an appender', () => {
  it('stores nothing of what was damaged in memory, and takes it when it is made anew', async () => {
    const { book } = await open()
    const damaged = aSubmission('run:a', 'a', 20)
    if (typeof damaged.segments === 'function') throw new Error('no segments')
    const ids = damaged.segments[0]?.idHashes ?? new Uint8Array(0)
    ids[30] = (ids[30] ?? 0) ^ 1
    await expect(book.appender.submit([damaged])).rejects.toMatchObject({ code: 'internal' })
    expect(await submissionsStored()).toBe(0)
    expect(await book.appender.submit([aSubmission('run:a', 'a', 20)])).toMatchObject([
      { firstSeq: 0, lastSeq: 19, repeated: false },
    ])
  })

  it('records what is submitted at once in one append, in order, signed before it answers', async () => {
    const { book, reader } = await open()
    const recorded = await Promise.all(
      Array.from({ length: 50 }, (_, i) => book.appender.submit([aSubmission(`run:${i}`)])),
    )
    expect(recorded.map(([first]) => first?.firstSeq)).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect((await store.headsFrom(test.db, ledger, 0, 100)).length).toBeLessThan(50)
    expect((await reader.published(ledger))?.size).toBe(50)
    expect(await audit(reader)).toMatchObject({ size: 50, differences: [] })
  })

  it('gives the first receipt again for the same content, also in one batch, and refuses other content', async () => {
    const { book } = await open()
    const [first, twin] = await Promise.all([
      book.appender.submit([aSubmission('run:a', 'x')]),
      book.appender.submit([aSubmission('run:a', 'x')]),
    ])
    const again = await book.appender.submit([aSubmission('run:a', 'x')])
    expect([first[0]?.repeated, twin[0]?.repeated, again[0]?.repeated]).toEqual([false, true, true])
    expect(again).toEqual([{ ...first[0], repeated: true, payload: undefined }])
    await expect(book.appender.submit([aSubmission('run:a', 'y')])).rejects.toMatchObject({ code: 'run_conflict' })
    expect(await submissionsStored()).toBe(1)
  })

  it('records a group together or not at all', async () => {
    const { book } = await open()
    await book.appender.submit([aSubmission('run:a', 'x')])
    await expect(
      book.appender.submit([aSubmission('run:b'), aSubmission('run:a', 'y'), aSubmission('run:c')]),
    ).rejects.toBeInstanceOf(Problem)
    expect(await submissionsStored()).toBe(1)
    const group = await book.appender.submit([aSubmission('run:b'), aSubmission('run:a', 'x'), aSubmission('run:c')])
    expect(group.map(({ firstSeq, repeated }) => [firstSeq, repeated])).toEqual([
      [1, false],
      [0, true],
      [2, false],
    ])
  })

  it('fails only the group whose records cannot be made', async () => {
    const { book, reader } = await open()
    const broken = { ...aSubmission('run:broken'), segments: () => Promise.reject(new Error('cannot')) }
    const results = await Promise.allSettled([
      book.appender.submit([aSubmission('run:a')]),
      book.appender.submit([aSubmission('run:b'), broken]),
      book.appender.submit([aSubmission('run:c')]),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await audit(reader)).toMatchObject({ size: 2, differences: [], keys: ['run:a', 'run:c'] })
  })

  it('refuses a group that no append can hold', async () => {
    const { book } = await open()
    const large = Array.from({ length: 17 }, (_, i) => aSubmission(`run:${i}`, `run:${i}`, 1024))
    await expect(book.appender.submit(large)).rejects.toMatchObject({ code: 'use_parts' })
  })

  it('reads records back byte for byte across segments, from any position and with any limit', async () => {
    const { book, reader } = await open()
    for (let i = 0; i < 5; i++) await book.appender.submit([aSubmission(`run:${i}`, `run:${i}`, 300 + i)])
    const plain = ({ seq, id, kind, recordedAt, bytes, size }: StoredRecord) => ({
      seq,
      id,
      kind,
      recordedAt,
      size,
      text: Buffer.from(bytes).toString(),
    })
    const all = (await reader.readBatch(ledger, 0, { maxRecords: 5_000, maxBytes: 1e9 })).records
    expect(all).toHaveLength(1510)
    for (const [from, maxRecords] of [
      [0, 1],
      [299, 3],
      [300, 700],
      [1509, 10],
      [1510, 10],
    ] as const) {
      const { records, next } = await reader.readBatch(ledger, from, { maxRecords })
      expect(records.map(plain)).toEqual(all.slice(from, from + maxRecords).map(plain))
      expect(next).toBe(from + records.length)
    }
    const found = await reader.findRecord(all[700]?.id ?? '')
    expect(found && plain(found)).toEqual(all[700] && plain(all[700]))
    expect(await reader.seqAt(ledger, all[700]?.recordedAt ?? 0)).toBe(700)
  })

  it.each(['not stored', 'stored'] as const)(
    'records exactly once when the answer to an append is lost (%s)',
    async (when) => {
      const { book, reader } = await open(failing(test.db, 'append', when))
      const recorded = await Promise.all([
        book.appender.submit([aSubmission('run:a')]),
        book.appender.submit([aSubmission('run:b')]),
      ])
      expect(recorded.flat().map(({ firstSeq, repeated }) => [firstSeq, repeated])).toEqual([
        [0, false],
        [1, false],
      ])
      expect(await audit(reader)).toMatchObject({ size: 2, differences: [] })
    },
  )

  it.each(['not stored', 'stored'] as const)(
    'answers after a signature when writing the checkpoint fails (%s)',
    async (when) => {
      const { book, reader } = await open(failing(test.db, 'publish_checkpoint', when))
      const [recorded] = await book.appender.submit([aSubmission('run:a')])
      expect(recorded?.checkpoint).toEqual(await store.newestCheckpoint(test.db, ledger))
      expect(await audit(reader)).toMatchObject({ size: 1, differences: [] })
    },
  )

  it.each(['not stored', 'stored'] as const)('signs again when the signer fails (%s)', async (when) => {
    const real = signer
    let armed = true
    signer = {
      ...real,
      async sign(...asked: Parameters<Signer['sign']>) {
        if (!armed || asked[1].size === 0) return real.sign(...asked)
        armed = false
        if (when === 'stored') await real.sign(...asked)
        throw new Error('the signer is gone')
      },
    }
    const { book, reader } = await open()
    await book.appender.submit([aSubmission('run:a')])
    expect(await audit(reader)).toMatchObject({ size: 1, differences: [] })
  })

  it('case 53: signs at start what a crash left unsigned, and nobody reads it before', async () => {
    const { book } = await open()
    await book.appender.submit([aSubmission('run:a')])
    const cut = await open(
      {
        ...test.db,
        query: (asked) => (asked.name === 'publish_checkpoint' ? new Promise(() => {}) : test.db.query(asked)),
      },
      'b',
    )
    void cut.book.appender.submit([aSubmission('run:b')]).catch(() => {})
    while ((await store.readHead(test.db, ledger)).head?.size !== 2) await new Promise((done) => setTimeout(done, 10))
    nodes.pop() // it never comes back: as if killed
    expect((await cut.reader.readBatch(ledger, 0)).next).toBe(1)
    const { reader } = await open(test.db, 'c')
    expect(await audit(reader)).toMatchObject({ size: 2, differences: [], keys: ['run:a', 'run:b'] })
  })

  it('stops recording when the signer knows more than the database has', async () => {
    const { book } = await open()
    await book.appender.submit([aSubmission('run:a')])
    const other = await createTestDatabase()
    try {
      await other.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
      const restored = await openNode(other.db, signer)
      await expect(restored.book.appender.submit([aSubmission('run:b')])).rejects.toMatchObject({
        code: 'rollback_detected',
      })
      expect((await store.readHead(other.db, ledger)).head?.size).toBe(0)
      await restored.book.close()
    } finally {
      await other.drop()
    }
  })

  it('refuses to record when the clocks disagree', async () => {
    const { book } = await open()
    const future = Date.now() * 1000 + 60_000_000
    // A tree of one leaf has that leaf as its root: the head fits what is stored, only its time does not.
    await test.owner.query({
      text: `insert into proofline.segments (ledger, test_type, month, first_seq, count, first_time, kind, raw_bytes, payloads, leaf_hashes, id_hashes)
             select ledger, 'unit', date_trunc('month', now())::date, 0, 1, ${future}, 'run', 0, '', root, substring(root for 8) from proofline.heads`,
    })
    await test.owner.query({
      text: `insert into proofline.heads select ledger, 0, 1, root, ${future}, ${future}, month from proofline.heads`,
    })
    await expect(book.appender.submit([aSubmission('run:a')])).rejects.toMatchObject({ code: 'clock_step' })
  })
})

describe('two nodes on one ledger', () => {
  it('record without a gap or a double while both append', async () => {
    const [a, b] = [await open(test.db, 'a'), await open(test.db, 'b')]
    const work = async ({ book }: TestNode, name: string): Promise<number[]> => {
      const seqs: number[] = []
      for (let i = 0; i < 40; i++) {
        const group = [aSubmission(`run:${name}${i}`), aSubmission(`run:both${i}`)]
        for (const { firstSeq, repeated } of await book.appender.submit(group)) if (!repeated) seqs.push(firstSeq)
      }
      return seqs
    }
    const seqs = (await Promise.all([work(a, 'a'), work(b, 'b')])).flat()
    expect(seqs.toSorted((x, y) => x - y)).toEqual(Array.from({ length: 120 }, (_, i) => i))
    expect(await audit(a.reader)).toMatchObject({ size: 120, differences: [] })
  })

  it('case 53: show followers of either every record once and in order, whichever of them commits first', async () => {
    const both = [await open(test.db, 'a'), await open(test.db, 'b')]
    const stop = new AbortController()
    const follow = async ({ reader }: TestNode): Promise<number[]> => {
      const seen: number[] = []
      for await (const batch of reader.tail(ledger, 0, stop.signal)) {
        seen.push(...batch.records.map(({ seq }) => seq))
        if (seen.length === 80) break
      }
      return seen
    }
    const following = both.map(follow)
    await Promise.all(
      both.map(async ({ book }, name) => {
        for (let i = 0; i < 20; i++)
          await book.appender.submit([aSubmission(`run:${name}-${i}`, `run:${name}-${i}`, 2)])
      }),
    )
    const inOrder = Array.from({ length: 80 }, (_, i) => i)
    expect(await Promise.all(following)).toEqual([inOrder, inOrder])
    stop.abort()
  })
})

describe('two nodes across the end of a month', () => {
  it('keep every append within one month and record without a gap or a double', async () => {
    // The database's clock is moved so that the next month begins in 1.5 s.
    const now = Date.now()
    const next = new Date(Date.UTC(new Date(now).getUTCFullYear(), new Date(now).getUTCMonth() + 1, 1)).getTime()
    const shift = (next - now - 1_500) * 1_000
    await test.owner.query({
      text: `create or replace function proofline.clock_micros() returns bigint language sql volatile as
             'select (extract(epoch from clock_timestamp()) * 1000000)::bigint + ${shift}'`,
    })
    const both = [await open(test.db, 'a'), await open(test.db, 'b')]
    const until = performance.now() + 3_000
    let submitted = 0
    const work = async ({ book }: TestNode, name: string): Promise<void> => {
      for (let i = 0; performance.now() < until; i++) {
        await book.appender.submit([aSubmission(`run:${name}${i}`, `run:${name}${i}`, 50)])
        submitted += 50
      }
    }
    await Promise.all(both.map((node, i) => work(node, String(i))))
    const months = await test.db.query<{ month: string; first: number; last: number; heads: number }>({
      text: `select month::text, min(first_time) as first, max(last_time) as last, count(*) as heads from heads where base >= 0 group by month order by month`,
    })
    expect(months.rows).toHaveLength(2)
    for (const { month, first, last } of months.rows) {
      const begins = Date.parse(`${month}T00:00:00Z`) * 1_000
      expect(first).toBeGreaterThanOrEqual(begins)
      expect(new Date(last / 1_000).toISOString().slice(0, 7)).toBe(month.slice(0, 7))
    }
    const [node] = both
    expect(node === undefined ? undefined : await audit(node.reader)).toMatchObject({
      size: submitted,
      differences: [],
    })
    const partitions = await test.db.query<{ n: number }>({
      text: 'select count(distinct tableoid) as n from segments',
    })
    expect(partitions.rows[0]?.n).toBe(2)
  })
})

describe('tail', () => {
  it('yields every record once, in order, while the ledger grows, and ends with its signal', async () => {
    const { book, reader } = await open()
    const stop = new AbortController()
    const seen: number[] = []
    const following = (async () => {
      for await (const batch of reader.tail(ledger, 0, stop.signal)) {
        seen.push(...batch.records.map(({ seq }) => seq))
        if (seen.length === 30) stop.abort()
      }
    })()
    for (let i = 0; i < 10; i++) await book.appender.submit([aSubmission(`run:${i}`, `run:${i}`, 3)])
    await following
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => i))
  })
})

describe('the tables', () => {
  it.each(['heads', 'checkpoints', 'barriers', 'submissions', 'segments', 'tile_roots', 'seals'])(
    'let the service only insert into and read %s',
    async (table) => {
      for (const statement of [`update ${table} set ledger = 'x/unit'`, `delete from ${table}`, `truncate ${table}`]) {
        await expect(test.db.query({ text: statement })).rejects.toMatchObject({ code: '42501' })
      }
    },
  )

  it('refuse changes by a superuser too, also on a partition and in replica mode', async () => {
    const { book } = await open()
    await book.appender.submit([aSubmission('run:a')])
    const partition = (
      await test.owner.query<{ name: string }>({
        text: `select tableoid::regclass::text as name from proofline.segments`,
      })
    ).rows[0]?.name
    for (const text of [
      `update proofline.submissions set key = 'x'`,
      `delete from ${partition}`,
      `truncate ${partition}`,
      `truncate proofline.segments`,
    ]) {
      await expect(test.owner.query({ text }), text).rejects.toMatchObject({ code: 'PL001' })
      const inReplicaMode = test.owner.transaction(async (tx) => {
        await tx.query({ text: 'set local session_replication_role = replica' })
        await tx.query({ text })
      })
      await expect(inReplicaMode, text).rejects.toMatchObject({ code: 'PL001' })
    }
  })

  it('make what a superuser forged all the same fail to be read', async () => {
    const { book, reader } = await open()
    await book.appender.submit([aSubmission('run:a')])
    await test.owner.query({ text: 'alter table proofline.segments disable trigger user' })
    await test.owner.query({ text: 'update proofline.segments set first_time = first_time + 1' })
    await expect(reader.readBatch(ledger, 0)).rejects.toMatchObject({ code: 'integrity' })
  })
})
