import { setTimeout as sleep } from 'node:timers/promises'
import type { Artifacts } from '../objects/objects.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { LeftPart, OpenParts } from './open-parts.ts'
import { type Parts, isOver } from './parts.ts'
import type { Offered } from './submissions.ts'
import type { RunsStore } from './runs-store.ts'

export interface FinishDeps {
  openParts: OpenParts
  artifacts: Artifacts
  runs: RunsStore
  parts: Parts
  /** Of a ledger that was closed with a loss: nothing is recorded there any more. */
  isClosed: (ledger: LedgerName) => boolean
  log: Logger
  signal: AbortSignal
  /** Between two looks at what was left open. Default 15,000. */
  intervalMs?: number
}

/**
 * Parts that a crash or a failing database left open are recorded to their end from their artifacts: the same path as an upload, so what is
 * there joins. Looks at start and then now and again, until the signal aborts; never rejects.
 */
export async function finishOpenParts(deps: FinishDeps): Promise<void> {
  const { openParts, log, signal, intervalMs = 15_000 } = deps
  while (!signal.aborted) {
    const left = await openParts.left().catch((error: unknown) => {
      log.error('part.notes_unreadable', { error: String(error) })
      return []
    })
    for (const one of left) {
      if (signal.aborted) return
      await finish(one, deps)
    }
    await sleep(intervalMs, undefined, { signal, ref: false }).catch(() => {})
  }
}

async function finish({ part, close }: LeftPart, { artifacts, runs, parts, isClosed, log }: FinishDeps): Promise<void> {
  const named = { run: part.run, part: part.part }
  if (isClosed(part.ledger)) {
    await close()
    return log.warn('part.left_behind', { ...named, ledger: part.ledger })
  }
  try {
    const run = await runs.getRun(part.ledger, part.run)
    const body = await artifacts.open(part.sha256)
    if (body === undefined) throw new Error(`the artifact ${part.sha256} is gone`)
    const offered: Offered = { ledger: part.ledger, ...named, by: run.by }
    await parts
      .record(run, { ...part.parameters, name: part.part, by: part.by, body, isKept: true }, offered)
      .finally(() => body.destroy())
    await close()
    log.info('part.finished', named)
  } catch (error) {
    if (isOver(error)) await close() // anything else may pass
    log.warn('part.left_open', { ...named, error: String(error) })
  }
}
