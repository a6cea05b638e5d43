import type { FileCoverage, Metric } from '../record/coverage.ts'
import { Problem } from '../record/problem.ts'
import type { Sample } from './detect.ts'
import { join, sampleBytes, toSample, toUtf8 } from './detect.ts'
import { istanbulDefinition, readIstanbul } from './istanbul.ts'
import { lcovDefinition, readLcov } from './lcov.ts'
import type { MutantTally } from './mutant-tally.ts'
import { createMutantTally } from './mutant-tally.ts'
import type { PathOptions, WrittenPath } from './paths.ts'
import { createPathResolver } from './paths.ts'
import type { Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import { readStryker, strykerDefinition } from './stryker.ts'
import type { Tally } from './tally.ts'
import { createTally } from './tally.ts'

/** One kind of report. A new one is a line in `formats` and a file beside this one. */
type Format = LineFormat | MutationFormat

interface AnyFormat {
  name: string
  /** Of its usual dialect; a reading may name another. */
  definition: string
  detect(sample: Sample): boolean
}

interface LineFormat extends AnyFormat {
  /** What two observations of one line in one report mean, as its tools define it. On states both are "or": see tally.ts. */
  merge: 'sum' | 'max'
  read(chunks: AsyncIterable<Uint8Array>, tally: Tally, refused: RefusedList): Promise<Reading>
}

/** Its mutants count one by one, and are never a matter of lines executed. */
interface MutationFormat extends AnyFormat {
  readMutants(chunks: AsyncIterable<Uint8Array>, tally: MutantTally, refused: RefusedList): Promise<Reading>
}

/** The keys that make an object a FileCoverage; any of them may stand alone in the sample when one of the others is long. */
const ofFile = ['statementMap', 'fnMap', 'branchMap', 'inputSourceMap']

const formats = [
  {
    name: 'lcov',
    definition: lcovDefinition,
    merge: 'sum',
    detect: (sample) => sample.keys === undefined && /^(?:\u00ef\u00bb\u00bf)?(?:SF|TN):/m.test(sample.text),
    read: readLcov,
  },
  {
    name: 'istanbul',
    definition: istanbulDefinition,
    merge: 'max',
    detect: ({ keys, text }) =>
      keys !== undefined &&
      (ofFile.some((key) => keys.some((atDepth) => atDepth.has(key))) || /^\s*\{\s*\}\s*$/.test(text)),
    read: readIstanbul,
  },
  {
    name: 'stryker',
    definition: strykerDefinition,
    // Where the first file is longer than the sample, its mutants may not be in sight.
    detect: ({ keys }) =>
      keys !== undefined &&
      ((keys[0].has('schemaVersion') && (keys[0].has('thresholds') || keys[0].has('files'))) ||
        (keys[0].has('files') && (keys[2].has('mutants') || keys[2].has('source')))),
    readMutants: readStryker,
  },
] as const satisfies Format[]

export type FormatName = (typeof formats)[number]['name']
export const formatNames: readonly FormatName[] = formats.map((format) => format.name)

export interface ReportOptions extends PathOptions {
  /** Overrides detection. */
  format?: string | undefined
  /** Default 200,000. */
  maxFiles?: number | undefined
  /** Default 2,000,000. */
  maxLinesPerFile?: number | undefined
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
  const limits = { maxFiles: options.maxFiles ?? 200_000, maxLinesPerFile: options.maxLinesPerFile ?? 2_000_000 }
  const refusal = (path: WrittenPath): string | undefined => resolver.refusal(path)

  const { sample, all } = await takeSample(toUtf8(chunks))
  const format = chooseFormat(sample, options.format)
  let reading: Reading
  let tally: Pick<Tally | MutantTally, 'written' | 'files'>
  if ('readMutants' in format) {
    const mutants = createMutantTally(limits, refusal, refused)
    reading = await format.readMutants(all, mutants, refused)
    tally = mutants
  } else {
    const lines = createTally(limits, refusal, refused)
    reading = await format.read(all, lines, refused)
    tally = lines
  }

  const written = tally.written()
  const resolved = resolver.resolve(written)
  const unresolved: ReportResult['unresolved'] = { count: 0, first: [] }
  for (let i = 0; i < resolved.length; i += 1) {
    const to = resolved[i]
    if (to === undefined)
      refuse(refused, written[i]?.text ?? '', 'another file of the report has this name in another encoding')
    else if (to.unresolved) {
      unresolved.count += 1
      if (unresolved.first.length < 20) unresolved.first.push(to.path)
    }
  }
  if (written.length === 0 && reading.incomplete === undefined && reading.saysEmpty !== true) {
    const first = refused.first.find(({ reason }) => reason.startsWith('the path'))
    if (first !== undefined)
      throw new Problem('path_invalid', `${first.reason}: ${first.where}`, { extra: { refused } })
    throw new Problem('report_empty', 'the report names no file')
  }
  return {
    ...reading,
    format: format.name,
    metric: 'readMutants' in format ? 'mutation' : 'line',
    refused,
    unresolved,
    files: tally.files(resolved, reading.definition),
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

function chooseFormat(sample: Sample, name: string | undefined): (typeof formats)[number] {
  if (sample.isAll && sample.text.trim() === '') throw new Problem('report_empty', 'the report has no content')
  if (name !== undefined) {
    const named = formats.find((format) => format.name === name)
    if (named === undefined)
      throw new Problem(
        'report_unrecognized',
        `no format is called ${JSON.stringify(name)}; known: ${formatNames.join(', ')}`,
      )
    return named
  }
  refuseWithoutLines(sample)
  const [first, second] = formats.filter((format) => format.detect(sample))
  if (first === undefined)
    throw new Problem('report_unrecognized', `${looksLike(sample)}; known: ${formatNames.join(', ')}`)
  if (second !== undefined) throw new Problem('report_ambiguous', `it could be ${first.name} or ${second.name}`)
  return first
}

/** Reports that people send by mistake: there is nothing wrong with them, but they name no lines. */
function refuseWithoutLines({ keys, text }: Sample): void {
  if (keys === undefined) return
  const [top, second, third] = keys
  if (top.has('result') && (third.has('scriptId') || /"scriptId"\s*:/.test(text))) {
    throw new Problem(
      'no_lines',
      'raw V8 coverage has byte offsets and no lines: convert it where the sources are, for example with `c8 report --reporter=lcov`',
    )
  }
  if (second.has('lines') && second.has('statements') && third.has('pct') && !second.has('statementMap')) {
    throw new Problem(
      'no_lines',
      'a summary (coverage-summary.json) has no lines: send coverage-final.json or lcov.info of the same run',
    )
  }
}

function looksLike({ bytes, text, keys }: Sample): string {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'the report is gzip inside: send it with Content-Encoding: gzip'
  if (text.startsWith('PK\u0003\u0004')) return 'the report is a zip archive'
  if (keys !== undefined)
    return `a JSON object with ${[...keys[0]]
      .slice(0, 5)
      .map((key) => JSON.stringify(key.slice(0, 40)))
      .join(', ')}`
  return text.trimStart().startsWith('<') ? 'an XML document' : 'the report does not look like any known format'
}
