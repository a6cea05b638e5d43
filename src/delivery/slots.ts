import { sleep } from './gate.ts'

/** How many requests are on their way at once. A destination that answers "nearly full" halves it for a minute. */
export interface Slots {
  /** Resolves with the function that gives the slot back; rejects when `signal` aborts. */
  take(signal: AbortSignal): Promise<() => void>
  /** Resolves as soon as a slot is free, without taking it. */
  waitForRoom(signal: AbortSignal): Promise<void>
  slowDown(): void
}

const slowMs = 60_000

export function createSlots(limit: number, monotonicMs: () => number): Slots {
  let used = 0
  let slowUntilMs = -Infinity
  let freed = Promise.withResolvers<void>()
  const most = (): number => (monotonicMs() < slowUntilMs ? Math.max(1, Math.floor(limit / 2)) : limit)

  async function waitForRoom(signal: AbortSignal): Promise<void> {
    while (used >= most()) await sleep(1_000, freed.promise, signal)
  }

  return {
    waitForRoom,
    async take(signal) {
      await waitForRoom(signal)
      used++
      let given = false
      return () => {
        if (given) return
        given = true
        used--
        freed.resolve()
        freed = Promise.withResolvers<void>()
      }
    },
    slowDown() {
      slowUntilMs = monotonicMs() + slowMs
    },
  }
}
