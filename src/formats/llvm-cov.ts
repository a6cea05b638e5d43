import { Problem } from '../record/problem.ts'
import { mix } from './fingerprint.ts'
import { createCursor } from './json-cursor.ts'
import type { Json } from './json.ts'
import { parseJson, toObject } from './json.ts'
import { isLine, readArray, readTuple } from './json-numbers.ts'
import { walkJson } from './json-walk.ts'
import { createLineRun } from './line-run.ts'
import { createSegments } from './llvm-segments.ts'
import { createOpenedFiles } from './opened-files.ts'
import { toWrittenPath } from './paths.ts'
import type { Declared, Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import { maxLine } from './tally.ts'
import { createUnitRun } from './units.ts'

/**
 * The JSON of `llvm-cov export`, `cargo llvm-cov --json` and Xcode's llvm-cov (COVERAGE.md 1.9). Lines are derived from segments as llvm-cov derives them for
 * its own reports. Functions and expansions repeat everything for each instantiation and macro, 176 MB for 16,000 lines: they are passed over.
 */
export const llvmCovDefinition = 'llvm-cov.segment@1'

type Member = 'filename' | 'segments' | 'branches' | 'summary'
const ofFile = new Set(['filename', 'segments', 'branches', 'summary'] satisfies Member[])

/** Throws Problem('report_invalid', 'duplicate_key', 'no_lines') and what `tally` throws. */
export async function readLlvmCov(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const file = createLlvmFile(tally, refused)
  let version: string | undefined
  let dialect: string | undefined
  const declared = { lines: { found: 0, executed: 0 }, branches: { found: 0, covered: 0 } } satisfies Declared
  let hasTotals = false

  function takeTotals(bytes: Uint8Array): void {
    const totals = toObject(parseJson(bytes, 'totals'))
    const lines = toCounts(totals?.['lines'])
    if (lines === undefined) return
    hasTotals = true
    declared.lines.found += lines.found
    declared.lines.executed += lines.covered
    const branches = toCounts(totals?.['branches'])
    declared.branches.found += branches?.found ?? 0
    declared.branches.covered += branches?.covered ?? 0
  }

  await walkJson(chunks, {
    choose(depth, key) {
      if (depth === 1) return key === 'data' ? 'enter' : key === 'version' || key === 'cargo_llvm_cov' ? 'take' : 'skip'
      if (depth === 3) return key === 'files' ? 'enter' : key === 'totals' ? 'take' : 'skip'
      if (depth === 5) return ofFile.has(key as Member) ? 'take' : 'skip'
      return 'enter'
    },
    take(bytes, depth, key) {
      if (depth === 5) file.take(key as Member, bytes) // chosen above
      else if (depth === 3) takeTotals(bytes)
      else if (depth !== 1) refuse(refused, 'data', 'not an object')
      else if (key === 'version') version = String(parseJson(bytes, key))
      else {
        const cargo = toObject(parseJson(bytes, key))?.['version']
        if (typeof cargo === 'string') dialect = `cargo-llvm-cov ${cargo}`
      }
    },
    leave(depth) {
      if (depth === 4) file.end()
    },
  })
  const { files, withoutLines } = file
  if (files > 0 && withoutLines === files)
    throw new Problem(
      'no_lines',
      'an llvm-cov summary has no lines: export without -summary-only, with -skip-expansions -skip-functions to keep it small',
    )
  return {
    definition: llvmCovDefinition,
    ...(dialect === undefined ? {} : { dialect }),
    // The version of the export: that of LLVM is not told.
    tool: { name: 'llvm-cov export', ...(version === undefined ? {} : { version }) },
    ...(hasTotals ? { declared } : {}),
    testNames: [],
  }
}

interface LlvmFile {
  /** Members come in any order, the name behind the rest: what they say is kept until `end`. */
  take(member: Member, bytes: Uint8Array): void
  end(): void
  files: number
  withoutLines: number
}

function createLlvmFile(tally: Tally, refused: RefusedList): LlvmFile {
  const segments = createSegments()
  const run = createLineRun(tally)
  const counted = (['regions', 'mcdc'] as const).map((kind) => [kind, createUnitRun(tally, kind)] as const)
  /** One source may be in several exports, or twice in one. */
  const opened = createOpenedFiles(tally)
  /** Line, name of the place, and 2 bits: true taken, false taken. */
  let branches: number[] = []
  const branch = new Int32Array(6)
  let path: string | undefined
  let summary: Json | undefined
  let hasSegments = false
  let wrong = 0

  function readBranches(bytes: Uint8Array): void {
    const cursor = createCursor(bytes, 'branches')
    readArray(cursor, () => {
      const fields = readTuple(cursor, branch)
      const line = branch[0] as number // it has six
      if (fields < 6 || !isLine(line)) wrong += 1
      else {
        const name = mix(branch[1] as number, branch[2] as number, branch[3] as number, 0)
        branches.push(line, name, ((branch[4] as number) > 0 ? 1 : 0) | ((branch[5] as number) > 0 ? 2 : 0))
      }
    })
    cursor.end()
  }

  function store(): void {
    if (path === undefined) return refuse(refused, 'files', 'a file without filename')
    if (!hasSegments) {
      self.withoutLines += 1
      return refuse(refused, path, 'no segments')
    }
    if (wrong > 0)
      refuse(refused, path, `${wrong} segments or branches without a line between 1 and ${maxLine}, in order`)
    const name = path
    if (!opened.open(name, () => toWrittenPath(name))) return
    segments.tally(tally, run)
    for (let i = 0; i < branches.length; i += 3)
      tally.branches(branches[i] as number, branches[i + 1] as number, 0, 3, branches[i + 2] as number) // i < length
    // The segments do not tell these: what the summary counts, templates once for each instantiation.
    for (const [kind, units] of counted) {
      const { found, covered } = toCounts(summary?.[kind]) ?? { found: 0, covered: 0 }
      units.add(covered, true)
      units.add(found - covered, false)
      units.flush()
    }
    const functions = toCounts(summary?.['functions'])
    for (let i = 0; i < Math.min(functions?.found ?? 0, 100_000); i += 1)
      tally.callable(i, 0, i < (functions?.covered ?? 0) ? 1 : 0)
  }

  const self: LlvmFile = {
    files: 0,
    withoutLines: 0,
    take(member, bytes) {
      if (member === 'segments') {
        wrong += segments.read(bytes, member)
        hasSegments = true
      } else if (member === 'branches') readBranches(bytes)
      else if (member === 'summary') summary = toObject(parseJson(bytes, member))
      else if (member === 'filename') {
        const name = parseJson(bytes, member)
        if (typeof name === 'string') path = name
      }
    },
    end() {
      self.files += 1
      store()
      path = undefined
      summary = undefined
      hasSegments = false
      wrong = 0
      branches = []
    },
  }
  return self
}

/** {"count": found, "covered": covered} */
function toCounts(value: unknown): { found: number; covered: number } | undefined {
  const { count, covered } = toObject(value) ?? {}
  return typeof count === 'number' && typeof covered === 'number' ? { found: count, covered } : undefined
}
