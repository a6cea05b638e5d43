import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseContract } from '../../src/contract/contract.ts'
import { basicReasons, contractReasons } from '../../src/contract/reasons.ts'
import { type Ending, type PartFacts, type RunFacts, standing } from '../../src/contract/standing.ts'

const run: RunFacts = {
  suite: 'api',
  test_type: 'unit',
  stage: 'test',
  method: 'token',
  configuration: 'ab'.repeat(32),
}
const part: PartFacts = {
  definition: 'lcov.da@1',
  tool: { name: 'nyc', version: '17.1.0' },
  incomplete: null,
  totals: { recomputed: { files: 1, lines: { found: 10, covered: 5, partial: 1 } } },
}
const tests = { total: 3, passed: 3, failed: 0, skipped: 0 }
const seal = {
  kind: 'seal',
  outcome: 'completed',
  tests,
  parts: [part],
  shardsIncomplete: false,
  atMs: Date.UTC(2026, 10, 23),
} as const
const contract = (more = '') =>
  parseContract(`version: 1\nlate: 24h\nconfiguration: ${'ab'.repeat(32)}\nsuites:
  - { name: api, test_type: unit, stage: [test, nightly], tool: nyc@17, definition: lcov.da@1 }
  - { name: e2e, test_type: integration }\n${more}`)
const lines = (found: number, covered: number, partial = 0): PartFacts => ({
  ...part,
  totals: { recomputed: { files: 1, lines: { found, covered, partial } } },
})
const mutants = (found: number): PartFacts => ({ ...part, totals: { recomputed: { files: 1, mutants: { found } } } })

describe('standing', () => {
  it.each<[string, Partial<RunFacts>, Ending, string[]]>([
    ['a completed run with tests and parts', {}, seal, []],
    ['failed tests', {}, { ...seal, outcome: 'failed' }, ['outcome_failed']],
    ['aborted tests', {}, { ...seal, outcome: 'aborted', tests: null }, ['outcome_aborted', 'tests_unknown']],
    ['no test', {}, { ...seal, tests: { ...tests, total: 0 } }, ['no_tests']],
    ['skipped tests only', {}, { ...seal, tests: { ...tests, skipped: 3 } }, ['no_tests']],
    ['no part', {}, { ...seal, parts: [] }, ['no_parts']],
    ['a shard in pieces', {}, { ...seal, shardsIncomplete: true }, ['shard_incomplete']],
    ['a broken part', {}, { ...seal, parts: [part, { ...part, incomplete: 'cut' }] }, ['report_incomplete']],
    ['a baseline', {}, { ...seal, parts: [lines(10, 0), lines(5, 0)] }, ['baseline']],
    ['a baseline beside a report', {}, { ...seal, parts: [lines(10, 0), lines(10, 0, 1)] }, []],
    ['mutants only', {}, { ...seal, parts: [mutants(3)] }, []],
    ['reports that hold nothing', {}, { ...seal, parts: [lines(0, 0), mutants(0)] }, ['nothing_measured']],
    ['a report that holds nothing beside another', {}, { ...seal, parts: [lines(0, 0), lines(3, 1)] }, []],
    ['an abandoned run', {}, { kind: 'abandonment' }, ['abandoned']],
    ['an open run', {}, undefined, ['unsealed']],
    ['nobody known', { method: 'anonymous' }, seal, ['identity_unverified']],
    ['an old report', { backfilled: true }, seal, ['backfilled']],
  ])('of %s, without a contract', (_name, facts, ending, reasons) => {
    expect(standing({ ...run, ...facts }, ending, undefined)).toEqual({
      counts: reasons.length === 0,
      reasons,
      observed: [],
    })
  })

  it.each<[string, Partial<RunFacts>, Ending, string[]]>([
    ['what was promised', {}, seal, []],
    ['another stage that is named', { stage: 'nightly' }, seal, []],
    ['a suite without pins', { suite: 'e2e', test_type: 'integration' }, seal, []],
    ['a suite nobody named', { suite: 'x' }, seal, ['suite_not_named']],
    ['the name with the other test type', { suite: 'e2e' }, seal, ['suite_not_named']],
    ['another stage', { stage: 'deploy' }, seal, ['stage_not_allowed']],
    ['no stage', { stage: undefined }, seal, ['stage_not_allowed']],
    ['another tool', {}, { ...seal, parts: [part, { ...part, tool: { name: 'c8' } }] }, ['tool_differs']],
    [
      'a version that only begins alike',
      {},
      { ...seal, parts: [{ ...part, tool: { name: 'nyc', version: '170' } }] },
      ['tool_differs'],
    ],
    ['an unknown version', {}, { ...seal, parts: [{ ...part, tool: { name: 'nyc' } }] }, ['tool_differs']],
    ['an unknown tool', {}, { ...seal, parts: [{ ...part, tool: null }] }, ['tool_differs']],
    ['another definition', {}, { ...seal, parts: [{ ...part, definition: 'lcov.da@2' }] }, ['definition_differs']],
    ['another configuration', { configuration: 'cd' }, seal, ['configuration_differs']],
    ['no configuration', { configuration: undefined }, seal, ['configuration_differs']],
    ['the last moment', { occurred_at: '2026-11-22T00:00:00Z' }, seal, []],
    ['a moment later', { occurred_at: '2026-11-21T23:59:59.999Z' }, seal, ['late']],
    ['a clock that is ahead', { occurred_at: '2027-01-01T00:00:00Z' }, seal, []],
    [
      'several at once',
      { suite: 'x', configuration: 'cd' },
      { ...seal, outcome: 'failed' },
      ['outcome_failed', 'suite_not_named', 'configuration_differs'],
    ],
    ['an open run at another stage', { stage: 'deploy' }, undefined, ['unsealed', 'stage_not_allowed']],
  ])('of %s, with a contract', (_name, facts, ending, reasons) => {
    expect(standing({ ...run, ...facts }, ending, contract())).toEqual({
      counts: reasons.length === 0,
      reasons,
      observed: [],
    })
  })

  it('with a contract that only observes, what it has against a run is without consequence', () => {
    const found = standing({ ...run, stage: 'deploy' }, seal, contract('mode: observe'))
    expect(found).toEqual({ counts: true, reasons: [], observed: ['stage_not_allowed'] })
    const failed = standing({ ...run, stage: 'deploy' }, { ...seal, outcome: 'failed' }, contract('mode: observe'))
    expect(failed).toEqual({ counts: false, reasons: ['outcome_failed'], observed: ['stage_not_allowed'] })
  })

  it('a suite may pin a configuration of its own', () => {
    const own = parseContract(
      `version: 1\nconfiguration: ${'ab'.repeat(32)}\nsuites: [{ name: api, test_type: unit, configuration: ${'cd'.repeat(32)} }]`,
    )
    expect(standing(run, seal, own).reasons).toEqual(['configuration_differs'])
    expect(standing({ ...run, configuration: 'cd'.repeat(32) }, seal, own).counts).toBe(true)
  })

  it('is total: counts exactly without reasons, each once and in the order of the list', () => {
    const order = [...Object.keys(basicReasons), ...Object.keys(contractReasons)]
    const count = fc.nat(3)
    const facts = fc.record({
      suite: fc.constantFrom('api', 'e2e', 'x'),
      test_type: fc.constantFrom('unit' as const, 'integration' as const),
      stage: fc.constantFrom(undefined, 'test', 'deploy'),
      method: fc.constantFrom('token', 'oidc', 'anonymous', ''),
      configuration: fc.constantFrom(undefined, 'ab'.repeat(32), ''),
      occurred_at: fc.constantFrom(undefined, 'never', '2026-11-01T00:00:00Z'),
      backfilled: fc.constantFrom(undefined, true, false),
    })
    const parts = fc.array(
      fc.record({
        definition: fc.constantFrom('lcov.da@1', 'x'),
        tool: fc.constantFrom(null, { name: 'nyc', version: '17' }),
        incomplete: fc.constantFrom(null, 'cut'),
        totals: fc.record({
          recomputed: fc.record({ files: count, lines: fc.record({ found: count, covered: count, partial: count }) }),
        }),
      }),
      { maxLength: 3 },
    )
    const ending: fc.Arbitrary<Ending> = fc.oneof(
      fc.constantFrom(undefined, { kind: 'abandonment' } as const),
      fc.record({
        kind: fc.constant('seal' as const),
        outcome: fc.constantFrom('completed' as const, 'failed' as const, 'aborted' as const),
        tests: fc.option(fc.record({ total: count, skipped: count })),
        parts,
        shardsIncomplete: fc.boolean(),
        atMs: fc.constant(seal.atMs),
      }),
    )
    fc.assert(
      fc.property(facts, ending, fc.constantFrom('none', 'mode: enforce', 'mode: observe', ''), (one, end, mode) => {
        const found = standing(one, end, mode === 'none' ? undefined : contract(mode))
        expect(found.counts).toBe(found.reasons.length === 0)
        const all = [...found.reasons, ...found.observed]
        expect(all).toEqual(order.filter((reason) => all.includes(reason as never)))
        if (mode !== 'mode: observe') expect(found.observed).toEqual([])
      }),
      { numRuns: 2_000 },
    )
  })

  const token = { method: 'token' }
  const oidc = { method: 'oidc' }
  it.each<[string, Partial<RunFacts>, string, boolean]>([
    ['a method that it names', oidc, 'identity: { methods: [oidc, statement] }', true],
    ['a method that it does not name', token, 'identity: { methods: [oidc, statement] }', false],
    ['what a token lacks by itself', token, 'identity: { refuse: [static_secret] }', false],
    ['what a signature lacks by itself', { method: 'statement' }, 'identity: { refuse: [commit_unverified] }', false],
    ['what a signature does not lack', { method: 'statement' }, 'identity: { refuse: [static_secret] }', true],
    ['a token that is bound', token, 'identity: { refuse: [any_repository] }', true],
    ['a token that is bound to nothing', { ...token, weak: ['any_repository'] }, 'identity: { refuse: [any_repository] }', false],
    ['a job whose commit is verified', oidc, 'identity: { refuse: [commit_unverified] }', true],
    ['a job whose commit is not', { ...oidc, weak: ['commit_unverified'] }, 'identity: { refuse: [commit_unverified] }', false],
    ['a runner of its own', { ...oidc, weak: ['self_hosted'] }, 'identity: { methods: [oidc], refuse: [self_hosted] }', false],
  ])('judges %s by how it was verified', (_, facts, identity, counts) => {
    const judged = standing({ ...run, ...facts }, seal, contract(identity))
    expect(judged).toEqual({ counts, reasons: counts ? [] : ['identity_weak'], observed: [] })
    expect(standing({ ...run, ...facts }, seal, contract(`${identity}\nmode: observe`)).counts).toBe(true)
  }) // oxfmt-ignore

  it('lets a suite say by itself whose word it takes', () => {
    const own = parseContract(`version: 1\nidentity: { methods: [oidc] }\nsuites:
  - { name: api, test_type: unit, identity: { methods: [oidc, token] } }
  - { name: e2e, test_type: unit }`)
    expect(standing(run, seal, own).counts).toBe(true)
    expect(standing({ ...run, suite: 'e2e' }, seal, own).reasons).toEqual(['identity_weak'])
  })
})
