import type { LineRanges } from './lines.ts'
import { countLines, printLines, printRange } from './lines.ts'
import { Problem } from './problem.ts'
import { maxPayloadBytes } from './record.ts'
import type { RunIdentity } from './run.ts'

/** What one report says about one file. `covered`, `partial` and `missed` are disjoint. */
export interface FileCoverage {
  /** Path in the repository, or the path as written where it could not be resolved. */
  path: string
  /** Git blob id of the file at the commit, where the inventory knows it. */
  blob?: string
  /** The path was not found in the repository (or could not be looked up) and is kept as written. */
  unresolved?: boolean
  metric: 'line'
  /** Format, dialect and rule version: only equal definitions may be added up. */
  definition: string
  covered: LineRanges
  /** Executed, but not all of the line's branches were taken. */
  partial: LineRanges
  missed: LineRanges
  branches?: { found: number; covered: number }
  functions?: { found: number; covered: number }
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

interface Fixed {
  /** Up to and with `"ordinal":`. */
  head: string
  /** From behind the ordinal up to and with `"path":`. */
  middle: string
  tool: string
  /** From `"artifact_sha256"` on, without what follows it. */
  tail: string
}

const fixedTexts = new WeakMap<RunContext, Fixed>()

function fixedOf(run: RunContext): Fixed {
  const known = fixedTexts.get(run)
  if (known !== undefined) return known
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
  const fixed = {
    head: `{${head.join(',')},"ordinal":`,
    middle: `,${middle.join(',')},"path":`,
    tool,
    tail: `,${text('artifact_sha256', run.artifact_sha256)}`,
  }
  fixedTexts.set(run, fixed)
  return fixed
}

interface Sets {
  covered: LineRanges
  partial: LineRanges
  missed: LineRanges
}

/**
 * The payload bytes of one file: one record, or as many as its line sets need, cut into windows by line number. Each is at most
 * `maxPayloadBytes`. The record `i` has ordinal `ordinal + i`, so the next file's is `ordinal + <length of the answer>`.
 *
 * Counts of lines in a window are those of the window, so that records sum up; branches and functions belong to the file and stand in its
 * first record only. Key order: DESIGN.md section 3. Throws Problem('record_too_large') for a path or part over 1,024 bytes or another string over 256, and
 * when all of them together leave no room for the lines.
 */
export function coveragePayloads(file: FileCoverage, run: RunContext, ordinal: number): Uint8Array[] {
  const fixed = fixedOf(run)
  const blob = file.blob === undefined ? '' : `,"blob":${printString('blob', file.blob, maxStringBytes)}`
  const identity =
    fixed.middle +
    printString('path', file.path, maxPathBytes) +
    blob +
    `,"metric":"${file.metric}","definition":${printString('definition', file.definition, maxStringBytes)}` +
    fixed.tool
  const pair = (name: string, counts: { found: number; covered: number } | undefined): string =>
    counts === undefined ? '' : `,"${name}":{"found":${counts.found},"covered":${counts.covered}}`
  const whole = pair('branches', file.branches) + pair('functions', file.functions) + fixed.tail
  const print = (sets: Sets, at: number, counts: string, window: string): Uint8Array =>
    encoder.encode(fixed.head + at + identity + printCounts(sets) + counts + window + printSets(sets))

  const single = print(file, ordinal, whole, '')
  if (single.length <= maxPayloadBytes) return [single]
  // What a window needs beside its ranges, with every number as long as it can become.
  const longest = `,"window":{"index":9999999,"of":9999999,"from":${Number.MAX_SAFE_INTEGER},"to":${Number.MAX_SAFE_INTEGER}}`
  const numbers = 5 * 16
  const room =
    maxPayloadBytes - print({ covered: [], partial: [], missed: [] }, ordinal, whole, longest).length - numbers
  const windows = cutWindows(file, room)
  return windows.map(({ from, to, ...sets }, index) =>
    print(
      sets,
      ordinal + index,
      index === 0 ? whole : fixed.tail,
      `,"window":{"index":${index},"of":${windows.length},"from":${from},"to":${to}}`,
    ),
  )
}

function printCounts({ covered, partial, missed }: Sets): string {
  const [c, p, m] = [countLines(covered), countLines(partial), countLines(missed)]
  return `,"lines":{"found":${c + p + m},"covered":${c},"partial":${p},"missed":${m}}`
}

function printSets({ covered, partial, missed }: Sets): string {
  return `,"ranges":{"covered":"${printLines(covered)}","partial":"${printLines(partial)}","missed":"${printLines(missed)}"}}`
}

interface Window extends Sets {
  covered: number[]
  partial: number[]
  missed: number[]
  from: number
  to: number
}

/** Consecutive windows whose printed ranges have at most `room` bytes. They tile the lines from 1 to the last one; no range is cut. */
function cutWindows(file: Sets, room: number): Window[] {
  if (room < 64) throw new Problem('record_too_large', `the names in this record leave ${room} bytes for its lines`)
  const states = ['covered', 'partial', 'missed'] as const
  const next = { covered: 0, partial: 0, missed: 0 }
  const begin = (from: number): Window => ({ covered: [], partial: [], missed: [], from, to: from })
  const windows: Window[] = []
  let window = begin(1)
  let used = 0
  for (;;) {
    let state: (typeof states)[number] | undefined
    let from = Number.POSITIVE_INFINITY
    for (const candidate of states) {
      const start = file[candidate][next[candidate]]
      if (start !== undefined && start < from) {
        state = candidate
        from = start
      }
    }
    if (state === undefined) break
    const to = file[state][next[state] + 1] ?? from
    const bytes = printRange(from, to).length + 1
    if (used + bytes > room) {
      windows.push(window)
      window = begin(window.to + 1)
      used = 0
    }
    window[state].push(from, to)
    window.to = to
    used += bytes
    next[state] += 2
  }
  windows.push(window)
  return windows
}
