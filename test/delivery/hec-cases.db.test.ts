import { afterAll, describe, expect, it } from 'vitest'
import { type FakeHecOptions, startFakeHec } from '../support/hec.ts'
import { setUpCases, sixty } from './cases.ts'
import { eventually, splunkSettings } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

/** SIEM.md section 7, the answers of HEC, as records meet them on their way. */

const { deliver } = setUpCases()
const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
async function splunk(options: FakeHecOptions = {}) {
  const fake = await startFakeHec(options)
  closing.push(fake.close)
  return fake
}
const blind = { search: undefined }
const ten = { batch: { records: 10, bytes: 524_288 }, concurrency: 1 }

describe('a busy Splunk', () => {
  it('case 12: a single event that was not taken is sent again, unmarked', async () => {
    const fake = await splunk()
    fake.failNext('busy', 3)
    const { lane, until } = await deliver(splunkSettings(fake), { reader: createMemoryReader([makeRecord(0)]) })
    await until(({ provedTo }) => provedTo === 1)
    await lane.stop()
    expect(fake.counters).toMatchObject({ requests: 4, stored: 1, searches: 0 })
    expect(fake.event(makeRecord(0).id)).toMatchObject({ marked: 0, fields: { proofline_attempt: '1' } })
  })

  it('case 12: of a batch that it stopped in the middle of, only what is not there is sent again', async () => {
    const fake = await splunk()
    fake.failNext('busy-after-prefix')
    const { lane, until } = await deliver(splunkSettings(fake))
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
    // Those whose bytes have left before say so, though they turned out not to be there.
    expect(sixty.map(({ id }) => fake.event(id)?.marked)).toEqual([...Array(30).fill(0), ...Array(30).fill(1)])
  })

  it.each([24, 25])(
    'case 13: 200 with code %i is a yes, and half as many are on their way for a while',
    async (code) => {
      const fake = await splunk()
      fake.failNext(code === 24 ? 'near-capacity' : 'near-ack-capacity')
      fake.failNext('timeout-before-storing', 8)
      const four = { batch: { records: 5, bytes: 524_288 }, concurrency: 4, request_timeout_ms: 1_500, proof: 'search' }
      const reader = createMemoryReader(sixty.slice(0, 5))
      const { lane, until } = await deliver(splunkSettings(fake, four), { reader })
      await until(({ sentTo }) => sentTo === 5)
      reader.add(...sixty.slice(5))
      await eventually(() => fake.counters.requests === 3)
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(fake.counters.requests).toBe(3)
      await lane.stop()
      expect(sixty.slice(0, 5).map(({ id }) => fake.copies(id))).toEqual([1, 1, 1, 1, 1])
    },
  )

  it.each<[number, Record<string, string>]>([
    [26, {}],
    [26, { 'retry-after': '0' }],
    [27, {}],
    [27, { 'retry-after': 'Mon, 23 Nov 2026 05:00:00 GMT', date: 'Mon, 23 Nov 2026 05:00:00 GMT' }],
    [26, { 'retry-after': 'soon' }],
  ])(
    'case 14: 429 with code %i and %j leaves nothing in doubt, and all of it is sent unmarked',
    async (code, headers) => {
      const fake = await splunk()
      for (let i = 0; i < 3; i++) fake.answerNext(429, { text: 'at capacity', code }, headers)
      const { lane, until } = await deliver(splunkSettings(fake, ten))
      await until(({ provedTo }) => provedTo === 60)
      await lane.stop()
      expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0, searches: 0 })
      expect(sixty.filter(({ id }) => fake.event(id)?.marked !== 0)).toEqual([])
    },
  )

  it('case 14: waits as long as it is told', async () => {
    const fake = await splunk()
    fake.answerNext(429, { text: 'at capacity', code: 26 }, { 'retry-after': '999999999' })
    const { lane, until } = await deliver(splunkSettings(fake))
    await until(({ next }) => next === 60)
    await eventually(() => fake.counters.requests === 1)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(fake.counters.requests).toBe(1)
    await lane.stop()
  })

  it('case 28: goes by the answers to its events, whatever the health endpoint says', async () => {
    const fake = await splunk()
    expect((await fetch(`${fake.url}/services/collector/health`)).status).toBe(200)
    fake.failNext('busy', 12)
    const { lane, until, parked } = await deliver(splunkSettings(fake))
    await eventually(() => fake.failed() === 12)
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(await parked()).toEqual([])
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
  })

  it('case 29: a rolling restart ends with every event there once', async () => {
    const fake = await splunk({ useAck: true })
    for (let i = 0; i < 4; i++) {
      fake.failNext('shutting-down-before-storing')
      fake.failNext('drop-while-writing')
      fake.failNext('shutting-down-after-storing')
      fake.failNext('timeout-after-storing')
      fake.failNext('head-after-storing')
    }
    const { lane, until, parked } = await deliver(splunkSettings(fake, { ...ten, proof: 'ack', concurrency: 3 }))
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(await parked()).toEqual([])
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
  })
})

describe('settings that change over there', () => {
  it('case 15: a token that is disabled between two requests holds what comes, and what follows is in order', async () => {
    const fake = await splunk()
    const reader = createMemoryReader(sixty.slice(0, 50))
    const { lane, until, status } = await deliver(splunkSettings(fake, ten), { reader })
    await until(({ provedTo }) => provedTo === 50)
    fake.tokenDisabled = true
    reader.add(...sixty.slice(50))
    await until(({ state }) => state === 'blocked')
    expect(await status()).toMatchObject({ reason: 'credentials', detail: 'HEC 403/1', provedTo: 50, inDoubt: 0 })
    fake.tokenDisabled = false
    await until(({ provedTo, state }) => provedTo === 60 && state === 'running')
    await lane.stop()
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
    expect(fake.ids()).toEqual(sixty.map(({ id }) => id))
  })

  it('case 17: an index that the token may no longer write to blocks, keeps everything, and parks nothing', async () => {
    const fake = await splunk()
    const reader = createMemoryReader(sixty.slice(0, 20))
    const { lane, until, status, parked } = await deliver(splunkSettings(fake, ten), { reader })
    await until(({ provedTo }) => provedTo === 20)
    fake.allowsIndex = (index) => index !== 'proofline_unit'
    reader.add(...sixty.slice(20))
    await until(({ state }) => state === 'blocked')
    expect(await status()).toMatchObject({ reason: 'index', detail: 'HEC 400/7', provedTo: 20 })
    fake.allowsIndex = () => true
    await until(({ provedTo, state }) => provedTo === 60 && state === 'running')
    await lane.stop()
    expect(await parked()).toEqual([])
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
  })

  it('case 18: an index that takes events and throws them away gets no proof: parked, never sent again', async () => {
    const fake = await splunk()
    fake.discards = (index) => index === 'proofline_unit'
    const { lane, until, parked } = await deliver(
      splunkSettings(fake, { ...ten, proof: 'search', unproved_after_ms: 100 }),
    )
    await until((status) => status.parked === 60)
    await lane.stop()
    expect(new Set((await parked()).map(({ kind }) => kind))).toEqual(new Set(['unproved']))
    expect(fake.counters).toMatchObject({ requests: 6, stored: 0 })
  })
})

describe('a batch with a bad event', () => {
  it.each([
    ['keep-prefix', 0],
    ['keep-prefix', 1],
    ['keep-prefix', -1],
    ['atomic', 0],
    ['atomic', 1],
    ['atomic', -1],
  ] as const)('case 19: %s and a number off by %i park that one alone', async (onBadEvent, badEventOff) => {
    const fake = await splunk({ onBadEvent, badEventOff })
    const bad = sixty[42]!.id
    fake.refuse = (id) => (id === bad ? 6 : undefined)
    const { lane, until, parked } = await deliver(splunkSettings(fake))
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(fake.counters).toMatchObject({ stored: 59, duplicates: 0 })
    expect(await parked()).toEqual([{ seq: 42, kind: 'refused', reason: 'HEC 400/6' }])
  })

  it.each([12, 13, 15])('case 20: code %i parks that one alone', async (code) => {
    const fake = await splunk()
    const bad = new Set([0, 59, 30].map((seq) => sixty[seq]?.id))
    fake.refuse = (id) => (bad.has(id) ? code : undefined)
    const { lane, until, parked } = await deliver(splunkSettings(fake))
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(fake.counters).toMatchObject({ stored: 57, duplicates: 0 })
    expect((await parked()).map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual([0, 30, 59])
  })
})

describe('an acknowledgement that never comes', () => {
  const acked = { proof: 'ack', ack_deadline_ms: 150 }

  it('case 23: is done without where a search finds the events', async () => {
    const fake = await splunk({ useAck: true, ackAfterMs: Infinity })
    const { lane, until } = await deliver(splunkSettings(fake, { ...acked, ...ten }))
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(fake.counters).toMatchObject({ requests: 6, stored: 60, duplicates: 0 })
  })

  it('case 23: sends an event again on another channel, marked, when its answer was lost and a search finds it absent', async () => {
    const fake = await splunk({ useAck: true, ackAfterMs: Infinity })
    fake.failNext('drop-before-storing')
    const { lane, until } = await deliver(splunkSettings(fake, { ...acked, ...ten }))
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
    expect(fake.event(sixty[3]!.id)).toMatchObject({ marked: 1, fields: { proofline_attempt: '2' } })
    expect(fake.event(sixty[13]!.id)).toMatchObject({ marked: 0, fields: { proofline_attempt: '1' } })
  })

  it('case 23: parks what was accepted, and never sends it again, where there is no search', async () => {
    const fake = await splunk({ useAck: true, ackAfterMs: Infinity })
    const { lane, until, parked } = await deliver(splunkSettings(fake, { ...acked, ...ten, ...blind }))
    await until((status) => status.parked === 60)
    await lane.stop()
    expect((await parked())[0]).toMatchObject({ kind: 'unproved' })
    expect(fake.counters).toMatchObject({ requests: 6, stored: 60, duplicates: 0 })
  })

  it('case 23: sends again, marked, what is in doubt, where the operator wrote so and there is no search', async () => {
    const fake = await splunk({ useAck: true })
    fake.acks.loses = () => fake.counters.stored <= 10
    fake.failNext('drop-after-storing')
    const { lane, until, parked } = await deliver(
      splunkSettings(fake, { ...acked, ...ten, ...blind, on_unresolved: 'resend_marked' }),
    )
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(await parked()).toEqual([])
    expect(sixty.map(({ id }) => fake.copies(id))).toEqual([...Array(10).fill(2), ...Array(50).fill(1)])
    expect(sixty.slice(0, 10).map(({ id }) => fake.event(id)?.marked)).toEqual(Array(10).fill(1))
  })

  it('case 23: confirms nothing when the indexer has forgotten its channels, and counts from 0 again', async () => {
    const fake = await splunk({ useAck: true, visibleAfterMs: 200 })
    fake.acks.idleCleanupMs = 20
    const { lane, until, parked } = await deliver(
      splunkSettings(fake, { ...acked, ...ten, ack_deadline_ms: 60_000, look_delays_ms: [100] }),
    )
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(await parked()).toEqual([])
    expect(fake.counters).toMatchObject({ requests: 6, stored: 60, duplicates: 0 })
    expect(fake.counters.acks).toBeGreaterThanOrEqual(6)
    expect(fake.counters.searches).toBeGreaterThanOrEqual(6)
  })

  it('case 24: that turns true while the search goes on settles once, whichever was first', async () => {
    const fake = await splunk({ useAck: true, ackAfterMs: 120, visibleAfterMs: 120 })
    const { lane, until } = await deliver(splunkSettings(fake, { ...acked, ...ten, look_delays_ms: [0, 10] }))
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(fake.counters).toMatchObject({ requests: 6, stored: 60, duplicates: 0 })
  })

  it('case 24: confirms the duplicate when the first copy shows after the second was sent', async () => {
    const fake = await splunk({ useAck: true, ackAfterMs: Infinity })
    fake.searchDown = true
    fake.failNext('drop-after-storing')
    const told: number[] = []
    const { lane, until, parked } = await deliver(
      splunkSettings(fake, { ...acked, ...ten, on_unresolved: 'resend_marked', unresolved_after_ms: 100 }),
      {
        reader: createMemoryReader(sixty.slice(0, 10)),
        metrics: { duplicates: (_, __, count) => void told.push(count) },
      },
    )
    await until(({ sentTo }) => sentTo === 10)
    fake.searchDown = false
    await until(({ provedTo }) => provedTo === 10)
    await lane.stop()
    expect(await parked()).toEqual([])
    expect(told).toEqual(Array(10).fill(1))
    expect(sixty.slice(0, 10).map(({ id }) => [fake.copies(id), fake.event(id)?.marked])).toEqual(
      Array(10).fill([2, 1]),
    )
  })
})
