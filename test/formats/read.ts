import type { ReportOptions, ReportResult } from '../../src/formats/format.ts'
import { openReport } from '../../src/formats/format.ts'
import type { FileCoverage } from '../../src/record/coverage.ts'
import { printLines } from '../../src/record/lines.ts'
import type { ProblemCode } from '../../src/record/problem.ts'
import { Problem } from '../../src/record/problem.ts'
import type { LineTotals } from '../../src/record/run.ts'
import { sumFiles } from '../../src/record/totals.ts'

/** `report` in chunks of `size` bytes, each in memory of its own that is overwritten afterwards, as a socket's may be. */
export async function* inChunks(report: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < report.length; at += size) {
    const chunk = Uint8Array.from(report.subarray(at, at + size))
    yield chunk
    chunk.fill(0x58)
  }
}

export function read(
  report: string | Uint8Array,
  options: ReportOptions = {},
  chunkBytes = 65_536,
): Promise<ReportResult> {
  const bytes = typeof report === 'string' ? new TextEncoder().encode(report) : report
  return openReport(inChunks(bytes, chunkBytes), options)
}

/** The one code that this report is refused with. */
export async function refusalOf(report: string | Uint8Array, options: ReportOptions = {}): Promise<ProblemCode> {
  const outcome = await read(report, options).catch((error: unknown) => error)
  if (outcome instanceof Problem) return outcome.code
  throw outcome instanceof Error ? outcome : new Error('the report was taken')
}

/**
 * A file in one line, for comparison by eye: `path covered|partial|missed branches functions`, or
 * `path detected|survived|uncovered|undecided {counts of mutants}`.
 */
export function printFile(file: FileCoverage): string {
  if (file.metric === 'mutation')
    return `${file.path} ${[file.detected, file.survived, file.uncovered, file.undecided].map(printLines).join('|')} ${JSON.stringify(file.mutants)}`
  const pair = (counts: { found: number; covered: number } | undefined): string =>
    counts === undefined ? '-' : `${counts.covered}/${counts.found}`
  return `${file.path} ${printLines(file.covered)}|${printLines(file.partial)}|${printLines(file.missed)} ${pair(file.branches)} ${pair(file.functions)}`
}

export const printFiles = (result: ReportResult): string[] => [...result.files].map(printFile)

/** Everything that a result says, for comparing two. */
export function flatten(result: ReportResult): unknown {
  return { ...result, files: [...result.files] }
}

/** Sums over files of metric `line`. */
export function sumLines(files: Iterable<FileCoverage>): LineTotals {
  const totals = sumFiles(files, 'line')
  if (!('lines' in totals)) throw new Error('these are mutants')
  return totals
}
