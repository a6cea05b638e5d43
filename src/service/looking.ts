import { statfs } from 'node:fs/promises'
import type { Config } from '../config.ts'
import type { Database } from '../database/database.ts'
import type { Deliveries } from './deliveries.ts'
import { durationMs } from '../delivery/duration.ts'
import type { Lane } from '../delivery/lane.ts'
import { deliveryStatus } from '../delivery/status.ts'
import type { EvidenceWatch } from './evidence-watch.ts'
import type { Keeping } from './keeping.ts'
import type { ShownCertificate } from '../http/tls.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { type LedgerName, orgOf } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { alertCodes } from '../watch/alert-codes.ts'
import { openAlerts } from '../watch/alert-store.ts'
import type { Finding } from '../watch/alerts.ts'
import { drillsByDestination } from '../watch/drill-store.ts'
import { findProblems, type Known, type LaneKnown } from '../watch/findings.ts'
import { liveNodes } from '../watch/node-store.ts'
import { isAskable, type Reconciled } from '../watch/run-reconciliation.ts'
import { createSources, toldByKeepers, withCode } from '../watch/sources.ts'
import type { LedgersStatus } from '../watch/status.ts'

export interface LookDeps {
  config: Pick<Config, 'data_dir' | 'watch'>
  db: Database
  reader: Pick<LedgerReader, 'readBatch' | 'published'>
  operations: LedgerName
  destinations: Deliveries['destinations']
  readLedgers: () => Promise<LedgersStatus>
  comparisons: () => Promise<Reconciled[]>
  /** What is configured no more is waited for by nobody. */
  isWanted: (lane: Lane) => boolean
  evidence: EvidenceWatch
  keeping: Pick<Keeping, 'findings'>
  /** Of our own server, where it has one. */
  ownCertificate: () => ShownCertificate | undefined
  log: Pick<Logger, 'error'>
  metrics: Pick<Metrics, 'watched'>
  now: () => Date
}

/** Everything that is wrong now, from many sources: one that cannot be read silences no other, and closes no alert of its own. */
export async function lookAround(deps: LookDeps): Promise<Finding[]> {
  const { config, db, operations, destinations, metrics } = deps
  const { watch } = config
  const at = deps.now().getTime() * 1000
  const sources = createSources(db, operations, deps.log)
  const noStatus: Pick<LedgersStatus, 'ledgers' | 'partitions_ahead'> = { ledgers: [], partitions_ahead: Infinity }
  // What is late is told from both.
  const status = await sources.read('ledgers', withCode('rollback_detected', 'clock_step', 'recording_stopped', 'checkpoint_stale', 'partition_missing', 'destination_late'), deps.readLedgers, noStatus) // oxfmt-ignore
  const lanes = await sources.read('deliveries', withCode('destination_blocked', 'proof_weakened', 'destination_late', 'in_doubt_old', 'dead_letters'), () => readLanes(deps, status), []) // oxfmt-ignore
  const unread: Finding[] = []
  /** Not to be able to look is itself what is wrong. */
  const tell = (code: Finding['code'], subject: string, error: unknown): never => {
    unread.push({ code, subject, detail: `cannot be read: ${error instanceof Error ? error.message : String(error)}` })
    throw error
  }
  const own = deps.ownCertificate()
  if (own?.unread !== undefined)
    unread.push({
      code: 'certificate_expiring',
      subject: 'http',
      detail: `what replaces it cannot be used: ${own.unread}`,
    })
  const shown = await sources.read('certificates', withCode('certificate_expiring'), () => shownCertificates(destinations), []) // oxfmt-ignore
  const disks = await sources.read('disk', withCode('disk_low'), () => readDisk(config.data_dir).catch((error: unknown) => tell('disk_low', config.data_dir, error)), []) // oxfmt-ignore
  const compared = await sources.read('comparisons', ({ code }) => code.startsWith('reconciliation_'), deps.comparisons, []) // oxfmt-ignore
  const nodes = await sources.read('nodes', withCode('configuration_differs'), () => liveNodes(db, operations, watch.alerts_every_ms * 2_500), []) // oxfmt-ignore
  const drilled = await sources.read('drills', withCode('drill_due'), async () => (await drillsByDestination(db, orgOf(operations))).filter(({ destination }) => destinations.has(destination)), []) // oxfmt-ignore
  const due = drilled.flatMap(({ destination, begunAt, lastHeld }) => {
    const every = destinations.get(destination)?.settings.drill.every
    return every === undefined ? [] : [{ destination, everyMs: durationMs(every), since: lastHeld ?? begunAt }]
  })
  const certificates = [
    ...shown,
    ...(own === undefined ? [] : [{ subject: `http ${own.subject}`, expiresAt: own.expiresAt }]),
  ]
  metrics.watched({
    lanes,
    comparisons: compared.map((one) => ({ ...one, atMs: Date.parse(one.at) })),
    certificates,
    drills: drilled.map(({ destination, lastHeld }) => ({
      destination,
      heldMs: lastHeld === undefined ? undefined : lastHeld / 1000,
    })),
    openAlerts: (await openAlerts(db, operations)).length,
  })
  const asked = compared.map((one) => {
    const settings = destinations.get(one.destination)?.settings
    return { ...one, isAskable: settings !== undefined && isAskable(settings) }
  })
  const limits = { inDoubtMs: watch.in_doubt_ms, certificateDays: watch.certificate_days, diskFree: watch.disk_free }
  const { ledgers, partitions_ahead: partitionsAhead } = status
  const found = findProblems({ now: at, ledgers, lanes, comparisons: asked, certificates, disks, partitionsAhead, nodes, drills: due, limits }) // oxfmt-ignore
  const evidence = await sources.read('evidence', ({ code }) => alertCodes[code].owner === 'engineering', () => deps.evidence.findings(), []) // oxfmt-ignore
  const kept = await sources.read('keeping', withCode(...toldByKeepers), () => deps.keeping.findings(), [])
  return [...(await sources.standing()), ...unread, ...found, ...evidence, ...kept]
}

async function readLanes({ db, operations, reader, destinations, isWanted, now }: LookDeps, status: Pick<LedgersStatus, 'ledgers'>): Promise<LaneKnown[]> {
  const lanes: LaneKnown[] = []
  for (const lane of await deliveryStatus(db, orgOf(operations), now())) {
    const settings = destinations.get(lane.destination)?.settings
    if (settings === undefined || !isWanted(lane)) continue
    const open = status.ledgers.find(({ ledger }) => ledger === lane.ledger)
    // A ledger that was closed with a loss has no status any more, and is delivered to its end.
    const isClosed = open === undefined && status.ledgers.length > 0
    const published = open?.published ?? (isClosed ? (await reader.published(lane.ledger))?.size : undefined) ?? 0
    const next =
      lane.sentTo < published ? await reader.readBatch(lane.ledger, lane.sentTo, { maxRecords: 1 }) : undefined
    lanes.push({ ...lane, oldestUnsent: next?.records[0]?.recordedAt ?? null, freshnessMs: settings.freshness_ms })
  }
  return lanes
} // oxfmt-ignore

function shownCertificates(destinations: Deliveries['destinations']): Known['certificates'][number][] {
  return [...destinations].flatMap(([name, { destination }]) =>
    destination.certificates().map(({ subject, expiresAt }) => ({ subject: `${name} ${subject}`, expiresAt })),
  )
}

async function readDisk(path: string): Promise<Known['disks'][number][]> {
  const { bavail, blocks, bsize } = await statfs(path)
  return [{ path, freeBytes: bavail * bsize, totalBytes: blocks * bsize }]
}
