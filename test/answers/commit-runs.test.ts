import { describe, expect, it } from 'vitest'
import { runsOfCommit } from '../../src/answers/commit-runs.ts'
import { parseContract } from '../../src/contract/contract.ts'
import { type AsOfLedger, viewOf } from '../../src/history/file-facts.ts'
import type { LedgerHistory, RunFacts } from '../../src/history/ledger-history.ts'
import type { LedgerName } from '../../src/record/record.ts'

const commit = 'a'.repeat(40)
const named = (run: string, seq: number) => ({ seq, run, suite: 'api', ref: 'refs/heads/main', commit, recordedAt: seq * 1_000 }) // oxfmt-ignore
const sealed = (run: string, seq: number): RunFacts => ({ ...named(run, seq), reasons: [], production: undefined, base: -1, parts: [] }) // oxfmt-ignore
const view = (ledger: LedgerName, more: Partial<LedgerHistory>): AsOfLedger => {
  const nothing = { runs: [], declared: [], rejections: [], commits: [], inventories: [], layouts: new Map() }
  return viewOf({ ledger, id: 0, ...nothing, ...more }, 100)
}

describe('runsOfCommit', () => {
  it('does not miss the end of a run that a closed generation was left with and the next one sealed', () => {
    const views = [
      view('main/unit', { declared: [named('ci.1.api.unit', 1), named('ci.2.api.unit', 2)] }),
      view('main/unit/2', { declared: [named('ci.1.api.unit', 1)], runs: [sealed('ci.1.api.unit', 3)] }),
    ]
    const { counted, leftOut } = runsOfCommit(views, commit, undefined, undefined)
    expect(counted.map(({ ledger, facts }) => [ledger, facts.run])).toEqual([['main/unit/2', 'ci.1.api.unit']])
    expect(leftOut.map(({ run, reasons }) => [run, reasons])).toEqual([['ci.2.api.unit', ['unsealed']]])
  })

  it('is not complete without a run that counts, also where no suite is required', () => {
    const contract = parseContract('version: 1\nsuites: [{ name: api, test_type: unit, required: false }]\n')
    const of = (runs: RunFacts[]) => runsOfCommit([view('main/unit', { runs })], commit, contract, undefined)
    expect(of([])).toMatchObject({ complete: false, reason: 'no_run', missing: [] })
    expect(of([sealed('ci.1.api.unit', 3)])).toMatchObject({ complete: true, reason: undefined })
  })
})
