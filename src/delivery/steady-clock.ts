/**
 * The machine's clock without its jumps. Deadlines, pauses and the lag window of a look are compared with the times in our rows, so a
 * step of the clock would end them too early, and absence would be believed too soon, or an hour too late. After a step this clock goes on
 * as before and comes back to the machine's: twice as fast, or half as fast, until they agree. In a suspended machine monotonic time may
 * stand still; what it wakes with is a step like any other.
 */
export function createSteadyClock(
  wall: () => Date = () => new Date(),
  monotonicMs: () => number = () => performance.now(),
): () => Date {
  let seenMs = monotonicMs()
  let toldMs = wall().getTime()
  return () => {
    const passedMs = Math.max(0, monotonicMs() - seenMs)
    seenMs += passedMs
    const off = wall().getTime() - (toldMs + passedMs)
    toldMs += passedMs + Math.max(-passedMs / 2, Math.min(passedMs, off))
    return new Date(toldMs)
  }
}
