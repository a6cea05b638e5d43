import { sleep } from './gate.ts'
import type { OpenAttempt } from './open-attempt.ts'

/**
 * How many attempts may be open at once: all of it for whoever is alone, half of it each for tail and orders while both have something
 * to do. So an order for millions of records neither keeps new ones waiting nor waits for a backlog.
 */
export interface Room {
  /** Resolve when one more may be opened; reject when the signal aborts. */
  ofTail(signal: AbortSignal): Promise<void>
  ofOrders(signal: AbortSignal): Promise<void>
}

export function createRoom(open: ReadonlySet<OpenAttempt>, most: number, hasOrders: () => boolean): Room {
  const half = Math.max(1, Math.floor(most / 2))
  const ordered = (): number => {
    let n = 0
    for (const { row } of open) if (row.redelivery !== undefined) n++
    return n
  }
  return {
    async ofTail(signal) {
      // Counted only while there are orders: the tail asks for every cut.
      while (hasOrders() ? open.size - ordered() >= half : open.size >= most) await sleep(100, undefined, signal)
    },
    async ofOrders(signal) {
      while (ordered() >= half || open.size >= most) await sleep(100, undefined, signal)
    },
  }
}
