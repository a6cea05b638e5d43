import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createFeed } from '../../src/answers/feed.ts'
import { createCursors } from '../../src/answers/position.ts'
import { createGenerations } from '../../src/ledger/generations.ts'
import { addMonths, type Day, nextDay } from '../../src/archive/calendar.ts'
import { detachDueMonths } from '../../src/archive/detach.ts'
import { expireLedger, planExpiry } from '../../src/archive/expire.ts'
import { createHolds } from '../../src/archive/holds.ts'
import { promiseRetention } from '../../src/archive/promise.ts'
import { archiveDays } from '../../src/archive/run-archive.ts'
import { listColdDays } from '../../src/archive/store.ts'
import { auditDatabase } from '../../src/ledger/audit-database.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import { createArtifacts } from '../../src/objects/objects.ts'
import { eventually, elasticSettings, startLane } from '../delivery/lane.ts'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { type SettableClock, createSettableClock } from '../support/clock.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { createMemoryObjects } from '../support/memory-objects.ts'
import { type ArchiveNode, openArchiveNode } from './archive.ts'

/**
 * Twenty-six months, November 2027 to December 2029, on a clock of our own: records about both edges of every month and between, days
 * archived, months leaving the database, days leaving the archive, a hold that outlives them, a destination and a puller that read over every
 * seam. On the way: a leap day, both kinds of daylight saving with a database whose sessions live in New York, a leap second that a client
 * claims, and a database clock that steps forward and back, a little and far.
 */

const signal = new AbortController().signal
const ledgers = ['main/unit', 'main/operations'] as const
const first: Day = '2027-11-01'
const last: Day = '2029-12-31'
/** What happens once: nothing is recorded while the clock is far behind, a hold is added, released. */
const days = { farBehind: '2028-05-05', hold: '2029-03-03', release: '2029-10-10' } as const
const retention = { online: 12, kept: 18, detach: true, expire: true } as const

let database: TestDatabase
const objects = createMemoryObjects()
let clock: SettableClock
let node: ArchiveNode
let bulk: FakeBulk

beforeAll(async () => {
  database = await createTestDatabase()
  await database.owner.query({
    text: `do $$ begin execute format('alter database %I set timezone to ''America/New_York''', current_database()); end $$`,
  })
  clock = await createSettableClock(database.owner, `${first}T00:00:00Z`)
  node = await openArchiveNode({ db: database.db, objects, ledgers })
  bulk = await startFakeBulk()
})
afterAll(async () => {
  await bulk.close()
  await node.close()
  await database.drop()
})

describe('the clock', () => {
  /** What a day's database clock does after noon, in seconds; its records come before and after. */
  const steps: Record<Day, number> = {
    '2028-02-29': 3, '2028-03-26': 3_600, '2028-10-29': -0.5, '2029-01-15': -1.5, '2028-06-30': 90,
  }
  /** The others are days without records, which the archive has too. */
  const isRecorded = (day: Day): boolean =>
    /-(?:01|10)$/.test(day) || nextDay(nextDay(day)).endsWith('-01') || nextDay(day).endsWith('-01') || day in steps || Object.values<Day>(days).includes(day)

  it('case 29, 30, 31: twenty-six simulated months keep every record where it was, and prove it at each month’s end', { timeout: 600_000 }, async () => {
    const { db } = database
    const artifacts = createArtifacts(objects)
    const operations = node.books.get('main/operations')!
    const holds = createHolds(db, operations)
    const cursors = createCursors(Buffer.alloc(32, 1))
    const feed = createFeed({ reader: node.reader, cursors, earliest: node.reader.earliest, generations: createGenerations('main', []) })
    const expiring = { db, reader: node.reader, objects, operations, ledgers }
    const audit = async () => auditDatabase({ db, reader: node.reader, ledger: 'main/unit', origin: 'localhost/main/unit', vkeys: [parseVkey(await node.signer.vkey('main/unit'))], signal })
    const size = async (): Promise<number> => (await node.reader.published('main/unit'))?.size ?? 0
    const settings = elasticSettings(bulk, { window_ms: 5 })
    let now = 0
    const setClock = async (ms: number): Promise<void> => {
      now = ms
      await clock.set(now * 1000)
    }
    const at = (text: string): Promise<void> => setClock(Date.parse(text))
    await db.query({ text: 'select ensure_partitions($1::date, 3)', values: [first] })
    await promiseRetention(db, node.reader, operations, retention)

    /** Everything of the feed from a cursor on. */
    const pull = async (cursor: string): Promise<{ cursor: string; ids: string[] }> => {
      const ids: string[] = []
      for (let next = cursor; ;) {
        const question = { ledger: 'main/unit', cursor: next, limit: 500, waitMs: 0 } as const
        const page = await feed.readPage(question, await feed.resolve(question), signal)
        ids.push(...page.records.map(({ id }) => id))
        if (page.records.length < 500) return { cursor: page.nextCursor, ids }
        next = page.nextCursor
      }
    }
    const deliver = async (): Promise<void> => {
      const lane = await startLane({ db, reader: node.reader, settings, now: () => new Date(now) })
      const wanted = await size()
      await eventually(async () => bulk.ids().length === wanted, async () => [bulk.ids().length, wanted], 60_000)
      await lane.stop()
    }

    const pulled: string[] = []
    const starts = new Map<Day, { seq: number; proof: string; bytes: Buffer }>()
    let cursor = 'earliest'
    let early = ''
    let hold = ''
    let heldDays = 0
    let toHold = 0
    const months: Record<string, number> = {}
    for (let day = first; day <= last; day = nextDay(day)) {
      if (!isRecorded(day)) continue
      if (day.endsWith('-01')) await db.query({ text: 'select ensure_partitions($1::date, 3)', values: [day] })
      if (day.startsWith('2028-01')) toHold++
      await at(`${day}T11:00:00Z`)
      const before = await size()
      const shared = day < '2028-02-01' ? 'c'.repeat(64) : day.replaceAll('-', '').padEnd(64, '0')
      await node.record('main/unit', `${day}-a`, day.startsWith('2028-01') ? 'acme/held' : 'acme/pay', 3, shared)
      const step = steps[day]
      // From the last record on, which is as late as its append was slow: else a slow machine makes a longer step back of it.
      if (step !== undefined) await setClock(Math.ceil(((await node.reader.published('main/unit'))?.lastTime ?? 0) / 1000) + step * 1000)
      await node.record('main/unit', `${day}-b`, 'acme/web', 1)
      if (day === '2028-12-31') await node.record('main/unit', 'leap', 'acme/pay', 1, '2028-12-31T23:59:60Z')
      if (day.endsWith('-10') && day < '2028-03-01') {
        const { records } = await node.reader.readBatch('main/unit', before, { maxRecords: 1 })
        starts.set(day, { seq: before, proof: '', bytes: Buffer.from(records[0]?.bytes ?? []) })
      }
      if (day === days.farBehind) {
        // Far behind the last record: nothing is recorded until the clock is right again, and no record gets a smaller time.
        await at(`${day}T09:00:00Z`)
        await expect(node.record('main/unit', 'too-early', 'acme/pay', 1)).rejects.toMatchObject({ code: 'clock_step' })
        await at(`${day}T12:00:00Z`)
      }
      if (day === '2028-01-31') {
        const writer = await artifacts.writer()
        await writer.write(Buffer.from('evidence'))
        await node.record('main/unit', 'artifact', 'acme/held', 1, (await writer.commit()).sha256)
      }
      // A clock that was set looks like one that stepped: refused once, then read again.
      if (day === days.hold || day === days.release) await node.record('main/operations', day, 'acme/pay', 0)
      if (day === days.hold) ({ hold } = await holds.add({ repository: 'acme/held', path: null, from: null, to: null, reason: 'litigation', ticket: 'T', }, 'alice'))
      if (day === days.release) {
        await holds.release(hold, 'settled', 'alice')
        await holds.release(hold, 'settled', 'bob')
      }

      await at(`${nextDay(day)}T00:20:00Z`)
      for (const ledger of ledgers) await archiveDays(node.writer(ledger), 900_000_000, signal)
      if (nextDay(day).endsWith('-01')) {
        // A month's end: what is due, then everything is looked at.
        await node.record('main/operations', day, 'acme/pay', 0)
        await detachDueMonths({ db, operations, online: retention.online, archived: ledgers.map(node.writer) }, signal)
        heldDays = Math.max(heldDays, (await planExpiry(db, 'main/operations', 'main/unit'))?.held.length ?? 0)
        await expireLedger(expiring, 'main/unit', signal)
        const result = await audit()
        expect([day, result.differences, result.signed]).toEqual([day, [], await size()])
        months[day.slice(0, 7)] = result.checked
        const page = await pull(cursor)
        pulled.push(...page.ids)
        cursor = page.cursor
        if (day === '2027-12-31') early = cursor
        // The destination is away from May 2028 to April 2029: it catches up out of the archive.
        if (day < '2028-05-01' || day > '2029-04-01') await deliver()
      }
    }

    const total = await size()
    expect(pulled.length).toBe(total)
    expect(new Set(pulled).size).toBe(total)
    expect(bulk.ids().toSorted()).toEqual(pulled.toSorted())
    expect(Math.max(...pulled.map((id) => bulk.copies(id)))).toBe(1)

    // Where it stands on 1 January 2030: 12 months in the tables, what is older than 18 gone, the hold released.
    expect((await db.query({ text: `select to_char(min(month), 'YYYY-MM') as month from attached_months('unit') as m(month)` })).rows).toEqual([{ month: '2029-01' }])
    const cold = await listColdDays(db, 'main/unit', undefined, 1_000)
    expect(cold.map(({ day }) => day)).toEqual(Array.from(function* () { for (let day = first; day <= last; day = nextDay(day)) yield day }()))
    expect(cold.filter(({ expired }) => !expired)[0]?.day).toBe('2028-07-01')
    expect([heldDays, toHold]).toEqual([4, 4])
    expect(cold.find(({ day }) => day === '2028-02-29')).toMatchObject({ expired: true })
    const earliest = await node.reader.earliest('main/unit')
    expect(earliest).toBe(cold.find(({ day }) => day === '2028-07-01')?.first)
    await expect(pull(early)).rejects.toMatchObject({ code: 'cursor_expired', extra: { earliest } })
    expect((await pull('earliest')).ids).toEqual(pulled.slice(earliest))
    for (const { seq, bytes } of starts.values()) {
      await expect(node.reader.readBatch('main/unit', seq, { maxRecords: 1 })).rejects.toMatchObject({ code: 'expired' })
      expect(bytes.length).toBeGreaterThan(0)
    }
    // Times only grew, whatever the clock did, and what a client claims of a leap second is a text.
    const { records } = await node.reader.readBatch('main/unit', earliest, { maxRecords: 100_000, maxBytes: 2 ** 28 })
    expect(records.every(({ recordedAt }, i) => i === 0 || recordedAt > (records[i - 1]?.recordedAt ?? 0))).toBe(true)
    expect(records.some(({ bytes }) => Buffer.from(bytes).includes('2028-12-31T23:59:60Z'))).toBe(true)
    expect(addMonths('2029-12-01', 1)).toBe('2030-01-01')
    expect(Object.keys(months)).toHaveLength(26)
  })
}) // oxfmt-ignore
