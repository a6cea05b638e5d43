import { describe, expect, it } from 'vitest'
import { describeReport } from '../../src/formats/describe.ts'
import { printFiles, read, refusalOf } from './read.ts'

interface Mutation {
  status?: string
  detected?: string
  source?: string
  of?: string
  line?: number | string
}

const mutation = ({ status = 'KILLED', detected, source = 'Fee.java', of = 'acme.fee.Fee', line = 7 }: Mutation): string =>
  `<mutation${detected === undefined ? '' : ` detected='${detected}'`} status='${status}' numberOfTestsRun='1'>` +
  `<sourceFile>${source}</sourceFile><mutatedClass>${of}</mutatedClass><mutatedMethod>&lt;init&gt;</mutatedMethod>` +
  `<lineNumber>${line}</lineNumber><mutator>m</mutator><indexes><index>4</index></indexes>` +
  '<killingTest/><description>negated conditional</description></mutation>' // oxfmt-ignore

const report = (...mutations: Mutation[]): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<mutations partial="true">\n${mutations.map(mutation).join('\n')}\n</mutations>\n`

describe('a report of PIT', () => {
  it("counts mutants by status, with the errors as detected, which is PIT's rule", async () => {
    const result = await read(
      report(
        { status: 'KILLED', detected: 'true', line: 3 },
        { status: 'TIMED_OUT', detected: 'true', line: 3 },
        { status: 'SURVIVED', detected: 'false', line: 3 },
        { status: 'NO_COVERAGE', detected: 'false', line: 4 },
        { status: 'NON_VIABLE', detected: 'true', line: 5 },
        { status: 'MEMORY_ERROR', detected: 'true', line: 6 },
        { status: 'RUN_ERROR', detected: 'true', line: 8 },
        { status: 'EQUIVALENT', line: 9 },
      ),
    )
    expect(printFiles(result)).toEqual([
      'acme/fee/Fee.java 3,5-6,8-9|3|4| {"found":8,"detected":6,"undetected":2,"killed":1,"timed_out":1,"survived":1,"no_coverage":1,"non_viable":1,"memory_error":1,"run_error":1,"equivalent":1}',
    ])
    expect(result).toMatchObject({
      format: 'pit',
      metric: 'mutation',
      definition: 'pit.status@1',
      refused: { count: 0 },
    })
    expect(result.incomplete).toBeUndefined()
  })

  it('puts inner classes and files without a package where they belong', async () => {
    const result = await read(
      report(
        { of: 'acme.fee.Fee$Page$1', source: 'Fee.java' },
        { of: 'acme.fee.FeeKt', source: 'Fee.kt' },
        { of: 'Main', source: 'Main.java' },
      ),
    )
    expect(printFiles(result).map((line) => line.split(' ')[0])).toEqual([
      'Main.java',
      'acme/fee/Fee.java',
      'acme/fee/Fee.kt',
    ])
  })

  it('finds the file of the commit that ends in package and name, and keeps and flags what could be two', async () => {
    const text = report({}, { of: 'acme.Main', source: 'Main.java' }, { of: 'acme.Gone', source: 'Gone.java' })
    const tree = ['core/src/main/java/acme/fee/Fee.java', 'core/src/test/java/Fee.java', 'a/acme/Main.java', 'b/acme/Main.java'] // oxfmt-ignore
    const result = await read(text, { tree: new Map(tree.map((path, i) => [path, String(i).repeat(40)])) })
    expect([...result.files].map(({ path, blob, unresolved }) => [path, blob, unresolved])).toEqual([
      ['acme/Gone.java', undefined, true],
      ['acme/Main.java', undefined, true],
      ['core/src/main/java/acme/fee/Fee.java', '0'.repeat(40), undefined],
    ])
    expect(result.unresolved).toEqual({ count: 2, first: ['acme/Main.java', 'acme/Gone.java'] })
  })

  it('is incomplete when mutants were not run to their end, which PIT counts as undetected', async () => {
    const result = await read(report({ status: 'NOT_STARTED' }, { status: 'STARTED' }, {}))
    expect(describeReport(result)).toMatchObject({
      verdict: 'incomplete',
      mutants: { found: 3, detected: 1, undetected: 2, not_started: 1, started: 1 },
      mutated_lines: { found: 1, detected: 1, undecided: 1 },
    })
  })

  it('holds nothing where nothing was mutated', async () => {
    expect(describeReport(await read(report()))).toMatchObject({ verdict: 'accept', files: 0, mutants: { found: 0 } })
  })

  it('leaves out and lists what is no mutant, and lists what contradicts itself', async () => {
    const result = await read(
      report(
        { status: 'VANISHED' },
        { line: 0 },
        { line: '' },
        { line: '99999999999' },
        { source: '' },
        { status: 'SURVIVED', detected: 'true' },
      ),
    )
    expect(printFiles(result)).toEqual([
      'acme/fee/Fee.java |7|| {"found":1,"detected":0,"undetected":1,"killed":0,"timed_out":0,"survived":1,"no_coverage":0}',
    ])
    expect(result.refused.first.map(({ where, reason }) => `${where}: ${reason}`)).toEqual([
      'mutation 1 of acme.fee.Fee: the status "VANISHED" is not known',
      ...[2, 3, 4].map((n) => `mutation ${n} of acme.fee.Fee: no line between 1 and 2147483647`),
      'mutation 5 of acme.fee.Fee: it names no source file',
      'mutation 6 of acme.fee.Fee: detected="true" is not what SURVIVED means: counted by its status',
    ])
  })

  it.each<[string, string, string]>([
    ['an end too early', report({}).slice(0, -15), 'report_invalid'],
    ['a DTD of its own', report({}).replace('<mutations', '<!DOCTYPE x [<!ENTITY e "e">]><mutations'), 'report_invalid'],
    ['paths that leave the repository', report({ of: 'x', source: '../../etc/x' }), 'path_invalid'],
  ])('is refused for %s', async (_, text, code) => {
    expect(await refusalOf(text)).toBe(code)
  }) // oxfmt-ignore

  it('is refused under its name when it is another document', async () => {
    expect(await refusalOf('<coverage/>', { format: 'pit' })).toBe('report_invalid')
  })
})
