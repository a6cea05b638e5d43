import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Destination } from '../../src/delivery/destination.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { insertPauses } from '../../src/delivery/pauses.ts'
import { listDeadLetters } from '../../src/delivery/status.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeHec } from '../support/hec.ts'
import type { FailMode } from '../support/fail-modes.ts'
import {
  elasticSettings,
  eventually,
  findStatus,
  mortal,
  type MortalDatabase,
  splunkSettings,
  startLane,
} from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

let database: TestDatabase
let lanes = 0
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

const records = Array.from({ length: 30 }, (_, seq) => makeRecord(seq))
const publicHost = 'proofline.acme.example'

async function splunk() {
  const fake = await startFakeHec()
  return { fake, settings: splunkSettings(fake) }
}
async function elastic() {
  const fake = await startFakeBulk()
  return { fake, settings: elasticSettings(fake) }
}

const finished = async (name: string): Promise<boolean> =>
  (await findStatus(database.db, name))?.provedTo === records.length

/** A sender that dies: its statements end, its sockets are closed, and nothing of it runs on. */
async function dying(name: string, settings: ReturnType<typeof splunkSettings>) {
  const db = mortal(database.db)
  const destination = await openDestination(settings, { publicHost, now: () => new Date() })
  await startLane({ name, db, reader: createMemoryReader(records), settings, destination })
  return { db, die: () => destination.close() }
}

describe.each([
  ['splunk', splunk],
  ['elastic', elastic],
] as const)('a crash of a delivery to %s', (_, start) => {
  const effects: [string, string, 'before' | 'after'][] = [
    ['case 43: ', 'insert_cut', 'before'], ['case 41: ', 'insert_cut', 'after'], ['case 42: ', 'insert_outcome', 'before'],
    ['case 42: ', 'insert_outcome', 'after'], ['', 'insert_position', 'before'], ['', 'insert_position', 'after'],
  ] // oxfmt-ignore

  it.each(effects)('%sat %s, %s it was stored, ends with every record there once', async (__, statement, when) => {
    const { fake, settings } = await start()
    const name = `crash-${++lanes}`
    // The first insert_cut begins the lane; what matters is the one that takes records on.
    const { db, die } = await dying(name, settings)
    if (statement === 'insert_cut')
      await eventually(
        async () =>
          (await database.db.query({ text: 'select from cuts where destination = $1', values: [name] })).rowCount > 0,
      )
    db.dieAt(statement, when)
    await eventually(
      () => db.dead,
      () => 'alive',
      2_000,
    ).catch(() => db.kill())
    await die()
    const heir = await startLane({ name, db: database.db, reader: createMemoryReader(records), settings })
    await eventually(() => finished(name))
    await heir.stop()
    await fake.close()
    expect(fake.ids().length).toBe(records.length)
    expect(fake.counters.duplicates).toBe(0)
  })

  it.each(['busy', 'drop-before-storing', 'drop-after-storing'] as FailMode[])(
    'at the next try after %s, in both flavours, ends with every record there once',
    async (mode) => {
      for (const when of ['before', 'after'] as const) {
        const { fake, settings } = await start()
        const name = `crash-${++lanes}`
        fake.failNext(mode, 2)
        const { db, die } = await dying(name, settings)
        db.dieAt('insert_outcome_with', when)
        await eventually(
          () => db.dead,
          () => 'alive',
          2_000,
        ).catch(() => db.kill())
        await die()
        const heir = await startLane({ name, db: database.db, reader: createMemoryReader(records), settings })
        await eventually(() => finished(name))
        await heir.stop()
        await fake.close()
        expect(fake.ids().length).toBe(records.length)
        expect(fake.counters.duplicates).toBe(0)
      }
    },
  )
})

describe('a lane that begins in a later month than its records', () => {
  it('finds what is in doubt of every month after a crash, though its only position was written before the first cut', async () => {
    const old = Array.from({ length: 10 }, (_, seq) =>
      makeRecord(seq, { recordedAt: Date.UTC(2026, seq < 5 ? 0 : 1, 15) * 1000 + seq }),
    )
    const { fake, settings: given } = await splunk()
    const settings = { ...given, batch: { records: 5, bytes: 524_288 }, position_every_ms: 60_000 }
    const name = `months-${++lanes}`
    const pause = { at: 1, reason: 'not yet', byWhom: 'alice' }
    await insertPauses(database.db, name, ['main/unit'], { ...pause, paused: true })
    const db = mortal(database.db)
    const reader = createMemoryReader(old)
    const destination = await openDestination(settings, { publicHost, now: () => new Date() })
    await startLane({ name, db, reader, settings, destination })
    const positions = async () => (await database.db.query({ text: 'select from positions where destination = $1', values: [name] })).rowCount // oxfmt-ignore
    await eventually(async () => (await positions()) === 1)
    db.dieAt('insert_outcome', 'before')
    fake.failNext('slow', 2)
    await insertPauses(database.db, name, ['main/unit'], { ...pause, at: 2, paused: false })
    await eventually(() => db.dead)
    await destination.close()
    const status = await findStatus(database.db, name)
    expect(status).toMatchObject({ next: 10, sentTo: 0, provedTo: 0 })
    const heir = await startLane({ name, db: database.db, reader, settings })
    await eventually(async () => (await findStatus(database.db, name))?.provedTo === 10)
    await heir.stop()
    await fake.close()
    expect(fake.ids().length).toBe(10)
    expect(fake.counters.duplicates).toBe(0)
    const open = await database.db.query({
      text: `select from attempts a where a.destination = $1 and not exists (select from outcomes o where o.ledger = a.ledger
               and o.destination = a.destination and o.month = a.month and o.first_seq = a.first_seq and o.try = a.try)`,
      values: [name],
    })
    expect(open.rowCount).toBe(0)
  })
})

describe('a start', () => {
  /** A database that never tells which attempts are open, as one that is slow to. */
  const silent = (db: MortalDatabase): MortalDatabase => ({
    ...db,
    query: (statement) => (statement.name === 'open_attempts' ? new Promise(() => undefined) : db.query(statement)),
  })

  it.each([
    ['splunk', splunk],
    ['elastic', elastic],
  ] as const)('case 41: to %s that ends before it has read what is open forgets nothing of it', async (_, begin) => {
    const { fake, settings } = await begin()
    const name = `start-${++lanes}`
    fake.failNext('drop-before-storing', 2)
    const first = await dying(name, settings)
    first.db.dieAt('insert_outcome', 'before')
    await eventually(() => first.db.dead)
    await first.die()
    // A second goes by, which is when a position is written, and then it is gone.
    const db = mortal(database.db)
    await startLane({ name, db: silent(db), reader: createMemoryReader(records), settings })
    await new Promise((resolve) => setTimeout(resolve, 300))
    db.kill()
    const heir = await startLane({ name, db: database.db, reader: createMemoryReader(records), settings })
    await eventually(() => finished(name))
    await heir.stop()
    await fake.close()
    expect(fake.ids().length).toBe(records.length)
    expect(fake.counters.duplicates).toBe(0)
  })
})

describe('two workers on one lane', () => {
  it.each([
    ['splunk', splunk],
    ['elastic', elastic],
  ] as const)('at once, to %s, store every record once', async (_, start) => {
    const { fake, settings } = await start()
    const name = `twins-${++lanes}`
    for (let i = 0; i < 5; i++) fake.failNext(i % 2 === 0 ? 'drop-after-storing' : 'busy')
    const small = { ...settings, batch: { records: 2, bytes: 524_288 } }
    const twins = await Promise.all(
      [0, 1, 2].map(() => startLane({ name, db: database.db, reader: createMemoryReader(records), settings: small })),
    )
    await eventually(
      () => finished(name),
      () => findStatus(database.db, name),
      25_000,
    )
    await Promise.all(twins.map((twin) => twin.stop()))
    await fake.close()
    expect(fake.ids().length).toBe(records.length)
    expect(fake.counters.duplicates).toBe(0)
    expect(await listDeadLetters(database.db, { org: 'main', destination: name })).toEqual([])
  })
})

describe('a worker that is frozen', () => {
  /** Once armed, stops in front of the next send, as SIGSTOP would, until it is let go: its clock has then passed every deadline. */
  function freezing(destination: Destination, clock: { ms: number }) {
    const frozen = Promise.withResolvers<void>()
    const thaw = Promise.withResolvers<void>()
    let armed = false
    const send: Destination['send'] = async (rendered, signal) => {
      if (armed) {
        frozen.resolve()
        await thaw.promise
      }
      return destination.send(rendered, signal)
    }
    return {
      destination: { ...destination, send },
      frozen: frozen.promise,
      arm: () => void (armed = true),
      thaw() {
        clock.ms += 3_600_000
        thaw.resolve()
      },
    }
  }

  // With its connection open nothing but the check of send_before stands between the thawed worker and the wire: without it this fails.
  it.each([
    ['splunk', splunk],
    ['elastic', elastic],
  ] as const)('case 44: between the row and the send sends nothing to %s when it thaws too late', async (_, start) => {
    const { fake, settings } = await start()
    const name = `frozen-${++lanes}`
    const clock = { ms: 0 }
    const monotonicMs = (): number => performance.now() + clock.ms
    const real = await openDestination(settings, { publicHost, now: () => new Date(), monotonicMs })
    const cold = freezing(real, clock)
    const reader = createMemoryReader(records.slice(0, 10))
    const frozen = await startLane({ name, db: database.db, reader, settings, destination: cold.destination, monotonicMs }) // oxfmt-ignore
    await eventually(() => fake.ids().length === 10)
    cold.arm()
    reader.add(...records.slice(10))
    await cold.frozen
    const other = await startLane({ name, db: database.db, reader: createMemoryReader([...records]), settings })
    await eventually(() => finished(name))
    const { requests } = fake.counters
    cold.thaw()
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(fake.counters.requests).toBe(requests)
    await Promise.all([frozen.stop(), other.stop()])
    await fake.close()
    expect(fake.ids().length).toBe(records.length)
    expect(fake.counters.duplicates).toBe(0)
  })
})

describe('a shutdown', () => {
  it('lets requests on their way be answered, and leaves the next start nothing in doubt', async () => {
    const { fake, settings } = await splunk()
    const name = `stop-${++lanes}`
    fake.failNext('slow', 10)
    const lane = await startLane({ name, db: database.db, reader: createMemoryReader(records), settings })
    await eventually(() => fake.counters.requests > 0)
    await lane.stop()
    expect(await findStatus(database.db, name)).toMatchObject({ provedTo: 30, inDoubt: 0, inFlight: 0 })
    await fake.close()
  })
})

describe('what was written', () => {
  it('can be neither changed nor removed, by anybody', async () => {
    for (const table of ['cuts', 'attempts', 'outcomes', 'positions']) {
      const changes = [`delete from ${table}`, `truncate ${table}`, `update ${table} set ledger = 'x/unit'`]
      for (const text of changes)
        await expect(database.owner.query({ text: `${text}`.replace(table, `proofline.${table}`) })).rejects.toThrow(
          /write-once/,
        )
      for (const text of changes) await expect(database.db.query({ text })).rejects.toThrow(/permission denied/)
    }
  })

  it('names the bytes of each attempt before it was sent', async () => {
    const { rows } = await database.db.query<{ n: number }>({
      text: 'select count(*) as n from attempts where length(request) = 32 and deadline > send_before',
    })
    expect(rows[0]?.n).toBeGreaterThan(10)
    expect(sha256Hex(records[0]!.bytes).length).toBe(64)
  })
})
