import { describe, expect, it } from 'vitest'
import { estimateLedger } from '../../src/delivery/estimate.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { type DestinationSettings, destinationSettings } from '../../src/delivery/settings.ts'
import { createMemoryReader, makeRecord } from './records.ts'

const now = (): Date => new Date(Date.UTC(2026, 10, 30))
const dayMicros = 86_400_000_000
/** A thousand records on each of the ten days before now, of two repositories by turns. */
const records = Array.from({ length: 10_000 }, (_, seq) =>
  makeRecord(seq, {
    recordedAt: now().getTime() * 1000 - (10_000 - seq) * (dayMicros / 1_000),
    repository: seq % 2 === 0 ? 'a' : 'b',
  }),
)
const reader = createMemoryReader(records)

async function estimate(settings: DestinationSettings, days: number, from = reader) {
  const destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now })
  return estimateLedger({ reader: from, destination, settings, now }, 'main/unit', days).finally(() =>
    destination.close(),
  )
}
const splunk = (extra = {}) =>
  destinationSettings.parse({
    type: 'splunk',
    url: 'http://127.0.0.1:9',
    token: 'a-token-of-ours',
    proof: 'answer',
    ...extra,
  })
const elastic = (extra = {}) => destinationSettings.parse({ type: 'elastic', url: 'http://127.0.0.1:9', ...extra })

describe('an estimate', () => {
  it('counts what the license counts: the records of a day, as they are', async () => {
    const told = await estimate(splunk(), 7)
    expect(told).toMatchObject({ days: 7, recorded: 7_000, sampled: 1_000, selected: 1_000, records: 1_000 })
    const bytes = records.slice(3_000).reduce((sum, record) => sum + record.bytes.length, 0) / 7
    expect(Math.abs((told?.storedBytes ?? 0) / bytes - 1)).toBeLessThan(0.01)
    expect(told?.wireBytes).toBeGreaterThan(bytes)
  })

  it('follows select, and compresses as the settings say', async () => {
    const plain = await estimate(elastic(), 7)
    const half = await estimate(elastic({ select: { repositories: ['a'] } }), 7)
    expect(half).toMatchObject({ recorded: 7_000, records: 500 })
    expect(Math.abs((half?.storedBytes ?? 0) / ((plain?.storedBytes ?? 0) / 2) - 1)).toBeLessThan(0.01)
    const packed = await estimate(elastic({ compression: 'gzip' }), 7)
    expect(packed?.storedBytes).toBe(plain?.storedBytes)
    expect(packed?.wireBytes).toBeLessThan((plain?.wireBytes ?? 0) / 3)
    expect(await estimate(elastic({ select: { ledgers: ['changes'] } }), 7)).toBeUndefined()
  })

  it('divides by the days that there are', async () => {
    expect(await estimate(splunk(), 365)).toMatchObject({ days: 10, recorded: 10_000, records: 1_000 })
    expect(await estimate(splunk(), 7, createMemoryReader())).toBeUndefined()
  })
})
