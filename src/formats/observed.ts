import { addBits, rowWidth, sortRows } from './bit-rows.ts'
import { sortPages } from './line-pages.ts'
import type { Scratch } from './scratch.ts'
import { clear, createScratch } from './scratch.ts'

/** What is known about one file, as it comes. */
export interface Observed {
  lines: Scratch
  branches: Scratch
  functions: Scratch
  /** The row of `functions` that is likely to be named next. */
  nextFunction: number
}

export function createObserved(): Observed {
  return { lines: createScratch(), branches: createScratch(), functions: createScratch(), nextFunction: 0 }
}

export function isEmpty({ lines, branches, functions }: Observed): boolean {
  return lines.length === 0 && branches.length === 0 && functions.length === 0
}

export function clearObserved(observed: Observed): void {
  clear(observed.lines)
  clear(observed.branches)
  clear(observed.functions)
  observed.nextFunction = 0
}

export function sortObserved({ lines, branches, functions }: Observed): void {
  sortPages(lines)
  sortRows(branches)
  sortRows(functions)
}

/**
 * A function, by any two integers that name it. Reports name all functions of a file and then their counts in the same order (FN ..., FNDA ...): the
 * second time it is found where the first time put it, which halves what must be sorted.
 */
export function addFunction(observed: Observed, a: number, b: number, called: number): void {
  const { functions, nextFunction: next } = observed
  const { items } = functions
  if (next < functions.length && items[next] === a && items[next + 1] === b) {
    items[next + 4] = (items[next + 4] as number) | called // next + 4 < length
    observed.nextFunction = next + rowWidth
  } else addBits(functions, a, b, 0, 1, called)
}
