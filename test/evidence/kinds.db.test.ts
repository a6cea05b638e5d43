import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packSegment } from '../../src/ledger/segments.ts'
import { readAll, readKinds } from '../../src/ledger/read-kinds.ts'
import type { StoredRecord } from '../../src/ledger/read.ts'
import type { LedgerName, RecordKind } from '../../src/record/record.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'

let database: TestDatabase
let node: TestNode
const kinds: RecordKind[] = ['run', 'coverage', 'part', 'seal', 'coverage', 'inventory']
let size = 0

beforeAll(async () => {
  database = await createTestDatabase()
  await database.db.query({ text: 'select ensure_partitions(current_date, 2)' })
  node = await openNode(database.db, await createMemorySigner())
  for (let i = 0; i < 30; i++) {
    const kind = kinds[i % kinds.length] ?? 'run'
    const count = kind === 'coverage' ? 1 + ((i * 37) % 300) : 1 + (i % 3)
    const payloads = Array.from({ length: count }, (_, n) =>
      Buffer.from(JSON.stringify({ schema: `proofline.${kind}.v1`, kind, ledger: 'main/unit', i, n })),
    )
    await node.book.appender.submit([{ key: `k:${i}`, digest: Buffer.alloc(32, i), conflict: 'internal', segments: [packSegment(kind, payloads)] }]) // oxfmt-ignore
    size += count
  }
})
afterAll(async () => {
  await node.book.close()
  await database.drop()
})

describe('readKinds', () => {
  const all = async (): Promise<{ seq: number; kind: RecordKind }[]> => {
    const found: { seq: number; kind: RecordKind }[] = []
    for await (const { seq, kind } of readAll(node.reader, 'main/unit', 0, size)) found.push({ seq, kind })
    return found
  }
  const read = async (from: number, until: number, wanted: RecordKind[]): Promise<number[]> => {
    const found: number[] = []
    for await (const { seq } of readKinds({ db: database.db, reader: node.reader }, 'main/unit', from, until, new Set(wanted))) found.push(seq) // oxfmt-ignore
    return found
  }

  it('gives what sifting all records gives, for every kind and stretches that begin and end anywhere', async () => {
    const records = await all()
    expect(records).toHaveLength(size)
    for (const wanted of [['coverage'], ['part', 'seal'], ['run', 'inventory', 'seal'], [], ['deployment']] as RecordKind[][])
      for (const [from, until] of [[0, size], [1, size - 1], [17, 400], [250, 251], [size, size]] as const) {
        const expected = records.filter(({ seq, kind }) => seq >= from && seq < until && wanted.includes(kind))
        expect(await read(from, until, wanted)).toEqual(expected.map(({ seq }) => seq))
      } // oxfmt-ignore
  })

  it('reads and sifts what is not in the table, as months that were archived are not', async () => {
    const records: StoredRecord[] = []
    for await (const record of readAll(node.reader, 'main/unit', 0, size)) records.push(record)
    const reader = {
      ...node.reader,
      readBatch: async (ledger: LedgerName, from: number, { until = size } = {}) => ({ ledger, first: from, next: Math.min(until, from + 50), records: records.slice(from, Math.min(until, from + 50)) }), // oxfmt-ignore
    }
    const gone = records.filter(({ seq, kind }, i) => records[i - 1]?.kind !== kind && seq > 300).map(({ seq }) => seq)
    const read = async (wanted: RecordKind[]): Promise<number[]> => {
      const found: number[] = []
      const without = { query: async (statement: Parameters<typeof database.db.query>[0]) => withoutRows(await database.db.query(statement)) } // oxfmt-ignore
      for await (const { seq } of readKinds({ db: without as typeof database.db, reader }, 'main/unit', 0, size, new Set(wanted))) found.push(seq) // oxfmt-ignore
      return found
    }
    const withoutRows = <R extends { rows: object[] }>(result: R): R => ({ ...result, rows: result.rows.filter((row) => !('firstSeq' in row && gone.includes(Number(row.firstSeq)))) }) // oxfmt-ignore
    expect(gone.length).toBeGreaterThan(3)
    for (const wanted of [['coverage'], ['part', 'seal']] as RecordKind[][])
      expect(await read(wanted)).toEqual(records.filter(({ kind }) => wanted.includes(kind)).map(({ seq }) => seq))
  })

  it('refuses a record that does not hash to its leaf', async () => {
    const seq = (await all()).find(({ kind }) => kind === 'seal')?.seq ?? -1
    await database.owner.transaction(async (tx) => {
      await tx.query({ text: 'set local session_replication_role = replica' })
      await tx.query({ text: 'alter table segments disable trigger all' })
      await tx.query({ text: `update segments set leaf_hashes = set_byte(leaf_hashes, 3, get_byte(leaf_hashes, 3) # 1) where first_seq = $1`, values: [seq] }) // oxfmt-ignore
      await tx.query({ text: 'alter table segments enable always trigger write_once_row' })
    })
    await expect(read(seq, seq + 1, ['seal'])).rejects.toMatchObject({ code: 'integrity' })
  })
})
