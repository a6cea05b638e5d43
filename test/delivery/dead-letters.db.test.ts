import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DestinationSettings } from '../../src/delivery/settings.ts'
import { planRetry } from '../../src/delivery/retry.ts'
import { listDeadLetters } from '../../src/delivery/status.ts'
import { findDifferences, findParked, insertDifferences } from '../../src/watch/comparison-store.ts'
import { toSend } from '../../src/watch/order-missing.ts'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import { elasticSettings, eventually, getStatus, splunkSettings, startLane } from './lane.ts'
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

const twenty = Array.from({ length: 20 }, (_, seq) => makeRecord(seq))
const idOf = (seq: number): string => twenty[seq]?.id ?? ''

async function splunk(): Promise<{
  fake: FakeHec
  settings: DestinationSettings
  refuse(bad: ReadonlySet<string>): void
}> {
  const fake = await startFakeHec()
  return {
    fake,
    settings: splunkSettings(fake),
    refuse: (bad) => void (fake.refuse = (id) => (bad.has(id) ? 6 : undefined)),
  }
}
async function elastic(): Promise<{
  fake: FakeBulk
  settings: DestinationSettings
  refuse(bad: ReadonlySet<string>): void
}> {
  const fake = await startFakeBulk()
  const failure = { status: 400, type: 'document_parsing_exception', reason: 'strict' }
  return {
    fake,
    settings: elasticSettings(fake),
    refuse: (bad) => void (fake.refuse = (id) => (bad.has(id) ? failure : undefined)),
  }
}

/** Everything settled; the records with these seqs refused. */
async function poisoned(start: typeof splunk | typeof elastic, seqs: readonly number[], batch = 1_000) {
  const name = `poison-${++lanes}`
  const { fake, settings: given, refuse } = await start()
  const settings = { ...given, batch: { records: batch, bytes: 524_288 } }
  refuse(new Set(seqs.map(idOf)))
  const reader = createMemoryReader([...twenty])
  const lane = await startLane({ name, db: database.db, reader, settings })
  await eventually(() => isDone(database, name, 20))
  const orders = await openOrdering(database, name, settings, reader)
  const letters = () => listDeadLetters(database.db, { org: 'main', destination: name })
  const close = async () => {
    await Promise.all([lane.stop(), orders.close()])
    await fake.close()
  }
  return { name, fake, refuse, reader, lane, orders, letters, close }
}

describe.each([
  ['splunk', splunk],
  ['elastic', elastic],
] as const)('a record that %s refuses', (_, start) => {
  it('case 47: at the head of the queue holds up nothing, is shown with its answer, and is sent once when it is taken', async () => {
    const { name, fake, refuse, orders, letters, close } = await poisoned(start, [0, 7])
    expect(fake.ids().length).toBe(18)
    const shown = await letters()
    expect(shown).toMatchObject([
      {
        kind: 'refused',
        seq: 0,
        id: idOf(0),
        letter: expect.stringMatching(`^parked:${name}:main/unit:0:\\d+$`) as string,
      },
      { kind: 'refused', seq: 7, id: idOf(7) },
    ])
    expect(JSON.stringify(shown[0]?.answer)).toMatch(/400/)

    // Sent again while it is still refused, it is parked again, with its new try; the other one stays as it was.
    const first = [shown[0]?.letter ?? '']
    expect(await orders.retry(ann, { letters: first }, 'the props were put right')).toEqual({ decided: 1, left: 0 })
    await eventually(async () => (await letters()).length === 2 && (await isDone(database, name, 20)))
    const again = (await letters()).find(({ seq }) => seq === 0)
    expect(again?.try).toBeGreaterThan(shown[0]?.try ?? 99)
    await expect(orders.retry(ann, { letters: first }, 'x')).rejects.toMatchObject({ code: 'not_found' })

    refuse(new Set())
    expect(await orders.retry(ann, { destination: name, kind: 'refused' }, 'this time')).toEqual({
      decided: 2,
      left: 0,
    })
    await eventually(async () => (await letters()).length === 0 && (await isDone(database, name, 20)))
    expect(twenty.map(({ id }) => fake.copies(id))).toEqual(twenty.map(() => 1))
    expect(fake.counters.duplicates).toBe(0)
    expect(orders.commands).toMatchObject([
      { command: 'dead_letters.retry', target: name, reason: 'the props were put right', detail: { letters: 1 } },
      {
        command: 'dead_letters.retry',
        target: name,
        reason: 'this time',
        detail: { letter_kind: 'refused', letters: 2 },
      },
    ])
    await close()
  })

  it('case 47: is disposed of with a justification, for good, and a comparison does not miss it', async () => {
    const { name, fake, refuse, orders, letters, close } = await poisoned(start, [3])
    expect(await orders.discard(ann, { destination: name }, 'a test record, ticket 4711')).toEqual({
      decided: 1,
      left: 0,
    })
    expect(await letters()).toEqual([])
    refuse(new Set())
    await expect(orders.retry(ann, { destination: name }, 'x')).rejects.toMatchObject({ code: 'not_found' })
    const { rows } = await database.db.query({
      text: 'select how, reason, by_whom from parked_ends where destination = $1',
      values: [name],
    })
    expect(rows).toEqual([{ how: 'discarded', reason: 'a test record, ticket 4711', by_whom: 'token:ann' }])
    const lane = { ledger: 'main/unit', destination: name } as const
    expect(await findParked(database.db, lane, 0)).toMatchObject([{ seq: 3, isOpen: false }])
    expect(fake.ids().length).toBe(19)
    await close()
  })
})

describe('a retry', () => {
  it('does not mark what was stored nowhere, and is not missed while it is under way', async () => {
    const { name, fake, refuse, orders, close } = await poisoned(splunk, [19], 1)
    refuse(new Set())
    await orders.retry(ann, { destination: name }, 'now')
    const lane = { ledger: 'main/unit', destination: name } as const
    // Ended after that time: it need not be visible yet.
    expect(await findParked(database.db, lane, Date.now() * 1000 - 60_000_000)).toMatchObject([
      { seq: 19, isOpen: false },
    ])
    await eventually(() => isDone(database, name, 20))
    expect(await findParked(database.db, lane, Date.now() * 1000 + 1_000_000)).toEqual([])
    expect((fake as FakeHec).event(idOf(19))?.fields).not.toHaveProperty('proofline_possible_dup')
    await close()
  })

  it('sends a record once that several tries parked, with the strongest mark', () => {
    const letter = (seq: number, n: number, kind: 'refused' | 'unresolved', mark = 0) =>
      ({ seq, try: n, id: '', kind, deadline: 0, mark }) as const
    const plan = planRetry([letter(1, 1, 'refused'), letter(1, 3, 'unresolved'), letter(2, 1, 'refused', 1), letter(4, 2, 'refused', 1)]) // oxfmt-ignore
    expect(plan.map(({ order: { first, end, mark }, letters }) => [first, end, mark, letters.length])).toEqual([
      [1, 2, undefined, 2],
      [2, 5, 1, 2],
    ])
    const wide = planRetry([letter(0, 1, 'refused'), letter(2_000_000, 1, 'refused')])
    expect(wide.map(({ order }) => order.first)).toEqual([0, 2_000_000])
  })

  it('of one letter by two people at once orders it once', async () => {
    const { name, fake, refuse, orders, close } = await poisoned(splunk, [5])
    refuse(new Set())
    const choice = { destination: name }
    const told = await Promise.allSettled([1, 2, 3, 4].map(() => orders.retry(ann, choice, 'at once')))
    const decided = told.flatMap((one) => (one.status === 'fulfilled' ? [one.value.decided] : []))
    expect(decided.reduce((sum, n) => sum + n, 0)).toBe(1)
    await eventually(() => isDone(database, name, 20))
    expect(fake.copies(idOf(5))).toBe(1)
    await close()
  })
})

describe('what a comparison found', () => {
  const difference = (kind: 'missing' | 'duplicated' | 'altered' | 'foreign', seq: number) =>
    ({ kind, id: seq < 0 ? 'foreign:id' : idOf(seq), seq, detail: kind, state: 'found' }) as const

  it('is a dead letter until it is sent again or disposed of', async () => {
    const { name, fake, orders, letters, close } = await poisoned(elastic, [])
    const lane = { ledger: 'main/unit', destination: name } as const
    fake.forget(idOf(2))
    const found = [difference('missing', 2), difference('duplicated', 4), difference('foreign', -1)]
    await insertDifferences(database.db, lane, found, 'reconciliation', 1)
    expect((await letters()).map(({ kind, letter }) => [kind, letter])).toEqual([
      ['duplicated', `duplicated:${name}:main/unit:${idOf(4)}`],
      ['foreign', `foreign:${name}:main/unit:foreign:id`],
      ['missing', `missing:${name}:main/unit:${idOf(2)}`],
    ])
    await expect(orders.retry(ann, { destination: name, kind: 'duplicated' }, 'x')).rejects.toMatchObject({
      code: 'request_invalid',
      message: expect.stringContaining('what is duplicated cannot be sent again') as string,
    })
    expect(orders.commands).toEqual([])
    expect(await orders.retry(ann, { destination: name }, 'restored')).toEqual({ decided: 1, left: 2 })
    await eventually(() => isDone(database, name, 20))
    expect(fake.copies(idOf(2))).toBe(1)
    expect(await orders.discard(ann, { destination: name, kind: 'foreign' }, 'the pen test of May')).toEqual({ decided: 1, left: 0 }) // oxfmt-ignore
    expect((await findDifferences(database.db, lane)).map(({ kind, state, detail }) => [kind, state, detail])).toEqual([
      ['foreign', 'discarded', 'the pen test of May'],
      ['missing', 'found', 'missing'],
      ['duplicated', 'found', 'duplicated'],
    ])
    await close()
  })

  it('is sent again when it is missing once more, and not before somebody has looked', () => {
    const order = { n: 1, first: 0, end: 10, leftOut: undefined, why: 'missing', mark: undefined, reason: '', byWhom: '', at: 0, next: 10 } as const // oxfmt-ignore
    const missing = [{ kind: 'missing', state: 'found', seq: 4, at: 100 }] as const
    const send = (endedAt: number | undefined, seenAt: number) => toSend(missing, [{ ...order, endedAt }], seenAt, 50)
    expect(toSend(missing, [], 0, 50)).toEqual([4])
    expect(send(undefined, 1_000)).toEqual([]) // under way
    expect(send(200, 240)).toEqual([]) // seen too soon to be visible
    expect(send(200, 250)).toEqual([4]) // looked, and still missing
    expect(send(20, 0)).toEqual([4]) // found long after that order
    expect(toSend(missing, [{ ...order, first: 5, endedAt: undefined }], 0, 50)).toEqual([4])
  })

  it('is not ordered again where nobody would send it: of a ledger that is selected no more, of a destination that is gone', async () => {
    const { name, reader, letters, close } = await poisoned(elastic, [0, 1])
    const { fake, settings } = await elastic()
    const deselected = { ...settings, select: { ledgers: ['changes' as const] } }
    const shown = await letters()
    const refused = { code: 'request_invalid', message: expect.stringContaining(`nothing of main/unit goes to ${name} any more`) as string } // oxfmt-ignore
    const named = shown.map(({ letter }) => letter)
    for (const [configured, choice] of [
      [name, { destination: name }],
      [name, { letters: named }],
      ['another', { letters: named }],
    ] as const) {
      const orders = await openOrdering(database, configured, deselected, reader)
      await expect(orders.retry(ann, choice, 'x')).rejects.toMatchObject(refused)
      expect(orders.commands).toEqual([])
      await orders.close()
    }
    expect(await letters()).toEqual(shown)
    expect((await getStatus(database.db, name)).orders).toEqual([])
    const orders = await openOrdering(database, name, deselected, reader)
    expect(await orders.discard(ann, { letters: named }, 'gone for good')).toEqual({ decided: 2, left: 0 })
    await orders.close()
    await fake.close()
    await close()
  })

  it('is listed page by page, each letter once', async () => {
    const { name, letters, close } = await poisoned(elastic, [0, 1, 2])
    const lane = { ledger: 'main/unit', destination: name } as const
    await insertDifferences(
      database.db,
      lane,
      [8, 9].map((seq) => difference('altered', seq)),
      'reconciliation',
      5,
    )
    const pages: string[] = []
    for (let after: { at: number; letter: string } | undefined; ;) {
      const [one] = await listDeadLetters(database.db, {
        org: 'main',
        destination: name,
        limit: 1,
        ...(after && { after }),
      })
      if (one === undefined) break
      pages.push(one.letter)
      after = one
    }
    expect(pages).toEqual((await letters()).map(({ letter }) => letter))
    expect(new Set(pages).size).toBe(5)
    await expect(getStatus(database.db, name)).resolves.toMatchObject({ parked: 3 })
    await close()
  })
})
