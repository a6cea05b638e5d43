import { sortRows } from './bit-rows.ts'
import type { FunctionSet } from './function-set.ts'
import { clearFunctions, createFunctionSet, sortFunctions } from './function-set.ts'
import { sortPages } from './line-pages.ts'
import type { Scratch } from './scratch.ts'
import { clear, createScratch } from './scratch.ts'

/** What is known about one file, as it comes: pages of lines (line-pages.ts), rows of branches (bit-rows.ts), functions. */
export interface Observed {
  lines: Scratch
  branches: Scratch
  functions: FunctionSet
}

export function createObserved(): Observed {
  return { lines: createScratch(), branches: createScratch(), functions: createFunctionSet() }
}

export function isEmpty({ lines, branches, functions }: Observed): boolean {
  return lines.length === 0 && branches.length === 0 && functions.length === 0
}

export function clearObserved({ lines, branches, functions }: Observed): void {
  clear(lines)
  clear(branches)
  clearFunctions(functions)
}

export function sortObserved({ lines, branches, functions }: Observed): void {
  sortPages(lines)
  sortRows(branches)
  sortFunctions(functions)
}
