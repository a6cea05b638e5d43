import type { DeadLetterPage, DeadLetterQuery, DestinationStatus } from '../api/operations.ts'
import type { Config } from '../config.ts'
import type { Database } from '../database/database.ts'
import { runWorker } from '../database/worker.ts'
import { runDelivery } from '../delivery/deliver.ts'
import type { Destination } from '../delivery/destination.ts'
import { measured } from '../delivery/measured.ts'
import type { DeliveryMetrics } from '../delivery/metrics.ts'
import { openDestination } from '../delivery/open-destination.ts'
import { type Operator, createOperator } from '../delivery/operate.ts'
import type { DestinationSettings } from '../delivery/settings.ts'
import type { Order } from '../delivery/order-store.ts'
import { createSteadyClock } from '../delivery/steady-clock.ts'
import { selectOf } from '../delivery/select.ts'
import { traced } from '../delivery/traced.ts'
import { type DeadLetterPlace, countDeadLetters, deliveryStatus, listDeadLetters } from '../delivery/status.ts'
import type { Generations } from '../ledger/generations.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, ledgerKindOf, printTime } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Delivery as the service runs it: one worker per destination and ledger, in one process at a time. */
export interface Deliveries {
  destinations: ReadonlyMap<string, { destination: Destination; settings: DestinationSettings }>
  followers(): Promise<{ name: string; ledger: LedgerName; next: number; lag: number }[]>
  list(): Promise<DestinationStatus[]>
  deadLetters(query: DeadLetterQuery): Promise<DeadLetterPage>
  operator: Operator
  /** After the signal aborted: resolves when every worker ended. */
  ended(): Promise<void>
}

export interface DeliveriesDeps {
  config: Config
  db: Database
  reader: LedgerReader
  generations: Generations
  log: Logger
  metrics: Metrics
  signal: AbortSignal
}

export async function startDeliveries({
  config,
  db,
  reader,
  generations,
  log,
  metrics,
  signal,
}: DeliveriesDeps): Promise<Deliveries> {
  const now = createSteadyClock()
  // A ledger that was closed is delivered to its end: a lane of its own, as its next generation has one.
  const ledgers = generations.every
  const workers: Promise<void>[] = []
  const destinations = new Map<string, { destination: Destination; settings: DestinationSettings }>()
  for (const [name, settings] of Object.entries(config.destinations)) {
    const opened = await openDestination(settings, { publicHost: config.public_host, now }).catch((cause: unknown) => {
      throw new Problem(
        'request_invalid',
        `destinations.${name}.${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      )
    })
    const times = new Map<LedgerName, Micros>()
    const counted = measured(opened, (ledger, sent) => metrics.sent(name, ledger, sent))
    const destination = traced(name, counted, (ledger, recordedAt) =>
      times.set(ledger, Math.max(recordedAt, times.get(ledger) ?? 0)),
    )
    destinations.set(name, { destination, settings })
    for (const ledger of ledgers) {
      const select = selectOf(settings, ledger)
      if (select === undefined) continue
      const deps = {
        name,
        destination,
        settings: { ...settings, select },
        ledger,
        reader,
        db,
        log,
        metrics: wired(metrics, times, (to, of) => countDeadLetters(db, { destination: to, ledger: of })),
        now,
      }
      workers.push(
        runWorker(`delivery ${name} ${ledger}`, (ending) => runDelivery(deps, ending), {
          org: config.org,
          db,
          log,
          metrics,
          signal,
        }),
      )
    }
  }

  const list = async (): Promise<DestinationStatus[]> => {
    const lanes = await deliveryStatus(db, config.org, now())
    const sizes = new Map(
      await Promise.all(ledgers.map(async (ledger) => [ledger, (await reader.published(ledger))?.size ?? 0] as const)),
    )
    return Object.entries(config.destinations).map(([name, settings]) => {
      const own = lanes.filter((lane) => lane.destination === name && selectOf(settings, lane.ledger) !== undefined)
      return {
        name,
        kind: settings.type,
        state: (['paused', 'blocked'] as const).find((word) => own.some(({ state }) => state === word)) ?? 'running',
        proof: settings.type === 'elastic' ? 'answer' : settings.proof,
        ledgers: own.map((lane) => ({
          ledger: lane.ledger,
          sent_to: lane.sentTo,
          proved_to: lane.provedTo,
          published: sizes.get(lane.ledger) ?? 0,
          in_doubt: lane.inDoubt,
          parked: lane.parked,
          state: lane.state,
          reason: lane.reason,
          detail: lane.detail,
          redeliveries: lane.orders.map(toRedelivery),
          failure: lane.failure === undefined ? null : { ...lane.failure, at: printTime(lane.failure.at) },
        })),
      }
    })
  }

  return {
    list,
    destinations,
    operator: createOperator({
      db,
      destinations: config.destinations,
      ledgers,
      publicHost: config.public_host,
      now,
    }),
    async followers() {
      const destinations = await list()
      return destinations.flatMap(
        ({ name, ledgers: lanes }) =>
          lanes.map(({ ledger, sent_to, published }) => ({
            name,
            ledger: ledger as LedgerName,
            next: sent_to,
            lag: published - sent_to,
          })), // from LedgerName above
      )
    },
    async deadLetters({ destination, ledger, kind, after, limit }) {
      if (destination !== undefined && !destinations.has(destination))
        throw new Problem('not_found', `there is no destination ${destination}`)
      const letters = await listDeadLetters(db, {
        org: config.org,
        destination,
        ledger: generations.current.find((one) => ledgerKindOf(one) === ledger),
        kind,
        limit: limit + 1,
        ...(after === undefined ? {} : { after: parsePlace(after) }),
      })
      const page = letters.slice(0, limit)
      const last = letters.length > limit ? page.at(-1) : undefined
      return {
        dead_letters: page.map(({ at, seq, ...letter }) => ({
          ...letter,
          seq: seq < 0 ? null : seq,
          since: printTime(at),
        })),
        next: last === undefined ? null : printPlace(last),
      }
    },
    async ended() {
      await Promise.all(workers)
    },
  }
}

const toRedelivery = ({ n, why, first, end, next, reason, byWhom, at, endedAt }: Order) => ({
  n,
  why,
  first,
  last: end - 1,
  next,
  state: endedAt !== undefined ? ('ended' as const) : next > first ? ('running' as const) : ('waiting' as const),
  reason,
  by: byWhom,
  at: printTime(at),
})

const printPlace = ({ at, letter }: DeadLetterPlace): string => `${at}.${letter}`

function parsePlace(text: string): DeadLetterPlace {
  const [, at, letter = ''] = /^(\d{1,16})\.([^]+)$/.exec(text) ?? []
  if (at === undefined) throw new Problem('request_invalid', 'after is not the next of a page of this list')
  return { at: Number(at), letter }
}

/** Delivery's reports on the named instruments. */
function wired(
  metrics: Metrics,
  times: ReadonlyMap<LedgerName, Micros>,
  countParked: (destination: string, ledger: LedgerName) => Promise<number>,
): DeliveryMetrics {
  /** Thousands may be parked one by one: they are counted once at a time, and once more when some came meanwhile. */
  const counting = new Map<string, 'once' | 'again'>()
  function count(destination: string, ledger: LedgerName): void {
    const key = `${destination} ${ledger}`
    if (counting.has(key)) return void counting.set(key, 'again')
    counting.set(key, 'once')
    countParked(destination, ledger)
      .then(
        (parked) => metrics.parked(destination, ledger, parked),
        () => {}, // the database being away shows elsewhere; the next one counts anew
      )
      .finally(() => {
        const isAgain = counting.get(key) === 'again'
        counting.delete(key)
        if (isAgain) count(destination, ledger)
      })
  }
  return {
    progress(destination, ledger, { sentTo, inDoubt, inDoubtSince }) {
      metrics.followed(destination, ledger, sentTo, times.get(ledger) ?? Date.now() * 1000)
      metrics.inDoubt(destination, ledger, inDoubt, inDoubtSince === undefined ? undefined : inDoubtSince / 1000)
    },
    settled(destination, ledger, kind, n) {
      metrics.settled(destination, ledger, kind, n)
      if (kind === 'delivered' || kind === 'accepted') return
      // The gauge is what is parked now, also by other processes and before this one.
      count(destination, ledger)
    },
    duplicates: (destination, ledger, count) => metrics.duplicatesConfirmed(destination, ledger, count),
    resolved: (destination, ledger, by, result, count) => metrics.resolved(destination, ledger, by, result, count),
    proved: (destination, by, seconds) => metrics.proved(destination, by, seconds),
    skippedWindows(destination, ledger, count) {
      for (let i = 0; i < count; i++) metrics.windowSkipped(destination, ledger)
    },
    state() {},
  }
}
