import { rowWidth, sortRows } from './bit-rows.ts'
import type { FunctionSet } from './function-set.ts'
import { clearFunctions, createFunctionSet, sortFunctions } from './function-set.ts'
import { countLines, sortPages } from './line-pages.ts'
import type { Scratch } from './scratch.ts'
import { clear, createScratch } from './scratch.ts'

/** What is known about one file, as it comes: pages of lines (line-pages.ts), rows of branches (bit-rows.ts), functions. */
export interface Observed {
  lines: Scratch
  /** By line, block, and number / 32. Those of block `waysBlock` are no branches: see `Tally.ways`. */
  branches: Scratch
  functions: FunctionSet
  /** Statements and the like, in rows of bits too: by kind (its place in `unitKinds`), name, and number / 32. */
  units: Scratch
}

/** A block that no branch has. */
export const waysBlock = -0x8000_0000

export function createObserved(): Observed {
  return { lines: createScratch(), branches: createScratch(), functions: createFunctionSet(), units: createScratch() }
}

export function isEmpty({ lines, branches, functions, units }: Observed): boolean {
  return lines.length === 0 && branches.length === 0 && functions.length === 0 && units.length === 0
}

export function clearObserved({ lines, branches, functions, units }: Observed): void {
  clear(lines)
  clear(branches)
  clearFunctions(functions)
  clear(units)
}

export function sortObserved({ lines, branches, functions, units }: Observed): void {
  sortPages(lines)
  sortRows(branches)
  sortFunctions(functions)
  sortRows(units)
}

/** Once sorted: how many lines, blocks of branches, functions, and blocks of statements and the like there are together. */
export function sizeOf({ lines, branches, functions, units }: Observed): number {
  return countLines(lines) + (branches.length + units.length) / rowWidth + functions.length
}

/** What of these there are more of than `most`; undefined when of none. */
export function tooManyOf({ lines, branches, functions, units }: Observed, most: number): string | undefined {
  if (countLines(lines) > most) return 'lines'
  if (branches.length / rowWidth > most) return 'blocks of branches'
  if (functions.length > most) return 'functions'
  return units.length / rowWidth > most ? 'blocks of statements' : undefined
}
