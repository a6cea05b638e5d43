import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deliveryStatus, listDeadLetters } from '../../src/delivery/status.ts'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import type { FailMode } from '../support/http-fake.ts'
import { elasticSettings, eventually, splunkSettings, startLane } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

let database: TestDatabase
let lanes = 0
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

/** Every case has a destination of its own in the one database. */
const nextName = (): string => `siem-${++lanes}`

async function status(name: string) {
  const lane = (await deliveryStatus(database.db)).find(({ destination }) => destination === name)
  if (lane === undefined) throw new Error(`${name} has not begun`)
  return lane
}

const sixty = Array.from({ length: 60 }, (_, seq) => makeRecord(seq, { kind: seq % 20 === 19 ? 'part' : 'coverage' }))

type Fake = (FakeHec | FakeBulk) & { digest(id: string): string | undefined }

interface Connector {
  start(): Promise<{ fake: Fake; settings: ReturnType<typeof splunkSettings>; stored(id: string): string | undefined }>
}

const connectors: Record<string, Connector> = {
  splunk: {
    async start() {
      const fake = await startFakeHec()
      return { fake, settings: splunkSettings(fake), stored: (id) => fake.digest(id) }
    },
  },
  elastic: {
    async start() {
      const fake = await startFakeBulk()
      return { fake, settings: elasticSettings(fake), stored: (id) => fake.digest(id) }
    },
  },
}

const modes: FailMode[] = [
  'drop-before-storing', 'drop-after-storing', 'drop-while-writing', 'timeout-before-storing', 'timeout-after-storing', '500-before-storing',
  '500-after-storing', 'html-502-after-storing', 'garbled-after-storing', 'cut-after-storing', 'not-json-before-storing', 'slow', 'busy',
  'too-many', 'too-large', 'wrong-token', 'redirect',
] // oxfmt-ignore

describe.each(Object.entries(connectors))('delivery to %s', (_, connector) => {
  it('delivers every record once, with the bytes of the ledger, and proves it', async () => {
    const { fake, settings } = await connector.start()
    const name = nextName()
    const reader = createMemoryReader(sixty.slice(0, 40))
    const lane = await startLane({ name, db: database.db, reader, settings })
    await eventually(() => fake.ids().length === 40, () => fake.counters)
    reader.add(...sixty.slice(40))
    await eventually(async () => (await status(name)).provedTo === 60, () => status(name))
    expect(fake.ids().toSorted()).toEqual(sixty.map(({ id }) => id).toSorted())
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
    await lane.stop()
    await fake.close()
    expect(await status(name)).toMatchObject({ sentTo: 60, provedTo: 60, inDoubt: 0, parked: 0, state: 'running' })
  })

  it.each(modes)('stores every record exactly once after %s', async (mode) => {
    const { fake, settings, stored } = await connector.start()
    const name = nextName()
    fake.failNext(mode, 3)
    const lane = await startLane({ name, db: database.db, reader: createMemoryReader(sixty), settings })
    await eventually(async () => (await status(name).catch(() => undefined))?.provedTo === 60, () => status(name))
    await lane.stop()
    await fake.close()
    expect(fake.ids().length).toBe(60)
    expect(fake.counters.duplicates).toBe(0)
    expect(sixty.filter(({ id }) => stored(id) === undefined)).toEqual([])
    expect(await listDeadLetters(database.db, { destination: name })).toEqual([])
  })
})
