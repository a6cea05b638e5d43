import type { Artifacts } from '../objects/objects.ts'
import { Problem } from '../record/problem.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { OpenParts } from './open-parts.ts'
import type { Parts } from './parts.ts'
import type { RunsStore } from './runs-store.ts'

export interface FinishDeps {
  openParts: OpenParts
  artifacts: Artifacts
  runs: RunsStore
  parts: Parts
  log: Logger
  signal: AbortSignal
}

/** Parts that a crash left open are recorded to their end from their artifacts: the same path as an upload, so what is there joins. */
export async function finishOpenParts({ openParts, artifacts, runs, parts, log, signal }: FinishDeps): Promise<void> {
  for (const { part, close } of await openParts.left()) {
    if (signal.aborted) return
    try {
      const run = await runs.getRun(part.ledger, part.run)
      const body = await artifacts.open(part.sha256)
      if (body === undefined) throw new Error(`the artifact ${part.sha256} is gone`)
      const offered = { ledger: part.ledger, run: part.run, part: part.part, by: run.by }
      await parts.record(run, { ...part.parameters, name: part.part, encoding: 'identity', body }, offered)
      await close()
      log.info('part.finished', { run: part.run, part: part.part })
    } catch (error) {
      // A run that ended meanwhile takes no more; anything else is tried again at the next start, or by the client.
      if (error instanceof Problem && (error.code === 'run_sealed' || error.code === 'part_conflict')) await close()
      log.warn('part.left_open', { run: part.run, part: part.part, error: String(error) })
    }
  }
}
