import type { Database } from '../database/database.ts'
import { addressOf, insertBinding } from '../delivery/bindings.ts'
import type { Destination } from '../delivery/destination.ts'
import { estimateLedger, type Estimate } from '../delivery/estimate.ts'
import { readExport } from '../delivery/export-csv.ts'
import type { Lane } from '../delivery/lane.ts'
import { printLookup, spansOf } from '../delivery/lookup.ts'
import type { DeliveryMetrics } from '../delivery/metrics.ts'
import { orderStretch, readStretch } from '../delivery/order-range.ts'
import { ledgersOf, selectOf } from '../delivery/select.ts'
import { type Settled, settleLane } from '../delivery/settle.ts'
import type { DestinationSettings, SplunkSettings } from '../delivery/settings.ts'
import { splunkIndex } from '../delivery/splunk-render.ts'
import type { DeadLetterFilter } from '../delivery/status.ts'
import { findUnresolved, seqsOf } from '../delivery/unresolved.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerKind, type LedgerName, ledgerKindOf, printTime } from '../record/record.ts'
import type { Command, RecordCommand } from './commands.ts'
import { type Decided, discardDeadLetters, retryDeadLetters } from './dead-letters.ts'
import { orderMissing } from './order-missing.ts'
import { visibleAfterMs } from './run-reconciliation.ts'

/** What people order about records that were sent already. Every command is on record before it counts. */
export interface Ordering {
  retry(who: Command['who'], choice: LetterChoice, reason: string): Promise<Decided>
  discard(who: Command['who'], choice: LetterChoice, reason: string): Promise<Decided>
  /** A stretch of one ledger, or without it what is missing in all of them. */
  redeliver(
    who: Command['who'],
    name: string,
    stretch: { ledger: LedgerKind; from: string; to: string } | { ledger: LedgerKind | undefined },
    reason: string,
  ): Promise<{
    orders: { ledger: LedgerName; n: number; first: number; last: number }[]
    records: number
    left: number
  }>
  lookup(name: string): Promise<LookupSearch[]>
  settle(
    who: Command['who'],
    name: string,
    csv: AsyncIterable<Uint8Array>,
    options: { complete: boolean; reason: string },
  ): Promise<{ rows: number; ledgers: (Settled & { ledger: LedgerName })[] }>
  estimate(name: string, days: number): Promise<{ keeps: string | undefined; ledgers: Estimate[] }>
  /** What answers at the address in the configuration is the SIEM that the name began with. */
  moved(
    who: Command['who'],
    name: string,
    reason: string,
  ): Promise<{ address: string; cluster: string | null; changed: boolean }>
}

export type LetterChoice = Omit<DeadLetterFilter, 'org' | 'ledger'> & { ledger?: LedgerKind | undefined }

export interface LookupSearch {
  ledger: LedgerName
  first: number
  last: number
  records: number
  from: string
  to: string
  search: string
}

export interface OrderingDeps {
  org: string
  db: Database
  reader: Reader
  ledgers: readonly LedgerName[]
  destinations: ReadonlyMap<string, { destination: Destination; settings: DestinationSettings }>
  publicHost: string
  recordCommand: RecordCommand
  metrics: Pick<DeliveryMetrics, 'duplicates'>
  now: () => Date
}

/** Where there is no search of our own, its default stands for how long a record may take to become visible. */
const defaultLagMs = 600_000

export function createOrdering(deps: OrderingDeps): Ordering {
  const { db, reader, destinations, recordCommand, now } = deps
  const find = (name: string) => {
    const found = destinations.get(name)
    if (found === undefined) throw new Problem('not_found', `there is no destination ${name}`)
    return found
  }
  const ledgerOf = (kind: LedgerKind): LedgerName => {
    const ledger = deps.ledgers.find((one) => ledgerKindOf(one) === kind)
    if (ledger === undefined) throw new Problem('not_found', `there is no ledger ${kind}`)
    return ledger
  }
  const lanesOf = (name: string, only?: LedgerKind): Lane[] => {
    const kinds = ledgersOf(find(name).settings)
    return deps.ledgers
      .filter((ledger) => kinds.includes(ledgerKindOf(ledger)) && (only === undefined || ledgerKindOf(ledger) === only))
      .map((ledger) => ({ ledger, destination: name }))
  }
  const splunkOf = (name: string): SplunkSettings => {
    const { settings } = find(name)
    if (settings.type === 'splunk') return settings
    throw new Problem('request_invalid', `${name} is no Splunk: what is in doubt is sent again there, and meets itself`)
  }
  const said = (who: Command['who'], reason: string) => ({ reason, byWhom: who.id, at: now().getTime() * 1000 })
  const filterOf = ({ ledger, ...rest }: LetterChoice): DeadLetterFilter => {
    if (rest.destination !== undefined) find(rest.destination)
    return { ...rest, org: deps.org, ledger: ledger === undefined ? undefined : ledgerOf(ledger) }
  }
  const visible = (name: string): number => {
    const settings = destinations.get(name)?.settings
    return settings === undefined ? defaultLagMs : visibleAfterMs(settings)
  }
  const deciding = (who: Command['who'], command: Command['command'], choice: LetterChoice, reason: string) => ({
    db,
    visibleAfterMs: visible,
    isServed: ({ destination, ledger }: Lane) => {
      const settings = destinations.get(destination)?.settings
      return settings !== undefined && selectOf(settings, ledger) !== undefined
    },
    record: (target: string, letters: number) =>
      recordCommand({ who, command, target, reason, detail: { of: choice.ledger, letter_kind: choice.kind, letters } }),
  })

  return {
    retry: (who, choice, reason) =>
      retryDeadLetters(deciding(who, 'dead_letters.retry', choice, reason), filterOf(choice), said(who, reason)),
    discard: (who, choice, reason) =>
      discardDeadLetters(deciding(who, 'dead_letters.discard', choice, reason), filterOf(choice), said(who, reason)),

    async redeliver(who, name, asked, reason) {
      const by = said(who, reason)
      const command = { who, command: 'destination.redeliver', target: name, reason } as const
      if (!('from' in asked)) {
        const lanes = lanesOf(name, asked.ledger)
        await recordCommand({ ...command, detail: { of: asked.ledger, missing: true } })
        const all = {
          orders: [] as { ledger: LedgerName; n: number; first: number; last: number }[],
          records: 0,
          left: 0,
        }
        for (const lane of lanes) {
          const { orders, records, left } = await orderMissing(db, lane, visible, by)
          all.orders.push(...orders.map(({ n, first, end }) => ({ ledger: lane.ledger, n, first, last: end - 1 })))
          all.records += records
          all.left += left
        }
        return all
      }
      const [lane] = lanesOf(name, asked.ledger)
      if (lane === undefined) throw new Problem('request_invalid', `nothing of ${asked.ledger} goes to ${name}`)
      const { ledger } = lane
      const stretch = await readStretch(reader, ledger, asked.from, asked.to)
      await recordCommand({ ...command, detail: { of: ledger, first: stretch.first, last: stretch.end - 1 } })
      const { n, first, end } = await orderStretch(db, lane, stretch, by)
      return { orders: [{ ledger, n, first, last: end - 1 }], records: end - first, left: 0 }
    },

    async lookup(name) {
      const { indexes, event_form: eventForm } = splunkOf(name)
      const searches: LookupSearch[] = []
      for (const lane of lanesOf(name)) {
        const seqs = seqsOf(await findUnresolved(db, lane, now()))
        const index = splunkIndex({ publicHost: deps.publicHost, indexes, eventForm }, lane.ledger)
        for (const { first, last } of spansOf(seqs)) {
          const [from, to] = await Promise.all([timeOf(lane.ledger, first), timeOf(lane.ledger, last)])
          const span = { ledger: lane.ledger, first, last }
          const records = seqs.filter((seq) => seq >= first && seq <= last).length
          searches.push({ ...span, records, from: printTime(from), to: printTime(to), search: printLookup(index, { ...span, from, to }) }) // oxfmt-ignore
        }
      }
      return searches
    },

    async settle(who, name, csv, { complete, reason }) {
      const settings = splunkOf(name)
      // All of it is read before anything counts: an export that breaks off settles nothing.
      const found = await readExport(csv)
      if (complete && found.searched.length === 0)
        throw new Problem('request_invalid', 'no search in the export came to its end: the last line of a search of `destinations lookup` is missing') // oxfmt-ignore
      const detail = { rows: found.rows, complete, searches: found.searched.length }
      await recordCommand({ who, command: 'destination.settle', target: name, reason, detail })
      const ledgers: (Settled & { ledger: LedgerName })[] = []
      const settling = { db, reader, now, metrics: deps.metrics, lagMs: settings.search?.lag_ms ?? defaultLagMs }
      for (const lane of lanesOf(name))
        ledgers.push({ ledger: lane.ledger, ...(await settleLane(settling, lane, found, complete, said(who, reason))) })
      return { rows: found.rows, ledgers }
    },

    async estimate(name, days) {
      const { destination, settings } = find(name)
      const found: Estimate[] = []
      for (const ledger of deps.ledgers) {
        const one = await estimateLedger({ reader, destination, settings, now }, ledger, days)
        if (one !== undefined) found.push(one)
      }
      return { keeps: settings.keeps, ledgers: found }
    },

    async moved(who, name, reason) {
      const { settings, destination } = find(name)
      // One that does not tell its name is taken by its address, and its name when it tells it.
      const here = { address: addressOf(settings.url), cluster: await destination.cluster(AbortSignal.timeout(10_000)) }
      await recordCommand({ who, command: 'destination.moved', target: name, reason, detail: here })
      let changed = false
      for (const lane of lanesOf(name))
        changed = (await insertBinding(db, lane, { ...here, ...said(who, reason) }, 'bound')) || changed
      return { ...here, cluster: here.cluster ?? null, changed }
    },
  }

  async function timeOf(ledger: LedgerName, seq: number): Promise<number> {
    const [record] = (await reader.readBatch(ledger, seq, { maxRecords: 1 })).records
    if (record === undefined) throw new Error(`record ${seq} is no longer in ${ledger}`)
    return record.recordedAt
  }
}
