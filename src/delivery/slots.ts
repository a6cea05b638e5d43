/** How many requests are on their way at once. A destination that answers "nearly full" halves it for a minute. */
export interface Slots {
  /** Resolves with the function that gives the slot back, in the order of asking; rejects when `signal` aborts. */
  take(signal: AbortSignal): Promise<() => void>
  slowDown(): void
}

const slowMs = 60_000

export function createSlots(limit: number, monotonicMs: () => number): Slots {
  let used = 0
  let slowUntilMs = -Infinity
  /** A queue, and each release wakes one: ten thousand attempts may wait for a look, and waking all of them for each costs a minute. */
  const waiting = new Set<() => void>()
  const most = (): number => (monotonicMs() < slowUntilMs ? Math.max(1, Math.floor(limit / 2)) : limit)

  function occupy(): () => void {
    used++
    let given = false
    return () => {
      if (given) return
      given = true
      used--
      admit()
    }
  }

  function admit(): void {
    for (const next of waiting) {
      if (used >= most()) return
      next()
    }
  }

  return {
    take(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error)
        if (used < most()) return resolve(occupy())
        const leave = (): void => {
          waiting.delete(next)
          signal.removeEventListener('abort', onAbort)
        }
        const next = (): void => {
          leave()
          resolve(occupy())
        }
        const onAbort = (): void => {
          leave()
          reject(signal.reason as Error)
        }
        signal.addEventListener('abort', onAbort, { once: true })
        waiting.add(next)
      })
    },
    slowDown() {
      slowUntilMs = monotonicMs() + slowMs
      // Nobody may give anything back by then.
      setTimeout(admit, slowMs + 1).unref()
    },
  }
}
