import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DestinationSettings } from '../../src/delivery/settings.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeHec } from '../support/hec.ts'
import { elasticSettings, eventually, findStatus, splunkSettings, startLane } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

let test: TestDatabase
let lanes = 0
beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(() => test.drop())

/** Delivers ten records, and answers what the metrics were told of doubt and proof on the way. */
async function deliver(settings: DestinationSettings): Promise<{ resolved: Record<string, number>; proved: string[] }> {
  const name = `siem-${++lanes}`
  const resolved: Record<string, number> = {}
  const proved: string[] = []
  const metrics = {
    resolved: (_to: string, _of: string, by: string, result: string, count: number) =>
      void (resolved[`${by} ${result}`] = (resolved[`${by} ${result}`] ?? 0) + count),
    proved: (_to: string, by: string) => void proved.push(by),
  }
  const reader = createMemoryReader(Array.from({ length: 10 }, (_, seq) => makeRecord(seq)))
  const lane = await startLane({ name, db: test.db, reader, settings, metrics })
  const status = () => findStatus(test.db, name)
  await eventually(async () => (await status())?.provedTo === 10, status)
  await lane.stop()
  return { resolved, proved }
}

describe('the metrics of doubt', () => {
  it('count what a search found, and what it found absent', async () => {
    const fake = await startFakeHec()
    fake.failNext('drop-after-storing')
    expect(await deliver(splunkSettings(fake))).toEqual({ resolved: { 'search present': 10 }, proved: ['search'] })
    await fake.close()
    const other = await startFakeHec()
    other.failNext('drop-before-storing')
    expect(await deliver(splunkSettings(other))).toMatchObject({ resolved: { 'look absent': 10 } })
    await other.close()
  })

  it('count what a repeat met in Elastic by its digest', async () => {
    const fake = await startFakeBulk()
    fake.failNext('drop-after-storing')
    expect(await deliver(elasticSettings(fake))).toMatchObject({ resolved: { 'policy resent': 10, 'compare present': 10 } }) // oxfmt-ignore
    await fake.close()
  })

  it('count what is parked since nobody can ask', async () => {
    const fake = await startFakeHec()
    fake.failNext('drop-after-storing')
    const blind = { search: undefined, unresolved_after_ms: 50 }
    expect(await deliver(splunkSettings(fake, blind))).toMatchObject({ resolved: { 'policy parked': 10 }, proved: [] })
    await fake.close()
  })

  it('tell an acknowledgement as proof, and not as doubt', async () => {
    const fake = await startFakeHec({ useAck: true })
    const told = await deliver(splunkSettings(fake, { proof: 'ack', search: undefined }))
    expect(told).toMatchObject({ resolved: {}, proved: ['ack'] })
    await fake.close()
  })
})
