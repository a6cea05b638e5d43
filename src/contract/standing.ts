import { identityMethods, weaknessesOf } from '../record/identity.ts'
import type { TestType } from '../record/record.ts'
import { type Contract, type Suite, durationMs } from './form.ts'
import type { BasicReason, ContractReason, Reason } from './reasons.ts'

/** Counts, or why not: pure and total, so the seal, the reports and the gate cannot disagree about a run. */

export interface RunFacts {
  suite: string
  test_type: TestType
  stage?: string | undefined
  /** How the caller was verified, and what was weak about it beside what the method lacks by itself. */
  method: string
  weak?: readonly string[] | undefined
  /** Digest of coverage configuration and flags. */
  configuration?: string | undefined
  /** What the client claims; used to call a run late, which no client gains by. */
  occurred_at?: string | undefined
  backfilled?: boolean | undefined
}

export interface PartFacts {
  definition: string
  tool: { name: string; version?: string | undefined } | null
  incomplete: string | null
  /** Without `lines` where other things than lines were measured. */
  totals: {
    recomputed: {
      files: number
      lines?: { found: number; covered: number; partial: number }
      mutants?: { found: number }
    }
  }
}

export interface TestCounts {
  total: number
  skipped: number
}

/** How the run ended; undefined while it has not. */
export type Ending =
  | {
      kind: 'seal'
      outcome: 'completed' | 'failed' | 'aborted'
      tests: TestCounts | null
      parts: readonly PartFacts[]
      /** Parts of a shard are missing, and nothing stands in for it. */
      shardsIncomplete: boolean
      /** When it is recorded, in milliseconds since 1970. */
      atMs: number
    }
  | { kind: 'abandonment' }
  | undefined

export interface Standing {
  counts: boolean
  /** Empty exactly when it counts. */
  reasons: Reason[]
  /** What a contract in mode `observe` has against the run: on record, without consequence. */
  observed: ContractReason[]
}

export function standing(run: RunFacts, ending: Ending, contract: Contract | undefined): Standing {
  const basic = basicReasonsAgainst(run, ending)
  const found = contract === undefined ? [] : contractReasonsAgainst(run, ending, contract)
  const isObserving = contract?.mode === 'observe'
  const reasons = isObserving ? basic : [...basic, ...found]
  return { counts: reasons.length === 0, reasons, observed: isObserving ? found : [] }
}

const verified: ReadonlySet<string> = new Set(identityMethods)

function basicReasonsAgainst(run: RunFacts, ending: Ending): BasicReason[] {
  const reasons: BasicReason[] = []
  if (ending === undefined) reasons.push('unsealed')
  else if (ending.kind === 'abandonment') reasons.push('abandoned')
  else {
    const { outcome, tests, parts, shardsIncomplete } = ending
    if (outcome !== 'completed') reasons.push(`outcome_${outcome}`)
    if (tests === null) reasons.push('tests_unknown')
    else if (tests.total - tests.skipped <= 0) reasons.push('no_tests')
    if (parts.length === 0) reasons.push('no_parts')
    if (shardsIncomplete) reasons.push('shard_incomplete')
    if (parts.some(({ incomplete }) => incomplete !== null)) reasons.push('report_incomplete')
    if (parts.length > 0 && parts.every(isEmpty)) reasons.push('nothing_measured')
    if (isBaseline(parts)) reasons.push('baseline')
  }
  if (!verified.has(run.method)) reasons.push('identity_unverified')
  if (run.backfilled === true) reasons.push('backfilled')
  return reasons
}

/** A report that holds nothing is a report all the same: a package without statements, a filter that left out too much. */
function isEmpty({ totals }: PartFacts): boolean {
  const { lines, mutants } = totals.recomputed
  return (lines?.found ?? 0) === 0 && (mutants?.found ?? 0) === 0
}

/** Lines, and none of them executed: what `lcov --capture --initial` writes. Beside a part with executed lines it is a part like others. */
function isBaseline(parts: readonly PartFacts[]): boolean {
  let found = 0
  for (const { totals } of parts) {
    const { lines } = totals.recomputed
    if (lines === undefined) continue
    if (lines.covered + lines.partial > 0) return false
    found += lines.found
  }
  return found > 0
}

function contractReasonsAgainst(run: RunFacts, ending: Ending, contract: Contract): ContractReason[] {
  const reasons: ContractReason[] = []
  const suite = findSuite(contract, run)
  if (contract.suites !== undefined && suite === undefined) reasons.push('suite_not_named')
  if (suite?.stage !== undefined && (run.stage === undefined || !suite.stage.includes(run.stage)))
    reasons.push('stage_not_allowed')
  const parts = ending?.kind === 'seal' ? ending.parts : []
  if (suite?.tool !== undefined && parts.some((part) => !isPinnedTool(suite, part))) reasons.push('tool_differs')
  if (suite?.definition !== undefined && parts.some((part) => suite.definition?.includes(part.definition) === false))
    reasons.push('definition_differs')
  const pinned = suite?.configuration ?? contract.configuration
  if (pinned !== undefined && run.configuration !== pinned) reasons.push('configuration_differs')
  if (isWeak(run, suite?.identity ?? contract.identity)) reasons.push('identity_weak')
  if (ending?.kind === 'seal' && isLate(run, ending.atMs, contract)) reasons.push('late')
  return reasons
}

export function findSuite({ suites }: Contract, { suite, test_type }: Pick<RunFacts, 'suite' | 'test_type'>) {
  return suites?.find((one) => one.name === suite && one.test_type === test_type)
}

/** `17.1` takes 17.1 and 17.1.3, not 17.10. */
function isPinnedTool({ tool: pinned }: Suite, { tool }: PartFacts): boolean {
  return (
    pinned?.some(
      ({ name, version }) =>
        tool?.name === name &&
        (version === undefined || tool.version === version || tool.version?.startsWith(`${version}.`) === true),
    ) ?? true
  )
}

function isWeak(run: RunFacts, taken: Contract['identity']): boolean {
  const { methods, refuse } = taken ?? {}
  if (methods !== undefined && !methods.some((one) => one === run.method)) return true
  return refuse !== undefined && weaknessesOf(run).some((one) => refuse.includes(one))
}

function isLate({ occurred_at }: RunFacts, atMs: number, { late }: Contract): boolean {
  if (late === undefined || occurred_at === undefined) return false
  const ranAt = Date.parse(occurred_at)
  return Number.isFinite(ranAt) && atMs - ranAt > durationMs(late)
}
