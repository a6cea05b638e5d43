import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blockSize, checkOf } from '../../src/record/record.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { createExpected } from '../../src/watch/expected.ts'
import { createMemoryReader, makeRecord } from '../delivery/records.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

describe('createExpected', () => {
  it('sums a closed block once, and leaves out of it what is parked or not selected', async () => {
    const records = Array.from({ length: blockSize + 4 }, (_, seq) => makeRecord(seq, { repository: seq % 2 === 0 ? 'a' : 'b' })) // oxfmt-ignore
    const sumOf = (wanted: (seq: number) => boolean) => {
      const inside = records.filter(({ seq }) => wanted(seq))
      return { count: inside.length, checkSum: inside.reduce((sum, { bytes }) => sum + checkOf(sha256Hex(bytes)), 0) }
    }
    const reader = createMemoryReader(records)
    let reads = 0
    const counting = { ...reader, readBatch: (...args: Parameters<typeof reader.readBatch>) => (reads++, reader.readBatch(...args)) } // oxfmt-ignore
    const expected = (select: { repositories?: [string] } = {}, parked: number[] = []) =>
      createExpected({ db: database.db, reader: counting, ledger: 'main/unit', select, parked: new Set(parked) })
    const span = { first: 0, last: records.length - 1 }
    const whole = [[0, sumOf((seq) => seq < blockSize)], [1, sumOf((seq) => seq >= blockSize)]] // oxfmt-ignore

    expect([...(await expected().sumBlocks(span))]).toEqual(whole)
    const before = reads
    expect([...(await expected().sumBlocks(span))]).toEqual(whole)
    expect(reads - before).toBe(1) // only of the block that is not closed

    const out = [7, 11, 40_000]
    const beforeParked = reads
    const parked = await expected({}, [40_000, 7, 11]).sumBlocks(span)
    expect(parked.get(0)).toEqual(sumOf((seq) => seq < blockSize && !out.includes(seq)))
    expect(reads - beforeParked).toBe(3) // what lies together at once; and the block that is not closed
    // What was summed while something was parked is remembered whole.
    const selected = await expected({ repositories: ['a'] }, [6, 7]).sumBlocks(span)
    expect(selected.get(0)).toEqual(sumOf((seq) => seq < blockSize && seq % 2 === 0 && seq !== 6))
    const beforeWhole = reads
    expect((await expected({ repositories: ['a'] }).sumBlocks(span)).get(0)).toEqual(sumOf((seq) => seq < blockSize && seq % 2 === 0)) // oxfmt-ignore
    expect(reads - beforeWhole).toBe(1)
    expect((await expected({}, out).sumBlocks({ first: 5, last: 9 })).get(0)).toEqual(sumOf((seq) => seq >= 5 && seq <= 9 && seq !== 7)) // oxfmt-ignore
    expect((await expected().sumBlocks({ first: 5, last: 9 })).get(0)).toEqual(sumOf((seq) => seq >= 5 && seq <= 9))
  })
})
