import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Destination } from '../../src/delivery/destination.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import type { DestinationSettings } from '../../src/delivery/settings.ts'
import { listDeadLetters } from '../../src/delivery/status.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import type { Signer } from '../../src/signing/signer.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { findDifferences, listComparisons } from '../../src/watch/comparison-store.ts'
import { type Reconciled, reconcileDestination } from '../../src/watch/run-reconciliation.ts'
import { elasticSettings, eventually, splunkSettings, startLane } from '../delivery/lane.ts'
import { createMemoryReader, makeRecord } from '../delivery/records.ts'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import { createMemorySigner, openNode, type TestNode } from '../support/ledger.ts'

let database: TestDatabase
let signer: Signer
let operations: TestNode
let names = 0
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  signer = await createMemorySigner()
  operations = await openNode(database.db, signer, 'a', 'main/operations')
})
afterAll(async () => {
  for (const close of closing.toReversed()) await close()
  await operations.book.close()
  await database.drop()
})

const records = Array.from({ length: 60 }, (_, seq) => makeRecord(seq, { repository: seq % 2 === 0 ? 'a' : 'b' }))
const idOf = (seq: number): string => records[seq]?.id ?? ''

interface Delivered {
  name: string
  compare(round?: number, select?: DestinationSettings['select']): Promise<Reconciled>
}

/** Everything delivered, and a way to compare. */
async function deliver(settings: DestinationSettings, settled = () => true): Promise<Delivered> {
  const name = `siem-${++names}`
  const reader = createMemoryReader([...records])
  const lane = await startLane({ name, db: database.db, reader, settings })
  await eventually(
    async () => settled() && (await provedTo(name)) === records.length,
    () => name,
  )
  await lane.stop()
  const destination: Destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now: () => new Date() }) // oxfmt-ignore
  closing.push(() => destination.close())
  const deps = { name, db: database.db, reader, destination, settings, now: () => new Date(), operations: operations.book, log: silentLogger, sample: 100 } // oxfmt-ignore
  return {
    name,
    async compare(round = 0, ...given) {
      const selects = (): DestinationSettings['select'] | undefined => (given.length === 0 ? settings.select : given[0])
      const [only] = await reconcileDestination({ ...deps, selects }, round, AbortSignal.timeout(20_000))
      if (only === undefined) throw new Error('no lane was compared')
      return only
    },
  }
}

async function provedTo(name: string): Promise<number | undefined> {
  const { rows } = await database.db.query<{ to: number }>({
    text: 'select proved_to as to from positions where destination = $1 order by at desc limit 1',
    values: [name],
  })
  return rows[0]?.to
}

const elastic = async (extra = {}): Promise<FakeBulk & { settings: DestinationSettings }> => {
  const fake = await startFakeBulk()
  closing.push(() => fake.close())
  return Object.assign(fake, { settings: elasticSettings(fake, { visible_after_ms: 0, ...extra }) })
}
const splunk = async (extra = {}): Promise<FakeHec & { settings: DestinationSettings }> => {
  const fake = await startFakeHec()
  closing.push(() => fake.close())
  return Object.assign(fake, { settings: splunkSettings(fake, extra) })
}

async function onRecord(name: string): Promise<Record<string, unknown>[]> {
  const { records: all } = await operations.reader.readBatch('main/operations', 0, { maxRecords: 1_000 })
  return all
    .map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>)
    .filter((record) => record['kind'] === 'reconciliation' && record['destination'] === name)
}

describe('reconciliation', () => {
  it.each([
    ['Elastic', elastic],
    ['Splunk', splunk],
  ] as const)('finds %s the same, and says so once a day', async (_, start) => {
    // oxfmt-ignore
    const { name, compare } = await deliver((await start()).settings)
    expect(await compare()).toMatchObject({ verdict: 'same', from: 0, to: 60, records: 60, missing: 0, sampled: 60 })
    expect(await compare()).toMatchObject({ verdict: 'same' })
    expect(await onRecord(name)).toMatchObject([{ verdict: 'same', of: 'main/unit', records: 60, missing: 0 }])
  })

  it.each([
    ['Elastic', elastic],
    ['Splunk', splunk],
  ] as const)('names what is missing in %s, and that it came back', async (_, start) => {
    // oxfmt-ignore
    const fake = await start()
    const { name, compare } = await deliver(fake.settings)
    expect([3, 40].map((seq) => fake.forget(idOf(seq)))).toEqual([true, true])
    const told = await compare()
    expect(told).toMatchObject({ verdict: 'differs', missing: 2, duplicated: 0, altered: 0, foreign: 0 })
    expect(told.first.map(({ id }) => id)).toEqual([idOf(3), idOf(40)])
    for (let again = 0; again < 3; again++) await compare()
    expect((await onRecord(name)).map(({ missing }) => missing)).toEqual([2, 2]) // when it changed, and once that day
    const again = await deliverAgain(fake, [3, 40])
    await again.stop()
    expect(await compare()).toMatchObject({ verdict: 'same', missing: 0 })
    expect(fake.forget(idOf(3))).toBe(true)
    expect(await compare()).toMatchObject({ verdict: 'differs', missing: 1 })
    expect((await onRecord(name)).map(({ missing }) => missing)).toEqual([2, 2, 0, 1])
  })

  it('tells an empty index from a gap: everything is missing, with its count', async () => {
    const fake = await elastic()
    const { compare } = await deliver(fake.settings)
    for (const id of fake.ids()) fake.forget(id)
    expect(await compare()).toMatchObject({ verdict: 'differs', missing: 60 })
  })

  it('case 18: tells that an index takes events and throws them away, though every one was answered with a yes', async () => {
    const fake = await splunk()
    fake.discards = (index) => index === 'proofline_unit'
    const { compare } = await deliver(fake.settings)
    expect(await compare()).toMatchObject({ verdict: 'differs', missing: 60, duplicated: 0 })
    fake.discards = () => false
    expect(await compare()).toMatchObject({ verdict: 'differs', missing: 60 }) // it sends nothing again by itself
    expect(fake.counters.stored).toBe(0)
  })

  it('counts copies in Splunk', async () => {
    const fake = await splunk()
    const { compare } = await deliver(fake.settings)
    const again = await deliverAgain(fake, [7])
    await again.stop()
    expect(await compare()).toMatchObject({ verdict: 'differs', duplicated: 1, missing: 0, first: [{ kind: 'duplicated', id: idOf(7), detail: '2 copies' }] }) // oxfmt-ignore
  })

  it('names what is foreign, however long its id is', async () => {
    const fake = await elastic()
    const { compare } = await deliver(fake.settings)
    const source = { event: { sequence: 5 }, proofline: { ledger: 'main/unit', check: 1, block: 0 } }
    fake.plant('proofline-unit-2026.11', 'f'.repeat(500), JSON.stringify(source))
    expect(await compare()).toMatchObject({ verdict: 'differs', foreign: 1, missing: 0 })
  })

  it('is not blinded by one document that carries a block of nobody: it is foreign, and what is missing is found beside it', async () => {
    const fake = await elastic()
    const { compare } = await deliver(fake.settings)
    const source = { event: { sequence: 5 }, proofline: { ledger: 'main/unit', check: 1, block: 7 } }
    fake.plant('proofline-unit-2026.11', 'foreign', JSON.stringify(source))
    fake.forget(idOf(9))
    expect(await compare()).toMatchObject({ verdict: 'differs', foreign: 2, missing: 1 })
    fake.forget('foreign')
    expect(await compare()).toMatchObject({ verdict: 'differs', foreign: 0, missing: 1 })
  })

  it('leaves alone a ledger that nothing of goes there any more', async () => {
    const fake = await elastic()
    const { compare } = await deliver(fake.settings)
    fake.forget(idOf(9))
    expect(await compare()).toMatchObject({ missing: 1 })
    await expect(compare(1, undefined)).rejects.toThrow('no lane was compared')
  })

  it('finds what was altered when its turn comes, and that it was put right', async () => {
    const fake = await elastic()
    const { compare } = await deliver(fake.settings)
    const source = fake.source(idOf(9)) as { event: { original: string } }
    const [index = ''] = fake.indexes()
    const plant = (original: string): void => fake.plant(index, idOf(9), JSON.stringify({ ...source, event: { ...source.event, original } })) // oxfmt-ignore
    plant(source.event.original.replace('"missed":5', '"missed":0'))
    expect(await compare()).toMatchObject({ verdict: 'differs', altered: 1, missing: 0, first: [{ id: idOf(9) }] })
    plant(source.event.original)
    expect(await compare()).toMatchObject({ verdict: 'same', altered: 0 })
  })

  it('expects of a destination what it selects', async () => {
    const fake = await elastic({ select: { repositories: ['a'] } })
    const { compare } = await deliver(fake.settings)
    expect(fake.ids().length).toBe(30)
    expect(await compare()).toMatchObject({ verdict: 'same', records: 30 })
  })

  it('says that it does not know when the destination cannot be asked, and keeps what it knew', async () => {
    const fake = await elastic()
    const { name, compare } = await deliver(fake.settings)
    fake.forget(idOf(1))
    await compare()
    fake.searchDown = true
    expect(await compare()).toMatchObject({ verdict: 'unknown', missing: 1, reason: expect.stringContaining('503') as string }) // oxfmt-ignore
    const kept = (await listComparisons(database.db, 'main')).find(({ destination }) => destination === name)
    expect(kept?.result).toMatchObject({ verdict: 'unknown', missing: 1 })
  })

  it('case 48: asks no other SIEM than the one that the name began with, which would miss everything', async () => {
    const fake = await elastic()
    const { name } = await deliver(fake.settings)
    const other = await elastic()
    const told = await compareAs(name, other.settings)
    expect(told).toMatchObject({
      verdict: 'unknown',
      missing: 0,
      reason: expect.stringContaining('it began at') as string,
    })
    expect(other.counters.requests).toBe(0)
    expect(await findDifferences(database.db, { ledger: 'main/unit', destination: name })).toEqual([])
  })

  it('case 48: nor another cluster behind the same address', async () => {
    const fake = await elastic()
    const { name, compare } = await deliver(fake.settings)
    expect(await compare()).toMatchObject({ verdict: 'same' })
    for (const id of fake.ids()) fake.forget(id)
    fake.cluster.uuid = 'the-other-one'
    expect(await compare()).toMatchObject({ verdict: 'unknown', missing: 0, reason: expect.stringContaining('cluster the-other-one answers') as string }) // oxfmt-ignore
    expect(await findDifferences(database.db, { ledger: 'main/unit', destination: name })).toEqual([])
  })

  it('settles what was on hold and is there after all, and does not miss what is parked and is not', async () => {
    const fake = await splunk({ search: undefined, proof: 'answer' })
    fake.refuse = (id) => (id === idOf(20) ? 6 : undefined)
    fake.failNext('drop-after-storing')
    const blind = await deliver({ ...fake.settings, batch: { records: 10, bytes: 524_288 } })
    const parked = () => listDeadLetters(database.db, { org: 'main', destination: blind.name })
    expect((await parked()).map(({ kind }) => kind)).toContain('unresolved')
    const seeing = await compareAs(blind.name, splunkSettings(fake))
    expect(seeing).toMatchObject({ verdict: 'same', missing: 0 })
    expect(seeing.found).toBeGreaterThan(0)
    const absent = records.filter(({ id }) => fake.copies(id) === 0)
    expect(absent.length).toBeGreaterThan(0)
    expect((await parked()).map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual(absent.map(({ seq }) => seq))
  })
})

/** Sends some records once more, as a careless operator would. */
async function deliverAgain(fake: { settings: DestinationSettings }, seqs: readonly number[]) {
  const reader = createMemoryReader(records.map((record) => ({ ...record })))
  const name = `again-${++names}`
  const wanted = new Set(seqs)
  const settings = { ...fake.settings, select: { repositories: ['nothing'] } }
  reader.records.forEach((record, seq) => {
    if (wanted.has(seq)) Object.assign(record, { kind: 'heartbeat' }) // goes everywhere whatever is selected
  })
  const lane = await startLane({ name, db: database.db, reader, settings })
  await eventually(
    async () => (await provedTo(name)) === records.length,
    () => name,
  )
  return lane
}

async function compareAs(name: string, settings: DestinationSettings): Promise<Reconciled> {
  const destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now: () => new Date() })
  closing.push(() => destination.close())
  const reader = createMemoryReader([...records])
  const deps = { name, db: database.db, reader, destination, settings, selects: () => settings.select, now: () => new Date(), operations: operations.book, log: silentLogger, sample: 10 } // oxfmt-ignore
  const [only] = await reconcileDestination(deps, 0, AbortSignal.timeout(20_000))
  if (only === undefined) throw new Error('no lane was compared')
  return only
}
