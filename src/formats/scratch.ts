/**
 * Items of a few integers each, gathered in whatever order a report has them and then brought into ascending order. Reports ascend, as a rule, so
 * an item is appended where it comes, a place where the order breaks is noted, and the ascending stretches between are merged pairwise.
 * One is used for all sections of a report in turn: nothing is allocated for a section.
 */
export interface Scratch {
  items: Int32Array
  /** How many integers of `items` are in use. */
  length: number
  /** Where an item is not behind the one before it, ascending. */
  breaks: number[]
  spare: Int32Array
}

/**
 * Merges the ascending stretches `[a, b)` and `[b, end)` of `from` into `to` at `at`, joining what has one key, and answers where it ended.
 */
export type MergeTwo = (from: Int32Array, a: number, b: number, end: number, to: Int32Array, at: number) => number

const firstLength = 512
/** Kept for the next section; what one huge file needed is given back. */
const keptLength = 1 << 18

export function createScratch(): Scratch {
  return { items: new Int32Array(firstLength), length: 0, breaks: [], spare: new Int32Array(0) }
}

export function clear(scratch: Scratch): void {
  scratch.length = 0
  if (scratch.breaks.length > 0) scratch.breaks = []
  if (scratch.items.length > keptLength || scratch.spare.length > keptLength) Object.assign(scratch, createScratch())
}

/**
 * Makes room for `more` integers. What is there is sorted and joined first, so that a section which says the same thing for ever does not
 * grow; the array is doubled unless half of it became free, so that the time for this stays in proportion to what came in.
 */
export function makeRoom(scratch: Scratch, more: number, merge: MergeTwo): void {
  sortScratch(scratch, merge)
  const needed = 2 * (scratch.length + more)
  if (needed <= scratch.items.length) return
  const items = new Int32Array(needed)
  items.set(scratch.items.subarray(0, scratch.length))
  scratch.items = items
}

/** Afterwards the items ascend, each with a key of its own. */
export function sortScratch(scratch: Scratch, merge: MergeTwo): void {
  while (scratch.breaks.length > 0) {
    const { items, breaks, length } = scratch
    const to = scratch.spare.length < items.length ? new Int32Array(items.length) : scratch.spare
    const later: number[] = []
    let at = 0
    for (let i = -1; i < breaks.length; i += 2) {
      if (i >= 0) later.push(at)
      // A stretch without a partner is merged with an empty one.
      const b = breaks[i + 1] ?? length
      at = merge(items, breaks[i] ?? 0, b, breaks[i + 2] ?? length, to, at)
    }
    scratch.items = to
    scratch.spare = items
    scratch.length = at
    scratch.breaks = later
  }
}
