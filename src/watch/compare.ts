import type { Sum } from '../delivery/destination.ts'

/**
 * How a ledger and a destination are compared: count and sum of `check` over a span of seqs tell whether there is a difference; the span
 * is halved until it is small enough to ask for its ids, which tell what it is. Pure.
 */

/** Both included. */
export interface Span {
  first: number
  last: number
}

/** A record as it should be there. */
export interface Expected {
  id: string
  seq: number
  check: number
}

export type NextQuestion =
  /** The same on both sides. */
  | { kind: 'equal' }
  /** Nothing is there of what should be: all of it is missing, there is nothing to look for. */
  | { kind: 'all-missing' }
  | { kind: 'ids' }
  | { kind: 'halves'; halves: [Span, Span] }

/** Of so many seqs ids are asked for. */
export const idsAtOnce = 4_096

export function nextQuestion({ first, last }: Span, ours: Sum, theirs: Sum): NextQuestion {
  if (ours.count === theirs.count && ours.checkSum === theirs.checkSum) return { kind: 'equal' }
  if (theirs.count === 0) return { kind: 'all-missing' }
  if (last - first < idsAtOnce) return { kind: 'ids' }
  const middle = first + Math.floor((last - first) / 2)
  return { kind: 'halves', halves: [{ first, last: middle }, { first: middle + 1, last }] } // oxfmt-ignore
}

export interface IdDifferences {
  missing: Expected[]
  duplicated: { id: string; seq: number; copies: number }[]
  /** There, and no record of ours. */
  foreign: string[]
  /** There though parked as refused or unresolved: what was in doubt is answered. */
  found: string[]
}

/** `parked` are ids that may be there or not. */
export function compareIds(
  ours: readonly Expected[],
  parked: ReadonlySet<string>,
  theirs: ReadonlyMap<string, number>,
): IdDifferences {
  const known = new Map(ours.map((record) => [record.id, record]))
  const differences: IdDifferences = { missing: [], duplicated: [], foreign: [], found: [] }
  for (const record of ours) if (!theirs.has(record.id)) differences.missing.push(record)
  for (const [id, copies] of theirs) {
    const record = known.get(id)
    if (parked.has(id)) differences.found.push(id)
    else if (record === undefined) differences.foreign.push(id)
    else if (copies > 1) differences.duplicated.push({ id, seq: record.seq, copies })
  }
  return differences
}

/**
 * The seqs of [first, last] that the n-th round reads back: `count` of them, chosen so that consecutive rounds visit every seq once before
 * any comes again. A stride of about the golden ratio spreads one round over the whole span.
 */
export function rotatingSample({ first, last }: Span, count: number, round: number): number[] {
  const length = last - first + 1
  if (length <= count) return Array.from({ length }, (_, i) => first + i)
  let stride = Math.max(1, Math.floor(length * 0.618))
  while (greatestCommonDivisor(stride, length) !== 1) stride++
  // BigInt: round * count * stride outgrows what a double holds exactly.
  const at = (i: number): number => Number((BigInt(round) * BigInt(count) + BigInt(i)) * BigInt(stride) % BigInt(length)) // oxfmt-ignore
  return Array.from({ length: count }, (_, i) => first + at(i)).toSorted((a, b) => a - b)
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
