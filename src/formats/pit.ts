import type { MutantStatus } from '../record/mutants.ts'
import { verdictOf } from '../record/mutants.ts'
import { Problem } from '../record/problem.ts'
import type { Sample } from './detect.ts'
import type { MutantTally } from './mutant-tally.ts'
import { toPathWithTail } from './paths.ts'
import type { Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import { maxLine } from './tally.ts'
import { readTags } from './xml.ts'

/**
 * PIT's mutations.xml (COVERAGE.md 1.12). It names a source file without its folder, of which the package of the mutated class is the end. `partial` on the root
 * is about PIT's own line coverage and says nothing of the mutants.
 */
export const pitDefinition = 'pit.status@1'

const statuses: ReadonlyMap<string, MutantStatus> = new Map<string, MutantStatus>([
  ['KILLED', 'killed'],
  ['SURVIVED', 'survived'],
  ['TIMED_OUT', 'timed_out'],
  ['NO_COVERAGE', 'no_coverage'],
  ['NON_VIABLE', 'non_viable'],
  ['MEMORY_ERROR', 'memory_error'],
  ['RUN_ERROR', 'run_error'],
  ['EQUIVALENT', 'equivalent'],
  ['NOT_STARTED', 'not_started'],
  ['STARTED', 'started'],
])

const wanted = new Set(['sourceFile', 'mutatedClass', 'lineNumber'])

export const looksLikePit = ({ xml }: Sample): boolean => xml?.root === 'mutations'

/** Throws Problem('report_invalid') and what `tally` throws. */
export async function readPit(
  chunks: AsyncIterable<Uint8Array>,
  tally: MutantTally,
  refused: RefusedList,
): Promise<Reading> {
  let mutations = 0
  let unfinished = 0
  /** Mutations of one class stand together. */
  let known = { path: '', file: -1 }
  // Of the mutation that is being read.
  let word = ''
  let detected: string | undefined
  const texts = { sourceFile: '', mutatedClass: '', lineNumber: '' }

  function take(): void {
    const wrong = (reason: string): void => refuse(refused, `mutation ${mutations} of ${texts.mutatedClass}`, reason)
    const status = statuses.get(word)
    const line = /^\d{1,10}$/.test(texts.lineNumber) ? Number(texts.lineNumber) : 0
    if (status === undefined) return wrong(`the status ${JSON.stringify(word.slice(0, 40))} is not known`)
    if (texts.sourceFile === '') return wrong('it names no source file')
    if (line < 1 || line > maxLine) return wrong(`no line between 1 and ${maxLine}`)
    const path = toPath(texts.mutatedClass, texts.sourceFile)
    if (path !== known.path) known = { path, file: tally.file(toPathWithTail('', path)) }
    if (known.file < 0) return
    if (detected !== undefined && detected !== String(verdictOf(status) === 'detected'))
      wrong(`detected="${detected.slice(0, 40)}" is not what ${word} means: counted by its status`)
    if (status === 'not_started' || status === 'started') unfinished += 1
    tally.add(known.file, line, status)
  }

  await readTags(chunks, {
    textOf: wanted,
    open(tag) {
      const { name, depth } = tag
      if (depth === 1 && name !== 'mutations')
        throw new Problem('report_invalid', `the root of a PIT report is mutations, this is ${JSON.stringify(name)}`)
      if (depth !== 2 || name !== 'mutation') return
      word = tag.text('status') ?? ''
      detected = tag.text('detected')
      texts.sourceFile = texts.mutatedClass = texts.lineNumber = ''
    },
    close(name, depth, text) {
      if (depth === 3 && (name === 'sourceFile' || name === 'mutatedClass' || name === 'lineNumber'))
        texts[name] = text.trim()
      if (depth !== 2 || name !== 'mutation') return
      mutations += 1
      take()
    },
  })
  const reading: Reading = { definition: pitDefinition, testNames: [] }
  if (mutations === 0) reading.isEmpty = true
  if (unfinished > 0) reading.incomplete = `${unfinished} mutants were not run to their end`
  return reading
}

/** com.example.Outer$Inner and Outer.java: com/example/Outer.java. */
function toPath(mutatedClass: string, sourceFile: string): string {
  const end = mutatedClass.lastIndexOf('.')
  return end < 0 ? sourceFile : `${mutatedClass.slice(0, end).replaceAll('.', '/')}/${sourceFile}`
}
