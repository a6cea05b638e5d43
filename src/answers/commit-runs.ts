import type { Contract } from '../contract/form.ts'
import type { AsOfLedger } from '../history/file-facts.ts'
import type { RunFacts } from '../history/ledger-history.ts'
import { counts } from '../history/ref-runs.ts'
import { type LedgerName, type Micros, type TestType, ledgerKindOf, testTypes } from '../record/record.ts'

/** Which runs a report of a commit rests on, which it leaves out, and what is missing. Pure. */

export interface CountedRun {
  ledger: LedgerName
  testType: TestType
  facts: RunFacts
}

export interface LeftOutRun {
  ledger: LedgerName
  testType: TestType
  run: string
  suite: string
  /** Of the record that ended it, else of the one that declared it. */
  seq: number
  recordedAt: Micros
  reasons: readonly string[]
}

export interface RefusedPush {
  ledger: LedgerName
  testType: TestType
  seq: number
  recordedAt: Micros
  run: string | undefined
  reason: string
}

export interface MissingSuite {
  testType: TestType
  suite: string
  owner: string | undefined
  /** Why its runs of the commit do not count; `no_run` where there is none. */
  reasons: readonly string[]
}

export interface CommitRuns {
  commit: string
  counted: readonly CountedRun[]
  leftOut: readonly LeftOutRun[]
  refused: readonly RefusedPush[]
  missing: readonly MissingSuite[]
  /** Every required suite of the contract has a counting run; never without a contract that names suites. */
  complete: boolean
}

/** What was recorded from then on is left out, and why. */
export interface CutOff {
  before: Micros
  reason: 'after_deployment' | 'after_period'
}

export function runsOfCommit(
  views: readonly AsOfLedger[],
  commit: string,
  contract: Contract | undefined,
  cut: CutOff | undefined,
): CommitRuns {
  const before = cut?.before ?? Infinity
  const counted: CountedRun[] = []
  const leftOut: LeftOutRun[] = []
  const refused: RefusedPush[] = []
  for (const { history, size, runs } of views) {
    const { ledger } = history
    const of = { ledger, testType: testTypeOf(ledger) }
    const ended = new Set<string>()
    for (let i = 0; i < runs; i++) {
      const facts = history.runs[i] as RunFacts // below the count
      if (facts.commit !== commit) continue
      ended.add(facts.run)
      const late = cut === undefined || facts.recordedAt < before ? [] : [cut.reason]
      if (counts(facts) && late.length === 0) counted.push({ ...of, facts })
      else leftOut.push({ ...of, ...named(facts), reasons: [...facts.reasons, ...late] })
    }
    for (const declared of history.declared) {
      if (declared.seq >= size) break
      if (declared.commit !== commit || ended.has(declared.run)) continue
      leftOut.push({ ...of, ...named(declared), reasons: ['unsealed'] })
    }
    for (const { seq, recordedAt, run, commit: told, reason } of history.rejections) {
      if (seq >= size) break
      if (told === commit && recordedAt < before) refused.push({ ...of, seq, recordedAt, run, reason })
    }
  }
  const missing = missingSuites(contract, counted, leftOut)
  return { commit, counted, leftOut, refused, missing, complete: contract?.suites !== undefined && missing.length === 0 }
} // oxfmt-ignore

export function testTypeOf(ledger: LedgerName): TestType {
  return ledgerKindOf(ledger) as TestType // only ledgers of runs come here, and they are named by their test types
}

const named = ({ run, suite, seq, recordedAt }: Pick<RunFacts, 'run' | 'suite' | 'seq' | 'recordedAt'>) => ({ run, suite, seq, recordedAt }) // oxfmt-ignore

/** Unit before integration, then by name. */
function missingSuites(
  contract: Contract | undefined,
  counted: readonly CountedRun[],
  leftOut: readonly LeftOutRun[],
): MissingSuite[] {
  const required = (contract?.suites ?? []).filter((one) => one.required)
  return testTypes.flatMap((testType) =>
    required
      .filter((one) => one.test_type === testType)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .filter(({ name }) => !counted.some((one) => one.testType === testType && one.facts.suite === name))
      .map(({ name: suite, owner }) => {
        const own = leftOut.filter((one) => one.testType === testType && one.suite === suite)
        const reasons = [...new Set(own.flatMap((one) => one.reasons))].toSorted()
        return { testType, suite, owner, reasons: reasons.length === 0 ? ['no_run'] : reasons }
      }),
  )
}

/**
 * Other commits whose runs measured the same production files and are complete by the contract, without one: have a counting run at all. The one
 * whose newest counting seal was recorded last comes first.
 */
export function sameProduction(
  views: readonly AsOfLedger[],
  commit: string,
  digest: string,
  contract: Contract | undefined,
  before: Micros,
): string[] {
  const counting = views.flatMap(({ history, runs }) =>
    history.runs
      .slice(0, runs)
      .filter((facts) => counts(facts) && facts.recordedAt < before && facts.commit !== commit)
      .map((facts) => ({ facts, suite: suiteKey(testTypeOf(history.ledger), facts.suite) })),
  )
  const found = new Map<string, { newest: Micros; suites: Set<string> }>()
  for (const { facts } of counting)
    if (facts.production === digest) found.set(facts.commit, { newest: 0, suites: new Set() })
  for (const { facts, suite } of counting) {
    const known = found.get(facts.commit)
    known?.suites.add(suite)
    if (known !== undefined) known.newest = Math.max(known.newest, facts.recordedAt)
  }
  const required = (contract?.suites ?? []).filter((one) => one.required).map((one) => suiteKey(one.test_type, one.name)) // oxfmt-ignore
  return [...found]
    .filter(([, { suites }]) => required.every((one) => suites.has(one)))
    .toSorted(([a, x], [b, y]) => y.newest - x.newest || (a < b ? -1 : 1))
    .map(([other]) => other)
}

const suiteKey = (testType: TestType, suite: string): string => `${testType} ${suite}`
