import { setImmediate as breathe } from 'node:timers/promises'
import { compileGlob } from '../contract/glob.ts'
import type { Contract } from '../contract/form.ts'
import { readMaps } from '../history/file-facts.ts'
import { createPause } from '../ledger/pause.ts'
import { countLines } from '../record/lines.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, TestType } from '../record/record.ts'
import { type OpenedSide, openSide, parseSide } from './difference-side.ts'
import { type Step, explainDifference } from './explain-difference.ts'
import { pairFiles, pathsToFollow } from './pair-files.ts'
import { printAsOf } from './position.ts'
import { type Question, type SubjectDeps, askAsOf } from './subject.ts'

/** `GET /v1/reports/difference`: why two numbers disagree. */

export const differenceRules = 'difference@1'

export interface DifferenceQuestion {
  repository: string
  a: string
  b: string
  asOf?: string | undefined
}

export type DifferenceAnswer = Awaited<ReturnType<typeof answerDifference>>

export async function answerDifference(deps: SubjectDeps, ledgers: readonly LedgerName[], asked: DifferenceQuestion) {
  const [a, b] = [parseSide(asked.a), parseSide(asked.b)]
  return askAsOf(deps, ledgers, asked.repository, asked.asOf, async (question) =>
    compare(deps, question, await openSide(deps, question, a), await openSide(deps, question, b)),
  )
}

/** Names that lead from one version of a file to another beyond those that were asked for. */
const maxNames = 1_000

async function compare({ db }: SubjectDeps, { repository, resolved, views, contract }: Question, a: OpenedSide, b: OpenedSide) {
  const paths = pathsToFollow(a, b)
  const { maps } = paths.length === 0 ? { maps: [] } : await readMaps(db, views, paths, paths.length + maxNames)
  const pairing = pairFiles(a, b, maps)
  await a.lookAhead(b.files.keys())
  await b.lookAhead(a.files.keys())
  await breathe() // two thousand files take some tens of milliseconds, and the thread is HTTP's
  const steps = explainDifference(a, b, pairing)
  const [sideA, sideB] = [printSide(a), printSide(b)]
  const difference = { found: sideB.found - sideA.found, executed: sideB.executed - sideA.executed }
  const sum = (key: 'linesA' | 'linesB' | 'found' | 'executed') => steps.reduce((all, step) => all + step[key], 0)
  // By construction; an answer that does not add up is none.
  if (sum('found') !== difference.found || sum('executed') !== difference.executed || sum('linesA') !== sideA.found || sum('linesB') !== sideB.found)
    throw new Problem('internal', 'the steps do not add up to the difference')
  return {
    as_of: printAsOf(resolved.asOf),
    rules: differenceRules,
    repository,
    a: sideA,
    b: sideB,
    difference,
    steps: await Promise.all(steps.flatMap((step) => (step.kind === 'same' ? [] : [printStep(step, step.kind, a, b, contract.effective)]))),
    same: steps.filter(({ kind }) => kind === 'same').reduce((all, { linesA }) => all + linesA, 0),
    only_a: onlyOf(a, b),
    only_b: onlyOf(b, a),
    files: printFiles(sumFiles(steps), maxFiles),
  }
} // oxfmt-ignore

function printSide({ named, commit, definition, subject, missing, files, runs, totals }: OpenedSide) {
  let [found, executed] = [0, 0]
  for (const file of files.values()) {
    found += countLines(file.found)
    executed += countLines(file.executed)
  }
  const tools = totals.filter((one) => one.definition === definition && one.tool !== undefined).map(({ tool }) => `${tool?.name}${tool?.version === undefined ? '' : `@${tool.version}`}`) // oxfmt-ignore
  const from = subject?.answeredFrom
  return {
    subject: named.text,
    commit: subject?.commit ?? commit,
    ...(from === undefined ? {} : { answered_from: from }),
    definition,
    tools: [...new Set(tools)].sort(),
    counts: named.files,
    files: files.size,
    found,
    executed,
    runs: runs.map(nameOf),
    missing: missing.map(({ testType, suite, owner, reasons }) => ({ test_type: testType, suite, owner: owner ?? null, reasons: [...reasons] })),
  }
} // oxfmt-ignore

const nameOf = ({ run, suite, testType, seal }: OpenedSide['runs'][number]) => ({
  run,
  test_type: testType,
  suite,
  admitted: seal['admitted'] === true,
})

/** What only one side has, beside lines. */
function onlyOf(own: OpenedSide, other: OpenedSide) {
  const known = new Set(other.runs.map(({ run }) => run))
  return {
    suites: [...own.suites].filter((suite) => !other.suites.has(suite)).sort().map(toSuite),
    runs: own.runs.filter(({ run }) => !known.has(run)).map(nameOf),
  }
} // oxfmt-ignore

function toSuite(key: string): { test_type: TestType; suite: string } {
  const at = key.indexOf(' ')
  return { test_type: key.slice(0, at) as TestType, suite: key.slice(at + 1) } // made by difference-side.ts
}

/** Of each list the largest. */
const maxStepFiles = 100
const maxFiles = 20

type FileDeltas = ReadonlyMap<string, { found: number; executed: number }>

function printFiles(files: FileDeltas, most: number) {
  const size = ({ found, executed }: { found: number; executed: number }): number => Math.abs(found) + Math.abs(executed) // oxfmt-ignore
  return [...files]
    .filter(([, one]) => size(one) > 0)
    .toSorted(([a, x], [b, y]) => size(y) - size(x) || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([path, { found, executed }]) => ({ path, found, executed }))
}

function sumFiles(steps: readonly Step[]): FileDeltas {
  const sums = new Map<string, { found: number; executed: number }>()
  for (const { files } of steps)
    for (const [path, { found, executed }] of files) {
      const sum = sums.get(path) ?? { found: 0, executed: 0 }
      sums.set(path, { found: sum.found + found, executed: sum.executed + executed })
    }
  return sums
}

async function printStep<K extends Step['kind']>(step: Step, kind: K, a: OpenedSide, b: OpenedSide, contract: Contract | undefined) {
  const { side, reason, linesA, linesB, found, executed, files, by } = step
  const runs = (side === 'a' ? a : b).runs
  return {
    kind,
    side: side ?? null,
    ...(reason === undefined ? {} : { reason }),
    lines_a: linesA,
    lines_b: linesB,
    found,
    executed,
    files: files.size,
    largest: printFiles(files, maxStepFiles),
    ...(by.size === 0 ? {} : { by: [...by].toSorted(([x], [y]) => (x < y ? -1 : 1)).map(([key, lines]) => ({ ...toSuite(key), lines, runs: runs.filter((run) => `${run.testType} ${run.suite}` === key).map(({ run }) => run) })) }),
    ...(reason === 'excluded' ? { exclusions: await exclusionsOf(files, contract) } : {}),
  }
} // oxfmt-ignore

/** By what part of the contract the files of a step are no production files. */
async function exclusionsOf(files: FileDeltas, contract: Contract | undefined) {
  const globs = (contract?.production?.exclude ?? []).map(({ glob, reason }) => ({ glob, reason, takes: compileGlob(glob) })) // oxfmt-ignore
  const sums = new Map<string, { glob: string | null; reason: string | null; files: number; found: number; executed: number }>() // oxfmt-ignore
  const pause = createPause()
  for (const [path, { found, executed }] of files) {
    if (pause.isDue()) await pause.take()
    const { glob = null, reason = null } = globs.find(({ takes }) => takes(path)) ?? {}
    const sum = sums.get(glob ?? '') ?? { glob, reason, files: 0, found: 0, executed: 0 }
    sums.set(glob ?? '', { ...sum, files: sum.files + 1, found: sum.found + found, executed: sum.executed + executed })
  }
  return [...sums].toSorted(([x], [y]) => (x < y ? -1 : 1)).map(([, sum]) => sum)
}
