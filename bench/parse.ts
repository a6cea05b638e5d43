import { type Check, type Figure, median, printNumber } from './figure.ts'
import { inChild } from './proc.ts'
import type { ParseAnswer, ParseInput } from './parse-child.ts'

/** Report bytes to FileCoverage values, on one core, in a process that does nothing else. */
export async function measureParsing(seconds: number, check: Check): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const [format, target] of [
    ['lcov', 200],
    ['istanbul', 60],
    ['cobertura', 40],
    ['jacoco', 40],
    ['clover', 40],
    ['opencover', 40],
    ['coveragepy', 60],
    ['llvmcov', 60],
    ['simplecov', 60],
    ['events', 60],
    ['go', 60],
  ] as const) {
    const input: ParseInput = { format, seconds }
    const answer = await inChild<ParseAnswer>('./parse-child.ts', input)
    for (const { name, rates, wall, found, expected } of answer.reports) {
      check(`parsing ${name} finds every line`, expected === undefined || found === expected, `${found} of ${expected}`)
      const measured = median(rates)
      figures.push({
        what: `parse ${format}: ${name}`, unit: 'MB a CPU s', measured, target, better: 'more', runs: rates,
        note: `${printNumber(found)} lines, in chunks of 64 KiB, to the ranges of every file; ${printNumber(median(wall))} MB a second of wall time`, limit: 'one core: the scan of the bytes, and the sets of lines and branches that are made and walked for each file',
      }) // oxfmt-ignore
    }
  }
  return figures
}
