import type { MergeTwo, Scratch } from './scratch.ts'
import { makeRoom, sortScratch } from './scratch.ts'

/**
 * Lines of a file as runs of neighbours with the same state, two integers each: the first line, and the last line with the state in the lowest bit
 * (1: executed). Line numbers have 31 bits, hence `>>> 1`. What was executed once stays executed.
 */

// Indexes are below `length`: hence `as number`.

/** Lines `first` to `last`; `on` is 1 when they were executed, else 0. */
export function addLines(runs: Scratch, first: number, last: number, on: number): void {
  // Before anything else: what is there may be sorted.
  if (runs.length + 2 > runs.items.length) makeRoom(runs, 2, mergeRuns)
  const { items, length } = runs
  if (length > 0) {
    const before = items[length - 1] as number
    const end = before >>> 1
    const isAlike = (before & 1) === on
    if (first === end + 1 && isAlike) {
      items[length - 1] = (last << 1) | on
      return
    }
    // Several statements on one line, in Istanbul: no reason to sort.
    if (first === end && last === end) {
      if (isAlike || on === 0) return
      if (items[length - 2] === end) {
        items[length - 1] = before | 1
        return
      }
      items[length - 1] = before - 2
    } else if (first <= end) {
      if (isKnown(items, length, first, last, on)) return
      runs.breaks.push(length)
    }
  }
  items[length] = first
  items[length + 1] = (last << 1) | on
  runs.length = length + 2
}

export const sortLines = (runs: Scratch): void => sortScratch(runs, mergeRuns)

/** One of the last runs says it already: grcov repeats the line where a statement began. */
function isKnown(items: Int32Array, length: number, first: number, last: number, on: number): boolean {
  for (let i = length - 2; i >= 0 && i >= length - 8; i -= 2) {
    const state = items[i + 1] as number
    if ((items[i] as number) <= first && last <= state >>> 1) return (state & 1) >= on
  }
  return false
}

/** How many lines there are, once sorted. */
export function countRuns({ items, length }: Scratch): number {
  let count = 0
  for (let i = 0; i < length; i += 2) count += ((items[i + 1] as number) >>> 1) - (items[i] as number) + 1
  return count
}

/** Where two runs overlap, the lines are executed when they are so in either. At most twice as many runs: each border was one before. */
const mergeRuns: MergeTwo = (from, a, b, end, to, start) => {
  let [at, i, j] = [start, a, b]
  let [iFirst, jFirst] = [from[i] as number, from[j] as number]
  while (i < b || j < end) {
    const iState = from[i + 1] as number
    const jState = from[j + 1] as number
    let first = iFirst
    let last = iState >>> 1
    let on = iState & 1
    if (j >= end || (i < b && iFirst < jFirst)) {
      if (j < end && jFirst <= last) last = jFirst - 1
      iFirst = last + 1
    } else if (i >= b || jFirst < iFirst) {
      first = jFirst
      last = jState >>> 1
      on = jState & 1
      if (i < b && iFirst <= last) last = iFirst - 1
      jFirst = last + 1
    } else {
      on |= jState & 1
      if (jState >>> 1 < last) last = jState >>> 1
      iFirst = last + 1
      jFirst = last + 1
    }
    if (i < b && iFirst > iState >>> 1) iFirst = from[(i += 2)] as number
    if (j < end && jFirst > jState >>> 1) jFirst = from[(j += 2)] as number

    const before = to[at - 1] as number
    if (at > start && before >>> 1 === first - 1 && (before & 1) === on) to[at - 1] = (last << 1) | on
    else {
      to[at] = first
      to[at + 1] = (last << 1) | on
      at += 2
    }
  }
  return at
}
