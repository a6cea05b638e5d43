import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addressOf } from '../../src/delivery/bindings.ts'
import { destinationSettings } from '../../src/delivery/settings.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeHec } from '../support/hec.ts'
import { elasticSettings, eventually, findStatus, getStatus, splunkSettings, startLane } from './lane.ts'
import { ann, isDone, openOrdering } from './ordering.ts'
import { createMemoryReader, makeRecord } from './records.ts'

let database: TestDatabase
let lanes = 0
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

const nextName = (): string => `start-${++lanes}`
const ten = Array.from({ length: 10 }, (_, seq) =>
  makeRecord(seq, { recordedAt: Date.UTC(2026, 10, 23) * 1000 + seq * 1_000_000 }),
)

describe('where a lane begins', () => {
  it.each([
    ['beginning', 0],
    ['now', 10],
    ['2026-11-23T00:00:07Z', 7],
    ['2026-11-23T01:00:02.500+01:00', 3],
    ['2099-01-01T00:00:00Z', 10],
    [{ unit: 4 }, 4],
    [{ changes: 4 }, 0],
  ] as const)('case 48: start: %j', async (start, first) => {
    const fake = await startFakeBulk()
    const name = nextName()
    const reader = createMemoryReader([...ten])
    const lane = await startLane({ name, db: database.db, reader, settings: elasticSettings(fake, { start }) })
    await eventually(async () => (await findStatus(database.db, name))?.provedTo === 10)
    expect(fake.ids().toSorted()).toEqual(
      ten
        .slice(first)
        .map(({ id }) => id)
        .toSorted(),
    )
    await lane.stop()
    // Written for ever: another word later changes nothing.
    const again = await startLane({ name, db: database.db, reader, settings: elasticSettings(fake, { start: 'beginning' }) }) // oxfmt-ignore
    reader.add(makeRecord(10))
    await eventually(async () => (await getStatus(database.db, name)).provedTo === 11)
    expect(fake.ids().length).toBe(11 - first)
    expect((await getStatus(database.db, name)).start).toBe(first)
    await again.stop()
    await fake.close()
  })

  it('is refused where it is none', () => {
    const parse = (start: unknown) =>
      destinationSettings.safeParse({ type: 'elastic', url: 'http://127.0.0.1:9', start })
    for (const start of ['yesterday', '2026-11-23', { unit: -1 }, { coverage: 1 }, 5])
      expect(parse(start).success).toBe(false)
  })
})

describe('the SIEM that a name began with', () => {
  it('is known by host and path', () => {
    expect(addressOf('http://Splunk.acme.example:8088/')).toBe('splunk.acme.example:8088')
    expect(addressOf('https://splunk.acme.example/hec/')).toBe('splunk.acme.example/hec')
  })

  it('case 48: keeps its records from another one, until a person says that it only moved', async () => {
    const old = await startFakeHec()
    const name = nextName()
    const reader = createMemoryReader(ten.slice(0, 5))
    const before = await startLane({ name, db: database.db, reader, settings: splunkSettings(old) })
    await eventually(() => isDone(database, name, 5))
    await before.stop()

    const other = await startFakeHec()
    const settings = splunkSettings(other)
    const lane = await startLane({ name, db: database.db, reader, settings })
    reader.add(...ten.slice(5))
    await eventually(async () => (await getStatus(database.db, name)).state === 'blocked')
    const told = await getStatus(database.db, name)
    expect(told).toMatchObject({ reason: 'settings', next: 5 })
    expect(told.detail).toContain(
      `it began at ${addressOf(old.url)}, and the configuration names ${addressOf(other.url)}`,
    )
    expect(told.detail).toContain(`proofline destinations moved ${name} --reason TEXT`)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(other.counters).toMatchObject({ requests: 0, searches: 0 })

    // It can be stopped while it waits, and says the same after the next start.
    await lane.stop()
    const again = await startLane({ name, db: database.db, reader, settings })

    const orders = await openOrdering(database, name, settings, reader)
    expect(await orders.moved(ann, name, 'new load balancer')).toEqual({
      address: addressOf(other.url),
      cluster: null,
      changed: true,
    })
    expect(await orders.moved(ann, name, 'again')).toMatchObject({ changed: false })
    await eventually(() => isDone(database, name, 10))
    expect(await getStatus(database.db, name)).toMatchObject({ state: 'running', sentTo: 10 })
    expect(other.ids().length).toBe(5) // the position went on; what the old one had is not sent to the new one
    expect(orders.commands).toMatchObject([{ command: 'destination.moved', reason: 'new load balancer' }, {}])
    await Promise.all([again.stop(), orders.close()])
    await Promise.all([old.close(), other.close()])
  })

  async function bindings(name: string) {
    const text = 'select address, cluster, by_whom from bindings where destination = $1 order by n'
    return (await database.db.query<{ cluster: string | null }>({ text, values: [name] })).rows
  }

  it('case 48: is blocked when another cluster answers at its address, at the start or while it runs', async () => {
    const fake = await startFakeBulk()
    const first = fake.cluster.uuid
    const name = nextName()
    const settings = elasticSettings(fake)
    const reader = createMemoryReader(ten.slice(0, 5))
    const lane = await startLane({ name, db: database.db, reader, settings })
    await eventually(() => isDone(database, name, 5))
    expect(await bindings(name)).toEqual([{ address: addressOf(fake.url), cluster: first, by_whom: 'configuration' }])

    fake.cluster.uuid = 'the-other-one'
    await eventually(async () => (await getStatus(database.db, name)).state === 'blocked')
    reader.add(...ten.slice(5))
    const told = await getStatus(database.db, name)
    expect(told).toMatchObject({ reason: 'settings', next: 5 })
    expect(told.detail).toContain(`it began with cluster ${first}, and cluster the-other-one answers at ${addressOf(fake.url)}: `) // oxfmt-ignore
    expect(told.detail).toContain(`proofline destinations moved ${name} --reason TEXT`)
    await lane.stop()
    const again = await startLane({ name, db: database.db, reader, settings })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(fake.counters).toMatchObject({ stored: 5, gets: 0 })

    // The first one is back: nobody has to say anything.
    fake.cluster.uuid = first
    await eventually(() => isDone(database, name, 10))
    expect(await getStatus(database.db, name)).toMatchObject({ state: 'running' })
    fake.cluster.uuid = 'restored'
    await eventually(async () => (await getStatus(database.db, name)).state === 'blocked')
    reader.add(makeRecord(10))
    const orders = await openOrdering(database, name, settings, reader)
    const here = { address: addressOf(fake.url), cluster: 'restored' }
    expect(await orders.moved(ann, name, 'restored from a snapshot')).toEqual({ ...here, changed: true })
    expect(await orders.moved(ann, name, 'again')).toEqual({ ...here, changed: false })
    expect(orders.commands).toMatchObject([{ command: 'destination.moved', detail: here }, {}])
    await eventually(() => isDone(database, name, 11))
    expect(fake.ids().length).toBe(11)
    expect((await bindings(name)).map(({ cluster }) => cluster)).toEqual([first, 'restored'])
    await Promise.all([again.stop(), orders.close()])
    await fake.close()
  })

  it.each([
    ['that may not be asked', { limited: true }],
    ['that is serverless', { distribution: 'serverless' }],
    ['that is a collection', { distribution: 'collection' }],
  ] as const)('is known by its address alone at a cluster %s', async (_, cluster) => {
    const fake = await startFakeBulk({ cluster })
    const name = nextName()
    const reader = createMemoryReader(ten.slice(0, 5))
    const lane = await startLane({ name, db: database.db, reader, settings: elasticSettings(fake) })
    await eventually(() => isDone(database, name, 5))
    expect(await bindings(name)).toMatchObject([{ cluster: null }])
    fake.cluster.uuid = 'the-other-one'
    reader.add(...ten.slice(5))
    await eventually(() => isDone(database, name, 10))
    await lane.stop()
    await fake.close()
  })

  it('is known by its name as soon as it tells it, and by its address while it does not tell it again', async () => {
    const fake = await startFakeBulk()
    const name = nextName()
    const first = fake.cluster.uuid
    fake.cluster.uuid = '_na_' // of a node that has not joined yet
    const reader = createMemoryReader(ten.slice(0, 5))
    const lane = await startLane({ name, db: database.db, reader, settings: elasticSettings(fake) })
    await eventually(() => isDone(database, name, 5))
    fake.cluster.uuid = first
    await eventually(async () => (await bindings(name)).length === 2)
    expect((await bindings(name)).map(({ cluster }) => cluster)).toEqual([null, first])
    fake.cluster.uuid = '_na_'
    reader.add(...ten.slice(5))
    await eventually(() => isDone(database, name, 10))
    expect((await bindings(name)).length).toBe(2)
    await lane.stop()
    await fake.close()
  })
})
