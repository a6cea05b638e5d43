import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listDeadLetters } from '../../src/delivery/status.ts'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import { type FailMode, modesOf } from '../support/fail-modes.ts'
import { elasticSettings, eventually, findStatus, getStatus, splunkSettings, startLane } from './lane.ts'
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

const status = (name: string) => getStatus(database.db, name)

const sixty = Array.from({ length: 60 }, (_, seq) => makeRecord(seq, { kind: seq % 20 === 19 ? 'part' : 'coverage' }))

type Fake = (FakeHec | FakeBulk) & { digest(id: string): string | undefined }

interface Connector {
  by: 'hec' | 'bulk'
  start(
    mode?: FailMode,
  ): Promise<{ fake: Fake; settings: ReturnType<typeof splunkSettings>; stored(id: string): string | undefined }>
}

const connectors: Record<string, Connector> = {
  splunk: {
    by: 'hec',
    async start(mode) {
      const fake = await startFakeHec()
      // A search may believe in absence only when what is stored late is there.
      const lag_ms = mode === 'store-late' ? 600 : 0
      const search = { url: fake.searchUrl, token: fake.searchToken, lag_ms, timeout_ms: 1_000 }
      return { fake, settings: splunkSettings(fake, { search }), stored: (id) => fake.digest(id) }
    },
  },
  elastic: {
    by: 'bulk',
    async start() {
      const fake = await startFakeBulk()
      return { fake, settings: elasticSettings(fake), stored: (id) => fake.digest(id) }
    },
  },
}

/** The hard cases that these are; what is in none is worth its test all the same. */
const cases: Partial<Record<FailMode, string>> = {
  'drop-while-writing': 'case 3: ', 'drop-before-storing': 'case 4: ', 'drop-after-storing': 'case 4: ', 'head-before-storing': 'case 5: ',
  'head-after-storing': 'case 5: ', 'cut-before-storing': 'case 5: ', 'cut-after-storing': 'case 5: ', 'endless-before-storing': 'case 6: ',
  'endless-after-storing': 'case 6: ', 'timeout-before-storing': 'case 6: ', 'timeout-after-storing': 'case 6: ', 'too-large-early': 'case 8: ',
  redirect: 'case 9: ', 'proxy-credentials': 'case 10: ', 'html-502-after-storing': 'case 10: ', 'html-503-before-storing': 'case 10: ',
  'html-504-after-storing': 'case 10: ', busy: 'case 12: ', 'busy-after-prefix': 'case 12: ', 'near-capacity': 'case 13: ',
  'near-ack-capacity': 'case 13: ', 'too-many': 'case 14: ', 'acks-full': 'case 14: ', 'too-large': 'case 21: ',
  'shutting-down-before-storing': 'case 29: ', 'shutting-down-after-storing': 'case 29: ', 'items-rejected': 'case 30: ',
  'items-unavailable': 'case 30: ', 'items-missing': 'case 30: ', 'items-shuffled': 'case 30: ', 'cluster-block': 'case 33: ',
} // oxfmt-ignore

describe.each(Object.entries(connectors))('delivery to %s', (_, connector) => {
  it('delivers every record once, with the bytes of the ledger, and proves it', async () => {
    const { fake, settings } = await connector.start()
    const name = nextName()
    const reader = createMemoryReader(sixty.slice(0, 40))
    const lane = await startLane({ name, db: database.db, reader, settings })
    await eventually(
      () => fake.ids().length === 40,
      () => fake.counters,
    )
    reader.add(...sixty.slice(40))
    await eventually(
      async () => (await status(name)).provedTo === 60,
      () => status(name),
    )
    expect(fake.ids().toSorted()).toEqual(sixty.map(({ id }) => id).toSorted())
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
    await lane.stop()
    await fake.close()
    expect(await status(name)).toMatchObject({ sentTo: 60, provedTo: 60, inDoubt: 0, parked: 0, state: 'running' })
  })

  const modes = modesOf({ by: connector.by }).map((mode): [string, FailMode] => [cases[mode] ?? '', mode])
  it.each(modes)('%sstores every record exactly once after %s', async (__, mode) => {
    const { fake, settings, stored } = await connector.start(mode)
    const name = nextName()
    fake.failNext(mode, 3)
    const lane = await startLane({ name, db: database.db, reader: createMemoryReader(sixty), settings })
    await eventually(
      async () => (await findStatus(database.db, name))?.provedTo === 60,
      () => status(name),
    )
    await lane.stop()
    await fake.close()
    expect(fake.ids().length).toBe(60)
    expect(fake.counters.duplicates).toBe(0)
    expect(sixty.filter(({ id }) => stored(id) === undefined)).toEqual([])
    expect(await listDeadLetters(database.db, { org: 'main', destination: name })).toEqual([])
  })
})

describe('a batch that HEC takes apart', () => {
  it.each(['keep-prefix', 'atomic'] as const)(
    'case 19: parks the one bad event and stores the others once, where Splunk does %s',
    async (onBadEvent) => {
      const fake = await startFakeHec({ onBadEvent })
      const bad = sixty[30]!.id
      fake.refuse = (id) => (id === bad ? 6 : undefined)
      const name = nextName()
      const lane = await startLane({
        name,
        db: database.db,
        reader: createMemoryReader(sixty),
        settings: splunkSettings(fake),
      })
      await eventually(
        async () => (await findStatus(database.db, name))?.provedTo === 60,
        () => status(name),
      )
      await lane.stop()
      await fake.close()
      expect(fake.ids().length).toBe(59)
      expect(fake.counters.duplicates).toBe(0)
      expect(await listDeadLetters(database.db, { org: 'main', destination: name })).toMatchObject([
        { id: bad, kind: 'refused', reason: 'HEC 400/6', seq: 30 },
      ])
      expect((await status(name)).parked).toBe(1)
    },
  )

  it('case 21, 22: halves what is too large until it fits, and parks a single one that never does', async () => {
    const fake = await startFakeHec({ maxBodyBytes: 4_900 })
    const name = nextName()
    const large = makeRecord(5, { extra: { note: 'x'.repeat(3_900) } })
    const records = Array.from({ length: 12 }, (_, seq) => (seq === 5 ? large : makeRecord(seq)))
    const lane = await startLane({
      name,
      db: database.db,
      reader: createMemoryReader(records),
      settings: splunkSettings(fake),
    })
    await eventually(
      async () => (await findStatus(database.db, name))?.provedTo === 12,
      () => status(name),
    )
    await lane.stop()
    await fake.close()
    expect(fake.ids().length).toBe(11)
    expect(fake.counters.duplicates).toBe(0)
    expect(await listDeadLetters(database.db, { org: 'main', destination: name })).toMatchObject([
      { seq: 5, kind: 'refused' },
    ])
  })
})

describe('Elastic with a foreign document under our id', () => {
  it('case 31: parks the record whose bytes differ, overwrites nothing, and goes on', async () => {
    const fake = await startFakeBulk()
    const name = nextName()
    const victim = sixty[3]!
    fake.plant('proofline-unit-2026.11', victim.id, '{"event":{"hash":"00"}}')
    const lane = await startLane({
      name,
      db: database.db,
      reader: createMemoryReader(sixty),
      settings: elasticSettings(fake),
    })
    await eventually(
      async () => (await findStatus(database.db, name))?.provedTo === 60,
      () => status(name),
    )
    await lane.stop()
    await fake.close()
    expect(fake.digest(victim.id)).toBe('00')
    expect(await listDeadLetters(database.db, { org: 'main', destination: name })).toMatchObject([
      { seq: 3, kind: 'refused' },
    ])
  })

  it('case 30: settles the members of a mixed answer each for itself', async () => {
    const fake = await startFakeBulk()
    const name = nextName()
    const seen = new Map<string, number>()
    fake.refuse = (id) => {
      const times = (seen.get(id) ?? 0) + 1
      seen.set(id, times)
      if (id === sixty[1]!.id) return { status: 400, type: 'mapper_parsing_exception', reason: 'strict' }
      if (id === sixty[2]!.id && times < 3) return { status: 429, type: 'es_rejected_execution_exception' }
      if (id === sixty[4]!.id && times < 2) return { status: 503, type: 'unavailable_shards_exception' }
      return undefined
    }
    const lane = await startLane({
      name,
      db: database.db,
      reader: createMemoryReader(sixty.slice(0, 10)),
      settings: elasticSettings(fake),
    })
    await eventually(
      async () => (await findStatus(database.db, name))?.provedTo === 10,
      () => status(name),
    )
    await lane.stop()
    await fake.close()
    expect(fake.ids().length).toBe(9)
    expect(seen.get(sixty[0]!.id)).toBe(1)
    expect(await listDeadLetters(database.db, { org: 'main', destination: name })).toMatchObject([
      { seq: 1, reason: '400 mapper_parsing_exception strict' },
    ])
  })
})

describe('what a destination is sent', () => {
  it('is blocked by a disabled token, keeps everything, and resumes by itself', async () => {
    const fake = await startFakeHec()
    const name = nextName()
    fake.tokenDisabled = true
    const reader = createMemoryReader(sixty.slice(0, 10))
    const lane = await startLane({ name, db: database.db, reader, settings: splunkSettings(fake) })
    await eventually(
      async () => (await findStatus(database.db, name))?.state === 'blocked',
      () => status(name),
    )
    expect(await status(name)).toMatchObject({ reason: 'credentials', detail: 'HEC 403/1', sentTo: 0 })
    reader.add(...sixty.slice(10))
    fake.tokenDisabled = false
    await eventually(
      async () => (await status(name)).provedTo === 60,
      () => status(name),
    )
    expect((await status(name)).state).toBe('running')
    await lane.stop()
    await fake.close()
    expect(fake.counters.duplicates).toBe(0)
  })

  it('follows select, a start position, and the months of the records', async () => {
    const fake = await startFakeBulk()
    const name = nextName()
    const december = Date.UTC(2026, 11, 1) * 1000
    const records = [0, 1, 2, 3, 4, 5].map((seq) =>
      makeRecord(seq, {
        kind: seq === 2 ? 'part' : 'coverage',
        recordedAt: december - 3 + seq,
        repository: seq === 4 ? 'github.com/acme/other' : 'github.com/acme/payments',
      }),
    )
    const settings = elasticSettings(fake, {
      select: { kinds: ['coverage'], repositories: ['github.com/acme/payments'] },
      start: 'now',
    })
    const reader = createMemoryReader(records.slice(0, 1))
    const lane = await startLane({ name, db: database.db, reader, settings })
    await eventually(
      async () => (await findStatus(database.db, name))?.start === 1,
      () => status(name),
    )
    reader.add(...records.slice(1))
    await eventually(
      async () => (await status(name)).provedTo === 6,
      () => status(name),
    )
    await lane.stop()
    await fake.close()
    expect(fake.documents().toSorted()).toEqual(
      [
        `proofline-unit-2026.11/${records[1]!.id}`,
        `proofline-unit-2026.12/${records[3]!.id}`,
        `proofline-unit-2026.12/${records[5]!.id}`,
      ].toSorted(),
    )
    const { rows } = await database.db.query({
      text: 'select month::text, base, next from cuts where destination = $1 order by base',
      values: [name],
    })
    expect(rows.slice(1)).toEqual([
      { month: '2026-11-01', base: 1, next: 3 },
      { month: '2026-12-01', base: 3, next: 6 },
    ])
  })
})
