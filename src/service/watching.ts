import { hash } from 'node:crypto'
import { type Config, withoutSecrets } from '../config.ts'
import type { Database } from '../database/database.ts'
import { runWorker } from '../database/worker.ts'
import type { Deliveries } from './deliveries.ts'
import { createDrills, type Drills } from './drills.ts'
import type { Lane } from '../delivery/lane.ts'
import { selectOf } from '../delivery/select.ts'
import type { EvidenceWatch } from './evidence-watch.ts'
import type { Keeping } from './keeping.ts'
import type { Book } from '../ledger/book.ts'
import type { ShownCertificate } from '../http/tls.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { lookAround } from './looking.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { listAlerts, openAlerts } from '../watch/alert-store.ts'
import type { Finding } from '../watch/alerts.ts'
import { listComparisons } from '../watch/comparison-store.ts'
import type { RecordCommand } from '../watch/commands.ts'
import { startPresence } from '../watch/presence.ts'
import { runHeartbeat } from '../watch/heartbeat.ts'
import { type AlertEvent, runAlerts, takeStep, toEvent } from '../watch/run-alerts.ts'
import { type Reconciled, reconcileDestination, runReconciliation } from '../watch/run-reconciliation.ts'
import type { LedgersStatus } from '../watch/status.ts'
import { openWebhook } from '../watch/webhook.ts'

/** Watching as the service does it: heartbeats, comparisons with every destination, alerts; each in one process at a time. */
export interface Watching {
  /** Compares now, after `record`. Throws Problem not_found for a name that is none, of which nothing goes on record. */
  reconcile(destination: string, record: () => Promise<void>, signal: AbortSignal): Promise<Reconciled[]>
  /** What the last comparisons found. */
  comparisons(): Promise<Reconciled[]>
  alerts(query: { all: boolean; limit: number }): Promise<AlertEvent[]>
  /** Somebody has seen it. Throws Problem not_found for an alert that is not open. */
  acknowledge(alert: string, reason: string, by: string): Promise<AlertEvent>
  drills: Drills
  /** After the signal aborted: resolves when every worker ended. */
  ended(): Promise<void>
}

export interface WatchingDeps {
  config: Config
  db: Database
  reader: LedgerReader
  ledgers: readonly LedgerName[]
  /** What ledgers that were closed had been signed to. */
  generationBefore: number
  operations: Book
  deliveries: Deliveries
  readLedgers: () => Promise<LedgersStatus>
  recordCommand: RecordCommand
  evidence: EvidenceWatch
  keeping: Keeping
  ownCertificate: () => ShownCertificate | undefined
  node: { node: string; host: string; version: string }
  log: Logger
  metrics: Metrics
  signal: AbortSignal
}

export async function startWatching(deps: WatchingDeps): Promise<Watching> {
  const { config, db, reader, ledgers, generationBefore, operations, deliveries, log, metrics, signal } = deps
  const { watch } = config
  const now = (): Date => new Date()
  const workers: Promise<void>[] = []
  const work = (name: string, run: (ending: AbortSignal) => Promise<void>): void =>
    void workers.push(runWorker(name, run, { org: config.org, db, log, metrics, signal }))

  work('heartbeat', (ending) =>
    runHeartbeat({ db, reader, ledgers, generationBefore, operations, now }, watch.heartbeat_every_ms, ending),
  )

  const reconciliationOf = (name: string) => {
    const found = deliveries.destinations.get(name)
    if (found === undefined) throw new Problem('not_found', `there is no destination ${name}`)
    const selects = (ledger: LedgerName) => selectOf(found.settings, ledger)
    return { ...found, name, db, reader, operations, now, log, selects, sample: watch.reconcile_sample }
  }
  for (const name of deliveries.destinations.keys())
    work(`reconciliation ${name}`, (ending) =>
      runReconciliation(reconciliationOf(name), watch.reconcile_every_ms, ending),
    )

  const { destinations } = deliveries
  const drills = createDrills({
    db,
    reader,
    ledgers,
    operations,
    destinations,
    recordCommand: deps.recordCommand,
    now,
    log,
  })
  work('drills', (ending) => drills.run(watch.drills_every_ms, ending))

  const webhook = watch.webhook === undefined ? undefined : await openWebhook(watch.webhook, signal)
  const alerting = { db, operations, now, log, ...(webhook === undefined ? {} : { tell: webhook.tell }) }
  /** What is configured no more, a whole destination or one of its ledgers, is waited for by nobody. */
  const isWanted = ({ destination, ledger }: Lane): boolean => {
    const settings = deliveries.destinations.get(destination)?.settings
    return settings !== undefined && selectOf(settings, ledger) !== undefined
  }
  const comparisons = async (): Promise<Reconciled[]> => {
    const wanted = (await listComparisons(db, config.org)).filter(isWanted)
    return wanted.map(({ result }) => result as Reconciled) // keepComparison wrote it
  }

  const presence = startPresence(db, operations.ledger, { ...deps.node, configuration: digestShared(config) }, watch.alerts_every_ms, log) // oxfmt-ignore

  const look = (): Promise<Finding[]> =>
    lookAround({ ...deps, operations: operations.ledger, destinations, comparisons, isWanted, now })
  work('alerts', (ending) =>
    runAlerts({ ...alerting, look }, watch.alerts_every_ms, ending).finally(() => metrics.watched(undefined)),
  )

  return {
    async reconcile(name, record, ending) {
      const found = reconciliationOf(name)
      await record()
      return reconcileDestination(found, now().getTime(), ending)
    },
    comparisons,
    drills,
    async alerts({ all, limit }) {
      return (await listAlerts(db, operations.ledger, all, limit)).map(toEvent)
    },
    async acknowledge(alert, reason, by) {
      const row = (await openAlerts(db, operations.ledger)).find((open) => open.alert === alert)
      if (row === undefined) throw new Problem('not_found', `no alert ${alert} is open`)
      // What is wrong stays in sight beside who takes care of it.
      const told = await takeStep(alerting, alert, 'acknowledged', { ...row, detail: `${row.detail} (${reason})` }, by)
      return told ?? toEvent(row) // somebody was faster
    },
    async ended() {
      await Promise.all([...workers, presence.stop()])
      await webhook?.close()
    },
  }
}

/** Of the settings that have to be the same on every node; not of where it listens, and what it reaches the database by. */
function digestShared(config: Config): string {
  const { org, public_host, log, intake, watch, artifacts, publish, archive, retention, destinations } =
    withoutSecrets(config)
  const shared = { org, public_host, log, intake, watch, artifacts, publish, archive, retention, destinations }
  return hash('sha256', JSON.stringify(shared), 'hex')
}
