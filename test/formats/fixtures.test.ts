import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { printFiles, read } from './read.ts'

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

const expected: [report: string, definition: string, files: string[]][] = [
  ['refund/unit/coverage-final.json', 'istanbul.statement@1', refundUnit],
  ['refund/unit/lcov.info', 'lcov.da@1', refundUnit],
  ['refund/integration/coverage-final.json', 'istanbul.statement@1', refundIntegration],
  ['refund/integration/lcov.info', 'lcov.da@1', refundIntegration],
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
  ['ring/unit/lcov.info', 'lcov.da@1', ['ring/src/ring.c 4-9,13-19|| 4/4 2/2']],
  [
    'ring/integration/lcov.info',
    'lcov.da@1',
    ['ring/src/main.c 6-8,13-17,19-21|9,18|10-11 17/20 1/1', 'ring/src/ring.c 4-9,13-19|| 4/4 2/2'],
  ],
  [
    'greet/unit/lcov.info',
    'lcov.da@1',
    [
      'greet/greet/__init__.py || - -',
      'greet/greet/__main__.py ||1,3,6-13,16 0/4 0/1',
      'greet/greet/words.py 1,4-10|| 4/4 1/1',
    ],
  ],
  [
    'greet/integration/lcov.info',
    'lcov.da@1',
    [
      'greet/greet/__init__.py || - -',
      'greet/greet/__main__.py 1,3,6-13,16|| 4/4 1/1',
      'greet/greet/words.py 1,4-5,10|6,8|7,9 2/4 1/1',
    ],
  ],
]

describe('what real tools say about our programs', () => {
  it.each(expected)('%s', async (report, definition, files) => {
    const result = await read(readFileSync(new URL(report, folder)), { tree })
    expect(printFiles(result)).toEqual(files.map((file) => `test/programs/${file}`))
    expect(result).toMatchObject({ definition, unresolved: { count: 0 }, refused: { count: 0 } })
    expect(result.incomplete).toBeUndefined()
  })

  it('is all read, and names no machine', () => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const reports = files.filter(({ name }) => name !== 'junit.xml')
    expect(reports).toHaveLength(expected.length)
    for (const { parentPath, name } of files) {
      const absolute =
        readFileSync(`${parentPath}/${name}`, 'utf8').match(
          /\/(?:home|root|work|tmp|Users|opt)\/[^"]*?(?=\/test\/programs\/|"|$)/gm,
        ) ?? []
      expect(absolute.filter((place) => place !== '/builds/acme/app')).toEqual([])
    }
  })
})
