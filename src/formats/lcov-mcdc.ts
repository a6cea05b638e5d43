import { mix } from './fingerprint.ts'
import type { Tally } from './tally.ts'
import { maxLine } from './tally.ts'

/**
 * MCDC:<line>,[U]<size of the group>,<t|f>,<taken>,<index>,<expression>, lcov 2.1 and later: whether a condition was seen to decide the outcome, once by being
 * true and once by being false. Each is counted, as MCF and MCH do; those excluded by the user (U) are not. They make no line partial: branches do.
 *
 * A reason when it was not taken.
 */
export function readMcdc(content: string, tally: Tally): string | undefined {
  const match = /^(\d{1,10}),(U?)(\d{1,9}),([tf]),(\d+|-),(\d{1,9}),/.exec(content)
  if (match === null) return 'MCDC is not <line>,<group>,<t|f>,<taken>,<index>,<expression>'
  const line = Number(match[1])
  if (line < 1 || line > maxLine) return `line ${line} is not between 1 and ${maxLine}`
  if (match[2] === 'U') return undefined
  const number = 2 * Number(match[6]) + (match[4] === 't' ? 1 : 0)
  const bit = 1 << (number & 31)
  tally.units('mcdc', mix(line, Number(match[3]), 0, 0), number >>> 5, bit, /[1-9]/.test(match[5] ?? '') ? bit : 0)
  return undefined
}
