import type { JsonCursor } from './json-cursor.ts'
import { createCursor } from './json-cursor.ts'
import { maxLine } from './tally.ts'

/** Arrays of numbers, which are most of what coverage.py, SimpleCov and llvm-cov write, read without making a value of each. */
const [openBracket, closeBracket, comma] = [0x5b, 0x5d, 0x2c]

/** Reads an array: `each` must read the element. Throws Problem('report_invalid') for anything else. */
export function readArray(cursor: JsonCursor, each: (index: number) => void): void {
  if (!cursor.eat(openBracket)) cursor.fail()
  if (cursor.eat(closeBracket)) return
  let index = 0
  do each(index++)
  while (cursor.eat(comma))
  if (!cursor.eat(closeBracket)) cursor.fail()
}

/** Any number; NaN, and the value passed, for what is none. */
export function readNumber(cursor: JsonCursor): number {
  const small = cursor.eatInteger()
  if (small >= 0) return small
  const value = cursor.value()
  return typeof value === 'number' ? value : Number.NaN
}

/** The elements of `bytes`, an array of numbers (NaN for what is none). Throws Problem('report_invalid') for anything else. */
export function eachNumber(bytes: Uint8Array, what: string, each: (value: number) => void): void {
  const cursor = createCursor(bytes, what)
  readArray(cursor, () => each(readNumber(cursor)))
  cursor.end()
}

/** `eatTuple` for any array: what is no number is 0 there. Answers -1 for what is no array. */
export function readTuple(cursor: JsonCursor, to: Int32Array): number {
  const count = cursor.eatTuple(to)
  if (count >= 0) return count
  const value = cursor.value()
  if (!Array.isArray(value)) return -1
  for (let i = 0; i < to.length; i += 1) {
    const item: unknown = value[i]
    to[i] = typeof item === 'number' ? Math.max(-maxLine, Math.min(maxLine, Math.ceil(item))) : item === true ? 1 : 0
  }
  return value.length
}

export const isLine = (line: number): boolean => Number.isInteger(line) && line >= 1 && line <= maxLine
