import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Attributes, Meter } from '@opentelemetry/api'
import { createDeliveryCounts, type DeliveryCounts } from './delivery-metrics.ts'
import { createInstruments, delayBuckets, secondsBuckets } from './instruments.ts'
import { createWatchMetrics, type WatchMetrics } from './watch-metrics.ts'
import { createWitnessMetrics, type WitnessMetrics } from './witness-metrics.ts'

export type WorkerState = 'standby' | 'running' | 'backing_off' | 'ended'

/** What the service says about itself. Setting a reading is cheap: nothing is sent, the newest value is read at collection. */
export interface Metrics extends DeliveryCounts, WatchMetrics, WitnessMetrics {
  /** The database's clock in seconds since 1970, for proofline_emitted_at: when it fails the metric stands still, which is the signal. */
  setClock(clock: () => Promise<number>): void
  /** Records of a ledger whose append was committed by this process. */
  recorded(ledger: string, count: number, size: number, seconds: number): void
  /** The newest checkpoint; `lastTime` is the recorded_at of its last record in microseconds. */
  published(ledger: string, size: number, lastTime: number): void
  /** When the last whole pass of the scrubber over a ledger ended, in milliseconds since 1970. */
  scrubbed(ledger: string, atMs: number): void
  /** A follower has done everything before `next`; `lastTime` is the recorded_at of the last record in microseconds. */
  followed(follower: string, ledger: string, next: number, lastTime: number): void
  workerState(worker: string, state: WorkerState): void
  workerFailed(worker: string): void
  /** `oldestSince` in milliseconds since 1970. */
  inDoubt(destination: string, ledger: string, count: number, oldestSince: number | undefined): void
  duplicatesConfirmed(destination: string, ledger: string, count: number): void
  windowSkipped(destination: string, ledger: string): void
  /** `route` is the pattern, never the path. */
  request(method: string, route: string, status: number, seconds: number): void
}

/** The named instruments, on every meter given (ours for /metrics, OpenTelemetry's for OTLP); with none they do nothing. */
export function createMetrics(meters: readonly Meter[], now: () => Date = () => new Date()): Metrics {
  const instruments = createInstruments(meters)
  const { counter, histogram, gauge } = instruments
  const sizes = new Map<string, number>()
  const heads = new Map<string, { size: number; lastTime: number; at: number }>()
  const positions = new Map<string, { follower: string; ledger: string; next: number; lastTime: number }>()
  const workers = new Map<string, WorkerState>()
  const scrubs = new Map<string, number>()
  const doubts = new Map<string, { labels: Attributes; count: number; since: number | undefined }>()
  let emittedAt: number | undefined
  let clock: () => Promise<number | undefined> = () => Promise.resolve(undefined)

  gauge('proofline_generation', 'Sum of the published ledger sizes; never falls', () => [
    [[...heads.values()].reduce((sum, { size }) => sum + size, 0), {}],
  ])
  gauge('proofline_emitted_at', 'Database time in seconds since 1970; never stands still', async () => {
    emittedAt = await clock().catch(() => emittedAt)
    return [[emittedAt, {}]]
  })
  gauge('proofline_ledger_recorded_records', 'Size of the ledger after the last append of this process', () =>
    [...sizes].map(([ledger, size]) => [size, { ledger }]),
  )
  gauge('proofline_ledger_published_records', 'Size covered by the newest checkpoint', () =>
    [...heads].map(([ledger, { size }]) => [size, { ledger }]),
  )
  gauge('proofline_checkpoint_age_seconds', 'Since the newest checkpoint was seen', () =>
    [...heads].map(([ledger, { at }]) => [(now().getTime() - at) / 1_000, { ledger }]),
  )
  gauge('proofline_follower_lag_records', 'Published records that a follower has still to do', () =>
    [...positions.values()].map(({ follower, ledger, next }) => [
      Math.max(0, (heads.get(ledger)?.size ?? next) - next),
      { follower, ledger },
    ]),
  )
  gauge(
    'proofline_follower_lag_seconds',
    'Between the last record done and the newest published one, by recorded_at',
    () =>
      [...positions.values()].map(({ follower, ledger, next, lastTime }) => {
        const head = heads.get(ledger)
        return [head === undefined || head.size <= next ? 0 : (head.lastTime - lastTime) / 1e6, { follower, ledger }]
      }),
  )
  gauge('proofline_worker_state', '1 for the state that a worker of this process is in', () =>
    [...workers].map(([worker, state]) => [1, { worker, state }]),
  )
  gauge(
    'proofline_scrub_pass_age_seconds',
    'Since everything that is stored of a ledger was read and audited whole',
    () => [...scrubs].map(([ledger, at]) => [(now().getTime() - at) / 1_000, { ledger }]),
  )
  gauge('proofline_in_doubt_records', 'Records whose outcome is not known', () =>
    [...doubts.values()].map(({ labels, count }) => [count, labels]),
  )
  gauge('proofline_in_doubt_oldest_seconds', 'Age of the oldest attempt in doubt', () =>
    [...doubts.values()].map(({ labels, since }) => [
      since === undefined ? 0 : (now().getTime() - since) / 1_000,
      labels,
    ]),
  )
  if (meters.length > 0)
    gauge('proofline_event_loop_delay_seconds', 'Delay of the HTTP thread over the last minute', eventLoopDelays())

  const countRecords = counter('proofline_records_recorded', 'Records appended by this process')
  const timeAppend = histogram(
    'proofline_append_seconds',
    'One append, from the first statement to the clean commit',
    secondsBuckets,
  )
  const timeFollower = histogram(
    'proofline_follower_delay_seconds',
    'From recorded_at to done, for the last record of each batch',
    delayBuckets,
  )
  const countFailures = counter(
    'proofline_worker_failures',
    'How often a worker ended with an error and was started again',
  )
  const countDuplicates = counter('proofline_duplicates_confirmed', 'Records found more than once at a destination')
  const countSkipped = counter(
    'proofline_windows_skipped',
    'Windows without a flush because the one before took longer',
  )
  const timeRequest = histogram('proofline_http_request_seconds', 'Until the last byte of the answer', secondsBuckets)

  const deliveries = createDeliveryCounts(instruments, (ledger) => heads.get(ledger)?.size)

  return {
    ...deliveries,
    ...createWatchMetrics(instruments, now),
    ...createWitnessMetrics(instruments),
    setClock(given) {
      clock = given
    },
    recorded(ledger, count, size, seconds) {
      sizes.set(ledger, size)
      countRecords(count, { ledger })
      timeAppend(seconds, { ledger })
    },
    published(ledger, size, lastTime) {
      if ((heads.get(ledger)?.size ?? -1) < size) heads.set(ledger, { size, lastTime, at: now().getTime() })
    },
    scrubbed: (ledger, atMs) => void scrubs.set(ledger, atMs),
    followed(follower, ledger, next, lastTime) {
      const key = `${follower} ${ledger}`
      if (lastTime > (positions.get(key)?.lastTime ?? Infinity))
        timeFollower(now().getTime() / 1_000 - lastTime / 1e6, { follower, ledger })
      positions.set(key, { follower, ledger, next, lastTime })
    },
    workerState: (worker, state) => void workers.set(worker, state),
    workerFailed: (worker) => countFailures(1, { worker }),
    inDoubt(destination, ledger, count, since) {
      doubts.set(`${destination} ${ledger}`, { labels: { destination, ledger }, count, since })
    },
    duplicatesConfirmed: (destination, ledger, count) => countDuplicates(count, { destination, ledger }),
    windowSkipped: (destination, ledger) => countSkipped(1, { destination, ledger }),
    request: (method, route, status, seconds) => timeRequest(seconds, { method, route, status }),
  }
}

function eventLoopDelays(): () => [number, Attributes][] {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  let since = performance.now()
  return () => {
    const read: [number, Attributes][] = [
      [delay.percentile(50) / 1e9, { quantile: '0.5' }],
      [delay.percentile(99) / 1e9, { quantile: '0.99' }],
      [delay.max / 1e9, { quantile: '1' }],
    ]
    if (performance.now() - since > 60_000) {
      since = performance.now()
      delay.reset()
    }
    return read
  }
}
