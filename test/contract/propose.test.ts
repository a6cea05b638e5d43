import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseContract } from '../../src/contract/contract.ts'
import { productionFilter } from '../../src/contract/effective.ts'
import { type SeenRun, proposeContract } from '../../src/contract/propose.ts'

const dayMs = 86_400_000
const nyc = { definition: 'lcov.da@1', tool: { name: 'nyc', version: '17.1.0' } }
const seen = (more: Partial<SeenRun> = {}): SeenRun => ({
  suite: 'api',
  test_type: 'unit',
  ref: 'refs/heads/main',
  stage: 'test',
  admitted: true,
  atMs: 0,
  measures: [nyc],
  ...more,
})
const propose = (runs: SeenRun[], paths: string[] = []) =>
  parseContract(
    proposeContract(
      'r',
      runs,
      paths.map((path) => ({ path, blob: 'b' })),
    ),
  )

describe('proposeContract', () => {
  it('promises what was seen, suite by suite, and only observes', () => {
    const contract = propose([
      seen(),
      seen({ atMs: dayMs * 1.5 }),
      seen({ atMs: dayMs * 2, measures: [{ definition: 'lcov.da@1', tool: { name: 'c8', version: '10.1' } }] }),
      seen({ suite: 'e2e', test_type: 'integration', stage: undefined, measures: [{ definition: 'lcov.da@1' }] }),
    ])
    expect(contract).toMatchObject({ mode: 'observe', repository: 'r', refs: ['refs/heads/main'] })
    expect(contract.suites).toEqual([
      { name: 'e2e', test_type: 'integration', definition: ['lcov.da@1'], required: true },
      {
        name: 'api',
        test_type: 'unit',
        stage: ['test'],
        tool: [{ name: 'c8', version: '10' }],
        definition: ['lcov.da@1'],
        cadence: '2d',
        required: true,
      },
    ])
  })

  it('goes by runs that count, where there are some', () => {
    const { suites, refs } = propose([
      seen(),
      seen({ admitted: false, stage: 'odd', ref: 'refs/heads/topic', atMs: 9 }),
    ])
    expect(suites?.[0]).toMatchObject({ stage: ['test'] })
    expect(refs).toEqual(['refs/heads/main'])
    expect(propose([seen({ admitted: false })]).suites).toHaveLength(1)
  })

  it('pins no stage and no tool that some runs do not name', () => {
    const [suite] =
      propose([seen(), seen({ stage: undefined, atMs: 5, measures: [nyc, { definition: 'x', tool: null }] })]).suites ??
      []
    expect(suite).toMatchObject({ definition: ['lcov.da@1', 'x'] })
    expect(suite).not.toHaveProperty('stage')
    expect(suite).not.toHaveProperty('tool')
  })

  it('promises no suite of an old report', () => {
    const { suites } = propose([
      seen(),
      seen({ suite: 'old', backfilled: true }),
      seen({ stage: 'x', backfilled: true }),
    ])
    expect(suites).toMatchObject([{ name: 'api', stage: ['test'] }])
  })

  it('takes runs within an hour of each other for one occasion', () => {
    const cadenceAt = (...hours: number[]): unknown =>
      propose(hours.map((hour) => seen({ atMs: hour * 3_600_000 }))).suites?.[0]?.cadence
    expect(cadenceAt(0, 0.1, 0.2, 0.9)).toBeUndefined()
    expect(cadenceAt(0, 0.1, 24, 24.5)).toBeUndefined()
    expect(cadenceAt(0, 0.1, 24, 24.5, 49)).toBe('2d')
  })

  it('promises only files that the commit has', () => {
    const { production } = parseContract(
      proposeContract('r', [seen()], [{ path: 'src/a.ts', blob: 'b' }, { path: 'node_modules/x.js' }]),
    )
    expect(production?.include).toEqual(['src/**'])
  })

  it('names the folders that were measured', () => {
    const { production } = propose(
      [seen()],
      ['src/a.ts', 'src/b/c.ts', 'lib/x.js', 'main.go', 'doc.go', 'Makefile', '/abs/x.ts', 'C:/x', '../y.ts'],
    )
    expect(production?.include).toEqual(['*.go', 'Makefile', 'lib/**', 'src/**'])
    expect(propose([seen()]).production).toBeUndefined()
  })

  it('is a contract whatever names were pushed, and its globs take the paths', () => {
    const name = fc.oneof(
      fc.stringMatching(/^[a-zA-Z0-9@._-]{1,20}$/),
      fc.constantFrom('true', 'null', '1.0', '- a', '#x', 'a: b', '"', "'", '*', '&a', '!x', 'ü'),
    )
    const path = fc
      .array(fc.stringMatching(/^[a-z0-9._*?{}[\]-]{1,8}$/), { minLength: 1, maxLength: 3 })
      .map((names) => names.join('/'))
    const run = fc.record({
      suite: name,
      stage: fc.option(name, { nil: undefined }),
      ref: name,
      tool: name,
      admitted: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 4 }), fc.array(path, { maxLength: 5 }), (runs, paths) => {
        const made = runs.map(({ tool, ...more }) =>
          seen({
            ...more,
            ref: `refs/heads/${more.ref.replaceAll(/[^a-z]/g, 'x')}`,
            measures: [{ definition: 'd', tool: { name: tool } }],
          }),
        )
        const contract = propose(made, paths)
        expect(new Set(contract.suites?.map((suite) => suite.name))).toEqual(new Set(runs.map(({ suite }) => suite)))
        const isProduction = productionFilter(contract)
        for (const one of paths.filter((text) => !/[*?{}[\]]|(?:^|\/)\.\.?(?:\/|$)/.test(text)))
          expect([one, isProduction?.(one)]).toEqual([one, true])
      }),
    )
  })
})
