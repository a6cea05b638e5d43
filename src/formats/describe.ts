import type { FileCoverage } from '../record/coverage.ts'
import { countLines } from '../record/lines.ts'
import { Problem } from '../record/problem.ts'
import type { Lines, Pair, Totals } from '../record/run.ts'
import { pairKinds } from '../record/run.ts'
import type { ReportResult } from './format.ts'

/**
 * Sums over files, recomputed from lines and branches; what a report declares about itself is beside it, in `declared`. Branches,
 * functions and the like are absent while no file has any: then the report does not tell.
 */
export function sumFiles(files: Iterable<FileCoverage>): Totals {
  const totals: Totals = { files: 0, lines: { found: 0, covered: 0, partial: 0, missed: 0 } }
  for (const file of files) {
    const { lines } = totals
    totals.files += 1
    const [covered, partial, missed] = [countLines(file.covered), countLines(file.partial), countLines(file.missed)]
    lines.found += covered + partial + missed
    lines.covered += covered
    lines.partial += partial
    lines.missed += missed
    for (const kind of pairKinds) {
      const pair = file[kind]
      if (pair !== undefined) totals[kind] = addPair(totals[kind], pair)
    }
  }
  return totals
}

function addPair(a: Pair | undefined, b: Pair): Pair {
  return { found: (a?.found ?? 0) + b.found, covered: (a?.covered ?? 0) + b.covered }
}

/** One line of `push --dry-run --json`, without the name of the file, which only the caller knows. */
export interface Description {
  verdict: 'accept' | 'refuse' | 'incomplete'
  reason: string | null
  format: string | null
  definition: string | null
  files: number
  lines: Lines
  branches: Pair
}

const noBranches: Pair = { found: 0, covered: 0 }

export function describeReport(result: ReportResult): Description {
  const { files, lines, branches } = sumFiles(result.files)
  const first = result.refused.first[0]
  const left =
    first === undefined ? null : `${result.refused.count} left out, the first: ${first.where}: ${first.reason}`
  return {
    verdict: result.incomplete === undefined ? 'accept' : 'incomplete',
    reason: result.incomplete ?? left,
    format: result.format,
    definition: result.definition,
    files,
    lines,
    branches: branches ?? noBranches,
  }
}

/** The same for a report that `openReport` threw on. Anything but a Problem is thrown again. */
export function describeRefusal(error: unknown): Description {
  if (!(error instanceof Problem)) throw error
  const { files, lines } = sumFiles([])
  return {
    verdict: 'refuse',
    reason: `${error.code}: ${error.message}`,
    format: null,
    definition: null,
    files,
    lines,
    branches: noBranches,
  }
}
