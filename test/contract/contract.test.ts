import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareContracts, printChanges } from '../../src/contract/compare.ts'
import { type ContractError, canonicalContract, contractDigest, parseContract } from '../../src/contract/contract.ts'
import { effectiveContract, isTracked, productionFilter } from '../../src/contract/effective.ts'
import { durationMs } from '../../src/contract/form.ts'
import { basicReasons, contractReasons } from '../../src/contract/reasons.ts'
import { Problem } from '../../src/record/problem.ts'
import { whole } from './whole.ts'

/** What is wrong with it, as `line:column where`. */
function errorsOf(text: string): string[] {
  try {
    parseContract(text)
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'contract_invalid') throw error
    const errors = error.extra['errors'] as ContractError[]
    expect(error.message).toContain(errors[0]?.reason)
    return errors.map(({ line, column, where }) => `${line}:${column} ${where}`)
  }
  return []
}

describe('parseContract', () => {
  it('reads every key', () => {
    expect(parseContract(whole)).toMatchObject({
      mode: 'enforce',
      inherit: true,
      production: { exclude: [{ glob: 'src/generated/**', reason: 'written by protoc' }] },
      suites: [
        {
          stage: ['test'],
          tool: [{ name: 'nyc', version: '17.1' }],
          definition: ['lcov.da@1', 'istanbul.statement@1'],
          required: true,
          thresholds: { lines: 80.5 },
        },
        { required: false },
      ],
      late: '7d',
    })
    const scoped = parseContract(
      "version: 1\nsuites: [{name: a, test_type: unit, tool: '@vitest/coverage-istanbul@5'}]",
    )
    expect(scoped.suites?.[0]?.tool).toEqual([{ name: '@vitest/coverage-istanbul', version: '5' }])
    expect(parseContract('version: 1')).toEqual({ version: 1, inherit: true })
  })

  it.each([
    ['', ['1:1 ']],
    ['- 1', ['1:1 ']],
    ['version: 2', ['1:10 version']],
    ['mode: observe', ['1:1 version']],
    ['version: 1\nsuite: []\nmode: maybe', ['3:7 mode', '2:1 suite']],
    ['version: 1\nrefs: [refs/heads/main, /x]', ['2:25 refs[1]']],
    ['version: 1\nproduction:\n  include: [src/**]\n  exclude:\n    - glob: a', ['5:7 production.exclude[0].reason']],
    [
      'version: 1\nsuites:\n  - name: api\n    test_type: e2e\n    tol: x',
      ['4:16 suites[0].test_type', '5:5 suites[0].tol'],
    ],
    ['version: 1\nsuites:\n  - {name: a, test_type: unit}\n  - {name: a, test_type: unit}', ['4:5 suites[1]']],
    ['version: 1\nthresholds: { unit: { lines: 101 } }', ['2:30 thresholds.unit.lines']],
    ['version: 1\nthresholds: { unit: { lines: .nan } }', ['2:30 thresholds.unit.lines']],
    ['version: 1\nlate: 7 days', ['2:7 late']],
    ['version: 1\nconfiguration: ABC', ['2:16 configuration']],
    ['version: 1\nversion: 1', ['2:1 ']],
    ['version: [1', ['1:12 ']],
    ['version: 1\n---\nversion: 1', ['2:1 ']],
    ['version: !!js/function 1', ['1:10 ']],
    ['version: 1\n__proto__: { mode: observe }', ['2:1 __proto__']],
    ['a: &a [x]\nversion: 1\nrefs: *a', ['1:1 ']],
    [`version: 1\nrepository: ${'x'.repeat(32_768)}`, ['1:1 ']],
  ])('%j is refused at the right place', (text, places) => {
    expect(errorsOf(text).toSorted()).toEqual(places.toSorted())
  })

  it('refuses what is nested without end', () => {
    for (const text of [
      '['.repeat(60_000),
      '{a: '.repeat(15_000),
      '- '.repeat(30_000),
      `${'['.repeat(900)}${']'.repeat(900)}`,
    ])
      expect(errorsOf(text).length).toBeGreaterThan(0)
  })

  it('says no more than fits an answer', () => {
    const many = Array.from({ length: 500 }, (_, i) => `k${i}: 1`).join('\n')
    expect(errorsOf(`version: 1\n${many}`)).toHaveLength(50)
  })
})

describe('contractDigest', () => {
  it('is the same however the contract is written', () => {
    const contract = parseContract(whole)
    const again = JSON.parse(canonicalContract(contract)) as {
      suites: { tool?: { name: string; version?: string }[] }[]
    }
    const rewritten = {
      ...again,
      suites: again.suites.toReversed().map(({ tool, ...suite }) => ({
        ...suite,
        ...(tool && { tool: tool.map((one) => `${one.name}@${one.version}`) }),
      })),
      refs: contract.refs?.toReversed(),
    }
    const text = `# as JSON\n${JSON.stringify(rewritten)}`
    expect(contractDigest(parseContract(text))).toBe(contractDigest(contract))
    expect(contractDigest(parseContract(whole.replaceAll('mode', '\n# why\nmode')))).toBe(contractDigest(contract))
  })

  it('is another one for whatever changes the meaning', () => {
    const others = [
      whole,
      whole.replace('enforce', 'observe'),
      whole.replace('mode: enforce', ''),
      whole.replace('80.5', '80.6'),
      whole.replace('nyc@17.1', 'nyc@17'),
      whole.replace('required: false', 'required: true'),
      whole.replace('written by protoc', 'old'),
      whole.replace('late: 7d', 'late: 168h'),
      `${whole}inherit: false`,
    ]
    expect(new Set(others.map((text) => contractDigest(parseContract(text)))).size).toBe(others.length)
  })
})

describe('compareContracts', () => {
  const contract = parseContract(whole)

  it('is empty exactly when the digests are equal', () => {
    expect(compareContracts(contract, parseContract(whole))).toEqual([])
    expect(compareContracts(undefined, undefined)).toEqual([])
    const pieces = [
      'mode: observe',
      'late: 1h',
      'refs: [a, b]',
      'refs: [b, a]',
      'inherit: false',
      'repository: r',
      '',
    ] as const
    const text = fc
      .subarray([...pieces])
      .filter((chosen) => chosen.filter((one) => one.startsWith('refs')).length < 2)
      .map((chosen) => ['version: 1', ...chosen].join('\n'))
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [one, other] = [parseContract(a), parseContract(b)]
        expect(compareContracts(one, other).length === 0).toBe(contractDigest(one) === contractDigest(other))
      }),
    )
  })

  it('names suites, globs and tools by what they are called, wherever they stand', () => {
    const changed = parseContract(
      whole
        .replace('nyc@17.1', 'nyc@18')
        .replace('enforce', 'observe')
        .replace("'src/**'", "'src/**', 'lib/**'")
        .replace('late: 7d', ''),
    )
    const changes = compareContracts(contract, changed)
    expect(printChanges(changes)).toBe(
      [
        '- late: 7d',
        '~ mode: enforce -> observe',
        '+ production.include[lib/**]: true',
        '- suites[unit/api].tool[nyc@17.1].name: nyc',
        '- suites[unit/api].tool[nyc@17.1].version: 17.1',
        '+ suites[unit/api].tool[nyc@18].name: nyc',
        '+ suites[unit/api].tool[nyc@18].version: 18',
        '',
      ].join('\n'),
    )
    expect(changes[1]).toEqual({ path: 'mode', from: 'enforce', to: 'observe' })
    expect(compareContracts(undefined, contract).every(({ from }) => from === null)).toBe(true)
  })
})

describe('effectiveContract', () => {
  const org = parseContract('version: 1\nmode: observe\nlate: 1h\nrefs: [refs/heads/main]')

  it('takes what the contract does not say from the default, key by key', () => {
    const own = parseContract('version: 1\nlate: 2h')
    expect(effectiveContract(own, org)).toEqual({ ...org, late: '2h' })
    expect(effectiveContract(parseContract('version: 1\nlate: 2h\ninherit: false'), org)?.mode).toBeUndefined()
    expect(effectiveContract(undefined, org)).toBe(org)
    expect(effectiveContract(own, undefined)).toBe(own)
    expect(effectiveContract(undefined, undefined)).toBeUndefined()
  })

  it('tracks the refs that it names, and none without', () => {
    expect(isTracked(parseContract(whole), 'refs/heads/release/1')).toBe(true)
    expect(isTracked(parseContract(whole), 'refs/heads/topic')).toBe(false)
    expect(isTracked(parseContract('version: 1'), 'refs/heads/main')).toBe(false)
  })

  it('has no more globs than can be looked at for every file of a commit', () => {
    // 2,000 characters each, with their braces written out.
    const globs = (count: number): string[] =>
      Array.from({ length: count }, (_, i) => `'{${Array.from({ length: 20 }, (__, j) => `a${j}`).join(',')}}${'b'.repeat(95)}${i}*'`) // oxfmt-ignore
    const production = (count: number): string => `version: 1\nproduction: { include: [${globs(count).join(',')}] }`
    expect(parseContract(production(4)).production?.include.length).toBe(4)
    expect(() => parseContract(production(5))).toThrow('more than 8192 characters together')
    expect(() => parseContract(`version: 1\nrefs: [${globs(5).join(',')}]`)).toThrow('characters together')
    const apart = `version: 1\nproduction:\n  include: [${globs(3).join(',')}]\n  exclude: [${globs(2).map((glob) => `{ glob: ${glob}, reason: x }`).join(',')}]` // oxfmt-ignore
    expect(() => parseContract(apart)).toThrow('characters together')
  })

  it('leaves exclusions out of the production files', () => {
    const isProduction = productionFilter(parseContract(whole))
    expect(['src/a.ts', 'src/generated/a.ts', 'test/a.ts'].map((path) => isProduction?.(path))).toEqual([
      true,
      false,
      false,
    ])
    expect(productionFilter(org)).toBeUndefined()
  })
})

describe('durationMs', () => {
  it('reads minutes, hours and days', () => {
    expect(['90m', '36h', '7d'].map(durationMs)).toEqual([5_400_000, 129_600_000, 604_800_000])
    expect(() => durationMs('7w')).toThrow('not a time')
  })
})

describe('docs/contract.md', () => {
  const text = readFileSync(new URL('../../docs/contract.md', import.meta.url), 'utf8')

  it('has every reason, in the order of the list', () => {
    const documented = [...text.matchAll(/^\| `([a-z_]+)` \| (?:any|contract) \|/gm)].map(([, code]) => code)
    expect(documented).toEqual([...Object.keys(basicReasons), ...Object.keys(contractReasons)])
  })

  it('has an example that is valid, and every key', () => {
    const example = /```yaml\n([^]*?)```/.exec(text)?.[1] ?? ''
    const contract = parseContract(example)
    expect(contract.suites?.length).toBeGreaterThan(1)
    for (const key of Object.keys(parseContract(whole))) expect(text).toContain(`| \`${key}\``)
  })

  it('takes identity in any order, and names what differs in it', () => {
    const of = (identity: string): ReturnType<typeof parseContract> =>
      parseContract(`version: 1\nidentity: ${identity}\n`)
    const one = of('{ methods: [statement, oidc], refuse: [self_hosted, any_repository] }')
    const other = of('{ refuse: [any_repository, self_hosted, any_repository], methods: [oidc, statement] }')
    expect(contractDigest(one)).toBe(contractDigest(other))
    expect(printChanges(compareContracts(one, of('{ methods: [oidc], refuse: [any_repository, self_hosted] }')))).toBe('- identity.methods[statement]: true\n') // oxfmt-ignore
    expect(errorsOf('version: 1\nidentity: {}\n')).toEqual(['2:11 identity'])
    expect(errorsOf('version: 1\nidentity: { refuse: [weak] }\n')).toEqual(['2:22 identity.refuse[0]'])
    expect(errorsOf('version: 1\nidentity: { methods: [] }\n')).toHaveLength(1)
  })
})
