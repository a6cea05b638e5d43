import { Problem } from '../record/problem.ts'
import { createCursor } from './json-cursor.ts'
import { parseJson, quoted, toObject } from './json.ts'
import { eachNumber, isLine, readArray, readTuple } from './json-numbers.ts'
import { walkJson } from './json-walk.ts'
import { createLineRun } from './line-run.ts'
import { toWrittenPath } from './paths.ts'
import type { Declared, Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import { maxLine } from './tally.ts'

/**
 * The JSON report of coverage.py (COVERAGE.md 1.6). A line is the first one of a statement; it is partial when it ran and one of the arcs that leave it
 * did not. There are no counts. Regions and contexts repeat all of a file for each function and class and make gigabytes: they are passed over.
 */
export const coveragePyDefinition = 'coveragepy.statement@1'

const members = new Set(['executed_lines', 'missing_lines', 'excluded_lines', 'executed_branches', 'missing_branches'])

/** Throws Problem('report_invalid', 'duplicate_key', 'no_lines') and what `tally` throws. */
export async function readCoveragePy(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const run = createLineRun(tally)
  let tool: Reading['tool']
  let dialect: string | undefined
  let declared: Declared | undefined
  let excluded = 0
  let [files, withoutLines] = [0, 0]
  const arc = new Int32Array(2)
  // Of the file that is being read.
  let path = ''
  let isTaken = false
  let hasLines = false

  /** A file is begun with the first thing that is said about it: the walker tells no beginnings. */
  const begin = (key: string): void => {
    path = key
    hasLines = false
    isTaken = tally.add(toWrittenPath(key)) >= 0
  }

  function takeOfFile(bytes: Uint8Array, key: string): void {
    const what = `${key} of ${quoted(path)}`
    if (key === 'executed_lines' || key === 'missing_lines') {
      hasLines = true
      const executed = key === 'executed_lines'
      let wrong = 0
      eachNumber(bytes, what, (line) => {
        if (!isLine(line)) wrong += 1
        else if (isTaken) run.line(line, executed)
      })
      run.flush()
      if (wrong > 0) refuse(refused, path, `${wrong} of ${key} are not between 1 and ${maxLine}`)
    } else if (key === 'excluded_lines') eachNumber(bytes, what, () => (excluded += 1))
    else readArcs(bytes, what, key === 'executed_branches')
  }

  /** Pairs [from, to]; `to` is negative where a function or module is left. */
  function readArcs(bytes: Uint8Array, what: string, taken: boolean): void {
    const cursor = createCursor(bytes, what)
    let wrong = 0
    readArray(cursor, () => {
      const count = readTuple(cursor, arc)
      const [from, to] = [arc[0] as number, arc[1] as number] // it has two
      if (count !== 2 || !isLine(from)) wrong += 1
      else if (isTaken) tally.branch(from, 0, to, taken)
    })
    cursor.end()
    if (wrong > 0) refuse(refused, path, `${wrong} branches are not [line, line]`)
  }

  await walkJson(chunks, {
    choose(depth, key) {
      if (depth === 1) return key === 'files' ? 'enter' : key === 'meta' || key === 'totals' ? 'take' : 'skip'
      if (depth === 2) {
        begin(key)
        return 'enter'
      }
      return members.has(key) ? 'take' : 'skip'
    },
    take(bytes, depth, key) {
      if (depth === 3) return takeOfFile(bytes, key)
      if (depth === 2) {
        if (isTaken) tally.drop()
        return refuse(refused, key, 'not the coverage of a file')
      }
      const value = toObject(parseJson(bytes, key))
      if (key === 'meta') {
        const { version, format, branch_coverage } = value ?? {}
        tool = { name: 'coverage.py', ...(typeof version === 'string' ? { version } : {}) }
        dialect = `format ${typeof format === 'number' ? format : 1}${branch_coverage === true ? ', branches' : ''}`
      } else if (key === 'totals') declared = toDeclared(value ?? {})
    },
    leave(depth) {
      if (depth !== 2) return
      files += 1
      if (hasLines) return
      withoutLines += 1
      if (isTaken) tally.drop()
      refuse(refused, path, 'no executed_lines and missing_lines')
    },
  })
  if (files > 0 && withoutLines === files)
    throw new Problem('no_lines', 'no file of this coverage.py report has lines: write it with `coverage json`')
  const all = excluded > 0 ? { ...declared, excluded } : declared
  return {
    definition: coveragePyDefinition,
    tool: tool ?? { name: 'coverage.py' },
    ...(dialect === undefined ? {} : { dialect }),
    ...(all === undefined ? {} : { declared: all }),
    testNames: [],
  }
}

/** `percent_covered` blends lines and branches where both were measured: it is never taken. */
function toDeclared(totals: Readonly<Record<string, unknown>>): Declared | undefined {
  const { num_statements: found, covered_lines: executed, num_branches, covered_branches } = totals
  if (typeof found !== 'number' || typeof executed !== 'number') return undefined
  return {
    lines: { found, executed },
    ...(typeof num_branches === 'number' && typeof covered_branches === 'number'
      ? { branches: { found: num_branches, covered: covered_branches } }
      : {}),
  }
}
