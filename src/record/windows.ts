import type { LineRanges } from './lines.ts'
import { appendRange, printRange } from './lines.ts'
import { Problem } from './problem.ts'

/** Sets of lines of one file, in the order in which they are printed. */
export type LineSets = readonly LineRanges[]

export interface Window {
  sets: number[][]
  from: number
  to: number
}

/** Two of the longest line numbers, a dash and a comma. */
const longestRange = 34

/**
 * Cuts sets of lines into consecutive windows whose printed ranges have at most `room` bytes. They tile the lines from 1 to the last one. A range is
 * cut only where another set begins or ends within it, so those of disjoint sets never are.
 */
export function cutWindows(sets: LineSets, room: number): Window[] {
  if (room < longestRange * sets.length)
    throw new Problem('record_too_large', `the names in this record leave ${room} bytes for its lines`)
  const begin = (from: number): Window => ({ sets: sets.map(() => []), from, to: from })
  const windows: Window[] = []
  let window = begin(1)
  let used = 0
  for (const { from, to, within } of pieces(sets)) {
    const bytes = (printRange(from, to).length + 1) * within.length
    if (used + bytes > room) {
      windows.push(window)
      window = begin(window.to + 1)
      used = 0
    }
    for (const set of within) appendRange(window.sets[set] ?? [], from, to)
    window.to = to
    used += bytes
  }
  windows.push(window)
  return windows
}

/** Stretches of lines, ascending, each with the sets that hold all of it. */
function* pieces(sets: LineSets): Generator<{ from: number; to: number; within: number[] }> {
  const next = sets.map(() => 0)
  for (let at = 1; ;) {
    let from = Number.POSITIVE_INFINITY
    for (const [i, ranges] of sets.entries()) {
      while ((ranges[(next[i] ?? 0) + 1] ?? Number.POSITIVE_INFINITY) < at) next[i] = (next[i] ?? 0) + 2
      from = Math.min(from, Math.max(at, ranges[next[i] ?? 0] ?? Number.POSITIVE_INFINITY))
    }
    if (from === Number.POSITIVE_INFINITY) return
    let to = Number.POSITIVE_INFINITY
    const within: number[] = []
    for (const [i, ranges] of sets.entries()) {
      const first = ranges[next[i] ?? 0] ?? Number.POSITIVE_INFINITY
      if (first > from) to = Math.min(to, first - 1)
      else {
        within.push(i)
        to = Math.min(to, ranges[(next[i] ?? 0) + 1] ?? first)
      }
    }
    yield { from, to, within }
    at = to + 1
  }
}
