import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { printFiles, read, refusalOf, sumLines } from './read.ts'

/** Reports that real tools wrote about the programs in test/programs. The numbers were checked by hand against the sources. */
const folder = new URL('../fixtures/', import.meta.url)

const tree = new Set(
  [
    'refund/src/cli.js',
    'refund/src/money.js',
    'refund/src/refund.js',
    'ring/src/main.c',
    'ring/src/ring.c',
    'greet/greet/__init__.py',
    'greet/greet/__main__.py',
    'greet/greet/words.py',
    'till/src/main/java/acme/till/Cart.java',
    'till/src/main/java/acme/till/Main.java',
    'fare/go.mod',
    'fare/fare.go',
    'fare/zone/zone.go',
    'stamp/lib/stamp.rb',
    'fee/src/main/java/acme/fee/Fee.java',
    'fee/src/main/java/acme/fee/Ledger.java',
  ].map((path) => `test/programs/${path}`),
)

const refundUnit = [
  'refund/src/money.js 3,7,9,12-13,17,19-20,23|8,10-11,18| 6/10 2/2',
  'refund/src/refund.js 3,7-10,23||14-17,19-20 2/4 2/3',
]
const refundIntegration = [
  'refund/src/cli.js 3,11-16,18-19,23|7|8-9 3/4 1/1',
  'refund/src/money.js 3,7-9,11,13,17-20,23|10,12| 8/10 2/2',
  'refund/src/refund.js 3,7,9-10,14-17,19-20,23|8| 3/4 2/3',
]

/** Lines and branches are those of the other format; it has no functions. */
const withoutFunctions = (files: string[]): string[] => files.map((file) => file.replace(/ \S+$/, ' -'))

const ringUnit = ['ring/src/ring.c 4-9,13-19|| 4/4 2/2']
const ringIntegration = ['ring/src/main.c 6-8,13-17,19-21|9,18|10-11 17/20 1/1', 'ring/src/ring.c 4-9,13-19|| 4/4 2/2']
const greetUnit = [
  'greet/greet/__init__.py || - -',
  'greet/greet/__main__.py ||1,3,6-13,16 0/4 0/1',
  'greet/greet/words.py 1,4-10|| 4/4 1/1',
]
const greetIntegration = [
  'greet/greet/__init__.py || - -',
  'greet/greet/__main__.py 1,3,6-13,16|| 4/4 1/1',
  'greet/greet/words.py 1,4-5,10|6,8|7,9 2/4 1/1',
]
/** Two tools with two ideas of a line: JaCoCo sees instructions, also those of constructors nobody wrote, OpenClover statements. */
const till = 'till/src/main/java/acme/till'

const ringClang = ['ring/src/main.c 6-8,13-17,19-24|9,18|10-12 17/20 1/1', 'ring/src/ring.c 4-10,13-20|| 4/4 2/2']

const expected: [report: string, definition: string, files: string[], section?: string][] = [
  ['refund/unit/clover.xml', 'clover.istanbul@1', withoutFunctions(refundUnit)],
  ['refund/unit/cobertura-coverage.xml', 'cobertura.line@1', withoutFunctions(refundUnit)],
  ['refund/integration/clover.xml', 'clover.istanbul@1', withoutFunctions(refundIntegration)],
  ['refund/integration/cobertura-coverage.xml', 'cobertura.line@1', withoutFunctions(refundIntegration)],
  ['ring/unit/cobertura.xml', 'cobertura.line@1', withoutFunctions(ringUnit)],
  ['ring/integration/cobertura.xml', 'cobertura.line@1', withoutFunctions(ringIntegration)],
  ['greet/unit/coverage.xml', 'cobertura.line@1', withoutFunctions(greetUnit)],
  ['greet/integration/coverage.xml', 'cobertura.line@1', withoutFunctions(greetIntegration)],
  [
    'till/unit/jacoco.xml',
    'jacoco.instruction@1',
    [`${till}/Cart.java 7-8,11-13,17-18|19|23 7/8 3/4`, `${till}/Main.java ||3,5-9,11-13,15-16 0/6 0/2`],
  ],
  [
    'till/integration/jacoco.xml',
    'jacoco.instruction@1',
    [`${till}/Cart.java 7-8,12-13,17-18,23|11,19| 4/8 4/4`, `${till}/Main.java 5-7,9,15-16|8,11|3,12-13 4/6 1/2`],
  ],
  [
    'till/unit/clover.xml',
    'clover.statement@1',
    [`${till}/Cart.java 11-13,17-19||23 4/4 2/3`, `${till}/Main.java ||5-9,11-13,15 0/4 0/1`],
  ],
  [
    'till/integration/clover.xml',
    'clover.statement@1',
    [`${till}/Cart.java 12-13,17-18,23|11,19| 2/4 3/3`, `${till}/Main.java 5-7,9,15|8,11|12-13 2/4 1/1`],
  ],
  ['ring/unit/llvm-cov.json', 'llvm-cov.segment@1', ringClang.slice(1)],
  ['ring/unit/llvm-cov.info', 'lcov.da@1', ringClang.slice(1)],
  ['ring/integration/llvm-cov.json', 'llvm-cov.segment@1', ringClang],
  ['ring/integration/llvm-cov.info', 'lcov.da@1', ringClang],
  [
    'greet/unit/coverage.json',
    'coveragepy.statement@1',
    [
      'greet/greet/__init__.py || - -',
      'greet/greet/__main__.py ||1,3,6-13,16 0/4 -',
      'greet/greet/words.py 1,4-10|| 4/4 -',
    ],
  ],
  [
    'greet/integration/coverage.json',
    'coveragepy.statement@1',
    [
      'greet/greet/__init__.py || - -',
      'greet/greet/__main__.py 1,3,6-13,16|| 4/4 -',
      'greet/greet/words.py 1,4-5,10|6,8|7,9 2/4 -',
    ],
  ],
  [
    'fare/unit/cover.out',
    'go.block@1',
    ['fare/fare.go 14-19,21,26|20|22-24,30-35,37,40-43,46-48 - -', 'fare/zone/zone.go 8-12|| - -'],
  ],
  [
    'fare/integration/cover.out',
    'go.block@1',
    ['fare/fare.go 14-15,19-23,26,30-35,37,40-43|16|17-18,24,46-48 - -', 'fare/zone/zone.go 8-11||12 - -'],
  ],
  [
    'stamp/resultset.json',
    'simplecov.line@1',
    ['stamp/lib/stamp.rb 4-5,7-9,12,21,23,30|13-14,17,22|15,25,31 4/9 -'],
    'Unit',
  ],
  [
    'stamp/resultset.json',
    'simplecov.line@1',
    ['stamp/lib/stamp.rb 4-5,7-9,12-15,21,30|17|22-23,25,31 5/9 -'],
    'Integration',
  ],
  ['stamp/resultset.json', 'simplecov.line@1', ['stamp/lib/stamp.rb 4-5,7-9,12-15,17,21,23,30|22|25,31 7/9 -'], '*'],
  ['refund/unit/coverage-final.json', 'istanbul.statement@1', refundUnit],
  ['refund/unit/lcov.info', 'lcov.da@1', refundUnit],
  ['refund/integration/coverage-final.json', 'istanbul.statement@1', refundIntegration],
  ['refund/integration/lcov.info', 'lcov.da@1', refundIntegration],
  ['ring/unit/lcov.info', 'lcov.da@1', ringUnit],
  ['ring/integration/lcov.info', 'lcov.da@1', ringIntegration],
  ['greet/unit/lcov.info', 'lcov.da@1', greetUnit],
  ['greet/integration/lcov.info', 'lcov.da@1', greetIntegration],
  [
    'refund/unit/mutation.json',
    'stryker.status@1',
    [
      'refund/src/cli.js ||6-8,12-13,15,17-18,23| {"found":13,"detected":0,"undetected":13,"killed":0,"timed_out":0,"survived":0,"no_coverage":13}',
      'refund/src/money.js 3,6,8-13,16,18-20,23|8-10,12,18|8,10-11,18| {"found":39,"detected":27,"undetected":12,"killed":27,"timed_out":0,"survived":8,"no_coverage":4}',
      'refund/src/refund.js 6,8-10,23|7-8|13,16-17,20| {"found":23,"detected":9,"undetected":14,"killed":9,"timed_out":0,"survived":2,"no_coverage":12}',
    ],
  ],
  [
    'fee/unit/mutations.xml',
    'pit.status@1',
    [
      'fee/src/main/java/acme/fee/Fee.java 8,11-12,15,19|8,12,19|| {"found":11,"detected":7,"undetected":4,"killed":7,"timed_out":0,"survived":4,"no_coverage":0}',
      'fee/src/main/java/acme/fee/Ledger.java 10,16,18||23| {"found":7,"detected":3,"undetected":4,"killed":3,"timed_out":0,"survived":0,"no_coverage":4}',
    ],
  ],
]

describe('what real tools say about our programs', () => {
  it.each(expected)('%s', async (report, definition, files, section) => {
    const result = await read(readFileSync(new URL(report, folder)), { tree, section })
    expect(printFiles(result)).toEqual(files.map((file) => `test/programs/${file}`))
    expect(result).toMatchObject({ definition, unresolved: { count: 0 }, refused: { count: 0 } })
    expect(result.incomplete).toBeUndefined()
  })

  it('is not read where it does not say which lines ran', async () => {
    expect(await refusalOf(readFileSync(new URL('ring/integration/jacoco-gcovr.xml', folder)), { tree })).toBe(
      'no_lines',
    )
  })

  it('adds up to what OpenClover declares, statement by statement', async () => {
    for (const kind of ['unit', 'integration']) {
      const result = await read(readFileSync(new URL(`till/${kind}/clover.xml`, folder)), { tree })
      const { statements, branches } = sumLines(result.files)
      expect(result.declared).toEqual({ statements, branches })
    }
  })

  it('and what is made by hand where there was no tool', async () => {
    const files = new Set(['src/Till/Cart.cs', 'src/Till/Größe.cs'])
    const result = await read(readFileSync(new URL('handmade/opencover.xml', folder)), { tree: files })
    expect(printFiles(result)).toEqual(['src/Till/Cart.cs 8,13|9|10-12 1/2 1/1', 'src/Till/Größe.cs ||4 - 0/1'])
    expect(result).toMatchObject({ definition: 'opencover.sequence-point@1', unresolved: { count: 0 } })
  })

  it('is all read, and names no machine', () => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const reports = files.filter(({ name, parentPath }) => !['junit.xml', 'func.txt', 'last_run.json'].includes(name) && !/[\\/]fuzz[\\/]/.test(parentPath)) // oxfmt-ignore
    // And the one that is not read, and the one made by hand.
    expect(reports).toHaveLength(new Set(expected.map(([report]) => report)).size + 2)
    for (const { parentPath, name } of files) {
      const absolute =
        readFileSync(`${parentPath}/${name}`, 'utf8').match(
          /\/(?:home|root|work|tmp|Users|opt)\/[^"]*?(?=\/test\/programs\/|"|$)/gm,
        ) ?? []
      expect(absolute.filter((place) => place !== '/builds/acme/app')).toEqual([])
    }
  })

  it.each(['unit', 'integration'])('has the statements that go tool cover counts: fare/%s', async (kind) => {
    const result = await read(readFileSync(new URL(`fare/${kind}/cover.out`, folder)), { tree })
    const { found, covered } = sumLines(result.files).statements ?? { found: 0, covered: 0 }
    const printed = readFileSync(new URL(`fare/${kind}/func.txt`, folder), 'utf8')
    expect(`${((100 * covered) / found).toFixed(1)}%`).toBe(/\(statements\)\s+(\S+)/.exec(printed)?.[1])
  })

  it('has the percentages of SimpleCov, but for the two lines between nocov marks, which a resultset does not know', async () => {
    const result = await read(readFileSync(new URL('stamp/resultset.json', folder)), { tree, section: '*' })
    const { lines, branches } = sumLines(result.files)
    const printed = JSON.parse(readFileSync(new URL('stamp/last_run.json', folder), 'utf8')) as { result: object }
    const percent = (part: number, of: number): number => Math.floor((10_000 * part) / of) / 100
    expect(printed.result).toEqual({
      line: percent(lines.covered + lines.partial - 1, lines.found - 2),
      branch: percent(branches?.covered ?? 0, branches?.found ?? 0),
    })
  })
})
