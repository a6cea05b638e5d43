import { setImmediate as breathe } from 'node:timers/promises'
import { type AsOfLedger, viewOf } from '../history/file-facts.ts'
import { type Histories, countBelow } from '../history/ledger-history.ts'
import { isTracked } from '../contract/effective.ts'
import type { Contract } from '../contract/form.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type TestType, ledgerKindOf, printTime, testTypes } from '../record/record.ts'
import { answerStill } from './as-of.ts'
import { expectedCommits } from './expected-commits.ts'
import { type Gap, type LeftOut, type SuiteFacts, type SuiteGaps, findGaps } from './find-gaps.ts'
import { type MomentDeps, type ResolvedMoment, resolveMoment } from './moment.ts'
import { printAsOf } from './position.ts'
import { type ContractVersion, wantedSuites } from './wanted-suites.ts'
import { commonRef, toSpan } from './window.ts'

/** `GET /v1/gaps`: where evidence is missing against what the contract promised. */

export const gapsRules = 'gaps@1'

/** The contracts of one ledger `changes`, as admission reads them. */
export interface ContractSource {
  contractAt(repository: string, size?: number): Promise<{ own: Standing | undefined; org: Standing | undefined; effective: Contract | undefined }>
  list(repository: string, page: { before?: number | undefined; limit: number }): Promise<Standing[]>
} // oxfmt-ignore

export type Standing = ContractVersion & { contract_version: number; contract: string }

export interface GapsDeps extends MomentDeps {
  histories: Histories
  contracts: ContractSource
  /** The ledger that `contracts` reads. */
  changes: LedgerName
}

/** Ledgers by what they are for: those that have a history, and the one that tells the time. */
export interface AskedLedgers {
  history: readonly LedgerName[]
  operations: readonly LedgerName[]
}

export interface GapsQuestion {
  repository: string
  ref?: string | undefined
  from?: string | undefined
  to?: string | undefined
  asOf?: string | undefined
}

export type GapsAnswer = Awaited<ReturnType<typeof answerGaps>>

export function answerGaps(deps: GapsDeps, { history, operations }: AskedLedgers, question: GapsQuestion) {
  return answerStill(
    deps.db,
    () => resolveMoment(deps, history, operations, question.asOf),
    (resolved) => answerAsOf(deps, resolved, question),
  )
}

async function answerAsOf(deps: GapsDeps, resolved: ResolvedMoment, { repository, ref, from, to }: GapsQuestion) {
  const { asOf, moment } = resolved
  const size = sizeOf(resolved, deps.changes)
  const [views, contract, own, org] = await Promise.all([
    openViews(deps.histories, resolved, repository),
    deps.contracts.contractAt(repository, size),
    versionsBelow(deps.contracts, repository, size),
    versionsBelow(deps.contracts, '*', size),
  ])
  const facts = Object.fromEntries(testTypes.map((type) => [type, factsOf(views, type)])) as Record<TestType, SuiteFacts>
  const seen = testTypes.flatMap((testType) => [...facts[testType].runs, ...facts[testType].declared].map(({ suite }) => ({ testType, suite })))
  if (seen.length === 0 && contract.own === undefined && testTypes.every((type) => facts[type].rejections.length === 0))
    throw new Problem('not_found', `no run of ${repository} was declared, and it has no contract`)
  const window = toSpan({ from, to }, moment)
  const { effective } = contract
  const refs = ref !== undefined ? [ref] : (effective?.refs ?? [commonRef(views)])
  const tracks = ref === undefined && effective?.refs !== undefined ? createTracked(effective) : (name: string) => refs.includes(name)
  const commits = expectedCommits(views.map(toldBy), tracks)
  await breathe() // of a year of a large repository either takes some tens of milliseconds, and the thread is HTTP's
  const suites = findGaps({
    suites: wantedSuites(own, org, seen),
    facts,
    isTracked: tracks,
    commits,
    window,
    moment,
  })
  return {
    as_of: printAsOf(asOf),
    rules: gapsRules,
    repository,
    refs,
    from: printTime(window.from),
    to: printTime(window.to),
    known_until: printTime(moment),
    contract: printContract(contract),
    suites: suites.map(printSuite),
  }
} // oxfmt-ignore

export function sizeOf({ ledgers }: Pick<ResolvedMoment, 'ledgers'>, ledger: LedgerName): number {
  return ledgers.find((one) => one.ledger === ledger)?.size ?? 0
}

export async function openViews(
  histories: Histories,
  { ledgers }: Pick<ResolvedMoment, 'ledgers'>,
  repository: string,
): Promise<AsOfLedger[]> {
  const ofRuns = ledgers.filter(({ ledger }) => testTypes.some((type) => type === ledgerKindOf(ledger)))
  const opened = await Promise.all(
    ofRuns.map(async ({ ledger, generation, size }) => {
      const history = await histories.open(ledger, repository, generation, size)
      return history === undefined ? [] : [viewOf(history, size)]
    }),
  )
  return opened.flat()
}

const versionsAtOnce = 100

/** All versions below a size: when a suite was named first is not in the one that holds. */
async function versionsBelow(contracts: ContractSource, repository: string, size: number): Promise<ContractVersion[]> {
  const found: Standing[] = []
  for (let before: number | undefined; ;) {
    const page = await contracts.list(repository, { before, limit: versionsAtOnce })
    found.push(...page.filter(({ seq }) => seq < size))
    before = page.at(-1)?.contract_version
    if (page.length < versionsAtOnce) return found
  }
}

const below = <T extends { seq: number }>(rows: readonly T[], size: number): T[] =>
  rows.slice(0, countBelow(rows, size))

function factsOf(views: readonly AsOfLedger[], testType: TestType): SuiteFacts {
  const own = views.filter(({ history }) => ledgerKindOf(history.ledger) === testType)
  return {
    runs: own.flatMap(({ history, size }) => below(history.runs, size)),
    declared: own.flatMap(({ history, size }) => below(history.declared, size)),
    rejections: own.flatMap(({ history, size }) => below(history.rejections, size)),
  }
}

const toldBy = ({ history, size }: AsOfLedger) => ({
  declared: below(history.declared, size),
  commits: below(history.commits, size),
})

/** Globs are asked once for each ref. */
function createTracked(contract: Contract): (ref: string) => boolean {
  const known = new Map<string, boolean>()
  return (ref) => {
    const tracked = known.get(ref) ?? isTracked(contract, ref)
    known.set(ref, tracked)
    return tracked
  }
}

export function printContract({ own, org, effective }: Awaited<ReturnType<ContractSource['contractAt']>>) {
  if (effective === undefined) return null
  return {
    version: own?.contract_version ?? null,
    default_version: org?.contract_version ?? null,
    mode: effective.mode ?? ('enforce' as const),
  }
}

/** Of each list the newest; how many there are in all stands beside it. */
const maxGaps = 1_000
const maxRuns = 5

function printSuite({ wanted, counting, leftOut, last, expected, gaps, same }: SuiteGaps) {
  const { testType, suite, named, since } = wanted
  return {
    test_type: testType,
    suite,
    ...(named === undefined
      ? { unnamed: true as const }
      : { owner: named.owner ?? null, cadence: named.cadence ?? null, required: named.required, wanted_since: printTime(since) }),
    runs: counting,
    left_out: { runs: leftOut.length, reasons: printReasons(leftOut) },
    last: last === undefined ? null : { run: last.run, commit: last.commit, recorded_at: printTime(last.recordedAt), counts: last.reasons.length === 0, reasons: [...last.reasons] },
    ...(expected === undefined ? {} : { expected }),
    missing: gaps.length,
    gaps: gaps.slice(-maxGaps).map(printGap),
    ...(same.length === 0
      ? {}
      : { same_production: { commits: same.length, list: same.slice(-maxGaps).map(({ commit, as }) => ({ commit, as: { run: as.run, commit: as.commit } })) } }),
  }
} // oxfmt-ignore

function printGap({ from, to, commit, days, open, reasons, runs }: Gap) {
  return {
    ...(commit === undefined ? {} : { commit }),
    from: printTime(from),
    to: to === undefined ? null : printTime(to),
    ...(days === undefined ? {} : { days }),
    ...(open ? { open: true as const } : {}),
    reasons: Object.fromEntries(reasons),
    runs: runs.slice(0, maxRuns).map((one) => ({
      run: one.run,
      commit: one.commit,
      recorded_at: printTime(one.recordedAt),
      reasons: [...one.reasons],
    })),
  }
}

function printReasons(runs: readonly LeftOut[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const { reasons } of runs) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
