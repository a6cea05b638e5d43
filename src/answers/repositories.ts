import type { Suite } from '../contract/form.ts'
import { durationMs } from '../contract/form.ts'
import { decidedRepositories } from '../history/decision-store.ts'
import { type KnownRepository, type LastRun, knownRepositories, lastRuns } from '../history/last-runs.ts'
import { type TestType, ledgerKindOf, printTime, testTypes } from '../record/record.ts'
import { answerStill } from './as-of.ts'
import { type AskedLedgers, type GapsAnswer, type GapsDeps, type GapsQuestion, answerGaps, gapsRules, printContract, sizeOf } from './gaps.ts' // oxfmt-ignore
import { type ResolvedMoment, resolveMoment } from './moment.ts'
import { printAsOf } from './position.ts'
import { suiteKey } from './wanted-suites.ts'

/** `GET /v1/repositories`: who reports, who has fallen silent, and who answers for it. */

export interface RepositoriesQuestion {
  /** Only those whose newest sealed run is older. */
  silent?: string | undefined
  after?: string | undefined
  limit: number
  asOf?: string | undefined
}

export type RepositoriesAnswer = Awaited<ReturnType<typeof answerRepositories>>

function answerRepositories(
  deps: GapsDeps,
  { history, operations }: AskedLedgers,
  isVisible: (repository: string) => boolean,
  question: RepositoriesQuestion,
) {
  return answerStill(
    deps.db,
    () => resolveMoment(deps, history, operations, question.asOf),
    (resolved) => answerAsOf(deps, resolved, isVisible, question),
  )
}

/** Questions about evidence that is not there. */
export interface GapAnswers {
  gaps(ledgers: AskedLedgers, question: GapsQuestion): Promise<GapsAnswer>
  repositories(
    ledgers: AskedLedgers,
    isVisible: (repository: string) => boolean,
    question: RepositoriesQuestion,
  ): Promise<RepositoriesAnswer>
}

export function createGapAnswers(deps: GapsDeps): GapAnswers {
  return {
    gaps: (ledgers, question) => answerGaps(deps, ledgers, question),
    repositories: (ledgers, isVisible, question) => answerRepositories(deps, ledgers, isVisible, question),
  }
}

/** Looked at together: one that is to be silent may have to look at many. */
const namesAtOnce = 100

async function answerAsOf(
  deps: GapsDeps,
  resolved: ResolvedMoment,
  isVisible: (repository: string) => boolean,
  { silent, after, limit }: RepositoriesQuestion,
) {
  const ofRuns = resolved.ledgers.filter(({ ledger }) => testTypes.some((type) => type === ledgerKindOf(ledger)))
  const ofChanges = resolved.ledgers.filter(({ ledger }) => ledgerKindOf(ledger) === 'changes')
  const [known, ...decided] = await Promise.all([
    knownRepositories(deps.db, ofRuns),
    ...ofChanges.map(({ ledger, size }) => decidedRepositories(deps.db, ledger, size)),
  ])
  const byName = Map.groupBy(known, ({ repository }) => repository)
  const names = [...new Set([...byName.keys(), ...decided.flat()])]
    .filter((name) => name !== '*' && (after === undefined || name > after) && isVisible(name))
    .sort()
  const before = silent === undefined ? undefined : resolved.moment - durationMs(silent) * 1000
  const found: Standing[] = []
  let next: string | null = null
  for (let at = 0; at < names.length && next === null; at += namesAtOnce) {
    const page = names.slice(at, at + namesAtOnce)
    for (const one of await standingsOf(deps, resolved, page, byName)) {
      if (before !== undefined && one.lastAt !== undefined && one.lastAt >= before) continue
      if (found.length === limit) {
        next = found.at(-1)?.told.repository ?? null
        break
      }
      found.push(one)
    }
  }
  return {
    as_of: printAsOf(resolved.asOf),
    rules: gapsRules,
    known_until: printTime(resolved.moment),
    repositories: found.map(({ told }) => told),
    next,
  }
}

type Standing = Awaited<ReturnType<typeof standingsOf>>[number]

async function standingsOf(
  deps: GapsDeps,
  resolved: ResolvedMoment,
  names: readonly string[],
  byName: ReadonlyMap<string, readonly KnownRepository[]>,
) {
  const known = names.flatMap((name) => byName.get(name) ?? [])
  const runs = new Map(
    await Promise.all(
      resolved.ledgers.map(async ({ ledger, size }) => {
        const ids = known.filter((one) => one.ledger === ledger).map(({ id }) => id)
        return [ledger, ids.length === 0 ? noRuns : await lastRuns(deps.db, ledger, size, ids)] as const
      }),
    ),
  )
  const size = sizeOf(resolved, deps.changes)
  return Promise.all(
    names.map(async (repository) => {
      const contract = await deps.contracts.contractAt(repository, size)
      const own = byName.get(repository) ?? []
      const of = (which: 'sealed' | 'counting') => newestBySuite(own.flatMap(({ ledger, id }) => (runs.get(ledger) ?? noRuns)[which].filter((run) => run.id === id).map((run) => ({ testType: ledgerKindOf(ledger) as TestType, run })))) // ledgers of runs are named by their test types
      const [sealed, counting] = [of('sealed'), of('counting')]
      const times = [...sealed.values()].map(({ run }) => run.recordedAt)
      const lastAt = times.length === 0 ? undefined : Math.max(...times)
      const suites = contract.effective?.suites ?? []
      const told = {
        repository,
        contract: printContract(contract),
        refs: contract.effective?.refs ?? [],
        owners: [...new Set(suites.flatMap(({ owner }) => owner ?? []))].sort(),
        last_sealed_at: lastAt === undefined ? null : printTime(lastAt),
        suites: namesOfSuites(suites, [...sealed.values()]).map((one) => ({
          test_type: one.testType,
          suite: one.suite,
          owner: one.named?.owner ?? null,
          ...(one.named === undefined ? { unnamed: true as const } : {}),
          last: printLast(sealed.get(suiteKey(one))?.run),
          last_counting: printCounting(counting.get(suiteKey(one))?.run),
        })),
      }
      return { told, lastAt }
    }),
  )
} // oxfmt-ignore

const noRuns: { sealed: LastRun[]; counting: LastRun[] } = { sealed: [], counting: [] }

interface OfType {
  testType: TestType
  run: LastRun
}

/** Of several generations of a ledger the newest. */
function newestBySuite(runs: readonly OfType[]): Map<string, OfType> {
  const newest = new Map<string, OfType>()
  for (const one of runs) {
    const key = suiteKey({ testType: one.testType, suite: one.run.suite })
    if ((newest.get(key)?.run.recordedAt ?? -1) < one.run.recordedAt) newest.set(key, one)
  }
  return newest
}

function namesOfSuites(suites: readonly Suite[], sealed: readonly OfType[]): { testType: TestType; suite: string; named: Suite | undefined }[] {
  const found = new Map(sealed.map(({ testType, run: { suite } }) => [suiteKey({ testType, suite }), { testType, suite, named: undefined as Suite | undefined }]))
  for (const named of suites) {
    const one = { testType: named.test_type, suite: named.name, named }
    found.set(suiteKey(one), one)
  }
  return [...found.values()].toSorted((a, b) => testTypes.indexOf(a.testType) - testTypes.indexOf(b.testType) || (a.suite < b.suite ? -1 : 1))
} // oxfmt-ignore

function printLast(run: LastRun | undefined) {
  if (run === undefined) return null
  const reasons = run.reasons === '' ? [] : run.reasons.split(',')
  const { commit, ref, recordedAt } = run
  return { run: run.run, commit, recorded_at: printTime(recordedAt), counts: reasons.length === 0, reasons, ref }
}

function printCounting(run: LastRun | undefined) {
  return run === undefined
    ? null
    : { run: run.run, commit: run.commit, ref: run.ref, recorded_at: printTime(run.recordedAt) }
}
