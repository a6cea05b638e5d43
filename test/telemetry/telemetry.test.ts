import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startTelemetry, otlpEndpoints } from '../../src/telemetry/telemetry.ts'
import type { Telemetry } from '../../src/telemetry/telemetry.ts'

let telemetry: Telemetry
let clock: number
beforeEach(async () => {
  clock = Date.parse('2026-11-23T05:00:00Z')
  telemetry = await startTelemetry({ log: 'json', level: 'error', otlp: false, now: () => new Date(clock) })
})
afterEach(() => telemetry.shutdown())

/** Lines of one metric as { labels: value }, without the label that all have. */
async function read(name: string): Promise<Record<string, number>> {
  const lines = (await telemetry.prometheus()).split('\n').filter((line) => line.startsWith(`${name}{`))
  return Object.fromEntries(
    lines.map((line) => {
      const [, labels = '', value] = /\{(.*)\} (\S+)$/.exec(line) ?? []
      return [labels.replace(/,?schema_version="1"/, ''), Number(value)]
    }),
  )
}

const micros = (seconds: number): number => (clock / 1_000 + seconds) * 1e6

describe('metrics', () => {
  it('all carry schema_version', async () => {
    telemetry.metrics.recorded('main/unit', 10, 10, 0.01)
    telemetry.metrics.request('GET', '/v1/feed/{ledger}', 200, 0.1)
    const samples = (await telemetry.prometheus()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    expect(samples.length).toBeGreaterThan(10)
    expect(samples.filter((line) => !line.includes('schema_version="1"'))).toEqual([])
  })

  it('proofline_generation is the sum of the published sizes and never falls', async () => {
    telemetry.metrics.published('main/unit', 100, micros(0))
    telemetry.metrics.published('main/integration', 50, micros(0))
    telemetry.metrics.published('main/unit', 90, micros(0))
    expect(await read('proofline_generation')).toEqual({ '': 150 })
    expect(await read('proofline_ledger_published_records')).toEqual({
      'ledger="main/unit"': 100,
      'ledger="main/integration"': 50,
    })
  })

  it('proofline_emitted_at is the time of the database, and stands still when that cannot be had', async () => {
    expect(await read('proofline_emitted_at')).toEqual({})
    let time = 1_795_410_000.5
    telemetry.metrics.setClock(async () => time)
    expect(await read('proofline_emitted_at')).toEqual({ '': 1_795_410_000.5 })
    time += 1
    expect(await read('proofline_emitted_at')).toEqual({ '': 1_795_410_001.5 })
    telemetry.metrics.setClock(() => Promise.reject(new Error('no database')))
    expect(await read('proofline_emitted_at')).toEqual({ '': 1_795_410_001.5 })
    expect(await read('proofline_generation')).toEqual({ '': 0 })
  })

  it('what is sent, answered, resolved and proved is counted by destination', async () => {
    const { metrics } = telemetry
    const request = { status: '503', code: '9', records: 100, bytes: 60_000, seconds: 0.02 }
    metrics.sent('siem', 'main/unit', request)
    metrics.sent('siem', 'main/unit', { ...request, status: '200', code: '0' })
    metrics.settled('siem', 'main/unit', 'delivered', 90)
    metrics.resolved('siem', 'main/unit', 'search', 'present', 7)
    metrics.proved('siem', 'ack', 130)
    expect(await read('proofline_delivery_attempts_total')).toEqual({ 'destination="siem",ledger="main/unit"': 2 })
    expect(await read('proofline_delivery_bytes_total')).toEqual({ 'destination="siem",ledger="main/unit"': 120_000 })
    expect(await read('proofline_delivery_responses_total')).toEqual({
      'destination="siem",status="503",code="9"': 1,
      'destination="siem",status="200",code="0"': 1,
    })
    expect(await read('proofline_settled_records_total')).toEqual({ 'destination="siem",ledger="main/unit",outcome="delivered"': 90 }) // oxfmt-ignore
    expect(await read('proofline_in_doubt_resolved_total')).toEqual({ 'destination="siem",ledger="main/unit",by="search",result="present"': 7 }) // oxfmt-ignore
    expect(await read('proofline_proof_seconds_sum')).toEqual({ 'destination="siem",by="ack"': 130 })
  })

  it('the lag of a puller grows with the ledger', async () => {
    telemetry.metrics.setConsumers(() => [
      { consumer: 'qradar', ledger: 'main/unit', next: 40, lag: 0, seenAt: micros(0) },
    ])
    expect(await read('proofline_consumer_lag_records')).toEqual({ 'consumer="qradar",ledger="main/unit"': 0 })
    telemetry.metrics.published('main/unit', 100, micros(0))
    expect(await read('proofline_consumer_lag_records')).toEqual({ 'consumer="qradar",ledger="main/unit"': 60 })
  })

  it('what a look saw takes the place of what the look before saw, and nobody looking leaves nothing', async () => {
    const { metrics } = telemetry
    const day = 86_400_000_000
    const counts = { missing: 3, duplicated: 0, altered: 0, foreign: 0 }
    const seen = {
      lanes: [{ destination: 'siem', ledger: 'main/unit', state: 'blocked', parked: 4 }],
      comparisons: [{ destination: 'siem', ledger: 'main/unit', atMs: clock, ...counts }],
      certificates: [{ subject: 'siem old.example', expiresAt: micros(0) + 2 * day }],
      drills: [
        { destination: 'siem', heldMs: clock },
        { destination: 'elk', heldMs: undefined },
      ],
      openAlerts: 2,
    }
    metrics.watched(seen)
    clock += 60_000
    const told = (): Promise<Record<string, number>[]> => Promise.all(['destination_state', 'parked_records', 'comparison_age_seconds', 'drill_age_seconds', 'alerts_open'].map((name) => read(`proofline_${name}`))) // oxfmt-ignore
    const there = 'destination="siem",ledger="main/unit"'
    expect(await told()).toEqual([{ [`${there},state="blocked"`]: 1 }, { [there]: 4 }, { [there]: 60 }, { 'destination="siem"': 60 }, { '': 2 }]) // oxfmt-ignore
    expect(await read('proofline_differences')).toMatchObject({ [`${there},kind="missing"`]: 3 })
    clock += 86_400_000 - 60_000
    expect(await read('proofline_certificate_days')).toEqual({ 'certificate="siem old.example"': 1 })

    const { lanes, comparisons, drills } = seen
    const moved = <T extends { destination: string }>(of: readonly T[]): T[] => of.map((one) => ({ ...one, destination: 'elk' })) // oxfmt-ignore
    metrics.watched({ lanes: moved(lanes), comparisons: moved(comparisons), drills: moved(drills.slice(0, 1)), certificates: [{ subject: 'elk new.example', expiresAt: micros(0) - day }], openAlerts: 0 }) // oxfmt-ignore
    const elsewhere = 'destination="elk",ledger="main/unit"'
    expect(await told()).toEqual([{ [`${elsewhere},state="blocked"`]: 1 }, { [elsewhere]: 4 }, { [elsewhere]: 86_400 }, { 'destination="elk"': 86_400 }, { '': 0 }]) // oxfmt-ignore
    expect(await read('proofline_certificate_days')).toEqual({ 'certificate="elk new.example"': -1 })

    metrics.watched(undefined)
    expect(await told()).toEqual([{}, {}, {}, {}, {}])
    expect(await read('proofline_certificate_days')).toEqual({})
  })

  it('the lag of a follower grows with the ledger also when the follower is dead', async () => {
    telemetry.metrics.published('main/unit', 100, micros(0))
    telemetry.metrics.followed('delivery:splunk', 'main/unit', 100, micros(0))
    const labels = 'follower="delivery:splunk",ledger="main/unit"'
    expect(await read('proofline_follower_lag_records')).toEqual({ [labels]: 0 })
    telemetry.metrics.published('main/unit', 130, micros(12.5))
    expect(await read('proofline_follower_lag_records')).toEqual({ [labels]: 30 })
    expect(await read('proofline_follower_lag_seconds')).toEqual({ [labels]: 12.5 })
  })

  it('ages grow with the clock', async () => {
    telemetry.metrics.published('main/unit', 100, micros(0))
    telemetry.metrics.inDoubt('splunk', 'main/unit', 2, clock - 5_000)
    clock += 30_000
    expect(await read('proofline_checkpoint_age_seconds')).toEqual({ 'ledger="main/unit"': 30 })
    expect(await read('proofline_in_doubt_oldest_seconds')).toEqual({ 'destination="splunk",ledger="main/unit"': 35 })
    telemetry.metrics.inDoubt('splunk', 'main/unit', 0, undefined)
    expect(await read('proofline_in_doubt_oldest_seconds')).toEqual({ 'destination="splunk",ledger="main/unit"': 0 })
  })

  it('a worker is in one state at a time', async () => {
    telemetry.metrics.workerState('delivery', 'standby')
    expect(await read('proofline_worker_state')).toEqual({ 'worker="delivery",state="standby"': 1 })
    telemetry.metrics.workerState('delivery', 'running')
    telemetry.metrics.workerFailed('delivery')
    expect(await read('proofline_worker_state')).toEqual({ 'worker="delivery",state="running"': 1 })
    expect(await read('proofline_worker_failures_total')).toEqual({ 'worker="delivery"': 1 })
  })

  it('counts what is counted', async () => {
    telemetry.metrics.recorded('main/unit', 10, 10, 0.01)
    telemetry.metrics.recorded('main/unit', 5, 15, 0.3)
    telemetry.metrics.duplicatesConfirmed('splunk', 'main/unit', 2)
    telemetry.metrics.windowSkipped('splunk', 'main/unit')
    telemetry.metrics.parked('splunk', 'main/unit', 4)
    const there = 'destination="splunk",ledger="main/unit"'
    expect(await read('proofline_records_recorded_total')).toEqual({ 'ledger="main/unit"': 15 })
    expect(await read('proofline_ledger_recorded_records')).toEqual({ 'ledger="main/unit"': 15 })
    expect(await read('proofline_append_seconds_count')).toEqual({ 'ledger="main/unit"': 2 })
    expect(await read('proofline_duplicates_confirmed_total')).toEqual({ [there]: 2 })
    expect(await read('proofline_windows_skipped_total')).toEqual({ [there]: 1 })
    expect(await read('proofline_parked_records')).toEqual({ [there]: 4 })
  })
})

describe('startTelemetry', () => {
  it('asks for OTLP only when one of the usual variables does', () => {
    const names = (env: Record<string, string>) => otlpEndpoints(env).map(({ name }) => name)
    const [all, traces] = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']
    expect(names({ PATH: '/bin', OTEL_SERVICE_NAME: 'x' })).toEqual([])
    expect(names({ [all]: '' })).toEqual([])
    expect(names({ [all]: 'http://c:4318' })).toEqual([all])
    expect(names({ [traces]: 'http://c:4318' })).toEqual([traces])
    expect(names({ [all]: 'http://c:4318', OTEL_SDK_DISABLED: 'true' })).toEqual([])
    // The exporters of others are only loaded beside those of OTLP.
    const zipkin = 'OTEL_EXPORTER_ZIPKIN_ENDPOINT'
    expect(names({ [zipkin]: 'http://z:9411' })).toEqual([])
    expect(names({ [all]: 'http://c:4318', [zipkin]: 'http://z:9411' })).toEqual([all, zipkin])
  })

  it('sends metrics and spans to the collector when asked, and the same metrics to /metrics', () => {
    const program = join(import.meta.dirname, 'otlp-program.ts')
    const { stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 15_000 })
    expect({ stdout: stdout.trim().split('\n').toSorted(), stderr }).toEqual({
      stdout: ['/v1/metrics', '/v1/traces', 'prometheus'],
      stderr: '',
    })
  })

  it.each([302, 307, 308])('follows no %i of a collector: the headers of OTLP may hold a credential', (status) => {
    const program = join(import.meta.dirname, 'otlp-program.ts')
    const { stdout } = spawnSync(process.execPath, [program, String(status)], { encoding: 'utf8', timeout: 15_000 })
    expect(stdout.trim().split('\n').toSorted()).toEqual(['/v1/metrics', '/v1/traces', 'prometheus'])
  })
})
