import type { FileCoverage, Metric } from '../record/coverage.ts'
import { Problem } from '../record/problem.ts'
import type { Sample } from './detect.ts'
import { join, sampleBytes, toSample, toUtf8 } from './detect.ts'
import { chooseFormat } from './choose.ts'
import type { FormatName } from './formats.ts'
import { resolveImports } from './import-paths.ts'
import type { MutantTally } from './mutant-tally.ts'
import { createMutantTally } from './mutant-tally.ts'
import type { PathOptions, WrittenPath } from './paths.ts'
import { createPathResolver } from './path-resolver.ts'
import type { Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import { createTally } from './tally.ts'

export interface ReportOptions extends PathOptions {
  /** Overrides detection. */
  format?: string | undefined
  /** Which of several suites in one report is meant; `*` for all together. */
  section?: string | undefined
  /** Default 200,000. */
  maxFiles?: number | undefined
  /** Default 2,000,000. */
  maxLinesPerFile?: number | undefined
  /** Default 20,000,000. */
  maxLines?: number | undefined
}

export interface ReportResult extends Reading {
  format: FormatName
  metric: Metric
  /** Records and files of the report that were not taken, with the reason. */
  refused: RefusedList
  /** Paths that are kept as written because they were not found in the repository; the first twenty. */
  unresolved: { count: number; first: string[] }
  /** By ascending path. May be iterated again; each time it is computed anew from the tally. */
  files: Iterable<FileCoverage>
}

/**
 * Reads a whole report of any known format. Resolves when the last byte was read: only then is it known what may be recorded.
 * Pure but for `chunks`; synchronous between two of them.
 *
 * Throws a Problem: report_empty, report_unrecognized, report_ambiguous, report_invalid, no_lines, duplicate_key, too_many_files, too_many_lines, and
 * path_invalid when every path was refused. What `chunks` throws goes through.
 */
export async function openReport(
  chunks: AsyncIterable<Uint8Array>,
  options: ReportOptions = {},
): Promise<ReportResult> {
  const refused: RefusedList = { count: 0, first: [] }
  const resolver = createPathResolver(options)
  const { maxFiles = 200_000, maxLinesPerFile = 2_000_000, maxLines = 20_000_000 } = options
  const limits = { maxFiles, maxLinesPerFile, maxLines }
  const refusal = (path: WrittenPath): string | undefined => resolver.refusal(path)

  const { sample, all } = await takeSample(toUtf8(chunks))
  const format = chooseFormat(sample, options.format)
  if (options.section !== undefined && !('hasSections' in format))
    throw new Problem('request_invalid', `a report of format ${format.name} has no sections to choose from`)
  let reading: Reading
  let tally: Pick<Tally | MutantTally, 'written' | 'files'>
  if ('readMutants' in format) {
    const mutants = createMutantTally(limits, refusal, refused)
    reading = await format.readMutants(all, mutants, refused)
    tally = mutants
  } else {
    const lines = createTally(limits, refusal, refused)
    reading = await format.read(all, lines, refused, options.section)
    tally = lines
  }

  const written = tally.written()
  const resolved = resolver.resolve('paths' in format ? resolveImports(written, options) : written)
  const unresolved: ReportResult['unresolved'] = { count: 0, first: [] }
  for (let i = 0; i < resolved.length; i += 1) {
    const to = resolved[i]
    if (typeof to === 'string') refuse(refused, written[i]?.text ?? '', to)
    else if (to?.unresolved === true) {
      unresolved.count += 1
      if (unresolved.first.length < 20) unresolved.first.push(to.path)
    }
  }
  if (resolved.length > 0 && resolved.every((to) => typeof to === 'string'))
    throw new Problem('path_invalid', `no path can be matched, the first: ${written[0]?.text}: ${resolved[0]}`, {
      extra: { refused },
    })
  if (written.length === 0 && reading.incomplete === undefined) {
    const first = refused.first.find(({ reason }) => reason.startsWith('the path'))
    if (first !== undefined)
      throw new Problem('path_invalid', `${first.reason}: ${first.where}`, { extra: { refused } })
    if (reading.isEmpty !== true) throw new Problem('report_empty', 'the report names no file')
  }
  return {
    ...reading,
    format: format.name,
    metric: 'readMutants' in format ? 'mutation' : 'line',
    refused,
    unresolved,
    files: tally.files(
      resolved.map((to) => (typeof to === 'string' ? undefined : to)),
      reading.definition,
    ),
  }
}

/** The first bytes, and everything again from the start. */
async function takeSample(
  chunks: AsyncGenerator<Uint8Array>,
): Promise<{ sample: Sample; all: AsyncIterable<Uint8Array> }> {
  const parts: Uint8Array[] = []
  let length = 0
  let isAll = false
  while (length < sampleBytes && !isAll) {
    const { value, done } = await chunks.next()
    if (done === true) isAll = true
    else {
      parts.push(value.slice())
      length += value.length
    }
  }
  const head = join(parts)
  async function* all(): AsyncGenerator<Uint8Array> {
    yield head
    if (!isAll) yield* chunks
  }
  return { sample: toSample(head.subarray(0, sampleBytes), isAll && length <= sampleBytes), all: all() }
}
