import type { Micros } from '../record/record.ts'
import type { OpenAttempt } from './open-attempt.ts'

/**
 * Attempts are stored with times of the wall clock, and somebody may set that. What is held in memory then moves along: no wait becomes
 * longer, no deadline passes, and nothing is given up because the clock was set.
 */

/** A correction below this is none: it costs at most as much waiting. */
const leastMs = 1_000

/** To be called before times are compared; `stepped` hears by how much the clock was set since it was called last. */
export function createClockWatch(
  now: () => Date,
  monotonicMs: () => number,
  stepped: (by: Micros) => void,
): () => void {
  let offsetMs = now().getTime() - monotonicMs()
  return () => {
    const byMs = now().getTime() - monotonicMs() - offsetMs
    if (Math.abs(byMs) < leastMs) return
    offsetMs += byMs
    stepped(byMs * 1_000)
  }
}

export function shiftTimes(open: OpenAttempt, by: Micros): void {
  const moved = (at: Date | undefined): Date | undefined => at && new Date(at.getTime() + by / 1_000)
  const { row, since, retryAt, lookedAt, lookingSince } = open
  open.row = { ...row, openedAt: row.openedAt + by, sendBefore: row.sendBefore + by, deadline: row.deadline + by }
  open.since = since + by
  open.retryAt = retryAt === undefined ? undefined : retryAt + by
  open.lookedAt = moved(lookedAt)
  open.lookingSince = moved(lookingSince)
}

/**
 * Of one that was found: what was written by a clock that was ahead of ours was written by now, so that its bytes are on their way no longer
 * than if it had been just now. Without this nobody would touch it until our clock has caught up.
 */
export function notAhead(open: OpenAttempt, now: Micros): OpenAttempt {
  const by = Math.max(open.since, open.row.openedAt) - now
  if (by > 0) shiftTimes(open, -by)
  return open
}
