import type { ChaosFake } from './fakes.ts'
import { forkFake } from './fakes.ts'

/** The four destinations of the chaos, each with its own way to be sure, and the fakes behind them. Every deadline is short. */

/** Later than this after a deadline no byte of an attempt arrives: fakes that store late and busy machines included. */
const lagMs = 6_000

const common = {
  window_ms: 50,
  send_before_ms: 1_000,
  request_timeout_ms: 1_500,
  look_delays_ms: [0, 200, 500, 1_000],
  retry_delays_ms: [20, 100, 300],
  probe_ms: { min: 100, max: 300 },
  position_every_ms: 500,
  drain_ms: 500,
  unresolved_after_ms: 600_000,
  unproved_after_ms: 600_000,
}
/** Longer than the deadlines of an attempt (send_before_ms and request_timeout_ms together). */
export const frozenMs = 4_000

export interface ChaosDestination {
  name: string
  fake: ChaosFake
  settings: Record<string, unknown>
  /** Its copies are allowed, if they are marked. */
  marks: boolean
}

export async function startDestinations(batchRecords: number): Promise<ChaosDestination[]> {
  const batch = { records: batchRecords, bytes: 524_288 }
  const hec = { token: 'planted-hec-token-5ec7e7ed', searchToken: 'planted-search-token-5ec7e7ed' }
  const splunk = (fake: ChaosFake, more: Record<string, unknown>): Record<string, unknown> => ({
    type: 'splunk',
    url: fake.url,
    token: hec.token,
    search: { url: fake.searchUrl, token: hec.searchToken, lag_ms: lagMs, timeout_ms: 5_000, concurrency: 4 },
    ...common,
    batch,
    ...more,
  })
  const [acks, searches, lies, elastic] = await Promise.all([
    forkFake({ type: 'splunk', hec: { ...hec, useAck: true, ackAfterMs: 100 } }),
    forkFake({ type: 'splunk', hec: { ...hec, visibleAfterMs: 200, onBadEvent: 'atomic', maxBodyBytes: batchRecords * 900 } }), // oxfmt-ignore
    forkFake({ type: 'splunk', hec: { ...hec, useAck: true, ackAfterMs: 50 }, lyingAck: true, searchDown: true }),
    forkFake({ type: 'elastic', maxBodyBytes: batchRecords * 2_600 }),
  ])
  return [
    { name: 'ack', fake: acks, marks: false, settings: splunk(acks, { proof: 'ack', ack_deadline_ms: 5_000 }) },
    { name: 'search', fake: searches, marks: false, settings: splunk(searches, { proof: 'search' }) },
    {
      name: 'resend',
      fake: lies,
      marks: true,
      // It cannot be searched while it misbehaves, so that what no acknowledgement settles is sent again, marked.
      settings: splunk(lies, { proof: 'ack', ack_deadline_ms: 4_000, on_unresolved: 'resend_marked', unresolved_after_ms: 1_500 }), // oxfmt-ignore
    },
    {
      name: 'elastic',
      fake: elastic,
      marks: false,
      settings: {
        type: 'elastic',
        url: elastic.url,
        api_key: 'planted-elastic-key-5ec7e7ed',
        visible_after_ms: lagMs,
        ...common,
        batch,
      },
    },
  ]
}
