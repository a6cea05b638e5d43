import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOperator } from '../../src/delivery/operate.ts'
import { deliveryStatus } from '../../src/delivery/status.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { elasticSettings, eventually, startLane } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

let test: TestDatabase
beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(() => test.drop())

describe('pausing a destination', () => {
  it('holds what comes, also over a start, and lets it all through once it is resumed', async () => {
    const fake = await startFakeBulk()
    const settings = elasticSettings(fake, { select: { ledgers: ['unit'] } })
    const reader = createMemoryReader([makeRecord(0)])
    const now = (): Date => new Date()
    const operator = createOperator({
      db: test.db,
      destinations: { siem: settings },
      ledgers: ['main/unit', 'main/changes'],
      publicHost: 'proofline.acme.example',
      now,
    })
    const lane = await startLane({ db: test.db, reader, settings })
    await eventually(() => fake.counters.stored === 1)

    expect(await operator.hold('siem', true, 'Splunk is being moved', 'token:ann')).toBe(true)
    expect(await operator.hold('siem', true, 'again', 'token:bob')).toBe(false)
    expect(await deliveryStatus(test.db, 'main')).toMatchObject([
      { state: 'paused', reason: 'by token:ann', detail: 'Splunk is being moved' },
    ])
    // Heeded with the next beat; from then on nothing is sent, however much comes.
    await new Promise((resolve) => setTimeout(resolve, 200))
    const requests = fake.counters.requests
    reader.add(...Array.from({ length: 50 }, (_, i) => makeRecord(i + 1)))
    await new Promise((resolve) => setTimeout(resolve, 300))
    await lane.stop()
    const told: string[] = []
    const metrics = { state: (_: string, __: string, state: string) => void told.push(state) }
    const again = await startLane({ db: test.db, reader, settings, metrics })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(fake.counters.requests).toBe(requests)
    expect(new Set(told)).toEqual(new Set(['paused'])) // not running for a moment first

    expect(await operator.hold('siem', false, 'it is there', 'token:ann')).toBe(true)
    await eventually(() => fake.counters.stored === 51)
    expect(told.at(-1)).toBe('running')
    expect(fake.counters).toMatchObject({ conflicts: 0 })
    await eventually(async () => (await deliveryStatus(test.db, 'main'))[0]?.provedTo === 51)
    expect(await deliveryStatus(test.db, 'main')).toMatchObject([{ state: 'running', parked: 0 }])
    await again.stop()
    await fake.close()
  })

  it('concerns the ledgers that go there, and no destination of another name', async () => {
    const { rows } = await test.db.query({
      text: `select ledger, paused, by_whom from pauses where destination = 'siem' order by n`,
    })
    expect(rows).toEqual([
      { ledger: 'main/unit', paused: true, by_whom: 'token:ann' },
      { ledger: 'main/unit', paused: false, by_whom: 'token:ann' },
    ])
    const operator = createOperator({
      db: test.db,
      destinations: {},
      ledgers: [],
      publicHost: 'p',
      now: () => new Date(),
    })
    await expect(operator.hold('siem', true, 'x', 'y')).rejects.toMatchObject({ code: 'not_found' })
  })
})
