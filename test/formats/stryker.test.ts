import { describe, expect, it } from 'vitest'
import { coveragePayloads } from '../../src/record/coverage.ts'
import { describeReport } from '../../src/formats/describe.ts'
import { openReport } from '../../src/formats/format.ts'
import { printFiles, read, refusalOf } from './read.ts'

interface Mutant {
  status?: unknown
  line?: unknown
  more?: object
}

const mutant = ({ status = 'Killed', line = 1, more = {} }: Mutant): object => ({
  id: '1',
  mutatorName: 'BlockStatement',
  replacement: '{}',
  location: { start: { line, column: 3 }, end: { line: 99, column: 4 } },
  status,
  ...more,
})

const report = (files: Record<string, unknown>, more: object = {}): string =>
  JSON.stringify({ schemaVersion: '2', thresholds: { high: 80, low: 60 }, files, ...more })

const file = (...mutants: Mutant[]): object => ({ language: 'js', source: 'secret()', mutants: mutants.map(mutant) })

describe('a report of the mutation testing schema', () => {
  it('counts mutants by status and stands each on its first line', async () => {
    const result = await read(
      report({
        'src/b.ts': file({ line: 7 }, { line: 7, status: 'Survived' }, { line: 9, status: 'NoCoverage' }),
        'src/a.ts': file(
          { line: 3, status: 'Timeout' },
          { line: 4, status: 'CompileError' },
          { line: 5, status: 'RuntimeError' },
          { line: 6, status: 'Ignored' },
        ),
      }),
    )
    expect(printFiles(result)).toEqual([
      'src/a.ts 3|||4-6 {"found":4,"detected":1,"undetected":0,"killed":0,"timed_out":1,"survived":0,"no_coverage":0,"compile_error":1,"runtime_error":1,"ignored":1}',
      'src/b.ts 7|7|9| {"found":3,"detected":1,"undetected":2,"killed":1,"timed_out":0,"survived":1,"no_coverage":1}',
    ])
    expect(result).toMatchObject({ format: 'stryker', metric: 'mutation', definition: 'stryker.status@1' })
    expect(result.incomplete).toBeUndefined()
  })

  it('says no line of itself in what push --dry-run prints', async () => {
    expect(describeReport(await read(report({ a: file({}, { status: 'Survived' }) })))).toMatchObject({
      verdict: 'accept',
      metric: 'mutation',
      files: 1,
      lines: { found: 0, covered: 0, partial: 0, missed: 0 },
      branches: { found: 0, covered: 0 },
      mutated_lines: { found: 1, detected: 1, survived: 1, uncovered: 0, undecided: 0 },
      mutants: { found: 2, detected: 1, undetected: 1 },
    })
  })

  it('names the framework as tool', async () => {
    const framework = { name: 'StrykerJS', version: '9.6.1', branding: { homepageUrl: 'x' } }
    expect((await read(report({ a: file({}) }, { framework }))).tool).toEqual({ name: 'StrykerJS', version: '9.6.1' })
    expect((await read(report({ a: file({}) }, { framework: 7 }))).tool).toBeUndefined()
  })

  it('is incomplete while mutants are pending', async () => {
    const result = await read(report({ a: file({ status: 'Pending' }, {}) }))
    expect(describeReport(result)).toMatchObject({ verdict: 'incomplete', mutants: { found: 2, pending: 1 } })
  })

  it('holds nothing where nothing was mutated', async () => {
    expect(printFiles(await read(report({})))).toEqual([])
    expect(printFiles(await read(report({ 'src/a.ts': file() })))).toEqual([
      'src/a.ts ||| {"found":0,"detected":0,"undetected":0,"killed":0,"timed_out":0,"survived":0,"no_coverage":0}',
    ])
  })

  it('adds up what names one file twice, under two names', async () => {
    const files = { '/ci/app/src/a.ts': file({}), 'src/a.ts': file({ line: 2, status: 'Survived' }) }
    const result = await read(report(files), { tree: new Map([['src/a.ts', 'b'.repeat(40)]]), root: '/ci/app' })
    expect(printFiles(result)).toEqual([
      'src/a.ts 1|2|| {"found":2,"detected":1,"undetected":1,"killed":1,"timed_out":0,"survived":1,"no_coverage":0}',
    ])
    expect([...result.files][0]?.blob).toBe('b'.repeat(40))
  })

  it('leaves out and lists what is no mutant', async () => {
    const result = await read(
      report({
        a: file({}, { status: 'Exploded' }, { line: 0 }, { line: 1.5 }, { line: 2_147_483_648 }, { line: 'x' }),
        b: { language: 'js', source: '' },
        c: null,
      }),
    )
    expect(printFiles(result)).toHaveLength(1)
    expect(result.refused).toEqual({
      count: 7,
      first: [
        { where: 'mutant 2 of a', reason: 'the status "Exploded" is not known' },
        ...[3, 4, 5, 6].map((n) => ({ where: `mutant ${n} of a`, reason: 'no line between 1 and 2147483647' })),
        { where: 'b', reason: 'not the mutants of a file' },
        { where: 'c', reason: 'not the mutants of a file' },
      ],
    })
  })

  it.each<[string, string, string]>([
    ['a schema of the future', report({ a: file({}) }, { schemaVersion: '3.0' }), 'report_invalid'],
    ['files that are no object', report({}, { files: 7 }), 'report_invalid'],
    ['a file twice', '{"schemaVersion":"1","thresholds":{},"files":{"a":{"mutants":[]},"a":{"mutants":[]}}}', 'duplicate_key'],
    ['a status twice', '{"schemaVersion":"1","files":{"a":{"mutants":[{"status":"Killed","status":"Survived"}]}}}', 'duplicate_key'],
    ['an end too early', report({ a: file({}) }).slice(0, -3), 'report_invalid'],
    ['only paths that leave the repository', report({ '../a': file({}) }), 'path_invalid'],
  ])('is refused for %s', async (_, text, code) => {
    expect(await refusalOf(text)).toBe(code)
  }) // oxfmt-ignore

  it('passes over the sources in it, however long, and no record has a word of them', async () => {
    const source = JSON.stringify(`const password = "hunter2" // \\" ${'é\\'.repeat(20)}\n`).slice(1, -1)
    async function* chunks(): AsyncGenerator<Uint8Array> {
      const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
      yield encode('{"schemaVersion":"1","thresholds":{},"files":{"src/a.ts":{"language":"ts","source":"')
      for (let i = 0; i < 1_000; i += 1) yield encode(source.repeat(600))
      yield encode(`","mutants":[${JSON.stringify(mutant({}))}]}},"testFiles":{"t":{"source":"${source}"}}}`)
    }
    const before = process.memoryUsage()
    const result = await openReport(chunks())
    const after = process.memoryUsage()
    expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(64 * 1_048_576)
    const printed = [...result.files].flatMap((one) =>
      coveragePayloads(
        one,
        { ledger: 'main/unit', run: 'r', part: 'p', repository: 'g', commit: 'c', suite: 's', test_type: 'unit', artifact_sha256: 'a' },
        0,
      ),
    ) // oxfmt-ignore
    expect(printed).toHaveLength(1)
    expect(Buffer.from(printed[0] ?? '').toString()).not.toContain('hunter2')
    expect(JSON.stringify(result)).not.toContain('hunter2')
  })

  it('is recognised when its first source is longer than what is looked at', async () => {
    const long = { language: 'js', source: 'x'.repeat(200_000), mutants: [mutant({})] }
    expect((await read(JSON.stringify({ files: { a: long }, schemaVersion: '1' }))).format).toBe('stryker')
    const other = { source: 'x'.repeat(200_000), language: 'js', mutants: [mutant({})] }
    expect((await read(JSON.stringify({ files: { a: other }, schemaVersion: '1' }))).format).toBe('stryker')
  })
})
