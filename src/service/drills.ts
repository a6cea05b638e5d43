import type { DrillTold } from '../api/drills.ts'
import type { Deliveries } from './deliveries.ts'
import { durationMs } from '../delivery/duration.ts'
import { selectOf } from '../delivery/select.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, ledgerKindOf, orgOf, printTime } from '../record/record.ts'
import { type DrillRow, lanesByDrill, listDrills } from '../watch/drill-store.ts'
import { type DrillMeasure, type PausedMeasure, printMeasure } from '../watch/drill.ts'
import { beginDrill, type DrillDeps, runDrills } from '../watch/run-drills.ts'

/** Drills as the service has them: begun by a command or a schedule, taken to their end in one process at a time. */
export interface Drills {
  /** Throws Problem not_found, before `record` puts the command on record, and destination_not_running after it. */
  begin(destination: string, wanted: { ledger?: string | undefined; forS?: number | undefined; reason: string }, by: string, record: () => Promise<void>): Promise<DrillTold>
  list(destination: string | undefined, limit: number): Promise<DrillTold[]>
  run(everyMs: number, signal: AbortSignal): Promise<void>
} // oxfmt-ignore

export function createDrills(
  given: Omit<DrillDeps, 'destinations' | 'selects'> & {
    destinations: Deliveries['destinations']
    /** What is recorded in: where nothing grows any more there is nothing to measure. */
    ledgers: readonly LedgerName[]
  },
): Drills {
  const isOpen = (ledger: LedgerName): boolean => given.ledgers.includes(ledger)
  const deps: DrillDeps = { ...given, selects: (settings, ledger) => (isOpen(ledger) ? selectOf(settings, ledger) : undefined) } // oxfmt-ignore
  const { db, destinations } = deps
  const org = orgOf(deps.operations.ledger)
  return {
    async begin(destination, { ledger: kind, forS, reason }, by, record) {
      const settings = destinations.get(destination)?.settings
      if (settings === undefined) throw new Problem('not_found', `there is no destination ${destination}`)
      const lanes = await lanesByDrill(db, org, destination)
      const ledger = lanes.find((one) => isOpen(one) && (kind === undefined || ledgerKindOf(one) === kind))
      if (ledger === undefined) throw new Problem('not_found', `nothing of ${kind ?? 'any ledger'} was delivered to ${destination} yet`) // oxfmt-ignore
      await record()
      const forMs = forS === undefined ? durationMs(settings.drill.for) : forS * 1000
      return told(await beginDrill(deps, { destination, ledger }, { forMs, reason, byWhom: by }))
    },
    list: async (destination, limit) => (await listDrills(db, org, destination, limit)).map(told),
    run: (everyMs, signal) => runDrills(deps, everyMs, signal),
  }
}

function told(row: DrillRow): DrillTold {
  const { destination, ledger, n, startedAt, measureAt, holdUntil, reason: why, byWhom: by, verdict } = row
  const paused = (row.paused ?? undefined) as PausedMeasure | undefined // both written by run-drills
  const result = (row.result ?? undefined) as
    | { reason: string; measure?: DrillMeasure | { reason: string } }
    | undefined
  return {
    destination,
    ledger,
    n,
    state: row.endedAt !== null ? 'ended' : row.measuredAt !== null ? 'closing' : 'holding',
    started_at: printTime(startedAt),
    measure_at: printTime(measureAt),
    hold_until: printTime(holdUntil),
    why,
    by,
    verdict,
    reason: result?.reason ?? null,
    boundary: paused?.boundary ?? null,
    to: paused?.to ?? null,
    paused: shown(paused?.measure),
    resumed: shown(result?.measure),
  }
}

/** Null where nothing was measured. */
const shown = (measure: DrillMeasure | { reason: string } | undefined): Record<string, unknown> | null =>
  measure === undefined || 'reason' in measure ? null : { ...printMeasure(measure) }
