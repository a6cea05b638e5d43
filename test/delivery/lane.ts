import type { Database } from '../../src/database/database.ts'
import { runDelivery } from '../../src/delivery/deliver.ts'
import type { DeliveryDeps } from '../../src/delivery/lane.ts'
import { type DeliveryMetrics, silentMetrics } from '../../src/delivery/metrics.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { type DestinationSettings, destinationSettings } from '../../src/delivery/settings.ts'
import { type LaneStatus, laneStatus } from '../../src/delivery/status.ts'
import type { Reader } from '../../src/ledger/read.ts'
import { type Logger, silentLogger } from '../../src/telemetry/logger.ts'
import type { FakeBulk } from '../support/bulk.ts'
import type { FakeHec } from '../support/hec.ts'

/** Everything waits milliseconds instead of minutes. */
export const quick = {
  window_ms: 20,
  send_before_ms: 500,
  request_timeout_ms: 300,
  look_delays_ms: [0, 20],
  retry_delays_ms: [5, 20],
  probe_ms: { min: 20, max: 50 },
  position_every_ms: 50,
  drain_ms: 200,
  unresolved_after_ms: 60_000,
  unproved_after_ms: 60_000,
}

export function splunkSettings(fake: FakeHec, extra: Record<string, unknown> = {}): DestinationSettings {
  const search = { url: fake.searchUrl, token: fake.searchToken, lag_ms: 0, timeout_ms: 1_000 }
  return destinationSettings.parse({
    type: 'splunk',
    url: fake.url,
    token: fake.token,
    proof: 'answer',
    search,
    ...quick,
    ...extra,
  })
}

export function elasticSettings(fake: FakeBulk, extra: Record<string, unknown> = {}): DestinationSettings {
  return destinationSettings.parse({ type: 'elastic', url: fake.url, api_key: fake.apiKey, ...quick, ...extra })
}

export interface RunningLane {
  /** Waits for requests on their way, as a shutdown does. */
  stop(): Promise<void>
  /** Rejects when the lane failed. */
  done: Promise<void>
}

export interface LaneOptions {
  name?: string
  db: Database
  reader: Reader
  settings: DestinationSettings
  metrics?: Partial<DeliveryMetrics>
  log?: Logger
  now?: () => Date
  monotonicMs?: () => number
  destination?: DeliveryDeps['destination']
}

export async function startLane(options: LaneOptions): Promise<RunningLane> {
  const { name = 'siem', now = () => new Date(), monotonicMs, settings, db, reader, log = silentLogger } = options
  const frozen = monotonicMs === undefined ? {} : { monotonicMs }
  const destination =
    options.destination ?? (await openDestination(settings, { publicHost: 'proofline.acme.example', now, ...frozen }))
  const abort = new AbortController()
  const metrics = { ...silentMetrics, ...options.metrics }
  const done = runDelivery(
    { name, destination, settings, ledger: 'main/unit', reader, db, log, metrics, now, ...frozen },
    abort.signal,
  )
  done.catch(() => undefined)
  return {
    done,
    async stop() {
      abort.abort()
      await done.finally(() => destination.close())
    },
  }
}

/** How one lane stands. Asked for alone: a file has scores of lanes, and looks every few milliseconds. */
export const findStatus = (db: Database, destination: string): Promise<LaneStatus | undefined> =>
  laneStatus(db, { ledger: 'main/unit', destination })

export async function getStatus(db: Database, destination: string): Promise<LaneStatus> {
  const status = await findStatus(db, destination)
  if (status === undefined) throw new Error(`${destination} has not begun`)
  return status
}

/** Polls until `check` is true; fails after `ms` with what it last saw. */
export async function eventually(
  check: () => boolean | Promise<boolean>,
  what: () => unknown = () => 'not yet',
  ms = 45_000,
): Promise<void> {
  const end = Date.now() + ms
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`did not come about: ${JSON.stringify(await what())}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export interface MortalDatabase extends Database {
  /** From now on as after SIGKILL: no statement reaches the database, none is answered. */
  kill(): void
  /** Dies at the first statement that matches: before it, or after it was committed. */
  dieAt(name: string, when: 'before' | 'after'): void
  dead: boolean
}

export function mortal(db: Database): MortalDatabase {
  const never = new Promise<never>(() => undefined)
  let at: { name: string; when: 'before' | 'after' } | undefined
  const self: MortalDatabase = {
    dead: false,
    kill() {
      self.dead = true
    },
    dieAt(name, when) {
      at = { name, when }
    },
    async query(statement) {
      if (self.dead) return never
      const hit = at !== undefined && statement.name === at.name
      if (hit && at?.when === 'before') {
        self.dead = true
        return never
      }
      const result = await db.query<never>(statement)
      if (hit) self.dead = true
      return self.dead ? never : result
    },
    transaction: (work) => db.transaction(work),
    session: () => db.session(),
    end: async () => undefined,
  }
  return self
}
