import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { listDeadLetters } from '../../src/delivery/status.ts'
import { startBalancer } from '../support/balancer.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import { elasticSettings, eventually, findStatus, splunkSettings, startLane } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

/** What the lane makes of the wire: trails that outlive a process, tokens, sizes, a proof that does not come. */

let database: TestDatabase
let lanes = 0
const closers: (() => unknown)[] = []
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const sixty = Array.from({ length: 60 }, (_, seq) => makeRecord(seq))
const nextName = (): string => `wire-${++lanes}`
async function hec(options: Parameters<typeof startFakeHec>[0] = {}): Promise<FakeHec> {
  const fake = await startFakeHec(options)
  closers.push(fake.close)
  return fake
}
const find = (name: string) => findStatus(database.db, name)
const proves = async (name: string, provedTo: number): Promise<void> =>
  eventually(
    async () => (await find(name))?.provedTo === provedTo,
    () => find(name),
  )

describe('a restart', () => {
  it('case 50: asks for acknowledgements where the attempts went: same node, same cookies', async () => {
    const nodes = [await hec({ useAck: true, ackAfterMs: Infinity }), await hec({ useAck: true, ackAfterMs: Infinity })]
    const balancer = await startBalancer(nodes.map(({ url }) => url))
    closers.push(balancer.close)
    const settings = splunkSettings(nodes[0]!, {
      url: balancer.url,
      proof: 'ack',
      search: undefined,
      batch: { records: 10, bytes: 500_000 },
    })
    const name = nextName()
    const reader = createMemoryReader([...sixty])
    const first = await startLane({ name, db: database.db, reader, settings })
    await eventually(
      async () => (await find(name))?.sentTo === 60,
      () => find(name),
    )
    await first.stop()
    const before = balancer.seen.length
    for (const node of nodes) node.ackAfterMs = 0
    const second = await startLane({ name, db: database.db, reader, settings })
    await proves(name, 60)
    await second.stop()
    const after = balancer.seen.slice(before)
    expect(after.every(({ path }) => path === '/services/collector/ack')).toBe(true)
    // None was asked in vain: six attempts, six questions.
    expect(after.length).toBe(6)
    expect(new Set(after.map(({ node, cookie }) => `${node} ${cookie}`))).toEqual(
      new Set(['0 LB=n0; other=1', '1 LB=n1; other=1']),
    )
    const { rows } = await database.db.query<{ answer: Record<string, unknown> }>({
      text: 'select answer from outcomes where destination = $1 and step = 0',
      values: [name],
    })
    expect(rows[0]?.answer).toMatchObject({
      ack_id: 0,
      address: new URL(balancer.url).host,
      token: expect.stringMatching(/^[0-9a-f]{8}$/),
    })
    expect(JSON.stringify(rows)).not.toContain('planted-hec-token-5ec7e7ed')
  })
})

describe('two tokens', () => {
  it('case 16: are rotated in the middle of a backlog without a loss, a copy, or a stop', async () => {
    const fake = await hec({ useAck: true })
    const settings = splunkSettings(fake, {
      proof: 'ack',
      token: 'new-token',
      previous_token: 'planted-hec-token-5ec7e7ed',
      batch: { records: 2, bytes: 500_000 },
    })
    const name = nextName()
    const lane = await startLane({ name, db: database.db, reader: createMemoryReader([...sixty]), settings })
    await eventually(() => fake.ids().length >= 20)
    fake.token = 'new-token'
    fake.otherToken = undefined
    await proves(name, 60)
    await lane.stop()
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
    expect(await listDeadLetters(database.db, { org: 'main', destination: name })).toEqual([])
  })
})

describe('a destination that takes less than is configured', () => {
  const splunk = async (maxBodyBytes: number) => {
    const fake = await hec({ maxBodyBytes })
    return { fake, settings: splunkSettings(fake) }
  }
  const elastic = async (maxBodyBytes: number) => {
    const fake = await startFakeBulk({ maxBodyBytes })
    closers.push(fake.close)
    return { fake, settings: elasticSettings(fake) }
  }

  it.each([
    ['Splunk', splunk],
    ['Elastic', elastic],
  ])('case 21, 35: %s is sent halves, and smaller batches from then on', async (_, start) => {
    const reader = createMemoryReader([...sixty])
    const { fake, settings } = await start(16_000)
    const name = nextName()
    const lane = await startLane({ name, db: database.db, reader, settings })
    await proves(name, 60)
    reader.add(...Array.from({ length: 60 }, (__, i) => makeRecord(60 + i)))
    await proves(name, 120)
    await lane.stop()
    expect(fake.ids().length).toBe(120)
    expect(fake.counters).toMatchObject({ stored: 120, duplicates: 0 })
    const { rows } = await database.db.query<{ learning: number; later: number }>({
      text: `select count(*) filter (where first_seq < 60)::integer as learning, count(*) filter (where first_seq >= 60)::integer as later
             from outcomes where destination = $1 and reason = 'HTTP 413'`,
      values: [name],
    })
    expect(rows[0]?.learning).toBeGreaterThan(1)
    expect(rows[0]?.later).toBe(0)
  })
})

describe('an acknowledgement that is switched off', () => {
  it('case 25: the search proves in its place, and the status says so until it is put right', async () => {
    const fake = await hec({ useAck: false })
    const name = nextName()
    const reader = createMemoryReader([...sixty])
    const lane = await startLane({ name, db: database.db, reader, settings: splunkSettings(fake, { proof: 'ack' }) })
    await proves(name, 60)
    expect(await find(name)).toMatchObject({
      state: 'running',
      reason: 'weaker_proof',
      detail: expect.stringContaining('acknowledgement is switched off'),
      parked: 0,
    })
    await lane.stop()
    fake.useAck = true
    const again = await startLane({ name, db: database.db, reader, settings: splunkSettings(fake, { proof: 'ack' }) })
    await eventually(async () => (await find(name))?.reason === undefined)
    await again.stop()
  })
})
