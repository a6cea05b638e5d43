import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../database/database.ts'
import type { Destination } from '../delivery/destination.ts'
import { durationMs } from '../delivery/duration.ts'
import type { Lane } from '../delivery/lane.ts'
import type { DestinationSettings } from '../delivery/settings.ts'
import { deliveryStatus, laneStatus, type LaneStatus } from '../delivery/status.ts'
import type { Book } from '../ledger/book.ts'
import type { Reader } from '../ledger/read.ts'
import { packSegment } from '../ledger/segments.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, orgOf, printTime } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { RecordCommand } from './commands.ts'
import { provedToAt } from './comparison-store.ts'
import { type DrillMeasure, nextOfDrill, type PausedMeasure, printMeasure, scheduledAt, verdictOf } from './drill.ts'
import { drillKey, type DrillRow, type DrillStepRow, drillsByDestination, insertDrill, insertDrillStep, lanesByDrill, newestDoubtful, openDrills, unrecordedDrillSteps } from './drill-store.ts' // oxfmt-ignore
import { measureDrill } from './measure-drill.ts'
import { visibleAfterMs } from './run-reconciliation.ts'

/**
 * Drills: a lane is held for a while, what is missing there is measured, it is let go, and the same measure has to be equal again. Each step
 * is a row before its record is written, so any process goes on where another one ended; the hold itself ends by time.
 */

export interface DrillDeps {
  db: Queryable
  reader: Reader
  operations: Book
  destinations: ReadonlyMap<string, { destination: Destination; settings: DestinationSettings }>
  selects: (settings: DestinationSettings, ledger: LedgerName) => DestinationSettings['select'] | undefined
  recordCommand: RecordCommand
  now: () => Date
  log: Logger
}

/** How long measuring may take before the lane goes on unmeasured. */
const graceMs = 300_000
/** What was recorded before is measured so far back: comparisons see to the rest. */
const lookBack = 16_384

/** Looks every `everyMs`, until the signal aborts. For one process at a time, though two do no harm. */
export async function runDrills(deps: DrillDeps, everyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await beginDue(deps)
    for (const drill of await openDrills(deps.db, orgOf(deps.operations.ledger))) {
      await advance(deps, drill, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
    }
    await putOnRecord(deps)
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
  }
}

/**
 * Begins one. A lane that a person paused, that is blocked, or of which a drill is under way is left alone: Problem destination_not_running.
 * To be called after the command is on record.
 */
export async function beginDrill(
  { db, destinations, now, log }: Pick<DrillDeps, 'db' | 'destinations' | 'now' | 'log'>,
  { destination, ledger }: Lane,
  { forMs, reason, byWhom }: { forMs: number; reason: string; byWhom: string },
): Promise<DrillRow> {
  const status = await laneStatus(db, { destination, ledger }, now())
  if (status === undefined || !destinations.has(destination))
    throw new Problem('not_found', `${destination} does not get ${ledger}`)
  const refuse = (why: string) => new Problem('destination_not_running', `${destination} ${ledger}: ${why}`)
  if (status.state !== 'running') throw refuse(`${status.state} (${status.reason ?? ''}: ${status.detail})`)
  const drill = await insertDrill(db, { destination, ledger }, { forMicros: forMs * 1000, graceMicros: graceMs * 1000, reason: reason.slice(0, 256), byWhom }) // oxfmt-ignore
  if (drill === undefined) throw refuse('paused, or another drill of it is under way')
  log.warn('drill.started', { destination, ledger, drill: drill.n, reason })
  return drill
}

/** One drill a destination, where its settings ask for it and the time has come. */
async function beginDue(deps: DrillDeps): Promise<void> {
  const { db, destinations, now, recordCommand, log } = deps
  const org = orgOf(deps.operations.ledger)
  for (const drills of await drillsByDestination(db, org)) {
    const { destination } = drills
    const settings = destinations.get(destination)?.settings
    if (settings?.drill.every === undefined || drills.isOpen) continue
    if (now().getTime() * 1000 < scheduledAt(durationMs(settings.drill.every) * 1000, drills)) continue
    const states = await deliveryStatus(db, org, now())
    const running = new Set(states.filter((lane) => lane.destination === destination && lane.state === 'running').map(({ ledger }) => ledger)) // oxfmt-ignore
    const ledger = (await lanesByDrill(db, org, destination)).find((one) => running.has(one) && deps.selects(settings, one) !== undefined) // oxfmt-ignore
    if (ledger === undefined) continue // paused or blocked: `drill_due` tells it if that goes on
    const reason = `every ${settings.drill.every}`
    try {
      await recordCommand({ who: { id: 'proofline', method: 'schedule' }, command: 'destination.drill', target: destination, reason }) // oxfmt-ignore
      await beginDrill(deps, { destination, ledger }, { forMs: durationMs(settings.drill.for), reason, byWhom: 'proofline' }) // oxfmt-ignore
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      log.warn('drill.put_off', { destination, ledger, reason: error.message })
    }
  }
}

async function advance(deps: DrillDeps, drill: DrillRow, signal: AbortSignal): Promise<void> {
  const { db, destinations, now, log } = deps
  const { ledger, destination } = drill
  const found = destinations.get(destination)
  const lane = await laneStatus(db, { destination, ledger }, now())
  const end = async (verdict: 'held' | 'not_held' | 'inconclusive', reason: string, result: object): Promise<void> => {
    if (!(await insertDrillStep(db, drill, { step: 'ended', verdict, result: { ...result, reason } }))) return
    log[verdict === 'held' ? 'info' : 'error']('drill.ended', { destination, ledger, drill: drill.n, verdict, reason })
  }
  if (found === undefined || lane === undefined) return end('inconclusive', 'the destination is configured no more', {})
  const { settings } = found
  const measured =
    drill.measuredAt === null ? undefined : { at: drill.measuredAt, paused: drill.paused as PausedMeasure } // written below
  const closeWithin = (settings.freshness_ms + visibleAfterMs(settings)) * 1000
  const at = now().getTime() * 1000
  const next = nextOfDrill({ ...drill, measured, closeWithin }, lane, at)
  switch (next.kind) {
    case 'wait':
      return
    case 'end':
      return end(next.verdict, next.reason, {})
    case 'measure': {
      const paused = await measurePaused(deps, found, lane, at, signal)
      // With this row the lane goes on.
      await insertDrillStep(db, drill, { step: 'measured', result: paused })
      log.info('drill.measured', { destination, ledger, drill: drill.n, boundary: paused.boundary, to: paused.to })
      return
    }
    case 'compare': {
      if (measured === undefined) return
      const { from, boundary, to } = measured.paused
      const spans = { before: { from, to: boundary }, meanwhile: { from: boundary, to } }
      const afterwards = await asked(
        () => measureDrill(measureDepsOf(deps, found, ledger), lane, spans, signal),
        signal,
      )
      const told = verdictOf(measured.paused, afterwards, next.isLast)
      if (told === undefined) return
      const isHeldUp = told.verdict === 'not_held' && lane.state === 'paused'
      const { verdict, reason } = isHeldUp ? { verdict: 'inconclusive' as const, reason: `it was paused meanwhile ${lane.reason ?? ''}` } : told // oxfmt-ignore
      await end(verdict, reason, { from, boundary, to, measure: afterwards })
    }
  }
}

async function measurePaused(
  deps: DrillDeps,
  found: { destination: Destination; settings: DestinationSettings },
  lane: LaneStatus,
  at: number,
  signal: AbortSignal,
): Promise<PausedMeasure> {
  const { db, reader } = deps
  const to = Math.max(lane.next, (await reader.published(lane.ledger))?.size ?? 0)
  const { settings } = found
  const days = settings.keeps === undefined ? undefined : Number.parseInt(settings.keeps, 10)
  const kept = days === undefined ? 0 : await reader.seqAt(lane.ledger, at - (days - 1) * 86_400_000_000)
  const doubtful = await newestDoubtful(db, lane, lane.next)
  const from = Math.min(lane.next, Math.max(lane.start, kept, lane.next - lookBack, doubtful + 1))
  // What was settled a moment ago may not be visible there yet; afterwards it has to be.
  const settled = Math.max(from, (await provedToAt(db, lane, at - visibleAfterMs(settings) * 1000)) ?? from)
  const spans = { before: { from, to: settled }, meanwhile: { from: lane.next, to } }
  const measure = await asked(() => measureDrill(measureDepsOf(deps, found, lane.ledger), lane, spans, signal), signal)
  return { from, boundary: lane.next, to, ...('reason' in measure ? measure : { measure }) }
}

const measureDepsOf = (
  { db, reader, selects }: DrillDeps,
  { destination, settings }: { destination: Destination; settings: DestinationSettings },
  ledger: LedgerName,
) => ({ db, reader, destination, select: selects(settings, ledger) ?? {} })

/** What was answered, or why nothing was. */
async function asked<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T | { reason: string }> {
  try {
    return await ask()
  } catch (error) {
    signal.throwIfAborted()
    return { reason: (error instanceof Error ? error.message : String(error)).slice(0, 256) }
  }
}

/** A `reconciliation` record for each step, under a key that makes the same step one record whoever writes it. */
async function putOnRecord({ db, operations, log }: DrillDeps): Promise<void> {
  if (operations.publisher.stopped() !== undefined) return
  for (const step of await unrecordedDrillSteps(db, operations.ledger)) {
    const key = drillKey(step)
    const payload = printPayload('reconciliation', operations.ledger, fieldsOf(step))
    const digest = hash('sha256', key, 'buffer')
    const segments = [packSegment('reconciliation', [payload])]
    await operations.appender
      .submit([{ key, digest, firstWins: true, conflict: 'internal', segments }])
      .catch((error: unknown) => log.error('drill.unrecorded', { key, error: String(error) })) // the next look finds it again
  }
}

function fieldsOf({
  destination,
  ledger,
  n,
  step,
  at,
  startedAt,
  reason,
  byWhom,
  verdict,
  result,
}: DrillStepRow): object {
  const { measure, ...rest } = result as { measure?: DrillMeasure | { reason: string } } // both are written above
  const shown = measure === undefined || 'reason' in measure ? measure : printMeasure(measure)
  const drill = { n, step, verdict: verdict ?? undefined, started_at: printTime(startedAt), by: byWhom, why: reason, ...rest, measure: shown } // oxfmt-ignore
  return { destination, of: ledger, compared_at: printTime(at), drill }
}
