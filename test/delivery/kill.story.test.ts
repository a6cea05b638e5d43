import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deliveryStatus, listDeadLetters } from '../../src/delivery/status.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeHec } from '../support/hec.ts'
import type { FailMode } from '../support/fail-modes.ts'
import type { LaneChild } from './lane-child.ts'
import { eventually, quick } from './lane.ts'
import { makeRecord } from './records.ts'

/** Real processes, really killed and really frozen, while they forward over a real database. */

const rounds = 5
const total = 600
const perSecond = 100
/** Few records a request, so that there is always one on its way; and a search believes in absence only when late bytes had their time. */
const busy = {
  ...quick,
  window_ms: 10,
  batch: { records: 3, bytes: 524_288 },
  unresolved_after_ms: 600_000,
  unproved_after_ms: 600_000,
}
const trouble: FailMode[] = ['slow', 'slow', 'drop-after-storing', 'slow', 'drop-before-storing', 'slow', 'busy']

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
const children = new Set<ChildProcess>()
afterAll(async () => {
  await Promise.all([...children].map(kill)) // of a test that failed
  await database.drop()
})

function startChild(name: string, settings: unknown, startMs: number): ChildProcess {
  const input: LaneChild = { databaseUrl: database.url, name, settings, total, perSecond, startMs }
  const child = fork(fileURLToPath(new URL('./lane-child.ts', import.meta.url)), [JSON.stringify(input)], { execArgv: [] }) // oxfmt-ignore
  children.add(child)
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

/** A busy machine takes its time. */
const patienceMs = 60_000

interface Tormenting {
  failNext(mode: FailMode): void
  counters: { requests: number }
}

/** Kills and freezes whoever forwards, over and over; when one is frozen another takes over, and both go on after the thaw. */
async function torment(name: string, settings: unknown, fake: Tormenting): Promise<void> {
  const startMs = Date.now()
  let child = startChild(name, settings, startMs)
  for (let round = 0; round < rounds; round++) {
    const before = fake.counters.requests
    for (const mode of trouble) fake.failNext(mode)
    // It ends at a random moment of its work; how long a process takes to start depends on the machine.
    await eventually(
      () => fake.counters.requests > before,
      () => fake.counters,
      patienceMs,
    )
    await sleep(Math.random() * 500)
    if (round % 2 === 0) {
      await kill(child)
      child = startChild(name, settings, startMs)
      continue
    }
    child.kill('SIGSTOP')
    const heir = startChild(name, settings, startMs)
    await sleep(500 + Math.random() * 1_500)
    child.kill('SIGCONT')
    await sleep(Math.random() * 500)
    await kill(child)
    child = heir
  }
  const lane = async () => (await deliveryStatus(database.db, 'main')).find(({ destination }) => destination === name)
  await eventually(async () => (await lane())?.provedTo === total, lane, patienceMs)
  await kill(child)
}

const ids = Array.from({ length: total }, (_, seq) => makeRecord(seq).id).toSorted()

describe.concurrent('a forwarding process that is killed and frozen at random moments', () => {
  it('case 41, 42, 44: stores every record in Elastic exactly once', async () => {
    const fake = await startFakeBulk()
    await torment('elastic', { type: 'elastic', url: fake.url, api_key: fake.apiKey, ...busy }, fake)
    await fake.close()
    expect(fake.ids().toSorted()).toEqual(ids)
    expect(fake.documents().length).toBe(total)
    expect(await listDeadLetters(database.db, { org: 'main', destination: 'elastic' })).toEqual([])
  })

  it('case 41, 42, 44: stores every record in Splunk exactly once where it can search', async () => {
    const fake = await startFakeHec()
    const search = { url: fake.searchUrl, token: fake.searchToken, lag_ms: 200, timeout_ms: 10_000 }
    const settings = { type: 'splunk', url: fake.url, token: fake.token, proof: 'answer', search, ...busy }
    await torment('search', settings, fake)
    await fake.close()
    expect(fake.ids().toSorted()).toEqual(ids)
    expect(fake.counters.duplicates).toBe(0)
    expect(await listDeadLetters(database.db, { org: 'main', destination: 'search' })).toEqual([])
  })

  it('case 41, 42, 44: stores no record in Splunk twice where it cannot, and parks each that it does not know to be there', async () => {
    const fake = await startFakeHec()
    const settings = { type: 'splunk', url: fake.url, token: fake.token, proof: 'answer', ...busy }
    await torment('blind', settings, fake)
    await fake.close()
    const parked = await listDeadLetters(database.db, { org: 'main', destination: 'blind' })
    expect([...new Set([...fake.ids(), ...parked.map(({ id }) => id)])].toSorted()).toEqual(ids)
    expect(fake.counters.duplicates).toBe(0)
    expect(parked.length).toBeGreaterThan(0)
    expect(parked.every(({ kind }) => kind === 'unresolved')).toBe(true)
  })
})

describe.concurrent('a forwarding process that is killed and frozen while it waits for acknowledgements', () => {
  it('case 41, 42, 44: stores every record in Splunk exactly once where it acknowledges, and a search knows the rest', async () => {
    const fake = await startFakeHec({ useAck: true, ackAfterMs: 40 })
    const search = { url: fake.searchUrl, token: fake.searchToken, lag_ms: 500, timeout_ms: 10_000 }
    const settings = { type: 'splunk', url: fake.url, token: fake.token, proof: 'ack', search, ...busy }
    await torment('ack', settings, fake)
    await fake.close()
    expect(fake.ids().toSorted()).toEqual(ids)
    expect(fake.counters.duplicates).toBe(0)
    expect(await listDeadLetters(database.db, { org: 'main', destination: 'ack' })).toEqual([])
  })

  it('case 41, 42, 44: stores every record in Splunk, and marks each copy, where the operator has in doubt sent again', async () => {
    const fake = await startFakeHec({ useAck: true, ackAfterMs: 40 })
    fake.acks.loses = () => fake.counters.requests % 5 === 0
    const lying = { proof: 'ack', ack_deadline_ms: 500, on_unresolved: 'resend_marked' }
    await torment('resend', { type: 'splunk', url: fake.url, token: fake.token, ...lying, ...busy }, fake)
    await fake.close()
    expect(fake.ids().toSorted()).toEqual(ids)
    expect(fake.counters.duplicates).toBeGreaterThan(0)
    expect(ids.filter((id) => fake.copies(id) - (fake.event(id)?.marked ?? 0) > 1)).toEqual([])
    // Taken, and the acknowledgement was lost: not sent again.
    const parked = await listDeadLetters(database.db, { org: 'main', destination: 'resend' })
    expect(parked.filter(({ kind }) => kind !== 'unproved')).toEqual([])
  })
})
