/** How many requests are on their way at once. A destination that answers "nearly full" halves it for a minute. */
export interface Slots {
  /** Resolves with the function that gives the slot back, in the order of asking; rejects when `signal` aborts. */
  take(signal: AbortSignal): Promise<() => void>
  slowDown(): void
}

const slowMs = 60_000

/**
 * Whoever gives a slot back hands it to the one that waits longest, and counts it as taken before anybody runs: were all woken to look for
 * themselves, all would find the same slot free, and thousands that waited out an outage would be rendered and sent at once.
 */
export function createSlots(limit: number, monotonicMs: () => number): Slots {
  let used = 0
  let slowUntilMs = -Infinity
  const waiting = new Set<() => void>()
  const most = (): number => (monotonicMs() < slowUntilMs ? Math.max(1, Math.floor(limit / 2)) : limit)

  function handOut(): void {
    for (const go of waiting) {
      if (used >= most()) return
      used++
      waiting.delete(go)
      go()
    }
  }

  return {
    async take(signal) {
      signal.throwIfAborted()
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => {
          waiting.delete(go)
          reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
        }
        const go = (): void => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        }
        signal.addEventListener('abort', onAbort, { once: true })
        waiting.add(go)
        handOut()
      })
      let given = false
      return () => {
        if (given) return
        given = true
        used--
        handOut()
      }
    },
    slowDown() {
      slowUntilMs = monotonicMs() + slowMs
    },
  }
}
