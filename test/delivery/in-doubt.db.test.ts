import { afterAll, describe, expect, it } from 'vitest'
import { startFakeBulk } from '../support/bulk.ts'
import { startFakeHec } from '../support/hec.ts'
import { setUpCases } from './cases.ts'
import { elasticSettings, splunkSettings } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

/**
 * Ten thousand records that are there and nobody knows it. What they take is counted, not timed: one question for a batch, whatever it holds,
 * is what makes a minute enough.
 */

const { deliver } = setUpCases()
const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
const records = Array.from({ length: 10_000 }, (_, seq) => makeRecord(seq))
const thousand = { batch: { records: 1_000, bytes: 524_288 }, request_timeout_ms: 10_000, send_before_ms: 10_000 }

describe('ten thousand records in doubt that are there', () => {
  it('are found by one search a batch', async () => {
    const fake = await startFakeHec()
    closing.push(fake.close)
    fake.failNext('drop-after-storing', 1_000)
    const { lane, until, parked } = await deliver(splunkSettings(fake, thousand), {
      reader: createMemoryReader(records),
    })
    await until(({ provedTo }) => provedTo === 10_000)
    await lane.stop()
    const { requests, searches, stored, duplicates, canaries } = fake.counters
    expect({ stored, duplicates, canaries }).toEqual({ stored: 10_000, duplicates: 0, canaries: 0 })
    expect(searches).toBe(requests)
    expect(requests).toBeLessThanOrEqual(25)
    expect(await parked()).toEqual([])
  })

  it('are acknowledged by one question a batch, though every answer was lost', async () => {
    const fake = await startFakeHec({ useAck: true })
    closing.push(fake.close)
    fake.failNext('drop-after-storing', 1_000)
    const { lane, until } = await deliver(splunkSettings(fake, { ...thousand, proof: 'ack', search: undefined }), {
      reader: createMemoryReader(records),
    })
    await until(({ provedTo }) => provedTo === 10_000)
    await lane.stop()
    expect(fake.counters).toMatchObject({ stored: 10_000, duplicates: 0 })
    expect(fake.counters.acks).toBe(fake.counters.requests)
  })

  it('are told apart from new ones by one repeat and one comparison a batch', async () => {
    const fake = await startFakeBulk()
    closing.push(fake.close)
    const reader = createMemoryReader(records)
    const first = await deliver(elasticSettings(fake, thousand), { reader })
    await first.until(({ provedTo }) => provedTo === 10_000)
    await first.lane.stop()
    const before = fake.counters.requests
    // Another destination of the same documents: each of them is met as one that was sent before and whose answer was lost.
    const again = await deliver(elasticSettings(fake, thousand), { reader })
    await again.until(({ provedTo }) => provedTo === 10_000)
    await again.lane.stop()
    expect(fake.counters).toMatchObject({ stored: 10_000, conflicts: 10_000 })
    expect(fake.counters.requests).toBe(2 * before)
    expect(fake.counters.gets).toBe(before)
  })
})
