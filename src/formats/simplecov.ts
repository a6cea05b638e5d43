import { Problem } from '../record/problem.ts'
import { parseJson, quoted, toObject } from './json.ts'
import { walkJson } from './json-walk.ts'
import { toWrittenPath } from './paths.ts'
import type { Declared, Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import { createSections } from './sections.ts'
import { createSimplecovFile } from './simplecov-file.ts'
import type { Tally } from './tally.ts'

/**
 * What SimpleCov writes (COVERAGE.md 1.11): `.resultset.json` (command, then "coverage", then files), the JSON formatter's `coverage.json` (the same for one
 * run, with totals), and the list of files of simplecov-json before it. A file is an array with a count or null for each of its lines, since 0.18 in
 * an object with branches beside it.
 *
 * A resultset with several commands is several suites, RSpec and Cucumber for example: which one is asked, never guessed.
 */
export const simplecovDefinition = 'simplecov.line@1'

const [openBrace, openBracket] = [0x7b, 0x5b]
const ofFile = new Set(['lines', 'branches', 'methods'])
type Shape = 'resultset' | 'formatter' | 'list'

/** Throws Problem('report_invalid', 'duplicate_key', 'report_ambiguous') and what `tally` throws. */
export async function readSimplecov(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
  section: string | undefined,
): Promise<Reading> {
  const sections = createSections(section)
  const file = createSimplecovFile(tally, refused)
  let shape: Shape = 'resultset'
  let version: string | undefined
  let declared: Declared | undefined
  const names: string[] = []
  /** The depth that files are in, while they are read; 0 else. */
  let filesAt = 0
  /** A single-run report has no sections to choose from. */
  let command = ''

  function takeHead(key: string, value: Readonly<Record<string, unknown>>): void {
    if (key === 'meta') {
      if (typeof value['simplecov_version'] === 'string') version = value['simplecov_version']
      const commands: unknown = value['command_names'] ?? [value['command_name']]
      if (Array.isArray(commands)) names.push(...commands.filter((name) => typeof name === 'string'))
    } else declared = toDeclared(value)
  }

  function takeElement(bytes: Uint8Array): void {
    const value = toObject(parseJson(bytes, 'a member of "files"'))
    const [path, coverage] = [value?.['filename'], value?.['coverage']]
    if (typeof path !== 'string' || typeof coverage !== 'object' || coverage === null)
      return refuse(refused, 'files', 'a member without filename and coverage')
    file.begin(toWrittenPath(path))
    const parts = Array.isArray(coverage) ? { lines: coverage as unknown } : coverage
    for (const [key, part] of Object.entries(parts))
      if (ofFile.has(key)) file.take(key, new TextEncoder().encode(JSON.stringify(part)))
    file.end()
  }

  await walkJson(chunks, {
    choose(depth, key, first) {
      if (filesAt > 0) {
        if (depth > filesAt) return ofFile.has(key) ? 'take' : 'skip'
        if (shape === 'list') return 'take'
        file.begin(toWrittenPath(key))
        return first === openBrace ? 'enter' : 'take'
      }
      if (depth === 1) {
        command = key
        if (key === 'meta' || key === 'total' || key === 'metrics') return 'take'
        if (first === openBracket ? key !== 'files' : key !== 'coverage') return first === openBrace ? 'enter' : 'skip'
        shape = key === 'files' ? 'list' : 'formatter'
      } else if (depth !== 2 || key !== 'coverage' || first !== openBrace || !sections.isWanted(command)) return 'skip'
      filesAt = depth + 1
      return 'enter'
    },
    take(bytes, depth, key) {
      if (depth === 1) takeHead(key, toObject(parseJson(bytes, quoted(key))) ?? {})
      else if (depth > filesAt) file.take(key, bytes)
      else if (shape === 'list') takeElement(bytes)
      else {
        file.take('lines', bytes)
        file.end()
      }
    },
    leave(depth) {
      if (depth === filesAt) file.end()
      else if (depth === filesAt - 1) filesAt = 0
    },
  })
  if (shape === 'resultset') names.push(...sections.end())
  else if (section !== undefined)
    throw new Problem('report_ambiguous', 'this SimpleCov report is of one run: it has no sections', {
      extra: { sections: [] },
    })
  return {
    definition: simplecovDefinition,
    dialect: shape,
    tool: { name: 'simplecov', ...(version === undefined ? {} : { version }) },
    ...(declared === undefined ? {} : { declared }),
    testNames: names.slice(0, 20),
  }
}

/** `total` of the JSON formatter; `metrics` of simplecov-json before it. */
function toDeclared(value: Readonly<Record<string, unknown>>): Declared | undefined {
  const [lines, branches] = [toObject(value['lines']) ?? value, toObject(value['branches'])]
  const found = lines['total'] ?? lines['total_lines']
  const executed = lines['covered'] ?? lines['covered_lines']
  if (typeof found !== 'number' || typeof executed !== 'number') return undefined
  const [ways, taken] = [branches?.['total'], branches?.['covered']]
  return {
    lines: { found, executed },
    ...(typeof ways === 'number' && typeof taken === 'number' ? { branches: { found: ways, covered: taken } } : {}),
  }
}
