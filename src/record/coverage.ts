import type { LineRanges } from './lines.ts'
import { countLines, noLines, unite } from './lines.ts'
import type { MutatedLines, Mutants } from './mutants.ts'
import { Problem } from './problem.ts'
import { putBytes, putLines, putNumber, putPlainString, putText } from './put.ts'
import { maxPayloadBytes } from './record.ts'
import type { Pair, RunIdentity } from './run.ts'
import { unitKinds } from './run.ts'
import type { LineSets } from './windows.ts'
import { cutWindows } from './windows.ts'

/** What one report says about one file: by lines executed, or by mutants. Nothing of the one is ever added to the other. */
export type FileCoverage = LineCoverage | MutationCoverage

interface OfFile {
  /** Path in the repository, or the path as written where it could not be resolved. */
  path: string
  /** Git blob id of the file at the commit, where the inventory knows it. */
  blob?: string
  /** The path was not found in the repository (or could not be looked up) and is kept as written. */
  unresolved?: boolean
  /** Format, dialect and rule version: only equal definitions may be added up. */
  definition: string
}

/** `covered`, `partial` and `missed` are disjoint. */
export interface LineCoverage extends OfFile {
  metric: 'line'
  covered: LineRanges
  /** Executed, but not all of the line's branches were taken. */
  partial: LineRanges
  missed: LineRanges
  branches?: Pair
  functions?: Pair
  /** What else the format counts, each only where it does. */
  statements?: Pair
  regions?: Pair
  mcdc?: Pair
  calls?: Pair
}

/** Lines that have at least one mutant that was detected, survived, was reached by no test, or got no verdict: a line may be in several. */
export interface MutationCoverage extends OfFile {
  metric: 'mutation'
  mutants: Mutants
  detected: LineRanges
  survived: LineRanges
  uncovered: LineRanges
  /** Ignored by the user, not compiled, not finished, and the like. */
  undecided: LineRanges
}

export type Metric = FileCoverage['metric']

/** What stands before each set of lines, in the order of `setsOf`. */
const setKeys: Record<Metric, readonly string[]> = {
  line: [',"ranges":{"covered":"', '","partial":"', '","missed":"'],
  mutation: [',"ranges":{"detected":"', '","survived":"', '","uncovered":"', '","undecided":"'],
}

export function countMutatedLines({ detected, survived, uncovered, undecided }: MutationCoverage): MutatedLines {
  return mutatedLines([detected, survived, uncovered, undecided])
}

function mutatedLines(sets: LineSets): MutatedLines {
  const [detected = 0, survived = 0, uncovered = 0, undecided = 0] = sets.map(countLines)
  return { found: countLines(sets.reduce(unite, noLines)), detected, survived, uncovered, undecided }
}

/** The members that all coverage records of a part share. Treated as immutable: what is printed from it is kept per object. */
export interface RunContext extends RunIdentity {
  part: string
  tool?: { name: string; version?: string } | undefined
  artifact_sha256: string
}

/** Longest path in a record, in bytes of UTF-8 with JSON's escapes. */
export const maxPathBytes = 1_024
/** The same for every other string. */
export const maxStringBytes = 256

const encoder = new TextEncoder()

/** A string as JSON; refuses what a record cannot hold, rather than cutting it. */
function printString(name: string, value: string, maxBytes: number): string {
  const text = JSON.stringify(value)
  // A UTF-16 unit is at most 3 bytes, so most strings need no encoding to be measured.
  const bytes = text.length * 3 <= maxBytes ? 0 : encoder.encode(text).length - 2
  if (bytes > maxBytes) throw new Problem('record_too_large', `${name} has ${bytes} bytes, a record holds ${maxBytes}`)
  return text
}

/** What all records of a part have in common, as bytes. */
interface Fixed {
  run: RunContext
  /** Up to and with `"ordinal":`. */
  head: Uint8Array
  /** From behind the ordinal up to and with `"path":`. */
  middle: Uint8Array
  /** From `"metric"` on, for files with this metric and definition. */
  metric: Metric
  definition: string
  what: Uint8Array
  tool: string
  /** From `"artifact_sha256"` on, without what follows it. */
  tail: Uint8Array
}

/** Of the run that was asked for last: the next file is of the same one. */
let lastFixed: Fixed | undefined

function fixedOf(run: RunContext, file: FileCoverage): Fixed {
  lastFixed = lastFixed?.run === run ? lastFixed : toFixed(run)
  if (lastFixed.definition !== file.definition || lastFixed.metric !== file.metric) {
    const definition = printString('definition', file.definition, maxStringBytes)
    lastFixed.what = encoder.encode(`,"metric":"${file.metric}","definition":${definition}${lastFixed.tool}`)
    lastFixed.definition = file.definition
    lastFixed.metric = file.metric
  }
  return lastFixed
}

function toFixed(run: RunContext): Fixed {
  const text = (name: string, value: string): string => `"${name}":${printString(name, value, maxStringBytes)}`
  const head = [
    '"schema":"proofline.coverage.v1"',
    '"kind":"coverage"',
    text('ledger', run.ledger),
    text('run', run.run),
    `"part":${printString('part', run.part, maxPathBytes)}`,
  ]
  const middle = [text('repository', run.repository), text('commit', run.commit)]
  if (run.ref !== undefined) middle.push(text('ref', run.ref))
  if (run.build !== undefined) middle.push(text('build', run.build))
  if (run.build_seq !== undefined) middle.push(`"build_seq":${run.build_seq}`)
  middle.push(text('suite', run.suite), text('test_type', run.test_type))
  const tool =
    run.tool === undefined
      ? ''
      : `,"tool":{${text('name', run.tool.name)}${run.tool.version === undefined ? '' : `,${text('version', run.tool.version)}`}}`
  return {
    run,
    head: encoder.encode(`{${head.join(',')},"ordinal":`),
    middle: encoder.encode(`,${middle.join(',')},"path":`),
    metric: 'line',
    definition: '',
    what: encoder.encode(`,"metric":"line","definition":""${tool}`),
    tool,
    tail: encoder.encode(`,${text('artifact_sha256', run.artifact_sha256)}`),
  }
}

/**
 * The payload bytes of one file: one record, or as many as its line sets need, cut into windows by line number. Each is at most
 * `maxPayloadBytes`. The record `i` has ordinal `ordinal + i`, so the next file's is `ordinal + <length of the answer>`. Payloads are views of larger
 * arrays, several of one: copy one that is to be kept while the others go, or that is to be transferred.
 *
 * Counts of lines in a window are those of the window, so that records sum up; branches, functions, mutants and the like belong to the file and
 * stand in its first record only. Key order: DESIGN.md section 3. Throws Problem('record_too_large') for a path or part over 1,024 bytes or another string over 256, and
 * when all of them together leave no room for the lines.
 */
export function coveragePayloads(file: FileCoverage, run: RunContext, ordinal: number): Uint8Array[] {
  const fixed = fixedOf(run, file)
  const whole = setsOf(file)
  const single = print(fixed, file, whole, ordinal, '')
  if (single <= maxPayloadBytes) return [take(single)]
  // What a window needs beside its ranges, with every number as long as it can become.
  const longest = `,"window":{"index":9999999,"of":9999999,"from":${Number.MAX_SAFE_INTEGER},"to":${Number.MAX_SAFE_INTEGER}}`
  const numbers = 6 * 16
  const none = whole.map(() => noLines)
  const windows = cutWindows(whole, maxPayloadBytes - print(fixed, file, none, ordinal, longest) - numbers)
  return windows.map(({ sets, from, to }, index) => {
    const window = `,"window":{"index":${index},"of":${windows.length},"from":${from},"to":${to}}`
    return take(print(fixed, file, sets, ordinal + index, window, index === 0))
  })
}

/** In the order of `setKeys`. */
function setsOf(file: FileCoverage): LineSets {
  return file.metric === 'line'
    ? [file.covered, file.partial, file.missed]
    : [file.detected, file.survived, file.uncovered, file.undecided]
}

/** Where payloads are printed, one behind the other: making an array for each took as long as printing it. */
let block = new Uint8Array(0)
let used = 0
const blockBytes = 65_536
/** More than all strings of a record together, of the lengths that are allowed. */
const roomBytes = 16_384

/** The payload that was printed last. */
function take(length: number): Uint8Array {
  const payload = block.subarray(used, used + length)
  used += length
  return payload
}

/** Prints a record with these lines behind what was taken. Answers its length; when that is over `maxPayloadBytes`, it is not whole. */
function print(
  fixed: Fixed,
  file: FileCoverage,
  sets: LineSets,
  ordinal: number,
  window: string,
  isFirst = true,
): number {
  if (used + roomBytes > block.length) {
    block = new Uint8Array(blockBytes)
    used = 0
  }
  const to = block
  let at = putNumber(to, putBytes(to, used, fixed.head), ordinal)
  at = putPath(to, putBytes(to, at, fixed.middle), file.path)
  if (file.blob !== undefined) at = putText(to, at, `,"blob":${printString('blob', file.blob, maxStringBytes)}`)
  at = putBytes(to, at, fixed.what)
  if (file.metric === 'line') {
    at = putCounts(to, at, sets)
    if (isFirst && file.branches !== undefined) at = putPair(to, at, 'branches', file.branches)
    if (isFirst && file.functions !== undefined) at = putPair(to, at, 'functions', file.functions)
    for (const kind of isFirst ? unitKinds : []) {
      const units = file[kind]
      if (units !== undefined) at = putPair(to, at, kind, units)
    }
  } else {
    at = putText(to, at, `,"mutated_lines":${JSON.stringify(mutatedLines(sets))}`)
    if (isFirst) at = putText(to, at, `,"mutants":${JSON.stringify(file.mutants)}`)
  }
  at = putText(to, putBytes(to, at, fixed.tail), window)
  const limit = used + maxPayloadBytes
  const keys = setKeys[file.metric]
  for (let i = 0; i < keys.length; i += 1) at = putLines(to, putText(to, at, keys[i] ?? ''), sets[i] ?? noLines, limit)
  return putText(to, at, '"}}') - used
}

function putPath(to: Uint8Array, at: number, path: string): number {
  const isShort = path.length <= maxPathBytes
  return (isShort && putPlainString(to, at, path)) || putText(to, at, printString('path', path, maxPathBytes))
}

function putCounts(to: Uint8Array, at: number, sets: LineSets): number {
  const [c = 0, p = 0, m = 0] = sets.map(countLines)
  let end = putNumber(to, putText(to, at, ',"lines":{"found":'), c + p + m)
  end = putNumber(to, putText(to, end, ',"covered":'), c)
  end = putNumber(to, putText(to, end, ',"partial":'), p)
  end = putNumber(to, putText(to, end, ',"missed":'), m)
  return putText(to, end, '}')
}

function putPair(to: Uint8Array, at: number, name: string, { found, covered }: Pair): number {
  const end = putNumber(to, putText(to, at, `,"${name}":{"found":`), found)
  return putText(to, putNumber(to, putText(to, end, ',"covered":'), covered), '}')
}
