import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import { newestCheckpoint } from './store.ts'

/**
 * How far each ledger is published, for everyone who waits at its head: woken at once by this process's own publisher, and by one shared
 * poll for what other nodes sign. Nothing here is needed for correctness; a missed wake-up costs at most one poll.
 */
export interface Watch {
  /** This process published up to `size`. */
  published(ledger: LedgerName, size: number): void
  /** Resolves when the ledger may have grown beyond `size`, after at most `timeoutMs`, or when the signal aborts. */
  grown(ledger: LedgerName, size: number, timeoutMs: number, signal: AbortSignal): Promise<void>
}

const pollMs = 250

export function createWatch(db: Queryable): Watch {
  const sizes = new Map<LedgerName, number>()
  const waiting = new Map<LedgerName, Set<() => void>>()
  let timer: NodeJS.Timeout | undefined

  const published = (ledger: LedgerName, size: number): void => {
    if (size <= (sizes.get(ledger) ?? 0)) return
    sizes.set(ledger, size)
    for (const wake of waiting.get(ledger) ?? []) wake()
  }

  const poll = async (): Promise<void> => {
    timer = undefined
    for (const [ledger, wakes] of waiting) {
      if (wakes.size === 0) continue
      const newest = await newestCheckpoint(db, ledger).catch(() => undefined) // the database being away is its callers' news
      if (newest !== undefined) published(ledger, newest.size)
    }
    arm()
  }
  const arm = (): void => {
    if (timer === undefined && [...waiting.values()].some((wakes) => wakes.size > 0))
      timer = setTimeout(() => void poll(), pollMs).unref()
  }

  return {
    published,
    grown(ledger, size, timeoutMs, signal) {
      if (signal.aborted || (sizes.get(ledger) ?? 0) > size) return Promise.resolve()
      return new Promise((resolve) => {
        const wakes = waiting.get(ledger) ?? new Set()
        waiting.set(ledger, wakes)
        const done = (): void => {
          wakes.delete(wake)
          clearTimeout(timeout)
          signal.removeEventListener('abort', done)
          resolve()
        }
        const wake = done
        const timeout = setTimeout(done, timeoutMs)
        signal.addEventListener('abort', done, { once: true })
        wakes.add(wake)
        arm()
      })
    },
  }
}
