import type { Finding } from './alerts.ts'
import type { NodeRow } from './node-store.ts'
import type { Reconciled } from './run-reconciliation.ts'

/** What is wrong, from what the service knows of itself. Pure; times in microseconds. */

export interface Known {
  now: number
  ledgers: readonly {
    ledger: string
    recorded: number
    published: number
    stopped: { code: string; detail: string } | null
  }[]
  lanes: readonly LaneKnown[]
  comparisons: readonly Pick<
    Reconciled,
    'destination' | 'ledger' | 'at' | 'verdict' | 'missing' | 'duplicated' | 'altered' | 'foreign'
  >[]
  certificates: readonly { subject: string; expiresAt: number }[]
  disks: readonly { path: string; freeBytes: number; totalBytes: number }[]
  partitionsAhead: number
  /** Those that are alive. */
  nodes: readonly NodeRow[]
  /** Destinations that are to be drilled, and when one held last; else when they were first delivered to. */
  drills: readonly { destination: string; everyMs: number; since: number }[]
  limits: { inDoubtMs: number; certificateDays: number; diskFree: number }
}

export interface LaneKnown {
  destination: string
  ledger: string
  state: 'running' | 'paused' | 'blocked'
  reason: string | undefined
  detail: string
  inDoubt: number
  inDoubtSince: number | null
  parked: number
  /** recorded_at of the oldest published record that is not there; null when all is. */
  oldestUnsent: number | null
  /** Why it was not taken when it was tried last. */
  failure: { reason: string } | undefined
  freshnessMs: number
}

const dayMicros = 86_400_000_000
const fewestPartitionsAhead = 2

export function findProblems(known: Known): Finding[] {
  const findings: Finding[] = []
  const add = (code: Finding['code'], subject: string, detail: string, lookedAt?: string): void =>
    void findings.push({ code, subject, detail, ...(lookedAt === undefined ? {} : { lookedAt }) })
  const since = (at: number): string => `${Math.round((known.now - at) / 60_000_000)} min`

  for (const { ledger, recorded, published, stopped } of known.ledgers) {
    if (stopped?.code === 'rollback_detected') add('rollback_detected', ledger, stopped.detail)
    else if (stopped?.code === 'clock_step') add('clock_step', ledger, stopped.detail)
    else if (stopped !== null) add('recording_stopped', ledger, `${stopped.code}: ${stopped.detail}`)
    else if (recorded > published) add('checkpoint_stale', ledger, `${recorded - published} records are not signed`)
  }
  for (const lane of known.lanes) {
    const subject = `${lane.destination} ${lane.ledger}`
    if (lane.state === 'blocked') add('destination_blocked', subject, `${lane.reason ?? ''}: ${lane.detail}`)
    if (lane.state === 'running' && lane.reason === 'weaker_proof') add('proof_weakened', subject, lane.detail)
    // What an operator paused is late by his own word; what is blocked is told as that.
    if (
      lane.state === 'running' &&
      lane.oldestUnsent !== null &&
      known.now - lane.oldestUnsent > lane.freshnessMs * 1000
    )
      add('destination_late', subject, `the oldest record that is not there is ${since(lane.oldestUnsent)} old${lane.failure === undefined ? '' : `; tried last: ${lane.failure.reason}`}`) // oxfmt-ignore
    if (lane.inDoubtSince !== null && known.now - lane.inDoubtSince > known.limits.inDoubtMs * 1000)
      add('in_doubt_old', subject, `${lane.inDoubt} records, the oldest for ${since(lane.inDoubtSince)}`)
    if (lane.parked > 0) add('dead_letters', subject, `${lane.parked} records wait for a decision`)
  }
  for (const { destination, ledger, at, missing, duplicated, altered, foreign } of known.comparisons) {
    const subject = `${destination} ${ledger}`
    if (missing > 0) add('reconciliation_missing', subject, `${missing} records`, at)
    if (duplicated > 0) add('reconciliation_duplicated', subject, `${duplicated} records`, at)
    if (altered > 0) add('reconciliation_altered', subject, `${altered} records`, at)
    if (foreign > 0) add('reconciliation_foreign', subject, `${foreign} ids`, at)
  }
  for (const { subject, expiresAt } of known.certificates) {
    const days = Math.floor((expiresAt - known.now) / dayMicros)
    if (days < known.limits.certificateDays) add('certificate_expiring', subject, days < 0 ? 'has expired' : `${days} days left`) // oxfmt-ignore
  }
  for (const { path, freeBytes, totalBytes } of known.disks) {
    if (freeBytes < totalBytes * known.limits.diskFree) add('disk_low', path, `${Math.floor(freeBytes / 1_048_576)} MiB of ${Math.floor(totalBytes / 1_048_576)} are free`) // oxfmt-ignore
  }
  for (const { destination, everyMs, since: last } of known.drills) {
    if (known.now - last > everyMs * 1000) add('drill_due', destination, `no drill has held for ${Math.floor((known.now - last) / dayMicros)} days`) // oxfmt-ignore
  }
  const kinds = new Set(known.nodes.map(({ version, configuration }) => `${version} ${configuration}`))
  if (kinds.size > 1) {
    const each = known.nodes.map(
      ({ node, version, configuration }) => `${node}: ${version}, ${configuration.slice(0, 12)}`,
    )
    add('configuration_differs', 'nodes', each.join('; '))
  }
  if (known.partitionsAhead < fewestPartitionsAhead) add('partition_missing', 'segments', `${known.partitionsAhead} months ahead`) // oxfmt-ignore
  return findings
}
