import type { MutatedLines, Mutants } from '../record/mutants.ts'
import { Problem } from '../record/problem.ts'
import type { Lines, Pair } from '../record/run.ts'
import { sumFiles } from '../record/totals.ts'
import type { ReportResult } from './format.ts'

/** One line of `push --dry-run --json`, without the name of the file, which only the caller knows. */
export interface Description {
  verdict: 'accept' | 'refuse' | 'incomplete'
  reason: string | null
  format: string | null
  definition: string | null
  files: number
  /** Zeros of a mutation report: mutants are no lines, and have members of their own. */
  lines: Lines
  branches: Pair
  metric?: 'mutation'
  mutated_lines?: MutatedLines
  mutants?: Mutants
}

const noLines: Lines = { found: 0, covered: 0, partial: 0, missed: 0 }
const noBranches: Pair = { found: 0, covered: 0 }

export function describeReport(result: ReportResult): Description {
  const totals = sumFiles(result.files, result.metric)
  const first = result.refused.first[0]
  const left =
    first === undefined ? null : `${result.refused.count} left out, the first: ${first.where}: ${first.reason}`
  const { files, ...counts } = totals
  return {
    verdict: result.incomplete === undefined ? 'accept' : 'incomplete',
    reason: result.incomplete ?? left,
    format: result.format,
    definition: result.definition,
    files,
    lines: 'lines' in counts ? counts.lines : noLines,
    branches: ('lines' in counts ? counts.branches : undefined) ?? noBranches,
    ...('mutants' in counts ? { metric: 'mutation', ...counts } : {}),
  }
}

/** The same for a report that `openReport` threw on. Anything but a Problem is thrown again. */
export function describeRefusal(error: unknown): Description {
  if (!(error instanceof Problem)) throw error
  return {
    verdict: 'refuse',
    reason: `${error.code}: ${error.message}`,
    format: null,
    definition: null,
    files: 0,
    lines: noLines,
    branches: noBranches,
  }
}
