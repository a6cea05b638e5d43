import type { FileCoverage, Metric } from './coverage.ts'
import { countMutatedLines } from './coverage.ts'
import { countLines } from './lines.ts'
import { addMutants, addMutatedLines, toMutants } from './mutants.ts'
import type { LineTotals, Pair, Totals } from './run.ts'
import { pairKinds } from './run.ts'

/** Sums, recomputed from what a report says of each line and mutant. */

/** Of no file. */
export function noTotals(metric: Metric): Totals {
  if (metric === 'line') return { files: 0, lines: { found: 0, covered: 0, partial: 0, missed: 0 } }
  return {
    files: 0,
    mutated_lines: { found: 0, detected: 0, survived: 0, uncovered: 0, undecided: 0 },
    mutants: toMutants([]),
  }
}

export function totalsOf(file: FileCoverage): Totals {
  if (file.metric === 'mutation') return { files: 1, mutated_lines: countMutatedLines(file), mutants: file.mutants }
  const [covered, partial, missed] = [countLines(file.covered), countLines(file.partial), countLines(file.missed)]
  const totals: LineTotals = { files: 1, lines: { found: covered + partial + missed, covered, partial, missed } }
  for (const kind of pairKinds) if (file[kind] !== undefined) totals[kind] = file[kind]
  return totals
}

/** Throws on two metrics: nobody may add lines and mutants. */
export function addTotals(a: Totals, b: Totals): Totals {
  if ('mutants' in a && 'mutants' in b)
    return {
      files: a.files + b.files,
      mutated_lines: addMutatedLines(a.mutated_lines, b.mutated_lines),
      mutants: addMutants(a.mutants, b.mutants),
    }
  if ('mutants' in a || 'mutants' in b) throw new Error('lines and mutants are not added up')
  const sum: LineTotals = {
    files: a.files + b.files,
    lines: {
      found: a.lines.found + b.lines.found,
      covered: a.lines.covered + b.lines.covered,
      partial: a.lines.partial + b.lines.partial,
      missed: a.lines.missed + b.lines.missed,
    },
  }
  for (const kind of pairKinds) {
    const pair = addPairs(a[kind], b[kind])
    if (pair !== undefined) sum[kind] = pair
  }
  return sum
}

function addPairs(a: Pair | undefined, b: Pair | undefined): Pair | undefined {
  return a === undefined || b === undefined ? (a ?? b) : { found: a.found + b.found, covered: a.covered + b.covered }
}

export function sumFiles(files: Iterable<FileCoverage>, metric: Metric): Totals {
  let totals = noTotals(metric)
  for (const file of files) totals = addTotals(totals, totalsOf(file))
  return totals
}
