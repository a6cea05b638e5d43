import { countBits } from './bit-rows.ts'
import type { MergeTwo, Scratch } from './scratch.ts'
import { makeRoom, sortScratch } from './scratch.ts'

/**
 * Lines of a file in pages of 32, three integers each: line / 32, the lines that are there, one a bit, and those executed among them. What was
 * executed once stays executed. A section of 60 lines is two or three pages, which is why merging two costs next to nothing.
 */
export const pageWidth = 3

/** Reports jump back a little; so many pages are looked at before order is given up. */
const near = 4 * pageWidth

// Indexes are below `length`: hence `as number`.

export function addPage(pages: Scratch, page: number, found: number, on: number): void {
  // Before anything else: what is there may be sorted.
  if (pages.length + pageWidth > pages.items.length) makeRoom(pages, pageWidth, mergePages)
  const { items, length } = pages
  if (length > 0 && page <= (items[length - pageWidth] as number)) {
    for (let i = length - pageWidth; i >= 0 && i >= length - near; i -= pageWidth) {
      if (items[i] !== page) continue
      items[i + 1] = (items[i + 1] as number) | found
      items[i + 2] = (items[i + 2] as number) | on
      return
    }
    pages.breaks.push(length)
  }
  items[length] = page
  items[length + 1] = found
  items[length + 2] = on
  pages.length = length + pageWidth
}

export const sortPages = (pages: Scratch): void => sortScratch(pages, mergePages)

/** How many lines there are, once sorted. */
export function countLines({ items, length }: Scratch): number {
  let count = 0
  for (let i = 0; i < length; i += pageWidth) count += countBits(items[i + 1] as number)
  return count
}

const mergePages: MergeTwo = (from, a, b, end, to, start) => {
  let [at, i, j] = [start, a, b]
  while (i < b || j < end) {
    const order = i >= b ? 1 : j >= end ? -1 : (from[i] as number) - (from[j] as number)
    const row = order > 0 ? j : i
    to[at] = from[row] as number
    to[at + 1] = (from[row + 1] as number) | (order === 0 ? (from[j + 1] as number) : 0)
    to[at + 2] = (from[row + 2] as number) | (order === 0 ? (from[j + 2] as number) : 0)
    at += pageWidth
    if (order <= 0) i += pageWidth
    if (order >= 0) j += pageWidth
  }
  return at
}
