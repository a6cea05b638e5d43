import type { GateState } from './gate.ts'
import type { DeliveryDeps, Lane } from './lane.ts'
import { insertStanding } from './places.ts'

/**
 * How a lane stands, in its table and in the log. One node of several behind a load balancer blocks and opens a lane for as long as it is
 * bad, and rows are for ever: a few changes are written as they come, then one a minute, and then what is so by then. Of what was
 * between nobody misses a row; after a crash the start writes that it runs.
 */
export interface Standings {
  /** At once, whatever was written before. */
  write(state: GateState): Promise<void>
  /** When it may be, which can be at a later `flush`. Resolves when what may be written by now is. */
  change(state: GateState): Promise<void>
  flush(): Promise<void>
}

interface StandingsDeps extends Pick<DeliveryDeps, 'db' | 'log' | 'now'> {
  lane: Lane
  monotonicMs: () => number
}

/** Rows that are written without waiting; one more is given every minute. */
const most = 4
const everyMs = 60_000

export function createStandings({ db, log, now, lane, monotonicMs }: StandingsDeps): Standings {
  let wanted: GateState = { state: 'running' }
  let written = wanted
  let left = most
  let givenAtMs = monotonicMs()
  let isWriting = false

  async function write(standing: GateState): Promise<void> {
    const { state, reason = 'none', detail = '' } = standing
    const event = state === 'blocked' ? 'blocked' : reason === 'weaker_proof' ? 'weakened' : 'resumed'
    log.warn(`destination.${event}`, { ...lane, reason, detail })
    await insertStanding(db, lane, { at: now().getTime() * 1000, state, reason, detail })
  }

  function take(): boolean {
    const given = Math.floor((monotonicMs() - givenAtMs) / everyMs)
    givenAtMs += given * everyMs
    left = Math.min(most, left + given)
    if (left === 0) return false
    left--
    return true
  }

  /** One after the other: of two at once the table takes only one, and which is newer it does not know. */
  async function flush(): Promise<void> {
    if (isWriting) return // whoever is at it sees what is wanted now
    isWriting = true
    try {
      while ((wanted.state !== written.state || wanted.reason !== written.reason) && take()) {
        written = wanted
        await write(written)
      }
    } finally {
      isWriting = false
    }
  }

  return {
    write,
    flush,
    change(state) {
      wanted = state
      return flush()
    },
  }
}
