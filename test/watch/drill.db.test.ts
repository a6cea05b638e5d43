import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createOperator } from '../../src/delivery/operate.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import type { DestinationSettings } from '../../src/delivery/settings.ts'
import { deliveryStatus } from '../../src/delivery/status.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import type { Command } from '../../src/watch/commands.ts'
import { listDrills } from '../../src/watch/drill-store.ts'
import { beginDrill, type DrillDeps, runDrills } from '../../src/watch/run-drills.ts'
import { elasticSettings, eventually, mortal, splunkSettings, startLane } from '../delivery/lane.ts'
import { createMemoryReader, makeRecord, type MemoryReader } from '../delivery/records.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeHec } from '../support/hec.ts'
import { createMemorySigner, openNode, type TestNode } from '../support/ledger.ts'

let test: TestDatabase
let operations: TestNode
let closing: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  test = await createTestDatabase()
  await ensurePartitions(test.db)
  operations = await openNode(test.db, await createMemorySigner(), 'a', 'main/operations')
})
afterEach(async () => {
  for (const close of closing.toReversed()) await close()
  closing = []
  await operations.book.close()
  await test.drop()
})

interface Drilled {
  reader: MemoryReader
  deps: DrillDeps
  commands: Command[]
  /** Resolves when the lane is held. */
  heeded(): Promise<void>
  /** Runs the worker until `signal` aborts. */
  work(deps?: DrillDeps): { stop(): Promise<void> }
  begin(forMs?: number, deps?: DrillDeps): ReturnType<typeof beginDrill>
  /** Records `count` more. */
  record(count: number): void
  newest(): Promise<Awaited<ReturnType<typeof listDrills>>[number] | undefined>
}

const lane = { destination: 'siem', ledger: 'main/unit' } as const

/** A destination that has got sixty records and gets more. */
async function start(settings: DestinationSettings): Promise<Drilled> {
  const reader = createMemoryReader(Array.from({ length: 60 }, (_, seq) => makeRecord(seq)))
  let state = ''
  const running = await startLane({
    db: test.db,
    reader,
    settings,
    metrics: { state: (_to, _of, now) => void (state = now) },
  })
  closing.push(() => running.stop())
  await eventually(async () => (await deliveryStatus(test.db, 'main'))[0]?.provedTo === 60)
  await eventually(async () => (await positions()) === 60)
  const destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now: () => new Date() })
  closing.push(() => destination.close())
  const commands: Command[] = []
  const deps: DrillDeps = {
    db: test.db, reader, operations: operations.book, destinations: new Map([['siem', { destination, settings }]]), selects: () => ({}),
    recordCommand: async (command) => void commands.push(command), now: () => new Date(), log: silentLogger,
  } // oxfmt-ignore
  return {
    reader,
    deps,
    commands,
    heeded: () => eventually(() => state === 'paused'),
    work(own = deps) {
      const abort = new AbortController()
      const done = runDrills(own, 20, abort.signal)
      done.catch(() => undefined)
      const stop = async (): Promise<void> => {
        abort.abort()
        await done
      }
      return { stop }
    },
    begin: (forMs = 500, own = deps) => beginDrill(own, lane, { forMs, reason: 'practice', byWhom: 'ada' }),
    record: (count) => reader.add(...Array.from({ length: count }, (_, i) => makeRecord(reader.records.length + i))),
    newest: async () => (await listDrills(test.db, 'main', 'siem', 1))[0],
  }
}

async function positions(): Promise<number | undefined> {
  const { rows } = await test.db.query<{ to: number }>({
    text: 'select max(proved_to) as to from positions where destination = $1',
    values: ['siem'],
  })
  return rows[0]?.to
}

async function onRecord(): Promise<Record<string, unknown>[]> {
  const { records } = await operations.reader.readBatch('main/operations', 0, { maxRecords: 1_000 })
  return records
    .map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>)
    .filter(({ kind }) => kind === 'reconciliation')
}

async function elastic(extra: Record<string, unknown> = {}) {
  const fake = await startFakeBulk()
  closing.push(() => fake.close())
  return { fake, settings: elasticSettings(fake, { visible_after_ms: 0, ...extra }) }
}

async function splunk(extra: Record<string, unknown> = {}) {
  const fake = await startFakeHec()
  closing.push(() => fake.close())
  return { fake, settings: splunkSettings(fake, extra) }
}

describe('a drill', () => {
  it.each([
    ['Elastic', elastic],
    ['Splunk', splunk],
  ])('holds %s, finds what is missing meanwhile, and proves that it came, all on record', async (_, open) => {
    const { fake, settings } = await open()
    const { begin, heeded, work, record, newest } = await start(settings)
    expect(await begin()).toMatchObject({ n: 1, reason: 'practice', byWhom: 'ada', endedAt: null })
    expect(await deliveryStatus(test.db, 'main')).toMatchObject([
      { state: 'paused', reason: 'by drill 1', detail: 'practice' },
    ])
    await heeded()
    record(40)
    const worker = work()
    await eventually(async () => (await newest())?.endedAt !== null)
    await eventually(async () => (await onRecord()).length === 2)
    await worker.stop()
    expect(await newest()).toMatchObject({
      verdict: 'held',
      paused: {
        boundary: 60,
        to: 100,
        measure: {
          before: { expected: { count: 60 }, there: { count: 60 }, sampled: { right: 25, altered: 0, absent: 0 } },
          meanwhile: { expected: { count: 40 }, there: { count: 0 }, sampled: { right: 0, altered: 0, absent: 25 } },
        },
      },
      result: {
        measure: {
          before: { there: { count: 60 }, sampled: { right: 25 } },
          meanwhile: { expected: { count: 40 }, there: { count: 40 }, sampled: { right: 25, altered: 0, absent: 0 } },
        },
      },
    })
    const [first, second] = await onRecord()
    expect(first).toMatchObject({ destination: 'siem', of: 'main/unit', drill: { n: 1, step: 'measured', by: 'ada', why: 'practice', to: 100 } }) // oxfmt-ignore
    expect(second).toMatchObject({ drill: { n: 1, step: 'ended', verdict: 'held', measure: { meanwhile: { there: { count: 40, check_sum: expect.any(Number) as number } } } } }) // oxfmt-ignore
    expect('verdict' in (first ?? {})).toBe(false) // what is missing while it is held is no difference
    expect(fake.counters.stored).toBe(100)
    expect(await deliveryStatus(test.db, 'main')).toMatchObject([{ state: 'running' }])
  })

  it('does not hold where a record of it never comes', async () => {
    const { fake, settings } = await elastic({ freshness_ms: 1_000 })
    const { begin, heeded, work, record, newest } = await start(settings)
    await begin()
    await heeded()
    fake.refuse = (id) => (id.startsWith('main.unit-70-') ? { status: 400, type: 'document_parsing_exception' } : undefined) // oxfmt-ignore
    record(20)
    const worker = work()
    await eventually(async () => (await newest())?.endedAt !== null)
    await worker.stop()
    expect(await newest()).toMatchObject({ verdict: 'not_held', result: { reason: expect.stringMatching(/19 records are there of 20/) as string } }) // oxfmt-ignore
  })

  it('holds nothing against a destination that was parked or differed before', async () => {
    const { fake, settings } = await splunk()
    fake.refuse = (id) => (id.startsWith('main.unit-20-') ? 6 : undefined)
    const { begin, heeded, work, record, newest } = await start(settings)
    await test.db.query({
      text: `insert into differences (ledger, destination, kind, id, n, seq, state, detail, by_whom, at)
             values ('main/unit', 'siem', 'duplicated', 'x', 1, 30, 'found', '2 copies', 'reconciliation', 1)`,
    })
    await begin()
    await heeded()
    record(5)
    const worker = work()
    await eventually(async () => (await newest())?.verdict === 'held')
    await worker.stop()
    expect(await newest()).toMatchObject({ paused: { from: 31, measure: { before: { expected: { count: 29 } } } } })
  })

  it('proves nothing where nothing is recorded, and says so', async () => {
    const { settings } = await elastic()
    const { begin, work, newest } = await start(settings)
    await begin()
    const worker = work()
    await eventually(async () => (await newest())?.endedAt !== null)
    await worker.stop()
    expect(await newest()).toMatchObject({ verdict: 'inconclusive', result: { reason: 'nothing was recorded while it was held' } }) // oxfmt-ignore
  })

  it('does not begin on a lane that a person paused, and is one at a time', async () => {
    const { settings } = await elastic()
    const { begin, deps } = await start(settings)
    const operator = createOperator({ db: test.db, destinations: { siem: settings }, ledgers: ['main/unit'], publicHost: 'p', now: () => new Date() }) // oxfmt-ignore
    await operator.hold('siem', true, 'moving', 'token:ann')
    await expect(begin()).rejects.toMatchObject({ code: 'destination_not_running' })
    await operator.hold('siem', false, 'moved', 'token:ann')
    await begin()
    await expect(begin()).rejects.toMatchObject({ code: 'destination_not_running' })
    await expect(beginDrill(deps, { ...lane, destination: 'none' }, { forMs: 1, reason: '', byWhom: '' })).rejects.toMatchObject({ code: 'not_found' }) // oxfmt-ignore
    expect((await listDrills(test.db, 'main', undefined, 10)).length).toBe(1)
  })

  it("lifts no person's pause, and no person lifts it", async () => {
    const { fake, settings } = await elastic()
    const { begin, heeded, work, record, newest } = await start(settings)
    const operator = createOperator({ db: test.db, destinations: { siem: settings }, ledgers: ['main/unit'], publicHost: 'p', now: () => new Date() }) // oxfmt-ignore
    await begin()
    await operator.hold('siem', true, 'moving', 'token:ann')
    expect(await deliveryStatus(test.db, 'main')).toMatchObject([{ state: 'paused', reason: 'by token:ann' }])
    await operator.hold('siem', false, 'moved', 'token:ann')
    expect(await deliveryStatus(test.db, 'main')).toMatchObject([{ state: 'paused', reason: 'by drill 1' }])
    await operator.hold('siem', true, 'moving again', 'token:ann')
    await heeded()
    record(5)
    const worker = work()
    await eventually(async () => ((await newest())?.measuredAt ?? null) !== null)
    expect(await deliveryStatus(test.db, 'main')).toMatchObject([{ state: 'paused', reason: 'by token:ann' }])
    expect(fake.counters.stored).toBe(60)
    await operator.hold('siem', false, 'moved', 'token:ann')
    await eventually(async () => (await newest())?.verdict === 'held')
    await worker.stop()
  })

  it('lets the lane go by itself when every process that could measure is gone', async () => {
    const { fake, settings } = await elastic()
    const { heeded, record, newest, work } = await start(settings)
    // One that began ten minutes ago, whose measuring nobody came to; half a second of its hold is left.
    await test.db.query({
      text: `insert into drills (ledger, destination, n, started_at, measure_at, hold_until, reason, by_whom)
             select 'main/unit', 'siem', 1, now - 600000000, now - 500000, now + 500000, 'practice', 'ada' from clock_micros() as now`,
    })
    await heeded()
    record(10)
    await eventually(() => fake.counters.stored === 70)
    expect(await deliveryStatus(test.db, 'main')).toMatchObject([{ state: 'running' }])
    const worker = work()
    await eventually(async () => (await newest())?.endedAt !== null)
    await worker.stop()
    expect(await newest()).toMatchObject({ verdict: 'inconclusive', measuredAt: null })
  })

  it.each([
    ['insert_drill_step', 'before'],
    ['insert_drill_step', 'after'],
    ['unrecorded_drill_steps', 'before'],
  ] as const)('is gone on with by another process when one dies at %s, %s', async (name, when) => {
    const { settings } = await elastic()
    const { begin, heeded, deps, work, record, newest } = await start(settings)
    await begin()
    await heeded()
    record(10)
    const dying = mortal(test.db)
    dying.dieAt(name, when)
    void work({ ...deps, db: dying })
    await eventually(() => dying.dead)
    const heir = work()
    await eventually(async () => (await newest())?.verdict === 'held')
    await eventually(async () => (await onRecord()).length === 2)
    await heir.stop()
    expect((await onRecord()).map(({ drill }) => (drill as { step: string }).step)).toEqual(['measured', 'ended'])
  })

  it('begins by itself when it is due, on the lane whose turn it is, with a command on record', async () => {
    const { settings } = await elastic({ drill: { every: '1d', for: '10s' } })
    const { work, commands, newest, deps } = await start(settings)
    const early = work()
    await new Promise((resolve) => setTimeout(resolve, 200))
    await early.stop()
    expect(await newest()).toBeUndefined()
    const tomorrow = work({ ...deps, now: () => new Date(Date.now() + 86_400_000) })
    await eventually(async () => (await newest()) !== undefined)
    await tomorrow.stop()
    expect(commands).toMatchObject([{ who: { method: 'schedule' }, command: 'destination.drill', target: 'siem', reason: 'every 1d' }]) // oxfmt-ignore
    expect(await newest()).toMatchObject({ ledger: 'main/unit', n: 1, byWhom: 'proofline' })
  })
})
