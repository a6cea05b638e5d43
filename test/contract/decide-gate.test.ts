import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseContract } from '../../src/contract/contract.ts'
import { type GateFacts, type Reached, asksForChanged, decideGate, reaches } from '../../src/contract/decide-gate.ts'

const text = `version: 1
refs: [refs/heads/main]
suites:
  - { name: web, test_type: unit, thresholds: { lines: 50 } }
  - { name: api, test_type: unit, thresholds: { lines: 90, changed_lines: 80 } }
  - { name: extra, test_type: unit, required: false, thresholds: { lines: 99 } }
  - { name: e2e, test_type: integration }
thresholds:
  unit: { lines: 80.1 }
  integration: { changed_lines: 10 }
`
const contract = parseContract(text)
const at = (test_type: 'unit' | 'integration', suite: string | undefined, executed: number, found: number, definition = 'lcov.da@1'): Reached =>
  ({ test_type, suite, definition, executed, found }) // oxfmt-ignore
const lines = [at('unit', undefined, 801, 1000), at('unit', 'api', 9, 10), at('unit', 'web', 1, 2), at('integration', undefined, 0, 5)] // oxfmt-ignore
const changed = [at('unit', 'api', 8, 10), at('integration', undefined, 0, 0)]
const facts: GateFacts = { contract, counted: 4, missing: [], lines, changed }
const without = (what: string) => ({ ...contract, [what]: undefined }) as typeof contract

describe('decideGate', () => {
  it('passes where every limit is reached, exactly or by a suite that need not report', () => {
    const { verdict, reasons, checks } = decideGate(facts)
    expect({ verdict, reasons }).toEqual({ verdict: 'pass', reasons: [] })
    expect(checks.map((one) => [one.limit, one.test_type, one.suite, one.wanted, one.executed, one.found, one.met])).toEqual([
      ['lines', 'unit', undefined, 80.1, 801, 1000, true],
      ['changed_lines', 'integration', undefined, 10, 0, 0, true],
      ['lines', 'unit', 'api', 90, 9, 10, true],
      ['changed_lines', 'unit', 'api', 80, 8, 10, true],
      ['lines', 'unit', 'web', 50, 1, 2, true],
    ]) // oxfmt-ignore
  })

  it('fails by a single line, and checks each definition by itself', () => {
    const below = lines.with(0, at('unit', undefined, 800, 1000))
    expect(decideGate({ ...facts, lines: below })).toMatchObject({ verdict: 'fail', reasons: ['below_threshold'] })
    const two = [...lines, at('unit', undefined, 1, 1000, 'go.block@1')]
    const failed = decideGate({ ...facts, lines: two })
    expect(failed.verdict).toBe('fail')
    expect(failed.checks.filter(({ met }) => !met)).toMatchObject([{ definition: 'go.block@1', executed: 1 }])
  })

  it('is incomplete for each thing that is not known, by name, in order', () => {
    const missing = [
      { test_type: 'unit', suite: 'web', reasons: ['outcome_failed', 'unsealed'] },
      { test_type: 'integration', suite: 'e2e', reasons: ['no_run'] },
    ] as const
    expect(decideGate({ ...facts, contract: undefined })).toEqual({ verdict: 'incomplete', reasons: ['no_contract'], checks: [] }) // oxfmt-ignore
    expect(decideGate({ ...facts, missing })).toMatchObject({ verdict: 'incomplete', reasons: ['suite_missing', 'not_sealed'] }) // oxfmt-ignore
    expect(decideGate({ ...facts, changed: undefined })).toMatchObject({ verdict: 'incomplete', reasons: ['changed_lines_unknown'] }) // oxfmt-ignore
    // What is missing could execute the lines that are missed.
    const below = lines.with(0, at('unit', undefined, 1, 1000))
    expect(decideGate({ ...facts, missing, lines: below })).toMatchObject({ verdict: 'incomplete', reasons: ['suite_missing', 'not_sealed', 'below_threshold'] }) // oxfmt-ignore
  })

  it('is incomplete where nothing was measured that a limit asks about, unless a missing suite tells so already', () => {
    const onlyLimits = without('suites')
    expect(decideGate({ ...facts, contract: onlyLimits, counted: 0, lines: [], changed: [] })).toMatchObject({ verdict: 'incomplete', reasons: ['nothing_measured'] }) // oxfmt-ignore
    expect(decideGate({ ...facts, contract: without('thresholds'), counted: 0, lines: [], changed: [] }).reasons).toEqual(['nothing_measured']) // oxfmt-ignore
    const missing = [{ test_type: 'unit', suite: 'api', reasons: ['no_run'] }] as const
    const some = lines.filter(({ suite }) => suite !== 'api')
    const rest = changed.filter(({ suite }) => suite !== 'api')
    expect(decideGate({ ...facts, missing, lines: some, changed: rest }).reasons).toEqual(['suite_missing'])
  })

  it('asks for changed lines where a limit does', () => {
    expect(asksForChanged(contract)).toBe(true)
    expect(asksForChanged(without('suites'))).toBe(true)
    expect(asksForChanged(parseContract('version: 1\nthresholds: { unit: { lines: 1 } }\n'))).toBe(false)
  })

  it('does not depend on the order of what it is given, and more executed lines never make it worse', () => {
    const some = fc.array(
      fc.record({
        test_type: fc.constantFrom('unit' as const, 'integration' as const),
        suite: fc.constantFrom(undefined, 'api', 'web'),
        definition: fc.constantFrom('a@1', 'b@1'),
        found: fc.integer({ min: 0, max: 50 }),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      { maxLength: 8 },
    )
    const rank = { fail: 0, incomplete: 1, pass: 2 }
    fc.assert(
      fc.property(some, some, fc.boolean(), (told, more, known) => {
        const unique = (all: typeof told): Reached[] =>
          [...new Map(all.map((one) => [`${one.test_type} ${one.suite} ${one.definition}`, one])).values()].map(
            ({ part, ...one }) => ({ ...one, executed: Math.floor(part * one.found) }),
          )
        const given = { ...facts, lines: unique(told), changed: known ? unique(more) : undefined }
        const decided = decideGate(given)
        const reversed = { ...given, lines: given.lines.toReversed(), changed: given.changed?.toReversed() }
        expect(decideGate(reversed)).toEqual(decided)
        const all = { ...given, lines: given.lines.map((one) => ({ ...one, executed: one.found })) }
        expect(rank[decideGate(all).verdict]).toBeGreaterThanOrEqual(rank[decided.verdict])
        expect(decided.verdict === 'pass').toBe(decided.reasons.length === 0)
        expect(decided.checks.every(({ met }) => met)).toBe(!decided.reasons.includes('below_threshold'))
      }),
    )
  })
})

describe('reaches', () => {
  it('is exact where binary fractions are not', () => {
    expect(reaches(801, 1000, 80.1)).toBe(true)
    expect(0.1 * 3 * 100 >= 30).toBe(true)
    expect(reaches(8009, 10000, 80.1)).toBe(false)
    expect(reaches(33, 100, 33.3)).toBe(false)
    expect(reaches(1, 1_000_000_000, 1e-7)).toBe(true)
    expect(reaches(0, 1_000_000_000, 1e-7)).toBe(false)
    expect(reaches(0, 0, 100)).toBe(true)
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(100_000), fc.nat(100_000), (hundredths, executed, more) => {
        const found = executed + more
        expect(reaches(executed, found, hundredths / 100)).toBe(executed * 10_000 >= hundredths * found)
      }),
    )
  })
})
