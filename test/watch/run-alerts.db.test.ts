import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensurePartitions } from '../../src/service/storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { insertAlert, listAlerts, openAlerts, unrecordedAlerts } from '../../src/watch/alert-store.ts'
import type { Finding } from '../../src/watch/alerts.ts'
import { beat } from '../../src/watch/heartbeat.ts'
import { type AlertEvent, runAlerts, takeStep } from '../../src/watch/run-alerts.ts'
import { openWebhook } from '../../src/watch/webhook.ts'
import { eventually } from '../delivery/lane.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { aSubmission, createMemorySigner, openNode, type TestNode } from '../support/ledger.ts'

let database: TestDatabase
let operations: TestNode
let unit: TestNode
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  operations = await openNode(database.db, signer, 'a', 'main/operations')
  unit = await openNode(database.db, signer, 'a', 'main/unit')
})
afterAll(async () => {
  await Promise.all([operations.book.close(), unit.book.close()])
  await database.drop()
})

const now = (): Date => new Date()
async function onRecord(kind: string): Promise<Record<string, unknown>[]> {
  const { records } = await operations.reader.readBatch('main/operations', 0, { maxRecords: 1_000 })
  return records
    .filter((record) => record.kind === kind)
    .map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>)
}

async function startReceiver(answer: (n: number, response: ServerResponse) => void) {
  const received: { authorization: string | undefined; body: AlertEvent }[] = []
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    received.push({ authorization: request.headers.authorization, body: JSON.parse(text) as AlertEvent })
    answer(received.length, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook?team=a`,
    received,
    close: () => new Promise((done) => server.close(done)),
  }
}

describe('runAlerts', () => {
  it('opens, tells, puts on record and closes; and begins where another process ended', async () => {
    const receiver = await startReceiver((n, response) => response.writeHead(n === 1 ? 503 : 204).end())
    const webhook = await openWebhook(
      { url: receiver.url, allow_metadata_addresses: false },
      AbortSignal.timeout(20_000),
    )
    let findings: Finding[] = [{ code: 'dead_letters', subject: 'siem main/unit', detail: '3 records' }]
    const deps = {
      db: database.db, operations: operations.book, look: async () => findings, tell: webhook.tell, now, log: silentLogger,
    } // oxfmt-ignore
    const first = new AbortController()
    const running = runAlerts(deps, 10, first.signal)
    await eventually(() => receiver.received.length === 2) // told again after the 503
    first.abort()
    await running

    const acknowledged = await takeStep(deps, 'dead_letters:siem main/unit', 'acknowledged', { code: 'dead_letters', subject: 'siem main/unit', detail: 'on it' }, 'ada') // oxfmt-ignore
    expect(acknowledged).toMatchObject({ n: 2, state: 'acknowledged', by: 'ada', severity: 'high' })
    expect(await openAlerts(database.db, 'main/operations')).toMatchObject([{ state: 'acknowledged', detail: 'on it' }])

    await eventually(async () => (await onRecord('alert')).length === 2) // else the next process tells it once more
    findings = []
    const second = new AbortController()
    const again = runAlerts(deps, 10, second.signal)
    await eventually(() => receiver.received.length === 4)
    second.abort()
    await again
    expect(receiver.received.map(({ body }) => `${body.n} ${body.state}`)).toEqual(['1 opened', '1 opened', '2 acknowledged', '3 closed']) // oxfmt-ignore
    expect(receiver.received[0]?.body).toMatchObject({ code: 'dead_letters', detail: '3 records', playbook: 'docs/playbooks/dead_letters.md' }) // oxfmt-ignore
    await eventually(async () => (await onRecord('alert')).length === 3)
    expect((await onRecord('alert')).map(({ n, state, by }) => `${String(n)} ${String(state)} ${String(by)}`)).toEqual(['1 opened proofline', '2 acknowledged ada', '3 closed proofline']) // oxfmt-ignore
    expect(await openAlerts(database.db, 'main/operations')).toEqual([])
    expect(await listAlerts(database.db, 'main/operations', true, 10)).toMatchObject([{ state: 'closed', n: 3 }])
    await webhook.close()
    await receiver.close()
  })

  it('puts on record what was stored before a crash, also of an alert that is closed by now', async () => {
    const finding: Finding = { code: 'disk_low', subject: 'old', detail: '2 MiB' }
    for (const state of ['opened', 'closed'] as const) {
      const row = { alert: 'disk_low:old', ...finding, state, by: 'proofline', at: Date.now() * 1000 }
      await insertAlert(database.db, 'main/operations', row) // and killed before the record was written
    }
    const webhook: string[] = []
    const tell = async ({ n, state }: AlertEvent): Promise<void> => void webhook.push(`${n} ${state}`)
    const deps = { db: database.db, operations: operations.book, look: async () => [], tell, now, log: silentLogger }
    const told = async () => (await onRecord('alert')).filter(({ alert }) => alert === 'disk_low:old')
    for (let starts = 0; starts < 2; starts++) {
      const abort = new AbortController()
      const running = runAlerts(deps, 10, abort.signal)
      await eventually(async () => (await told()).length === 2)
      abort.abort()
      await running
    }
    expect((await told()).map(({ n, state }) => `${String(n)} ${String(state)}`)).toEqual(['1 opened', '2 closed'])
    expect(webhook).toEqual(['1 opened', '2 closed']) // nobody knows whether it was told before the crash
    expect(await unrecordedAlerts(database.db, 'main/operations', 10)).toEqual([])
  })

  it('takes each step once, and none that does not follow from how the alert stands', async () => {
    const deps = { db: database.db, operations: operations.book, now, log: silentLogger }
    const finding: Finding = { code: 'disk_low', subject: 'data', detail: '1 MiB' }
    const step = (state: 'opened' | 'acknowledged' | 'closed') => takeStep(deps, 'disk_low:data', state, finding, 'x')
    expect([await step('acknowledged'), await step('closed')]).toEqual([undefined, undefined])
    const twins = await Promise.all([step('opened'), step('opened'), step('opened')])
    expect(twins.filter((told) => told !== undefined).length).toBe(1)
    expect(await step('opened')).toBeUndefined()
    expect((await step('acknowledged'))?.n).toBe(2)
    expect(await step('acknowledged')).toBeUndefined()
    expect((await step('closed'))?.n).toBe(3)
    expect((await step('opened'))?.n).toBe(4)
  })
})

describe('a heartbeat', () => {
  it('has count and sum of check of the last closed block of each ledger, as anybody can count them', async () => {
    const ledger = 'main/integration'
    const node = await openNode(database.db, await createMemorySigner(), 'a', ledger)
    const at = new Date('2026-11-24T05:00:00Z')
    const deps = { db: database.db, reader: node.reader, ledgers: [ledger] as const, operations: operations.book, now: () => at } // oxfmt-ignore
    for (let n = 0; n < 65; n++) await node.book.appender.submit([aSubmission(`run:${n}`, `block ${n}`, 1_024, ledger)])
    await beat(deps, 300_000)
    const newest = (await onRecord('heartbeat')).at(-1)
    let checkSum = 0
    for (let from = 0; from < 65_536;) {
      const { records, next } = await node.reader.readBatch(ledger, from, { until: 65_536, maxRecords: 10_000 })
      for (const { bytes } of records) checkSum += createHash('sha256').update(bytes).digest().readUInt32BE(0)
      from = next
    }
    const block = { number: 0, records: 65_536, check_sum: checkSum }
    expect(newest).toMatchObject({ generation: 66_560, heads: [{ ledger, size: 66_560, block }] })
    await node.book.close()
  })

  it('is one record an interval, with the signed notes of every ledger', async () => {
    const before = (await onRecord('heartbeat')).length
    await unit.book.appender.submit([aSubmission('run:a', 'a', 3)])
    const deps = { db: database.db, reader: unit.reader, ledgers: ['main/unit', 'main/operations'] as const, operations: operations.book, now: () => new Date('2026-11-23T05:00:01Z') } // oxfmt-ignore
    await Promise.all([beat(deps, 300_000), beat(deps, 300_000)])
    await beat(deps, 300_000)
    await beat({ ...deps, now: () => new Date('2026-11-23T05:05:00Z') }, 300_000)
    const beats = (await onRecord('heartbeat')).slice(-2)
    expect((await onRecord('heartbeat')).length - before).toBe(2)
    expect(beats[0]).toMatchObject({ interval_s: 300, schema: 'proofline.heartbeat.v1' })
    const [head] = (beats[0]?.['heads'] ?? []) as { ledger: string; size: number; note: string; block: unknown; last_recorded_at: string }[] // oxfmt-ignore
    expect(head).toMatchObject({ ledger: 'main/unit', size: 3, block: null })
    expect(head?.note.split('\n').slice(0, 2)).toEqual(['localhost/main/unit', '3'])
    expect(head?.last_recorded_at).toMatch(/^\d{4}-.*Z$/)
  })
})
