import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDestination } from '../../src/delivery/open-destination.ts'
import type { DestinationSettings } from '../../src/delivery/settings.ts'
import { insertDifferences } from '../../src/watch/comparison-store.ts'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import { elasticSettings, eventually, findStatus, getStatus, mortal, splunkSettings, startLane } from './lane.ts'
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

const nextName = (): string => `again-${++lanes}`
const forty = Array.from({ length: 40 }, (_, seq) => makeRecord(seq, { kind: seq % 10 === 9 ? 'part' : 'coverage' }))
const idOf = (seq: number): string => forty[seq]?.id ?? ''
const small = { batch: { records: 8, bytes: 524_288 } }

async function splunk(extra = {}): Promise<{ fake: FakeHec; settings: DestinationSettings }> {
  const fake = await startFakeHec()
  return { fake, settings: splunkSettings(fake, { ...small, ...extra }) }
}
async function elastic(extra = {}): Promise<{ fake: FakeBulk; settings: DestinationSettings }> {
  const fake = await startFakeBulk()
  return { fake, settings: elasticSettings(fake, { ...small, visible_after_ms: 0, ...extra }) }
}

/** All forty delivered by a lane that runs on. */
async function delivered(settings: DestinationSettings) {
  const name = nextName()
  const reader = createMemoryReader([...forty])
  const lane = await startLane({ name, db: database.db, reader, settings })
  await eventually(() => isDone(database, name, 40))
  const orders = await openOrdering(database, name, settings, reader)
  return { name, reader, lane, orders }
}

/** As a comparison writes it that finds these missing. */
async function findMissing(name: string, seqs: readonly number[]): Promise<void> {
  const steps = seqs.map((seq) => ({ kind: 'missing' as const, id: idOf(seq), seq, detail: 'not there', state: 'found' as const })) // oxfmt-ignore
  await insertDifferences(database.db, { ledger: 'main/unit', destination: name }, steps, 'reconciliation', Date.now() * 1000) // oxfmt-ignore
}

const seqsThere = (fake: FakeHec | FakeBulk): number[] =>
  forty.filter(({ id }) => fake.copies(id) > 0).map(({ seq }) => seq)

describe.each([
  ['splunk', splunk],
  ['elastic', elastic],
] as const)('an order to %s', (kind, start) => {
  it('case 40: sends what a comparison found missing, and nothing else, once, on record', async () => {
    const { fake, settings } = await start()
    const { name, lane, orders } = await delivered(settings)
    const lost = [3, 9, 17, 18, 39]
    for (const seq of lost) expect(fake.forget(idOf(seq))).toBe(true)
    await findMissing(name, lost)
    const { stored } = fake.counters
    const told = await orders.redeliver(ann, name, { ledger: undefined }, 'the index was restored')
    expect(told).toEqual({ orders: [{ ledger: 'main/unit', n: 1, first: 3, last: 39 }], records: 5, left: 0 })
    await eventually(() => isDone(database, name, 40))
    expect(seqsThere(fake)).toEqual(forty.map(({ seq }) => seq))
    expect(fake.counters).toMatchObject({ stored: stored + 5, duplicates: 0 })
    if ('event' in fake)
      expect(fake.event(idOf(17))?.fields).toMatchObject({ proofline_attempt: '2', proofline_possible_dup: '1' })
    // Until a comparison has looked again nobody knows more: what was sent is not sent once more.
    expect(await orders.redeliver(ann, name, { ledger: 'unit' }, 'once more')).toEqual({
      orders: [],
      records: 0,
      left: 0,
    })
    expect(orders.commands.map(({ command, target, reason }) => [command, target, reason])).toEqual([
      ['destination.redeliver', name, 'the index was restored'],
      ['destination.redeliver', name, 'once more'],
    ])
    expect((await getStatus(database.db, name)).orders).toMatchObject([
      { n: 1, why: 'missing', reason: 'the index was restored', byWhom: 'token:ann', next: 40 },
    ])
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
  })

  it('of a stretch takes no position back, and makes copies only where copies can be made', async () => {
    const { fake, settings } = await start()
    const { name, lane, orders } = await delivered(settings)
    const told = await orders.redeliver(ann, name, { ledger: 'unit', from: '5', to: '20' }, 'a new index')
    expect(told).toEqual({ orders: [{ ledger: 'main/unit', n: 1, first: 5, last: 20 }], records: 16, left: 0 })
    await eventually(async () => {
      expect(await getStatus(database.db, name)).toMatchObject({ sentTo: 40, provedTo: 40 })
      return isDone(database, name, 40)
    })
    const copies = forty.filter(({ id }) => fake.copies(id) > 1).map(({ seq }) => seq)
    expect(copies).toEqual(kind === 'elastic' ? [] : Array.from({ length: 16 }, (_, i) => i + 5))
    const { rows } = await database.db.query({
      text: `select distinct try, mark, redelivery from attempts where destination = $1 order by try`,
      values: [name],
    })
    expect(rows).toEqual([
      { try: 1, mark: 0, redelivery: null },
      { try: 2, mark: 1, redelivery: 1 },
    ])
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
  })

  it.each([
    ['insert_redelivery_cut', 'before'],
    ['insert_redelivery_cut', 'after'],
    ['insert_outcome', 'before'],
    ['insert_outcome', 'after'],
    ['insert_redelivery_end', 'before'],
    ['insert_redelivery_end', 'after'],
  ] as const)('ends with every record there once when its worker dies at %s, %s it was stored', async (at, when) => {
    const { fake, settings } = await start()
    const { name, lane, reader, orders } = await delivered(settings)
    await lane.stop()
    const lost = [0, 1, 2, 3, 20, 21, 22, 39]
    for (const seq of lost) fake.forget(idOf(seq))
    await findMissing(name, lost)
    await orders.redeliver(ann, name, { ledger: undefined }, 'restored')
    const db = mortal(database.db)
    db.dieAt(at, when)
    const destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now: () => new Date() })
    await startLane({ name, db, reader, settings, destination })
    await eventually(
      () => db.dead,
      () => 'alive',
    )
    await destination.close()
    const heir = await startLane({ name, db: database.db, reader, settings })
    await eventually(
      () => isDone(database, name, 40),
      () => getStatus(database.db, name),
    )
    await Promise.all([heir.stop(), orders.close()])
    await fake.close()
    expect(seqsThere(fake)).toEqual(forty.map(({ seq }) => seq))
    expect(fake.counters.duplicates).toBe(0)
  })

  it('is carried out once by three workers at once', async () => {
    const { fake, settings } = await start({ batch: { records: 2, bytes: 524_288 } })
    const { name, lane, reader, orders } = await delivered(settings)
    const twins = [
      await startLane({ name, db: database.db, reader, settings }),
      await startLane({ name, db: database.db, reader, settings }),
    ]
    for (const { id } of forty) fake.forget(id)
    await findMissing(
      name,
      forty.map(({ seq }) => seq),
    )
    for (let i = 0; i < 4; i++) fake.failNext(i % 2 === 0 ? 'drop-after-storing' : 'busy')
    await orders.redeliver(ann, name, { ledger: undefined }, 'the index was deleted')
    await eventually(
      () => isDone(database, name, 40),
      () => getStatus(database.db, name),
      25_000,
    )
    await Promise.all([lane.stop(), ...twins.map((twin) => twin.stop()), orders.close()])
    await fake.close()
    expect(seqsThere(fake)).toEqual(forty.map(({ seq }) => seq))
    expect(fake.counters.duplicates).toBe(0)
  })
})

describe('orders and what is new', () => {
  it('never meet in one record: what is in doubt is left to its attempt', async () => {
    const { fake, settings } = await splunk()
    const name = nextName()
    const reader = createMemoryReader([...forty])
    fake.failNext('drop-after-storing', 9) // every request: five cuts, four of them with a part, which is a request of its own
    fake.searchDown = true
    const lane = await startLane({ name, db: database.db, reader, settings })
    await eventually(async () => (await findStatus(database.db, name))?.inDoubt === 40)
    const orders = await openOrdering(database, name, settings, reader)
    await orders.redeliver(ann, name, { ledger: 'unit', from: '0', to: '39' }, 'everything')
    await eventually(async () => (await getStatus(database.db, name)).orders[0]?.endedAt !== undefined)
    fake.searchDown = false
    await eventually(() => isDone(database, name, 40))
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
    expect(fake.counters).toMatchObject({ stored: 40, duplicates: 0 })
  })

  it('share the open attempts: neither waits for the other', async () => {
    const fake = await startFakeHec({ useAck: true })
    const settings = splunkSettings(fake, { proof: 'ack', search: undefined, max_open_attempts: 4, batch: { records: 1, bytes: 524_288 } }) // oxfmt-ignore
    const { name, lane, reader, orders } = await delivered(settings)
    fake.ackAfterMs = Infinity
    await orders.redeliver(ann, name, { ledger: 'unit', from: '0', to: '39' }, 'an order that takes its time')
    await eventually(async () => (await getStatus(database.db, name)).orders[0]?.next === 2)
    // The order has its half. What is new goes, until it has its own.
    reader.add(...[40, 41, 42, 43].map((seq) => makeRecord(seq)))
    await eventually(() => fake.copies(makeRecord(41).id) === 1)
    expect(await getStatus(database.db, name)).toMatchObject({ orders: [{ next: 2 }], next: 42 })
    fake.ackAfterMs = 0
    await eventually(() => isDone(database, name, 44))
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
    expect(forty.map(({ id }) => fake.copies(id))).toEqual(forty.map(() => 2))
  })

  it('wait for a pause alike', async () => {
    const { fake, settings } = await elastic()
    const { name, lane, orders } = await delivered(settings)
    await database.db.query({
      text: `insert into pauses (ledger, destination, n, at, paused, reason, by_whom) values ('main/unit', $1, 1, 1, true, 'moving', 'ann')`,
      values: [name],
    })
    await new Promise((resolve) => setTimeout(resolve, 200))
    const { requests } = fake.counters
    await orders.redeliver(ann, name, { ledger: 'unit', from: '0', to: '10' }, 'while paused')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(fake.counters.requests).toBe(requests)
    await database.db.query({
      text: `insert into pauses (ledger, destination, n, at, paused, reason, by_whom) values ('main/unit', $1, 2, 2, false, 'moved', 'ann')`,
      values: [name],
    })
    await eventually(() => isDone(database, name, 40))
    expect(fake.counters.requests).toBeGreaterThan(requests)
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
  })

  it('refuse a stretch that was never reached, or that is none', async () => {
    const { fake, settings } = await elastic()
    const { name, lane, orders } = await delivered(settings)
    const ask = (from: string, to: string) => orders.redeliver(ann, name, { ledger: 'unit', from, to }, 'x')
    await expect(ask('40', '50')).rejects.toMatchObject({ code: 'request_invalid' })
    await expect(ask('9', '8')).rejects.toMatchObject({ code: 'request_invalid' })
    await expect(ask('soon', '8')).rejects.toMatchObject({ code: 'request_invalid' })
    await expect(orders.redeliver(ann, 'nobody', { ledger: undefined }, 'x')).rejects.toMatchObject({
      code: 'not_found',
    })
    // Times mean what was recorded at or after the one and before the other.
    const at = (seq: number): string => new Date((forty[seq]?.recordedAt ?? 0) / 1000).toISOString()
    expect(await ask(at(0), '4')).toMatchObject({ orders: [{ first: 0, last: 4 }], records: 5 })
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
  })
})
