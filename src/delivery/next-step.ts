import type { BlockReason, Split } from './destination.ts'
import type { Tally } from './marks.ts'

/**
 * The invariant of delivery: nothing in doubt is sent again without a conclusive look, unless the destination takes the same bytes twice
 * for one (`repeatable`), or the operator wrote `resend_marked`, and then the copy is marked. All of it is decided here, from what is stored.
 */

export interface AttemptHistory {
  try: number
  members: number
  /** `held`: this process has it in its hands; `lost`: no outcome row, and this process did not open it. */
  hand: 'free' | 'held' | 'lost'
  deadline: Date
  /** When the newest outcome was stored; the opening while there is none. */
  since: Date
  tally: Tally
  /** Looks made by this process, and when the last one was. */
  looks: number
  lookedAt?: Date
  /** When this process looked first, and how long others did before: what is given up was looked for that long, however old it is. */
  lookingSince?: Date
  lookedBeforeMs?: number
  retryAt?: Date
  block?: BlockReason
  split?: Split
}

export interface Policy {
  /** The same bytes sent twice are stored once (Elastic: `create` with `_id` in an index chosen by the record). */
  repeatable: boolean
  /** Whether the destination can be asked at all. */
  canLook: boolean
  onUnresolved: 'hold' | 'resend_marked'
  /** A record that no look found an answer for is given up after this. */
  unresolvedAfterMs: number
  /** An accepted record that was never proved is parked after this. */
  unprovedAfterMs: number
  /** Pauses between looks: the n-th look waits the n-th, later ones the last. */
  lookDelaysMs: readonly number[]
  /** Pauses before the next try of what was provably not sent; likewise. */
  retryDelaysMs: readonly number[]
}

export type ParkReason = 'unresolved' | 'unproved'

export type Step =
  /** Open the next try with what is unsent (or, where `doubtful`, in doubt) and send it. */
  | { kind: 'send'; doubtful: boolean; split?: Split }
  | { kind: 'look' }
  /** Nothing is open any more. */
  | { kind: 'settle' }
  | { kind: 'wait'; until: Date }
  | { kind: 'park'; reason: ParkReason }
  /** The destination takes nothing until something is put right there; probe, then send. */
  | { kind: 'block'; reason: BlockReason }

const pick = (delays: readonly number[], n: number): number => delays[Math.min(n, delays.length - 1)] ?? 0
const after = (at: Date, ms: number): Date => new Date(at.getTime() + ms)

/** What to do next with one attempt. Total; nothing in doubt is ever sent again without a conclusive look. */
export function nextStep(history: AttemptHistory, policy: Policy, now: Date): Step {
  const { tally } = history
  if (history.hand === 'held') return { kind: 'wait', until: history.deadline }
  // Another process may still be at it: until the deadline has passed its bytes can be on their way.
  if (history.hand === 'lost' && now < history.deadline) return { kind: 'wait', until: history.deadline }
  if (tally.u > 0) return retry(history, policy, now)
  if (tally.i > 0 || tally.e > 0) return resolve(history, policy, now)
  if (tally.a > 0) return prove(history, policy, now)
  return { kind: 'settle' }
}

function retry(history: AttemptHistory, policy: Policy, now: Date): Step {
  if (history.block !== undefined) return { kind: 'block', reason: history.block }
  const until = history.retryAt ?? after(history.since, pick(policy.retryDelaysMs, history.try - 1))
  return now < until ? { kind: 'wait', until } : send(history, policy.repeatable)
}

function resolve(history: AttemptHistory, policy: Policy, now: Date): Step {
  const { tally } = history
  if (policy.repeatable && tally.i > 0) {
    if (history.block !== undefined) return { kind: 'block', reason: history.block }
    const until = history.retryAt ?? after(history.since, pick(policy.retryDelaysMs, history.try - 1))
    return now < until ? { kind: 'wait', until } : send(history, true)
  }
  const over = !policy.canLook || isOver(history, policy.unresolvedAfterMs)
  if (!over) return lookOrWait(history, policy, now)
  // What holds an id of ours with other bytes is never sent again; only a comparison can settle it.
  if (policy.onUnresolved === 'hold' || tally.e > 0 || policy.repeatable) return { kind: 'park', reason: 'unresolved' }
  return now < history.deadline ? { kind: 'wait', until: history.deadline } : send(history, true)
}

function prove(history: AttemptHistory, policy: Policy, now: Date): Step {
  if (!policy.canLook || isOver(history, policy.unprovedAfterMs)) return { kind: 'park', reason: 'unproved' }
  return lookOrWait(history, policy, now)
}

/** So large a part of the time each process looks for itself: its first looks only prepare for an answer, and much may have happened. */
export const ownPart = 1 / 12

/** Over is what a look, made when its time had come, could not tell: the look that is due then is made first. */
function isOver({ lookingSince, lookedAt, lookedBeforeMs = 0 }: AttemptHistory, ms: number): boolean {
  if (lookingSince === undefined || lookedAt === undefined) return false
  return lookedAt >= after(lookingSince, Math.max(ms * ownPart, ms - lookedBeforeMs))
}

function lookOrWait(history: AttemptHistory, policy: Policy, now: Date): Step {
  const until = after(history.lookedAt ?? history.since, pick(policy.lookDelaysMs, history.looks))
  return now < until ? { kind: 'wait', until } : { kind: 'look' }
}

function send(history: AttemptHistory, doubtful: boolean): Step {
  return { kind: 'send', doubtful, ...(history.split === undefined ? {} : { split: history.split }) }
}
