import type { MutantStatus } from '../record/mutants.ts'
import type { Sample } from './detect.ts'
import type { JsonCursor } from './json-cursor.ts'
import { createCursor } from './json-cursor.ts'
import { invalid, parseJson, quoted } from './json.ts'
import type { Choice } from './json-walk.ts'
import { walkJson } from './json-walk.ts'
import type { MutantTally } from './mutant-tally.ts'
import { toWrittenPath } from './paths.ts'
import type { Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import { maxLine } from './tally.ts'

/**
 * The mutation testing report schema 1 and 2, which Stryker, Infection and others write (COVERAGE.md 1.12). A mutant stands on the line where its
 * location starts. The report has all sources in it: they are passed over byte by byte and never held.
 */
export const strykerDefinition = 'stryker.status@1'

const statuses: ReadonlyMap<unknown, MutantStatus> = new Map<unknown, MutantStatus>([
  ['Killed', 'killed'],
  ['Survived', 'survived'],
  ['NoCoverage', 'no_coverage'],
  ['Timeout', 'timed_out'],
  ['CompileError', 'compile_error'],
  ['RuntimeError', 'runtime_error'],
  ['Ignored', 'ignored'],
  ['Pending', 'pending'],
])

/** Where the source of the first file is longer than the sample, no mutant may be in sight. */
export function looksLikeStryker({ keys }: Sample): boolean {
  if (keys === undefined) return false
  const [top, , third] = keys
  return (
    (top.has('schemaVersion') && (top.has('thresholds') || top.has('files'))) ||
    (top.has('files') && (third.has('mutants') || third.has('source')))
  )
}

/** Throws Problem('report_invalid', 'duplicate_key') and what `tally` throws. */
export async function readStryker(
  chunks: AsyncIterable<Uint8Array>,
  tally: MutantTally,
  refused: RefusedList,
): Promise<Reading> {
  let version: string | undefined
  let tool: Reading['tool']
  let pending = 0
  let hasFiles = false
  let files = 0
  // The file that is being read: its name in the report, its number in the tally, the mutants seen.
  let path = ''
  let what = ''
  let file: number | undefined
  let mutants = 0

  function choose(depth: number, key: string): Choice {
    if (depth === 1) return key === 'files' ? 'enter' : key === 'schemaVersion' || key === 'framework' ? 'take' : 'skip'
    if (depth === 2) {
      files += 1
      path = key
      what = `a mutant of ${quoted(key)}`
      file = undefined
      mutants = 0
      return 'enter'
    }
    if (depth === 4) return file === undefined || file < 0 ? 'skip' : 'take'
    if (key !== 'mutants') return 'skip'
    file = tally.file(toWrittenPath(path))
    return 'enter'
  }

  function takeMutant(bytes: Uint8Array): void {
    mutants += 1
    const { status: word, line } = readMutant(bytes, what)
    const status = statuses.get(word)
    const wrong = (reason: string): void => refuse(refused, `mutant ${mutants} of ${path}`, reason)
    if (status === undefined) wrong(`the status ${quoted(String(word))} is not known`)
    else if (!Number.isInteger(line) || line < 1 || line > maxLine) wrong(`no line between 1 and ${maxLine}`)
    else {
      if (status === 'pending') pending += 1
      tally.add(file ?? -1, line, status)
    }
  }

  await walkJson(chunks, {
    choose,
    take(bytes, depth, key) {
      if (depth === 4) takeMutant(bytes)
      else if (depth === 1 && key === 'schemaVersion') version = String(parseJson(bytes, 'the schema version'))
      else if (depth === 1 && key === 'framework') tool = readFramework(parseJson(bytes, 'the framework'))
      else if (depth === 1) throw invalid(`${quoted(key)} is no object`)
      else if (depth === 2) refuse(refused, key, 'not the mutants of a file')
    },
    leave(depth, key) {
      if (depth === 1) hasFiles = true
      else if (depth === 2 && file === undefined) refuse(refused, key, 'not the mutants of a file')
    },
  })
  if (!hasFiles) throw invalid('it has no "files"')
  if (version !== undefined && !/^[12](?:\.|$)/.test(version))
    throw invalid(`the mutation testing report schema ${quoted(version)} is not known; 1 and 2 are`)
  const reading: Reading = { definition: strykerDefinition, testNames: [] }
  if (files === 0) reading.isEmpty = true
  if (tool !== undefined) reading.tool = tool
  if (pending > 0) reading.incomplete = `${pending} mutants are pending: the report was written before the run ended`
  return reading
}

/** Only what is needed is made: most of a mutant are the names of the tests that reach it. */
function readMutant(bytes: Uint8Array, what: string): { status: unknown; line: number } {
  const cursor = createCursor(bytes, what)
  const mutant = { status: undefined as unknown, line: 0 }
  if (cursor.peek() !== 0x7b) cursor.value()
  else
    eachMember(cursor, (key) => {
      if (key === 'status') mutant.status = cursor.value()
      else if (key === 'location' && cursor.peek() === 0x7b)
        eachMember(cursor, (edge) => {
          if (edge === 'start' && cursor.peek() === 0x7b)
            eachMember(cursor, (name) => {
              const number = cursor.eatInteger()
              if (number < 0) cursor.value()
              if (name === 'line') mutant.line = number
            })
          else cursor.value()
        })
      else cursor.value()
    })
  cursor.end()
  return mutant
}

function eachMember(cursor: JsonCursor, each: (key: string | number) => void): void {
  const seen: (string | number)[] = []
  cursor.members((key) => {
    if (seen.includes(key)) cursor.twice(key)
    seen.push(key)
    each(key)
  })
}

function readFramework(value: unknown): Reading['tool'] {
  const { name, version } = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  if (typeof name !== 'string' || name === '' || name.length > 80) return undefined
  return typeof version === 'string' && version.length <= 80 ? { name, version } : { name }
}
