import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { runWorker } from '../../src/database/worker.ts'
import { runDelivery } from '../../src/delivery/deliver.ts'
import { silentMetrics } from '../../src/delivery/metrics.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import type { RecordBatch } from '../../src/ledger/read.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeHec } from '../support/hec.ts'
import { elasticSettings, eventually, findStatus, getStatus, splunkSettings, startLane } from './lane.ts'
import { isDone } from './ordering.ts'
import { createMemoryReader, makeRecord } from './records.ts'

let database: TestDatabase
let lanes = 0
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

const nextName = (): string => `outage-${++lanes}`
const publicHost = 'proofline.acme.example'
const recordsOf = (count: number, from = 0) => Array.from({ length: count }, (_, i) => makeRecord(from + i))

/** The real PostgreSQL, which refuses to write while it is told to: 25006, as of a standby or a full disk made read-only. */
function refusing(db: Database) {
  const self = {
    readOnly: false,
    refused: 0,
    db: {
      ...db,
      async query(statement: Parameters<Database['query']>[0]) {
        if (!self.readOnly || !/\binsert into\b/.test(statement.text)) return db.query<never>(statement)
        return db
          .transaction(async (tx) => {
            await tx.query({ text: 'set transaction read only' })
            return tx.query<never>(statement)
          })
          .catch((error: unknown) => {
            self.refused++
            throw error
          })
      },
    } as Database, // every member is that of a Database
  }
  return self
}

describe('a database that takes no rows', () => {
  it.each(['splunk', 'elastic'] as const)('case 45: stops sending to %s: nothing unrecorded goes out', async (kind) => {
    const fake = kind === 'splunk' ? await startFakeHec() : await startFakeBulk()
    const settings = 'searchUrl' in fake ? splunkSettings(fake) : elasticSettings(fake)
    const name = nextName()
    const reader = createMemoryReader(recordsOf(10))
    const store = refusing(database.db)
    const abort = new AbortController()
    const destination = await openDestination(settings, { publicHost, now: () => new Date() })
    const deps = { name, destination, settings, ledger: 'main/unit', reader, db: store.db, log: silentLogger, metrics: silentMetrics, now: () => new Date() } as const // oxfmt-ignore
    // As the service runs it: again after an error.
    const worker = runWorker(`outage ${name}`, (signal) => runDelivery(deps, signal), { org: 'main', db: database.db, log: silentLogger, signal: abort.signal, backOffMs: 20 }) // oxfmt-ignore
    await eventually(() => isDone(database, name, 10))
    // Between the send and its answer: the outcome cannot be written.
    fake.failNext('slow')
    const { requests } = fake.counters
    reader.add(...recordsOf(10, 10))
    await eventually(() => fake.counters.requests > requests)
    store.readOnly = true
    await eventually(() => store.refused > 0)
    const sent = fake.counters.requests
    reader.add(...recordsOf(10, 20))
    const refused = store.refused
    await eventually(() => store.refused > refused + 2)
    expect(fake.counters.requests).toBe(sent)
    store.readOnly = false
    await eventually(
      () => isDone(database, name, 30),
      () => getStatus(database.db, name),
    )
    expect(recordsOf(30).map(({ id }) => fake.copies(id))).toEqual(recordsOf(30).map(() => 1))
    expect(fake.counters.duplicates).toBe(0)
    abort.abort()
    await worker
    await Promise.all([destination.close(), fake.close()])
  })
})

describe('a backlog', () => {
  /** A ledger of so many records that are made when they are read, and forgotten. */
  function backlog(size: number) {
    let furthest = 0
    const reader = createMemoryReader()
    const readBatch = async (
      _: unknown,
      from: number,
      { maxRecords = 1_000, until = Infinity } = {},
    ): Promise<RecordBatch> => {
      const next = Math.max(from, Math.min(size, until, from + maxRecords))
      furthest = Math.max(furthest, next)
      return { ledger: 'main/unit', first: from, next, records: recordsOf(next - from, from) }
    }
    const published = async () => ({ size, note: '', lastTime: 0 })
    return { reader: { ...reader, readBatch, published }, furthest: () => furthest }
  }

  it('case 46: goes out oldest first, and is read no further ahead than a few batches beyond what may be open', async () => {
    const fake = await startFakeHec({ keep: 'ids', useAck: true, ackAfterMs: Infinity })
    const limits = { batch: { records: 100, bytes: 524_288 }, max_open_attempts: 5, concurrency: 1 }
    const settings = splunkSettings(fake, { proof: 'ack', search: undefined, ...limits })
    const name = nextName()
    const { reader, furthest } = backlog(6_000)
    const lane = await startLane({ name, db: database.db, reader, settings })
    // Nothing is acknowledged: five attempts are open, and what is read ahead is four thousand records at most.
    await eventually(async () => (await findStatus(database.db, name))?.next === 500)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await getStatus(database.db, name)).next).toBe(500)
    expect(furthest()).toBeLessThanOrEqual(4_500)
    expect(fake.ids()).toEqual(recordsOf(500).map(({ id }) => id))
    fake.ackAfterMs = 0
    await eventually(
      () => isDone(database, name, 6_000),
      () => getStatus(database.db, name),
      60_000,
    )
    expect(fake.ids()).toEqual(recordsOf(6_000).map(({ id }) => id))
    expect(fake.counters).toMatchObject({ stored: 6_000, duplicates: 0 })
    await lane.stop()
    await fake.close()
  })
})

describe('one destination that is down', () => {
  it('case 49: keeps no other waiting, and one that is added later sends nothing to the first', async () => {
    const [up, down] = [await startFakeBulk(), await startFakeHec()]
    down.tokenDisabled = true
    const reader = createMemoryReader(recordsOf(30))
    const [first, second, third] = [nextName(), nextName(), nextName()]
    const running = [
      await startLane({ name: first, db: database.db, reader, settings: elasticSettings(up) }),
      await startLane({ name: second, db: database.db, reader, settings: splunkSettings(down) }),
    ]
    await eventually(() => isDone(database, first, 30))
    await eventually(async () => (await getStatus(database.db, second)).state === 'blocked')
    expect(await getStatus(database.db, second)).toMatchObject({ sentTo: 0 })
    const { requests } = up.counters
    const added = await startFakeBulk()
    running.push(await startLane({ name: third, db: database.db, reader, settings: elasticSettings(added) }))
    await eventually(() => isDone(database, third, 30))
    expect(up.counters.requests).toBe(requests)
    down.tokenDisabled = false
    await eventually(() => isDone(database, second, 30))
    expect(down.counters).toMatchObject({ stored: 30, duplicates: 0 })
    await Promise.all(running.map((lane) => lane.stop()))
    await Promise.all([up.close(), down.close(), added.close()])
  })
})

describe('a shutdown with requests on their way', () => {
  it('case 50: claims nothing more, waits for answers, and polls the acknowledgement on the stored channel after the next start', async () => {
    const fake = await startFakeHec({ useAck: true, ackAfterMs: Infinity })
    const settings = splunkSettings(fake, { proof: 'ack', search: undefined, batch: { records: 5, bytes: 524_288 }, concurrency: 1 }) // oxfmt-ignore
    const name = nextName()
    fake.failNext('slow', 100)
    const reader = createMemoryReader(recordsOf(40))
    const lane = await startLane({ name, db: database.db, reader, settings })
    await eventually(() => fake.counters.requests === 2)
    await lane.stop()
    const stopped = await getStatus(database.db, name)
    expect(stopped.next).toBeLessThan(40)
    expect(stopped).toMatchObject({ inDoubt: 0, inFlight: 0, provedTo: 0 })
    const { requests } = fake.counters
    fake.ackAfterMs = 0
    const again = await startLane({ name, db: database.db, reader, settings })
    await eventually(() => isDone(database, name, 40))
    await again.stop()
    await fake.close()
    // What was accepted before is asked for and not sent again.
    expect(fake.counters.requests).toBe(requests + (40 - stopped.sentTo) / 5)
    expect(fake.counters).toMatchObject({ stored: 40, duplicates: 0 })
  })

  it('case 50: leaves what was cut off in doubt, and a look settles it', async () => {
    const fake = await startFakeHec()
    const settings = splunkSettings(fake, { drain_ms: 20, request_timeout_ms: 1_000 })
    const name = nextName()
    fake.failNext('timeout-after-storing')
    const reader = createMemoryReader(recordsOf(20))
    const lane = await startLane({ name, db: database.db, reader, settings })
    await eventually(() => fake.counters.stored === 20)
    await lane.stop()
    const again = await startLane({ name, db: database.db, reader, settings })
    await eventually(() => isDone(database, name, 20))
    await again.stop()
    await fake.close()
    expect(fake.counters).toMatchObject({ stored: 20, duplicates: 0, requests: 1 })
  })
})

describe('a shutdown while the database fails', () => {
  // The store of the outcome fails once, as when PostgreSQL is restarted too; what would be written next gets through.
  it.each(['splunk', 'elastic'] as const)(
    'leaves what %s has answered in doubt: it is not taken for unsent, and is stored once',
    async (kind) => {
      const fake = kind === 'splunk' ? await startFakeHec() : await startFakeBulk()
      const settings = 'searchUrl' in fake ? splunkSettings(fake) : elasticSettings(fake)
      const name = nextName()
      let failing = 1
      const db: Database = {
        ...database.db,
        async query(statement: Parameters<Database['query']>[0]) {
          if (statement.name === 'insert_outcome' && failing > 0 && failing--)
            throw new Error('terminating connection due to administrator command')
          return database.db.query<never>(statement)
        },
      } as Database // every member is that of a Database
      fake.failNext('slow')
      const lane = await startLane({ name, db, reader: createMemoryReader(recordsOf(5)), settings })
      await eventually(() => fake.counters.requests > 0)
      await lane.stop().catch(() => undefined)
      expect(failing).toBe(0)
      const heir = await startLane({ name, db: database.db, reader: createMemoryReader(recordsOf(5)), settings })
      await eventually(() => isDone(database, name, 5))
      await heir.stop()
      await fake.close()
      const { rows } = await database.db.query<{ marks: string; source: string }>({
        text: 'select source, marks from outcomes where destination = $1 and step = 0 and try = 1',
        values: [name],
      })
      expect(rows).toEqual([{ source: 'loss', marks: 'i' }])
      expect(fake.ids().length).toBe(5)
      expect(fake.counters.duplicates).toBe(0)
    },
  )
})
