import type { Refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import { maxLine } from './tally.ts'
import type { Tag } from './xml-elements.ts'

/** Most ways out of one line that are taken for real. */
export const maxWays = 65_535

/** A count as tools write it: `3`, `1,234`, `1.0`, `1.8e19`; NaN for what is none. Negative ones prove nothing and are 0. */
export function toCount(text: string | undefined): number {
  if (text === undefined) return Number.NaN
  const plain = text.trim().replaceAll(',', '')
  return /^-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?$/.test(plain) ? Math.max(0, Number(plain)) : Number.NaN
}

/** An attribute that counts something; NaN when it is none. */
export function countOf(tag: Tag, attribute: string): number {
  const small = tag.number(attribute)
  return small >= 0 ? small : toCount(tag.text(attribute))
}

/** A total that a report declares about itself; undefined when it does not, or not in whole numbers. */
export function declaredOf(tag: Tag, attribute: string): number | undefined {
  const count = countOf(tag, attribute)
  return Number.isSafeInteger(count) ? count : undefined
}

/** A line number that can be recorded, or 0; then it is listed what there was. */
export function lineOf(tag: Tag, attribute: string, wrong: Refuse): number {
  const line = countOf(tag, attribute)
  if (line >= 1 && line <= maxLine && Number.isInteger(line)) return line
  wrong(`line ${tag.text(attribute) ?? 'without a number'} is not between 1 and ${maxLine}`)
  return 0
}

/** Ways out of a line of which only the numbers are known: two observations of one line join to the larger numbers. */
export function addWays(tally: Tally, line: number, found: number, taken: number): void {
  for (let from = 0; from < found; from += 32)
    tally.branches(line, 0, from >>> 5, firstBits(found - from), firstBits(Math.min(taken, found) - from))
}

/** As many functions, of which only the numbers are known. */
export function addCalls(tally: Tally, found: number, called: number): void {
  for (let i = 0; i < found; i += 1) tally.callable(0, i, i < called ? 1 : 0)
}

const firstBits = (count: number): number => (count >= 32 ? -1 : count <= 0 ? 0 : (1 << count) - 1)
