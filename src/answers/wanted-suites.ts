import { effectiveContract } from '../contract/effective.ts'
import { type Contract, type Suite, durationMs } from '../contract/form.ts'
import { type Micros, type TestType, parseTime, testTypes } from '../record/record.ts'

/** Which suites a repository has to show evidence of, how often, and since when. Pure. */

/** A registered version of a contract, as far as it matters here. */
export interface ContractVersion {
  seq: number
  recorded_at: string
  parsed: Contract
}

export interface WantedSuite {
  testType: TestType
  suite: string
  /** Undefined for a suite that reported and that the contract does not name. */
  named: Suite | undefined
  /** Since when every contract that held named it; 0 for one that none names. */
  since: Micros
  /** A run for every commit, the longest time between two in microseconds, or nothing that was promised. */
  cadence: 'commit' | Micros | undefined
}

export const suiteKey = ({ testType, suite }: { testType: TestType; suite: string }): string => `${testType}/${suite}`

/** `own` and `org`: the versions of the repository and of the org's default, in any order. `seen`: suites of which runs are known. */
export function wantedSuites(
  own: readonly ContractVersion[],
  org: readonly ContractVersion[],
  seen: readonly { testType: TestType; suite: string }[],
): WantedSuite[] {
  const since = namedSince(own, org)
  const named = [...since.values()].map(({ suite, at }): WantedSuite => {
    const { test_type: testType, name, cadence } = suite
    return { testType, suite: name, named: suite, since: at, cadence: cadence === undefined || cadence === 'commit' ? cadence : durationMs(cadence) * 1000 }
  }) // oxfmt-ignore
  const unnamed = new Map(seen.filter((one) => !since.has(suiteKey(one))).map((one) => [suiteKey(one), one]))
  return [
    ...named.toSorted(inOrder),
    ...[...unnamed.values()].map((one) => ({ ...one, named: undefined, since: 0, cadence: undefined })).toSorted(inOrder), // oxfmt-ignore
  ]
}

function inOrder(a: WantedSuite, b: WantedSuite): number {
  return testTypes.indexOf(a.testType) - testTypes.indexOf(b.testType) || (a.suite < b.suite ? -1 : 1)
}

/** From the contract that holds backwards: a suite that was named, dropped and named again is wanted since it was named again. */
function namedSince(
  own: readonly ContractVersion[],
  org: readonly ContractVersion[],
): Map<string, { suite: Suite; at: Micros }> {
  const newestFirst = [...own, ...org].toSorted((a, b) => b.seq - a.seq)
  const standing = (versions: readonly ContractVersion[], seq: number): Contract | undefined =>
    versions.filter((one) => one.seq <= seq).toSorted((a, b) => b.seq - a.seq)[0]?.parsed
  const found = new Map<string, { suite: Suite; at: Micros }>()
  const open = new Set<string>()
  for (const [i, { seq, recorded_at: at }] of newestFirst.entries()) {
    const suites = effectiveContract(standing(own, seq), standing(org, seq))?.suites ?? []
    const here = new Map(suites.map((one) => [suiteKey({ testType: one.test_type, suite: one.name }), one]))
    if (i === 0) for (const [key, suite] of here) {
      found.set(key, { suite, at: 0 })
      open.add(key)
    }
    for (const key of open) {
      const one = found.get(key)
      if (here.has(key) && one !== undefined) one.at = parseTime(at) ?? 0
      else open.delete(key)
    }
  }
  return found
} // oxfmt-ignore
