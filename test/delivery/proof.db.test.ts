import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listDeadLetters } from '../../src/delivery/status.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeHec } from '../support/hec.ts'
import { eventually, findStatus, getStatus, splunkSettings, startLane } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

const sixty = Array.from({ length: 60 }, (_, seq) => makeRecord(seq))
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

describe('a Splunk that cannot be asked', () => {
  const blind = { search: undefined, proof: 'answer' }

  it('holds what is in doubt, goes on behind it, and resends nothing', async () => {
    const fake = await startFakeHec()
    const name = nextName()
    fake.failNext('drop-after-storing')
    const reader = createMemoryReader(sixty.slice(0, 10))
    const lane = await startLane({ name, db: database.db, reader, settings: splunkSettings(fake, blind) })
    await eventually(
      async () => (await findStatus(database.db, name))?.parked === 10,
      () => status(name),
    )
    reader.add(...sixty.slice(10))
    await eventually(
      async () => (await status(name)).provedTo === 60,
      () => status(name),
    )
    await lane.stop()
    await fake.close()
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
    const letters = await listDeadLetters(database.db, { org: 'main', destination: name })
    expect(letters.map(({ seq, kind }) => `${seq} ${kind}`)).toEqual(
      sixty.slice(0, 10).map(({ seq }) => `${seq} unresolved`),
    )
  })

  it('resends marked where the operator wrote so, and the copy says that it may be one', async () => {
    const fake = await startFakeHec()
    const name = nextName()
    fake.failNext('drop-after-storing')
    const settings = splunkSettings(fake, { ...blind, on_unresolved: 'resend_marked' })
    const lane = await startLane({ name, db: database.db, reader: createMemoryReader(sixty.slice(0, 10)), settings })
    await eventually(
      async () => (await findStatus(database.db, name))?.provedTo === 10,
      () => status(name),
    )
    await lane.stop()
    await fake.close()
    expect(fake.counters).toMatchObject({ stored: 20, duplicates: 10 })
  })

  it('never marks what provably did not leave', async () => {
    const fake = await startFakeHec()
    const name = nextName()
    fake.failNext('busy')
    fake.failNext('too-many')
    const lane = await startLane({
      name,
      db: database.db,
      reader: createMemoryReader([makeRecord(0)]),
      settings: splunkSettings(fake, blind),
    })
    await eventually(() => fake.ids().length === 1)
    await lane.stop()
    await fake.close()
    expect(fake.event(makeRecord(0).id)?.fields).not.toHaveProperty('proofline_possible_dup')
    expect(fake.event(makeRecord(0).id)?.fields['proofline_attempt']).toBe('1')
  })
})

describe('proof', () => {
  it('by acknowledgement: sent_to runs ahead, proved_to follows', async () => {
    const fake = await startFakeHec({ useAck: true, ackAfterMs: Infinity })
    const name = nextName()
    const lane = await startLane({
      name,
      db: database.db,
      reader: createMemoryReader(sixty),
      settings: splunkSettings(fake, { proof: 'ack', search: undefined }),
    })
    await eventually(
      async () => (await findStatus(database.db, name))?.sentTo === 60,
      () => status(name),
    )
    expect((await status(name)).provedTo).toBe(0)
    fake.ackAfterMs = 0
    await eventually(
      async () => (await status(name)).provedTo === 60,
      () => status(name),
    )
    await lane.stop()
    await fake.close()
    expect(fake.counters.duplicates).toBe(0)
  })

  it('by search: what is accepted and never found is parked, not sent again', async () => {
    const fake = await startFakeHec({ visibleAfterMs: 1e9 })
    const name = nextName()
    const lane = await startLane({
      name,
      db: database.db,
      reader: createMemoryReader(sixty.slice(0, 5)),
      settings: splunkSettings(fake, { proof: 'search', unproved_after_ms: 100 }),
    })
    await eventually(
      async () => (await findStatus(database.db, name))?.parked === 5,
      () => status(name),
    )
    await lane.stop()
    await fake.close()
    expect(fake.counters.stored).toBe(5)
    expect((await listDeadLetters(database.db, { org: 'main', destination: name }))[0]).toMatchObject({
      kind: 'unproved',
    })
  })
})
