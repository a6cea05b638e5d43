import type { Sum } from '../delivery/destination.ts'

/** What happens next in a drill, and what its measures say. Pure; times in microseconds. */

export type DrillVerdict = 'held' | 'not_held' | 'inconclusive'

/** One side of what is measured: what should be there, what is, and what became of the records that were read back. */
export interface Side {
  expected: Sum
  there: Sum
  sampled: { right: number; altered: number; absent: number }
}

export interface DrillMeasure {
  /** What was to be there before the lane was held. */
  before: Side
  /** What was recorded while it was held. */
  meanwhile: Side
}

/** What was measured while the lane was held; `measure` is undefined when the destination could not be asked. */
export interface PausedMeasure {
  from: number
  /** What was recorded from here on came while the lane was held: nothing of it was ever taken on. */
  boundary: number
  to: number
  measure?: DrillMeasure
  reason?: string
}

export interface DrillState {
  measureAt: number
  holdUntil: number
  measured: { at: number; paused: PausedMeasure } | undefined
  /** How long after it was let go the lane may take. */
  closeWithin: number
}

export type NextOfDrill =
  | { kind: 'wait' }
  /** The lane is held: find out what is there and what is not. This also ends the hold. */
  | { kind: 'measure' }
  /** It goes on: find out whether the same measure is equal again. `isLast`: the time is over. */
  | { kind: 'compare'; isLast: boolean }
  | { kind: 'end'; verdict: DrillVerdict; reason: string }

/** `provedTo` and `inFlight` of the lane. */
export function nextOfDrill(drill: DrillState, lane: { provedTo: number; inFlight: number }, now: number): NextOfDrill {
  const { measured } = drill
  if (measured === undefined) {
    if (now >= drill.holdUntil)
      return { kind: 'end', verdict: 'inconclusive', reason: 'no process measured it in time' }
    return now < drill.measureAt || lane.inFlight > 0 ? { kind: 'wait' } : { kind: 'measure' }
  }
  const isLast = now >= measured.at + drill.closeWithin
  return isLast || lane.provedTo >= measured.paused.to ? { kind: 'compare', isLast } : { kind: 'wait' }
}

const isEqual = ({ expected, there }: Side): boolean =>
  expected.count === there.count && expected.checkSum === there.checkSum

/** What is wrong with the measure of a held lane; undefined when it is as it must be: all of before is there, nothing of meanwhile. */
export function wrongWhilePaused({ before, meanwhile }: DrillMeasure): string | undefined {
  if (!isEqual(before)) return `before it was held: ${printDifference(before)}`
  const { right, altered } = meanwhile.sampled
  if (meanwhile.there.count > 0 || right + altered > 0) return `${Math.max(meanwhile.there.count, right + altered)} records came there although it was held` // oxfmt-ignore
  return before.sampled.altered + before.sampled.absent > 0 ? `before it was held: ${printSampled(before)}` : undefined
}

/** The same once it goes on; undefined when everything is there, each once and unchanged. */
export function wrongAfterwards(measure: DrillMeasure): string | undefined {
  for (const [side, when] of [
    [measure.before, 'before it was held'],
    [measure.meanwhile, 'while it was held'],
  ] as const) {
    // oxfmt-ignore
    if (!isEqual(side)) return `of what was recorded ${when}: ${printDifference(side)}`
    if (side.sampled.altered + side.sampled.absent > 0) return `of what was recorded ${when}: ${printSampled(side)}`
  }
  return undefined
}

/** The verdict once the same measure was made again; undefined while it may still close. */
export function verdictOf(
  paused: PausedMeasure,
  afterwards: DrillMeasure | { reason: string },
  isLast: boolean,
): { verdict: DrillVerdict; reason: string } | undefined {
  const wrong = 'reason' in afterwards ? `it could not be asked: ${afterwards.reason}` : wrongAfterwards(afterwards)
  if (wrong !== undefined && !isLast) return undefined
  if (wrong !== undefined) return { verdict: 'not_held', reason: `did not close: ${wrong}` }
  if (paused.measure === undefined)
    return { verdict: 'inconclusive', reason: `it closed, and could not be asked while it was held: ${paused.reason ?? ''}` } // oxfmt-ignore
  const before = wrongWhilePaused(paused.measure)
  if (before !== undefined) return { verdict: 'not_held', reason: before }
  const { count } = paused.measure.meanwhile.expected
  if (count === 0) return { verdict: 'inconclusive', reason: 'nothing was recorded while it was held' }
  return { verdict: 'held', reason: `${count} records were missing while it was held, and are there now, each once` }
}

const printDifference = ({ expected, there }: Side): string =>
  expected.count === there.count
    ? `${there.count} records are there, with another sum of check`
    : `${there.count} records are there of ${expected.count}`

const printSampled = ({ sampled: { right, altered, absent } }: Side): string =>
  `of ${right + altered + absent} read back ${altered} are altered and ${absent} absent`

/** As records and answers have it. */
export function printMeasure({ before, meanwhile }: DrillMeasure): object {
  const sum = ({ count, checkSum }: Sum): object => ({ count, check_sum: checkSum })
  const side = ({ expected, there, sampled }: Side): object => ({ expected: sum(expected), there: sum(there), sampled })
  return { before: side(before), meanwhile: side(meanwhile) }
}

/**
 * When the next drill of a destination begins by itself: a tenth of `every` before it is due, and after one that was no success an hour later,
 * at the earliest. `begunAt`: when it was first delivered to.
 */
export function scheduledAt(
  everyMicros: number,
  { begunAt, lastHeld, lastEnded }: { begunAt: number; lastHeld: number | undefined; lastEnded: number | undefined },
): number {
  return Math.max((lastHeld ?? begunAt) + everyMicros * 0.9, lastEnded === undefined ? 0 : lastEnded + retryMicros)
}

const retryMicros = 3_600_000_000

/** Picks some of a stream whose length nobody knows, evenly spread, keeping at most twice as many: every k-th, k doubling. */
export function createSpread(wanted: number): { offer(seq: number): void; picked(): number[] } {
  let kept: number[] = []
  let every = 1
  let n = 0
  return {
    offer(seq) {
      if (n++ % every !== 0) return
      kept.push(seq)
      if (kept.length < wanted * 2) return
      kept = kept.filter((_, i) => i % 2 === 0)
      every *= 2
    },
    picked: () => {
      const step = kept.length / Math.min(wanted, kept.length || 1)
      return Array.from({ length: Math.min(wanted, kept.length) }, (_, i) => kept[Math.floor(i * step)] ?? 0)
    },
  }
}
