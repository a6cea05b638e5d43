import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { createOperator } from '../../src/delivery/operate.ts'
import { type DestinationSettings, destinationSettings } from '../../src/delivery/settings.ts'
import type { StoredRecord } from '../../src/ledger/read.ts'
import { recordKinds } from '../../src/record/record.ts'
import { attemptId } from '../delivery/contract.ts'
import { eventually } from '../delivery/lane.ts'
import { makeRecord } from '../delivery/records.ts'
import { anLcov, ask, pushRun, readLedger, startServe, temporaryFolder } from '../support/service.ts'
import { startFailingProxy } from './failing-proxy.ts'

/** HEC over the OpenTelemetry Collector's splunkhec receiver (TEST_HEC_URL), which writes what it hands on to TEST_HEC_FILE. */

const env = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: run npm run conformance`)
  return value
}

interface Handed {
  /** Nanoseconds; a double of them is off by less than a microsecond. */
  time: number
  resource: Record<string, string>
  attributes: Record<string, string>
  body: unknown
}

/** What was handed on of these records, in any order. */
function handed(ids?: ReadonlySet<string>): Handed[] {
  const lines = readFileSync(env('TEST_HEC_FILE'), 'utf8').trimEnd().split('\n')
  const all = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Handed)
  return all.filter(({ attributes }) => ids?.has(attributes['proofline_id'] ?? '') ?? true)
}

const signal = AbortSignal.timeout(600_000)
const deps = { publicHost: 'proofline.acme.example', now: () => new Date() }
const settings = (more: Record<string, unknown> = {}): DestinationSettings =>
  destinationSettings.parse({ type: 'splunk', url: env('TEST_HEC_URL'), token: 'any-is-taken', proof: 'ack', ...more })

let channels = 0
async function send(records: StoredRecord[], more: Record<string, unknown> = {}) {
  const destination = await openDestination(settings(more), deps)
  const now = performance.now()
  const channel = `6b1d2a34-0000-4000-9000-${String(++channels).padStart(12, '0')}`
  const id = attemptId({ channel, sendBeforeMs: now + 5_000, deadlineMs: now + 20_000 })
  const rendered = destination.render(records, id)
  const outcomes = destination.classify(rendered, await destination.send(rendered, signal))
  return { destination, rendered, outcomes }
}

describe("HEC over the collector's receiver", () => {
  it('hands on every kind of record once, with its fields, time, index and sourcetype, and its content', async () => {
    const records = recordKinds.map((kind, n) => makeRecord(1_000 + n, { kind }))
    for (const record of records) {
      const { destination, outcomes } = await send([record])
      expect(outcomes).toMatchObject([{ kind: 'accepted' }])
      await destination.close()
    }
    const found = handed(new Set(records.map(({ id }) => id)))
    expect(found.map(({ attributes }) => attributes['proofline_id'])).toEqual(records.map(({ id }) => id))
    for (const [n, { time, resource, attributes, body }] of found.entries()) {
      const record = records[n]
      if (record === undefined) throw new Error('there are as many')
      expect(Math.round(time / 1e6)).toBe(Math.floor(record.recordedAt / 1_000))
      expect(resource).toMatchObject({
        'com.splunk.index': 'proofline_unit',
        'com.splunk.sourcetype': `proofline:${record.kind}`,
        'com.splunk.source': 'proofline.acme.example/main/unit',
        'host.name': 'proofline.acme.example',
      })
      expect(attributes).toMatchObject({ proofline_ledger: 'main/unit', proofline_seq: String(record.seq) })
      expect(body).toEqual(JSON.parse(new TextDecoder().decode(record.bytes)))
    }
  })

  it('keeps the bytes of the record only where the event is a string, also through gzip', async () => {
    const records = Array.from({ length: 500 }, (_, n) => makeRecord(2_000 + n))
    const { destination, outcomes } = await send(records, { event_form: 'string', compression: 'gzip' })
    await destination.close()
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['accepted']))
    const bodies = handed(new Set(records.map(({ id }) => id))).map(({ body }) => body)
    expect(bodies).toEqual(records.map(({ bytes }) => new TextDecoder().decode(bytes)))
  })

  it('acknowledges on the channel of the attempt, once', async () => {
    const { destination, rendered, outcomes } = await send([makeRecord(3_000)])
    const [outcome] = outcomes
    const ackId = outcome?.kind === 'accepted' ? outcome.ackId : undefined
    expect(ackId).toBeTypeOf('number')
    const look = await ask({ url: env('TEST_HEC_URL'), token: '' }, `/services/collector/ack?channel=${rendered.attempt.channel}`, { method: 'POST', body: { acks: [ackId] } }) // oxfmt-ignore
    expect(look.body).toEqual({ acks: { [String(ackId)]: true } })
    const again = await ask({ url: env('TEST_HEC_URL'), token: '' }, `/services/collector/ack?channel=${rendered.attempt.channel}`, { method: 'POST', body: { acks: [ackId] } }) // oxfmt-ignore
    expect(again.body).toEqual({ acks: { [String(ackId)]: false } })
    await destination.close()
  })

  it('passes the preflight as far as a receiver has what Splunk has', async () => {
    const operator = createOperator({ db: { query: () => Promise.reject(new Error('no database')) }, destinations: { siem: settings({ select: { ledgers: ['operations'] } }) }, ledgers: [], ...deps }) // oxfmt-ignore
    const steps = await operator.check('siem', 5_000, signal)
    const told = steps.map(({ step, result, detail }) => `${result} ${step}: ${detail}`)
    expect(told).toContainEqual(expect.stringMatching(/^ok health: HTTP 200, code 17/))
    expect(told).toContainEqual(expect.stringMatching(/^ok token: /))
    expect(told.at(-1)).toMatch(/proofline_operations: canary: acknowledged after \d+ ms/)
  })

  it('case 4: delivers from a service with acknowledgement, and sends nothing twice though answers are lost', async () => {
    const folder = await temporaryFolder('hec')
    const proxy = await startFailingProxy(env('TEST_HEC_URL'), '/services/collector/event')
    const siem = { type: 'splunk', url: proxy.url, token: 'any-is-taken', proof: 'ack', window_ms: 50, request_timeout_ms: 2_000, look_delays_ms: [100, 300], select: { ledgers: ['unit'] } } // oxfmt-ignore
    const file = join(folder.path, 'proofline.yaml')
    await writeFile(file, JSON.stringify({ destinations: { siem } }))
    const service = await startServe({ dataDir: join(folder.path, 'data'), args: ['--config', file] })
    try {
      for (const [n, mode] of (
        ['drop-after-storing', 'cut-after-storing', 'html-502-after-storing'] as const
      ).entries()) {
        await pushRun(service, `local.hec${n}.api.unit`, anLcov(n, 5))
        proxy.failNext(mode)
        await pushRun(service, `local.lost${n}.api.unit`, anLcov(n + 10, 5))
      }
      const ids = new Set((await readLedger(service, 'unit')).map(({ id }) => id as string))
      await eventually(
        async () => new Set(handed(ids).map(({ attributes }) => attributes['proofline_id'])).size === ids.size,
        () => handed(ids).length,
        30_000,
      )
      const lane = async () => {
        const { body } = await ask(service, '/v1/destinations')
        const lanes = (body['destinations'] as { ledgers: Record<string, unknown>[] }[]).flatMap(
          ({ ledgers }) => ledgers,
        )
        return lanes.find(({ ledger }) => ledger === 'main/unit')
      }
      await eventually(async () => (await lane())?.['proved_to'] === ids.size, lane, 30_000)
      expect(handed(ids)).toHaveLength(ids.size)
      expect(await lane()).toMatchObject({ parked: 0, in_doubt: 0 })
    } finally {
      service.signal('SIGTERM')
      await service.ended
      await proxy.close()
      await folder.remove()
    }
  })
})
