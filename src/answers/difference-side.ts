import type { LineStates } from '../history/states.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type TestType, testTypes } from '../record/record.ts'
import { type MissingSuite, testTypeOf } from './commit-runs.ts'
import type { Absence, Side, SideFile } from './explain-difference.ts'
import type { Inventory } from './inventories.ts'
import { measure } from './measured.ts'
import { lookAhead, openProduction } from './production-files.ts'
import type { RunEvidence, SealTotals } from './run-evidence.ts'
import { type Question, type Subject, type SubjectDeps, openSubject } from './subject.ts'
import { type MeasuredFile, executedOf, foundOf, uniteRuns, uniteStates } from './union.ts'

/** One of two numbers that disagree: what it counts, opened from a text that names it. */

export interface NamedSide {
  text: string
  kind: 'commit' | 'build' | 'deployment' | 'run' | 'suite'
  name: string
  definition: string | undefined
  testType: TestType | undefined
  /** Production files, as reports count, or all that were measured, as tools do: a run's unless told. */
  files: 'production' | 'all'
}

const form =
  'commit:ID, build:NAME, deployment:ID, run:ID or suite:COMMIT/TEST_TYPE/NAME, behind it ;definition=D, ;test_type=T or ;files=production|all'

/** Throws Problem('request_invalid'). */
export function parseSide(text: string): NamedSide {
  const [, kind, name = '', options = ''] = /^(commit|build|deployment|run|suite):([^;]+)((?:;[^;]*)*)$/.exec(text) ?? []
  const told = new Map<string, string>()
  for (const option of options.split(';').slice(1)) {
    const [key = '', value] = option.split(/=(.*)/s)
    if (!['definition', 'test_type', 'files'].includes(key) || value === undefined || value === '' || told.has(key)) throw invalid(text)
    told.set(key, value)
  }
  const [testType, files] = [testTypes.find((one) => one === told.get('test_type')), told.get('files')]
  const isChosen = kind === 'run' || kind === 'suite'
  if (kind === undefined || (told.has('test_type') && (testType === undefined || isChosen))) throw invalid(text)
  if (files !== undefined && files !== 'production' && files !== 'all') throw invalid(text)
  const usual = kind === 'run' ? 'all' : 'production'
  return { text, kind: kind as NamedSide['kind'], name, definition: told.get('definition'), testType, files: files ?? usual } // one of the pattern's
} // oxfmt-ignore

const invalid = (text: string): Problem =>
  new Problem('request_invalid', `${JSON.stringify(text)} names no number: ${form}`)

export interface OpenedSide extends Side {
  named: NamedSide
  commit: string
  definition: string
  /** Of what kind `named` is where that is not a run. */
  subject: Subject | undefined
  missing: readonly MissingSuite[]
  runs: readonly RunEvidence[]
  totals: readonly SealTotals[]
  /** Of a file that the commit has, where that is known. */
  blobOf(path: string): string | undefined
  /** Before `why` is asked about them. */
  lookAhead(paths: Iterable<string>): Promise<void>
}

export async function openSide(deps: SubjectDeps, question: Question, named: NamedSide): Promise<OpenedSide> {
  const opened = named.kind === 'run' ? await openRun(deps, question, named) : await openCommit(deps, question, named)
  const { files, inventory, isProduction } = opened
  const measured = new Map(files.map((file) => [file.path, file]))
  const filter = named.files === 'production' ? isProduction : undefined
  await lookAhead(filter, files.map(({ path }) => path))
  const candidates = files.filter(({ path }) => filter?.(path) !== false)
  const definition = chooseDefinition(named, { ...opened, files: candidates })
  const counted = new Map<string, SideFile>()
  const suites = new Set<string>()
  for (const file of candidates) {
    const found = toSideFile(file, definition, opened.chosen)
    if (found === undefined) continue
    counted.set(file.path, found)
    for (const suite of found.by.keys()) suites.add(suite)
  }
  const why = (path: string): Absence => {
    const file = measured.get(path)
    if (file === undefined && inventory?.files.has(path) === false) return 'not_in_commit'
    if (filter?.(path) === false) return 'excluded'
    if (file === undefined) return inventory === undefined ? 'no_inventory' : 'not_measured'
    const other = file.measures.filter((one) => statesOf(one, opened.chosen) !== undefined)
    if (other.some((one) => one.definition === definition && !one.comparable)) return 'not_comparable'
    return other.length > 0 ? 'other_definition' : 'not_measured'
  }
  const { commit, subject, missing } = opened
  const runs = opened.runs.filter((run) => run.files.some((file) => file.definition === definition))
  return {
    named, commit, definition, subject, missing, runs,
    totals: runs.flatMap(({ totals }) => totals),
    files: counted,
    suites,
    why,
    blobOf: (path) => measured.get(path)?.blob ?? inventory?.files.get(path),
    lookAhead: (paths) => lookAhead(filter, paths),
  }
} // oxfmt-ignore

/** Which of a file's states the number is made of: of one suite, of one test type, or of both together. */
interface Chosen {
  testType: TestType | undefined
  suite: string | undefined
}

interface Opened extends Pick<OpenedSide, 'commit' | 'subject' | 'missing' | 'runs'> {
  files: readonly MeasuredFile[]
  inventory: Inventory | undefined
  isProduction: ((path: string) => boolean) | undefined
  chosen: Chosen
}

async function openCommit(deps: SubjectDeps, question: Question, { kind, name, testType }: NamedSide): Promise<Opened> {
  const [, commit = '', ofType = '', suite = ''] = /^([^/]+)\/([^/]+)\/(.+)$/s.exec(name) ?? []
  const type = kind === 'suite' ? testTypes.find((one) => one === ofType) : testType
  if (kind === 'suite' && type === undefined) throw invalid(`suite:${name}`)
  const names = kind === 'suite' ? { commit } : { [kind]: name }
  const subject = await openSubject(deps, question, names)
  const { runs, inventory, isProduction } = subject
  const measured = await measure(deps.evidences, subject)
  const isChosen = ({ testType: of, suite: called }: RunEvidence): boolean => (type === undefined || of === type) && (kind !== 'suite' || called === suite)
  const chosenRuns = measured.runs.filter(isChosen)
  if (chosenRuns.length === 0)
    throw new Problem('not_found', `no run counts that ${kind}:${name} is a number of${type === undefined || kind === 'suite' ? '' : ` (${type})`}`)
  return {
    commit: runs.commit,
    subject,
    missing: runs.missing,
    runs: chosenRuns,
    files: [...measured.production, ...measured.other],
    inventory,
    isProduction,
    chosen: { testType: type, suite: kind === 'suite' ? suite : undefined },
  }
} // oxfmt-ignore

/** Also of a run that does not count: why it showed another number may be the question. */
async function openRun(
  { evidences, inventories }: SubjectDeps,
  { views, repository, contract: { effective } }: Question,
  { name }: NamedSide,
): Promise<Opened> {
  const found = findRun(views, name)
  if (found === undefined) throw new Problem('not_found', `no run ${name} of ${repository} was sealed as of this`)
  const evidence = await evidences.of(found.ledger, found.seq)
  const inventory = await inventories.of(views, evidence.commit)
  return {
    commit: evidence.commit,
    subject: undefined,
    missing: [],
    runs: [evidence],
    files: uniteRuns([evidence]),
    inventory,
    isProduction: await openProduction(effective, inventory),
    chosen: { testType: testTypeOf(found.ledger), suite: undefined },
  }
}

function findRun(views: Question['views'], name: string): { ledger: LedgerName; seq: number } | undefined {
  for (const { history, runs } of views) {
    const found = history.runs.slice(0, runs).findLast(({ run, reasons }) => run === name && !reasons.includes('abandoned')) // oxfmt-ignore
    if (found !== undefined) return { ledger: history.ledger, seq: found.seq }
  }
  return undefined
}

type Measure = MeasuredFile['measures'][number]

function statesOf(measured: Measure, { testType, suite }: Chosen): LineStates | undefined {
  if (suite !== undefined)
    return measured.suites.find((one) => one.testType === testType && one.suite === suite)?.states
  if (testType !== undefined) return measured[testType]
  const both = testTypes.flatMap((type) => measured[type] ?? [])
  return both.length === 0 ? undefined : uniteStates(both)
}

function toSideFile({ path, measures }: MeasuredFile, definition: string, chosen: Chosen): SideFile | undefined {
  const measured = measures.find((one) => one.definition === definition)
  const states = measured === undefined ? undefined : statesOf(measured, chosen)
  // As in a report: what unit and integration count differently is in no figure of both.
  if (measured === undefined || states === undefined || (chosen.testType === undefined && !measured.comparable)) return undefined // oxfmt-ignore
  const own = measured.suites.filter(
    ({ testType, suite }) =>
      (chosen.testType === undefined || testType === chosen.testType) &&
      (chosen.suite === undefined || suite === chosen.suite),
  )
  return {
    path,
    found: foundOf(states),
    executed: executedOf(states),
    by: new Map(own.map(({ testType, suite, states: of }) => [`${testType} ${suite}`, executedOf(of)])),
  }
}

/** A number is of one definition. Where there are several, nobody but the asker knows which one he read. */
function chooseDefinition({ text, definition }: NamedSide, { files, chosen }: Opened): string {
  const of = files.flatMap(({ measures }) => measures.filter((one) => statesOf(one, chosen) !== undefined))
  const all = [...new Set(of.map((one) => one.definition))].sort()
  const found = definition ?? all[0]
  if (found === undefined) throw new Problem('not_found', `the runs of ${text} measured no line`)
  if (definition === undefined && all.length > 1)
    throw new Problem('request_invalid', `${text} is measured by several definitions: say which, as in ;definition=${found}; there are ${all.join(', ')}`) // oxfmt-ignore
  if (!all.includes(found))
    throw new Problem('not_found', `nothing of ${text} is measured by ${found}; there is ${all.join(', ')}`)
  return found
}
