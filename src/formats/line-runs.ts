import type { MergeTwo, Scratch } from './scratch.ts'
import { makeRoom, sortScratch } from './scratch.ts'

/**
 * Lines of a file as runs of neighbours with the same state, two integers each: the first line, and the last line with the state in the lowest bit
 * (1: executed). Line numbers have 31 bits, hence `>>> 1`. What was executed once stays executed.
 */

// Indexes are below `length`: hence `as number`.

/** Lines `first` to `last`; `on` is 1 when they were executed, else 0. */
export function addLines(runs: Scratch, first: number, last: number, on: number): void {
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
    } else if (first <= end) runs.breaks.push(length)
  }
  if (length + 2 > items.length) makeRoom(runs, 2, mergeRuns)
  runs.items[runs.length] = first
  runs.items[runs.length + 1] = (last << 1) | on
  runs.length += 2
}

/** Appends a run that need not follow the last one. */
export const sortLines = (runs: Scratch): void => sortScratch(runs, mergeRuns)

/** How many lines there are, once sorted. */
export function countRuns({ items, length }: Scratch): number {
  let count = 0
  for (let i = 0; i < length; i += 2) count += ((items[i + 1] as number) >>> 1) - (items[i] as number) + 1
  return count
}

/** Where two runs overlap, the lines are executed when they are so in either. At most 2 (m + n) runs: each border was one before. */
const mergeRuns: MergeTwo = (from, a, b, end, to, start) => {
  let at = start
  let i = a
  let j = b
  let [iFirst, jFirst] = [from[i] as number, from[j] as number]
  for (;;) {
    let first = 0
    let last = 0
    let on = 0
    if (i < b && (j >= end || iFirst < jFirst)) {
      const item = from[i + 1] as number
      first = iFirst
      last = item >>> 1
      on = item & 1
      if (j < end && jFirst <= last) last = iFirst = jFirst - 1
    }
  }
}
