import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { destinationSettings } from '../../src/delivery/settings.ts'
import { deliveryStatus, listDeadLetters } from '../../src/delivery/status.ts'
import { checkOf } from '../../src/record/record.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import { answerSearch, type SplunkEvent } from '../support/spl.ts'
import { eventually, findStatus, getStatus, mortal, splunkSettings, startLane } from './lane.ts'
import { ann, isDone, openOrdering, type Orders } from './ordering.ts'
import { createMemoryReader, makeRecord } from './records.ts'

let database: TestDatabase
let lanes = 0
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

const nextName = (): string => `cloud-${++lanes}`
const thirty = Array.from({ length: 30 }, (_, seq) => makeRecord(seq))
const idOf = (seq: number): string => thirty[seq]?.id ?? ''
/** A Splunk Cloud: no management port, no acknowledgement. */
const blind = { search: undefined, proof: 'answer', batch: { records: 10, bytes: 524_288 }, concurrency: 1 }
/** Longer than the default lag after everything here was sent. */
const later = (): Date => new Date(Date.now() + 3_600_000)

/** What Splunk would export of a search of `lookup` that is run at `at`; `cut`: without its last line. */
function exportOf(fake: FakeHec, search: string, at = later(), cut = false): string {
  const [, what = '', earliest, latest, , scope = ''] =
    /^\| (tstats .+?) earliest=(\d+) latest=(\d+) (by proofline_id) .*eval proofline_id="([^"]+)"/.exec(search) ?? []
  const events = thirty.flatMap(({ id }): SplunkEvent[] => [fake.event(id) ?? []].flat())
  const rows = answerSearch(`| ${what} by proofline_id`, events, Number(earliest), Number(latest), () => undefined)
  const seconds = Math.floor(at.getTime() / 1000)
  const lines = rows.map((row) => `"${String(row['proofline_id'])}",${String(row['count'])},"${String(row['proofline_check'])}",${seconds}`) // oxfmt-ignore
  return [
    'proofline_id,count,proofline_check,searched_at',
    ...lines,
    ...(cut ? [] : [`"${scope}",0,,${seconds}`]),
  ].join('\n')
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
/** The searches, once nothing of that can be on its way any more. */
async function lookedUp(orders: Orders, name: string, records: number): Promise<string> {
  await eventually(async () => (await orders.lookup(name))[0]?.records === records)
  return (await orders.lookup(name))[0]?.search ?? ''
}
const settle = (orders: Orders, name: string, text: string, complete: boolean) =>
  orders.settle(ann, name, bytesOf(text), { complete, reason: 'CHG-1' })

/** Records 0 to 9 arrived though their answer was lost, 10 to 19 did not, 20 to 29 were answered for. */
async function cloudy() {
  const fake = await startFakeHec()
  fake.failNext('drop-after-storing')
  fake.failNext('drop-before-storing')
  const name = nextName()
  const settings = splunkSettings(fake, blind)
  const reader = createMemoryReader([...thirty])
  const lane = await startLane({ name, db: database.db, reader, settings })
  await eventually(async () => (await findStatus(database.db, name))?.parked === 20)
  await eventually(async () => (await getStatus(database.db, name)).provedTo === 30)
  const orders = await openOrdering(database, name, settings, reader)
  return { fake, name, settings, reader, lane, orders }
}

describe('a search that a person ran', () => {
  it('settles what is there, and sends again, marked, what is not', async () => {
    const { fake, name, lane, orders } = await cloudy()
    const [search, ...more] = await orders.lookup(name)
    if (search === undefined) throw new Error('nothing to look up')
    expect(more).toEqual([])
    expect(search).toMatchObject({ ledger: 'main/unit', first: 0, last: 19, records: 20 })
    const told = await settle(orders, name, exportOf(fake, search.search), true)
    expect(told).toEqual({
      rows: 11,
      ledgers: [{ ledger: 'main/unit', delivered: 10, altered: 0, absent: 10, duplicates: 0, open: 0 }],
    })
    await eventually(() => isDone(database, name, 30))
    expect(thirty.map(({ id }) => fake.copies(id))).toEqual(thirty.map(() => 1))
    expect(fake.event(idOf(12))?.fields).toMatchObject({ proofline_attempt: '2', proofline_possible_dup: '1' })
    expect(fake.event(idOf(2))?.fields).toMatchObject({ proofline_attempt: '1' })
    expect(await listDeadLetters(database.db, { org: 'main', destination: name })).toEqual([])
    expect(await orders.lookup(name)).toEqual([])
    expect(orders.commands).toMatchObject([{ command: 'destination.settle', target: name, reason: 'CHG-1' }])
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
  })

  it('proves no absence without the word of a person, within the lag, for what it did not search, or when it was cut short', async () => {
    const { fake, name, lane, orders } = await cloudy()
    const [{ search } = { search: '' }] = await orders.lookup(name)
    const whole = exportOf(fake, search)
    expect((await settle(orders, name, whole, false)).ledgers[0]).toMatchObject({ delivered: 10, absent: 0, open: 10 })
    const tooEarly = exportOf(fake, search, new Date(Date.now() + 1_000))
    expect((await settle(orders, name, tooEarly, true)).ledgers[0]).toMatchObject({ absent: 0, open: 10 })
    const elsewhere = exportOf(fake, search.replace(/0-19/, '20-29'))
    expect((await settle(orders, name, elsewhere, true)).ledgers[0]).toMatchObject({ absent: 0, open: 10 })
    await expect(settle(orders, name, exportOf(fake, search, later(), true), true)).rejects.toMatchObject({
      code: 'request_invalid',
    })
    expect((await getStatus(database.db, name)).parked).toBe(10)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(fake.ids().length).toBe(20)
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
  })

  it('leaves other bytes under our id to a person, and counts copies', async () => {
    const { fake, name, lane, orders } = await cloudy()
    const check = (seq: number): number => checkOf(sha256Hex(thirty[seq]?.bytes ?? new Uint8Array()))
    const text = `proofline_id,count,checks\n${idOf(0)},3,${check(0)}\n${idOf(1)},2,12345\n`
    const told = await settle(orders, name, text, false)
    expect(told.ledgers[0]).toMatchObject({ delivered: 1, altered: 1, duplicates: 3, open: 18 })
    // The metric has those that are settled; the others are told again by each export, and once they are settled.
    expect(orders.duplicates()).toBe(2)
    expect((await settle(orders, name, text, false)).ledgers[0]).toMatchObject({ delivered: 0, duplicates: 1 })
    expect(orders.duplicates()).toBe(2)
    expect((await listDeadLetters(database.db, { org: 'main', destination: name })).map(({ seq }) => seq)).toContain(1)
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
  })

  it('settles open attempts under the hands of who works on them, who goes on from there', async () => {
    const fake = await startFakeHec()
    fake.failNext('drop-after-storing')
    fake.failNext('drop-before-storing')
    fake.searchDown = true
    const name = nextName()
    // Its next look is an hour away: only the beat can tell it.
    const settings = splunkSettings(fake, { batch: blind.batch, concurrency: 1, look_delays_ms: [0, 3_600_000] })
    const reader = createMemoryReader([...thirty])
    const lane = await startLane({ name, db: database.db, reader, settings })
    await eventually(async () => (await findStatus(database.db, name))?.next === 30)
    await eventually(async () => (await getStatus(database.db, name)).inDoubt === 20)
    const orders = await openOrdering(database, name, settings, reader)
    const told = await settle(orders, name, exportOf(fake, await lookedUp(orders, name, 20)), true)
    expect(told.ledgers[0]).toMatchObject({ delivered: 10, absent: 10, open: 0 })
    await eventually(
      () => isDone(database, name, 30),
      () => getStatus(database.db, name),
    )
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
    expect(thirty.map(({ id }) => fake.copies(id))).toEqual(thirty.map(() => 1))
    expect(fake.event(idOf(12))?.fields).toMatchObject({ proofline_attempt: '2', proofline_possible_dup: '1' })
    const { rows } = await database.db.query({
      text: `select marks, receipt ->> 'operator' as by from outcomes where destination = $1 and source = 'operator' order by first_seq`,
      values: [name],
    })
    expect(rows).toEqual([
      { marks: 'd', by: 'token:ann' },
      { marks: 'u', by: null },
    ])
  })

  it.each([
    ['insert_outcome', 'before'],
    ['insert_outcome', 'after'],
    ['insert_settlement', 'before'],
    ['end_letters', 'before'],
    ['end_letters', 'after'],
  ] as const)(
    'that breaks off at %s, %s it was stored, leaves nothing that a repeat does not settle',
    async (at, when) => {
      const fake = await startFakeHec()
      fake.failNext('drop-after-storing')
      fake.failNext('drop-before-storing')
      fake.searchDown = true
      const name = nextName()
      const isParked = at === 'end_letters'
      const more = isParked ? blind : { batch: blind.batch, concurrency: 1, look_delays_ms: [0, 200] }
      const settings = splunkSettings(fake, more)
      const reader = createMemoryReader([...thirty])
      const lane = await startLane({ name, db: database.db, reader, settings })
      await eventually(async () => {
        const told = await findStatus(database.db, name)
        return told?.next === 30 && (isParked ? told.parked : told.inDoubt) === 20
      })
      const db = mortal(database.db)
      const dying = await openOrdering(database, name, settings, reader, db)
      const text = exportOf(fake, await lookedUp(dying, name, 20))
      db.dieAt(at, when)
      void settle(dying, name, text, true)
      await eventually(() => db.dead)
      const orders = await openOrdering(database, name, settings, reader)
      await settle(orders, name, text, true)
      // Without the bell whoever works on the lane loses its next step to what was settled, and goes on from there.
      await eventually(
        () => isDone(database, name, 30),
        () => getStatus(database.db, name),
      )
      expect(thirty.map(({ id }) => fake.copies(id))).toEqual(thirty.map(() => 1))
      expect(await listDeadLetters(database.db, { org: 'main', destination: name })).toEqual([])
      await Promise.all([lane.stop(), orders.close(), dying.close()])
      await fake.close()
    },
  )

  it('marks what is sent again of an attempt whose sender died before it could write an outcome', async () => {
    const fake = await startFakeHec()
    const name = nextName()
    const settings = splunkSettings(fake, blind)
    const reader = createMemoryReader([...thirty])
    const db = mortal(database.db)
    db.dieAt('insert_outcome', 'before')
    const destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now: () => new Date() })
    await startLane({ name, db, reader, settings, destination })
    await eventually(() => db.dead)
    await destination.close()
    fake.forget(idOf(5))
    const orders = await openOrdering(database, name, settings, reader)
    const told = await settle(orders, name, exportOf(fake, await lookedUp(orders, name, 10)), true)
    expect(told.ledgers[0]).toMatchObject({ delivered: 9, absent: 1 })
    const heir = await startLane({ name, db: database.db, reader, settings })
    await eventually(() => isDone(database, name, 30))
    expect(fake.event(idOf(5))?.fields).toMatchObject({ proofline_possible_dup: '1' })
    expect(thirty.map(({ id }) => fake.copies(id))).toEqual(thirty.map(() => 1))
    await Promise.all([heir.stop(), orders.close()])
    await fake.close()
  })

  it('is nothing for Elastic, where what is in doubt is simply sent again', async () => {
    const { fake, lane, orders } = await cloudy()
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
    const settings = destinationSettings.parse({ type: 'elastic', url: 'http://127.0.0.1:9' })
    const elk = await openOrdering(database, 'elk', settings, createMemoryReader())
    await expect(elk.lookup('elk')).rejects.toMatchObject({ code: 'request_invalid' })
    await expect(settle(elk, 'elk', 'proofline_id,count\n', false)).rejects.toMatchObject({ code: 'request_invalid' })
    expect((await deliveryStatus(database.db, 'main')).some(({ destination }) => destination === 'elk')).toBe(false)
    await elk.close()
  })
})
