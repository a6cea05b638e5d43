import { hash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { addressOf, currentBinding, describeMove, judgeBinding, readHere } from '../delivery/bindings.ts'
import type { Lane } from '../delivery/lane.ts'
import type { DestinationSettings } from '../delivery/settings.ts'
import { deliveryStatus, type LaneStatus } from '../delivery/status.ts'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { type LedgerName, orgOf, printTime } from '../record/record.ts'
import { digestList, printPayload } from '../record/run.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type DifferenceKind, type DifferenceStep, findDifferences, insertDifferences, keepComparison, provedToAt, type StandingDifference } from './comparison-store.ts' // oxfmt-ignore
import { type Findings, reconcile, type ReconcileDeps, sampleOf } from './reconcile.ts'
import { noneUnlisted } from './unlisted.ts'

/** Comparing as the service does it: every lane of a destination, again and again, with what it finds on record. */

export interface ReconciliationDeps extends Omit<ReconcileDeps, 'select'> {
  name: string
  settings: DestinationSettings
  /** What of a ledger goes there; undefined for nothing, whatever went there once: nobody waits for more of it. */
  selects: (ledger: LedgerName) => ReconcileDeps['select'] | undefined
  operations: Book
  log: Logger
  /** Records of each lane that are read back each time. */
  sample: number
}

/** One lane, as routes and the command line tell it. */
export interface Reconciled {
  destination: string
  ledger: string
  at: string
  /** `same`; `differs`, with open differences; `unknown`, when the destination could not be asked. */
  verdict: 'same' | 'differs' | 'unknown'
  reason?: string
  from: number
  to: number
  records: number
  missing: number
  duplicated: number
  altered: number
  foreign: number
  /** Differences that a person disposed of; they do not count above. */
  discarded: number
  /** Parked records that turned out to be there. */
  found: number
  sampled: number
  first: { kind: DifferenceKind; id: string; detail: string }[]
}

const shown = 20

/** Compares every lane of the destination now. Never rejects but on abort and on errors of our own database. */
export async function reconcileDestination(
  deps: ReconciliationDeps,
  round: number,
  signal: AbortSignal,
): Promise<Reconciled[]> {
  const lanes = (await deliveryStatus(deps.db, orgOf(deps.operations.ledger), deps.now())).filter(({ destination }) => destination === deps.name) // oxfmt-ignore
  const all: Reconciled[] = []
  for (const lane of lanes) {
    const select = deps.selects(lane.ledger)
    if (select !== undefined) all.push(await reconcileLane(deps, lane, select, round, signal))
  }
  return all
}

async function reconcileLane(
  deps: ReconciliationDeps,
  status: LaneStatus,
  select: ReconcileDeps['select'],
  round: number,
  signal: AbortSignal,
): Promise<Reconciled> {
  const { db, log, now } = deps
  const lane: Lane = { ledger: status.ledger, destination: status.destination }
  const at = now().getTime() * 1000
  const before = await findDifferences(db, lane)
  const bound = await currentBinding(db, lane)
  const here = await readHere(addressOf(deps.settings.url), bound, () => deps.destination.cluster(signal))
  if (bound !== undefined && judgeBinding(bound, here) === 'elsewhere')
    // Another SIEM has none of it, and that is no difference.
    return { ...summary(lane, at, empty, before), verdict: 'unknown', reason: describeMove(lane.destination, bound, here) } // oxfmt-ignore
  const span = await spanToCompare(deps, lane, status, at)
  if (span.to === span.from) {
    // Nothing is no comparison: it is neither put on record nor takes the place of an earlier result.
    const result = summary(lane, at, { ...empty, ...span }, before)
    if (status.next <= span.from) return result // and nothing should be there
    return { ...result, verdict: 'unknown', reason: 'nothing was settled so long ago that it must be visible there' }
  }
  const sample = sampleOf(span, deps.sample, round, before)
  let findings: Findings
  try {
    findings = await reconcile(
      { ...deps, select },
      lane,
      { ...span, sample, visible: at - visibleAfterMs(deps.settings) * 1000 },
      signal,
    )
  } catch (error) {
    signal.throwIfAborted()
    const reason = error instanceof Error ? error.message : String(error)
    log.warn('reconciliation.unanswered', { ...lane, reason })
    const unknown = { ...summary(lane, at, { ...empty, ...span }, before), verdict: 'unknown' as const, reason }
    await keepComparison(db, lane, at, unknown)
    return unknown
  }
  const steps = stepDifferences(before, findings)
  await insertDifferences(db, lane, steps, 'reconciliation', at)
  const after = await findDifferences(db, lane)
  const result = summary(lane, at, findings, after)
  await putOnRecord(deps, result, steps.length > 0)
  await keepComparison(db, lane, at, result, findings.unlisted)
  if (result.verdict === 'differs' && steps.length > 0)
    log.error('reconciliation.differs', { ...lane, ...countsOf(after) })
  return result
}

const empty: Findings = {
  from: 0, to: 0, records: 0, checkSum: 0, counts: { missing: 0, duplicated: 0, altered: 0, foreign: 0 }, differences: [], unlisted: noneUnlisted(), found: 0, sampled: [],
} // oxfmt-ignore

/**
 * What can be compared: from where the lane began, or from what the destination still keeps, up to what was settled so long ago that it must
 * be visible there by now.
 */
async function spanToCompare(
  { db, reader, settings }: ReconciliationDeps,
  lane: Lane,
  status: LaneStatus,
  at: number,
): Promise<{ from: number; to: number }> {
  const days = settings.keeps === undefined ? undefined : Number.parseInt(settings.keeps, 10)
  const kept = days === undefined ? 0 : await reader.seqAt(lane.ledger, at - (days - 1) * 86_400_000_000)
  const to = (await provedToAt(db, lane, at - visibleAfterMs(settings) * 1000)) ?? status.start
  // What has expired here cannot be compared, however long it is kept there.
  const earliest = await reader.earliest(lane.ledger)
  return { from: Math.min(Math.max(status.start, kept, earliest), to), to }
}

/** Whether it can be compared at all: a Splunk is asked by search. */
export function isAskable(settings: ReconciliationDeps['settings']): boolean {
  return settings.type !== 'splunk' || settings.search !== undefined
}

/** How long a settled record may take until a search finds it. */
export function visibleAfterMs(settings: ReconciliationDeps['settings']): number {
  return settings.type === 'splunk' ? (settings.search?.lag_ms ?? 0) : settings.visible_after_ms
}

/** Pure. What is new and what is over: a difference that was not seen again is gone, unless it lies outside of what was compared. */
export function stepDifferences(
  before: readonly StandingDifference[],
  { from, to, differences, counts, sampled }: Pick<Findings, 'from' | 'to' | 'differences' | 'counts' | 'sampled'>,
): DifferenceStep[] {
  const keyOf = ({ kind, id }: { kind: string; id: string }): string => `${kind} ${id}`
  const known = new Map(before.map((difference) => [keyOf(difference), difference]))
  const seen = new Set(differences.map(keyOf))
  const steps: DifferenceStep[] = []
  for (const difference of differences) {
    const standing = known.get(keyOf(difference))
    if (standing === undefined) steps.push({ ...difference, state: 'found' })
  }
  for (const standing of before) {
    if (seen.has(keyOf(standing))) continue
    const wasCompared = standing.kind === 'altered' ? sampled.includes(standing.seq) : standing.seq === -1 || (standing.seq >= from && standing.seq < to) // oxfmt-ignore
    // Not all were listed: what is not in the list may still be there.
    const isCut = counts[standing.kind] > differences.filter(({ kind }) => kind === standing.kind).length
    if (wasCompared && !isCut && standing.state === 'found') steps.push({ ...standing, state: 'gone' })
  }
  return steps
}

function countsOf(standing: readonly StandingDifference[]): Record<DifferenceKind, number> {
  const counts = { missing: 0, duplicated: 0, altered: 0, foreign: 0 }
  for (const { kind, state } of standing) if (state === 'found') counts[kind]++
  return counts
}

function summary(
  { ledger, destination }: Lane,
  at: number,
  findings: Findings,
  standing: readonly StandingDifference[],
): Reconciled {
  const counts = countsOf(standing)
  const open = standing.filter(({ state }) => state === 'found')
  // More than are listed: what was counted is the better number.
  for (const kind of Object.keys(counts) as DifferenceKind[]) counts[kind] = Math.max(counts[kind], findings.counts[kind] > findings.differences.filter((d) => d.kind === kind).length ? findings.counts[kind] : 0) // oxfmt-ignore
  return {
    destination,
    ledger,
    at: printTime(at),
    verdict: open.length === 0 ? 'same' : 'differs',
    from: findings.from,
    to: findings.to,
    records: findings.records,
    ...counts,
    discarded: standing.length - open.length,
    found: findings.found,
    sampled: findings.sampled.length,
    // What foreigners put under our ledger's name can be of any length.
    first: open.slice(0, shown).map(({ kind, id, detail }) => ({ kind, id: id.slice(0, 128), detail })),
  }
}

/** A `reconciliation` record when the result changed, and once a day. */
async function putOnRecord({ operations }: ReconciliationDeps, result: Reconciled, hasChanged: boolean): Promise<void> {
  const { destination, ledger: of, at, first, ...rest } = result
  const what = hash('sha256', JSON.stringify([first, rest.missing, rest.duplicated, rest.altered, rest.foreign]), 'hex')
  const key = `reconciliation:${destination}/${of}/${hasChanged ? randomUUID() : `${at.slice(0, 10)}/${what}`}`
  const payload = printPayload('reconciliation', operations.ledger, {
    destination,
    of,
    compared_at: at,
    ...rest,
    first: digestList(first, 2_048).first,
  })
  const digest = hash('sha256', key, 'buffer')
  await operations.appender.submit([{ key, digest, firstWins: true, conflict: 'internal', segments: [packSegment('reconciliation', [payload])] }]) // oxfmt-ignore
}

/** Compares at start and every `everyMs`, until the signal aborts. For one process at a time. */
export async function runReconciliation(deps: ReconciliationDeps, everyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // The round comes from the clock: a restart goes on where the sample was, and two processes read the same.
    const round = Math.floor(deps.now().getTime() / everyMs)
    await reconcileDestination(deps, round, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
  }
}
