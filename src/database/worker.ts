import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Database } from './database.ts'

export interface WorkerDeps {
  /** Whose worker it is. Services of other orgs on the same database have workers of the same names, which run beside it. */
  org: string
  db: Database
  log: Logger
  /** Ends the worker for good. */
  signal: AbortSignal
  metrics?: Metrics
  /** How often a process that is not the one looks whether it may be. Default 3,000. */
  standbyMs?: number
  /** First pause after an error; doubles up to 30 s, with jitter. Default 250. */
  backOffMs?: number
}

const maxBackOffMs = 30_000
/** A run that held out so long starts again without the pauses of the errors before. */
const healthyMs = 60_000

/**
 * Runs `run` in at most one process of the org at a time, and again after an error. Which process is chosen by an advisory lock on a session of its
 * own that a frozen holder loses after 15 s; a holder that thaws may still act for a moment before it hears of that, so correctness must
 * never rest on it (primary keys decide). `run` must end soon after its signal aborts: on the worker's end, or when the lock was lost.
 * Resolves when the signal aborted and `run` ended, or when `run` ended of itself. Never rejects: errors are logged and counted.
 */
export async function runWorker(
  name: string,
  run: (signal: AbortSignal) => Promise<void>,
  deps: WorkerDeps,
): Promise<void> {
  const { log, signal, metrics, standbyMs = 3_000, backOffMs = 250 } = deps
  let failures = 0
  while (!signal.aborted) {
    const startedAt = performance.now()
    try {
      const outcome = await runOnce(name, run, deps)
      if (outcome === 'finished') break
      failures = 0
      if (outcome === 'taken') {
        metrics?.workerState(name, 'standby')
        await pause(jitter(standbyMs), signal)
      }
    } catch (error) {
      if (signal.aborted) break
      failures = performance.now() - startedAt > healthyMs ? 1 : failures + 1
      const pauseMs = jitter(Math.min(backOffMs * 2 ** (failures - 1), maxBackOffMs))
      metrics?.workerFailed(name)
      metrics?.workerState(name, 'backing_off')
      log.error('worker.failed', { worker: name, failures, pauseMs: Math.round(pauseMs), error })
      await pause(pauseMs, signal)
    }
  }
  metrics?.workerState(name, 'ended')
}

type Outcome = 'finished' | 'taken' | 'lost'

async function runOnce(name: string, run: (signal: AbortSignal) => Promise<void>, deps: WorkerDeps): Promise<Outcome> {
  const { org, db, log, signal, metrics } = deps
  const key = `proofline.worker.${org}/${name}`
  // Asked through the pool first, for one statement: waiting processes need no connection each. A positive answer is only a hint.
  const peek = await db.query<{ free: boolean }>({
    name: 'peek_worker_lock',
    text: 'select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as free',
    values: [key],
    repeatable: true,
  })
  if (peek.rows[0]?.free !== true || signal.aborted) return 'taken'

  const session = await db.session()
  try {
    const { rows } = await session.query<{ got: boolean }>({
      text: 'select pg_try_advisory_lock(hashtextextended($1, 0)) as got',
      values: [key],
    })
    if (rows[0]?.got !== true) return 'taken'
    metrics?.workerState(name, 'running')
    log.info('worker.started', { worker: name })
    await run(AbortSignal.any([signal, session.lost]))
    if (!session.lost.aborted || signal.aborted) return 'finished'
    log.warn('worker.lost', { worker: name, error: session.lost.reason })
    return 'lost'
  } catch (error) {
    if (!session.lost.aborted || signal.aborted) throw error
    // What breaks because the lock is gone is no failure of the work.
    log.warn('worker.lost', { worker: name, error: session.lost.reason })
    return 'lost'
  } finally {
    await session.release()
    log.info('worker.ended', { worker: name })
  }
}

const jitter = (ms: number): number => ms * (0.5 + Math.random())

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
