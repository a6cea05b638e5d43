import { type GateCheck, type GateReason, type Verdict, gateReasons } from '../record/changes.ts'
import { type TestType, testTypes } from '../record/record.ts'
import type { Contract, Limits } from './form.ts'

/** Whether what was reached is what the contract asks for. Pure; a gate adds nothing to the figures of the report. */

export const gateRules = 'gate@1'

/** Lines at one definition; `suite` absent: united over all suites of the test type. */
export interface Reached {
  test_type: TestType
  suite?: string | undefined
  definition: string
  executed: number
  found: number
}

export interface GateFacts {
  /** The one that holds; undefined for none. */
  contract: Contract | undefined
  /** How many runs count. */
  counted: number
  /** Required suites without a counting run, and why their runs do not count. */
  missing: readonly { test_type: TestType; suite: string; reasons: readonly string[] }[]
  lines: readonly Reached[]
  /** The same of lines that were changed; undefined where these are not known. */
  changed: readonly Reached[] | undefined
}

export interface GateDecision {
  verdict: Verdict
  /** In the order of the table, each once. */
  reasons: GateReason[]
  checks: GateCheck[]
}

/** Whether a limit of the contract asks for changed lines. */
export function asksForChanged(contract: Contract): boolean {
  return scopesOf(contract).some(({ limits }) => limits.changed_lines !== undefined)
}

/**
 * Every limit is checked at every definition by itself. What is not known leaves it incomplete, also where a limit is not met: what is missing
 * could still execute the lines that are missed.
 */
export function decideGate({ contract, counted, missing, lines, changed }: GateFacts): GateDecision {
  if (contract === undefined) return { verdict: 'incomplete', reasons: ['no_contract'], checks: [] }
  const found = new Set<GateReason>()
  for (const { reasons } of missing) found.add(reasons.includes('unsealed') ? 'not_sealed' : 'suite_missing')
  if (counted === 0 && missing.length === 0) found.add('nothing_measured')
  const checks: GateCheck[] = []
  const check = (limit: GateCheck['limit'], wanted: number, all: readonly Reached[], scope: Scope): void => {
    const own = all.filter((one) => one.test_type === scope.test_type && one.suite === scope.suite)
    if (own.length === 0 && !isExplained(scope, missing)) found.add('nothing_measured')
    for (const { test_type, suite, definition, executed, found: of } of own.toSorted(byDefinition))
      checks.push({ limit, test_type, suite, definition, wanted, executed, found: of, met: reaches(executed, of, wanted) })
  }
  for (const scope of scopesOf(contract)) {
    const { lines: wanted, changed_lines: wantedChanged } = scope.limits
    if (wanted !== undefined) check('lines', wanted, lines, scope)
    if (wantedChanged === undefined) continue
    if (changed === undefined) found.add('changed_lines_unknown')
    else check('changed_lines', wantedChanged, changed, scope)
  }
  const isIncomplete = found.size > 0
  if (checks.some(({ met }) => !met)) found.add('below_threshold')
  return {
    verdict: isIncomplete ? 'incomplete' : found.size > 0 ? 'fail' : 'pass',
    reasons: gateReasons.filter((reason) => found.has(reason)),
    checks,
  }
} // oxfmt-ignore

interface Scope {
  test_type: TestType
  suite?: string | undefined
  required: boolean
  limits: Limits
}

/** Test types first, then suites by name. */
function scopesOf({ thresholds, suites = [] }: Contract): Scope[] {
  const ofTypes = testTypes.flatMap((test_type): Scope[] => {
    const limits = thresholds?.[test_type]
    return limits === undefined ? [] : [{ test_type, required: true, limits }]
  })
  const ofSuites = suites.flatMap(({ test_type, name: suite, required, thresholds: limits }): Scope[] =>
    limits === undefined ? [] : [{ test_type, suite, required, limits }],
  )
  const order = ({ test_type, suite }: Scope): string => `${testTypes.indexOf(test_type)} ${suite ?? ''}`
  return [...ofTypes, ...ofSuites.toSorted((a, b) => (order(a) < order(b) ? -1 : 1))]
}

/** That nothing was measured is told by the name of the suite already, or is allowed. */
function isExplained({ test_type, suite, required }: Scope, missing: GateFacts['missing']): boolean {
  if (!required) return true
  return missing.some((one) => one.test_type === test_type && (suite === undefined || one.suite === suite))
}

const byDefinition = (a: Reached, b: Reached): number => (a.definition < b.definition ? -1 : a.definition > b.definition ? 1 : 0) // oxfmt-ignore

/** Exact: `80.1` is 801/10 and no binary fraction near it. Where nothing was found the limit is met. */
export function reaches(executed: number, found: number, wanted: number): boolean {
  const [digits = '0', exponent = '0'] = String(wanted).split('e')
  const [whole = '0', fraction = ''] = digits.split('.')
  const scale = BigInt(fraction.length - Number(exponent)) // a per cent is 100 at most: no exponent over 0
  return BigInt(executed) * 100n * 10n ** scale >= BigInt(`${whole}${fraction}`) * BigInt(found)
}
