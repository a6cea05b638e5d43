import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Description } from '../../src/formats/describe.ts'
import { describeRefusal, describeReport } from '../../src/formats/describe.ts'
import type { ReportOptions } from '../../src/formats/format.ts'
import { sumFiles } from '../../src/record/totals.ts'
import { printFiles, read, sumLines } from './read.ts'

/**
 * Real and hostile reports that are not part of this project, beside it or where PROOFLINE_CORPUS says. Their manifest has the numbers
 * of an independent reader: lines hit are our covered + partial.
 */
const corpus = process.env['PROOFLINE_CORPUS'] ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url))
const isHere = existsSync(`${corpus}/MANIFEST.tsv`)
if (!isHere) console.log('skipped: the corpus of real reports is not here (../shared/corpus, or PROOFLINE_CORPUS)')

function readTable(name: string): Record<string, string>[] {
  if (!isHere) return []
  const [head = '', ...rows] = readFileSync(`${corpus}/${name}`, 'utf8').trimEnd().split('\n')
  const columns = head.split('\t')
  return rows.map((row) => Object.fromEntries(row.split('\t').map((cell, i) => [columns[i] ?? '', cell])))
}

function open(name: string): Uint8Array {
  const bytes = readFileSync(`${corpus}/${name}`)
  return name.endsWith('.gz') ? gunzipSync(bytes) : bytes
}

/** Of two runs of one file, which the manifest has together. */
const joined = 'simplecov-codeclimate-legacy-merged.json'
const optionsFor = (name: string): ReportOptions => (name === joined ? { section: '*' } : {})

const describeFile = (name: string): Promise<Description> =>
  read(open(name), optionsFor(name)).then(describeReport, describeRefusal)

const numbersOf = ({ files, lines, branches }: Description): number[] => [
  files,
  lines.found,
  lines.covered + lines.partial,
  branches.found,
  branches.covered,
]

const expectedOf = (row: Record<string, string>): number[] =>
  ['exp_files', 'exp_lines_found', 'exp_lines_hit', 'exp_branches_found', 'exp_branches_hit'].map((column) =>
    Number(row[column]),
  )

const manifest = readTable('MANIFEST.tsv')
/** Formats whose files of the manifest are all compared. */
const ours = new Set('lcov istanbul cobertura jacoco clover opencover coveragepy go llvmcov simplecov'.split(' '))
const isOurs = (row: Record<string, string>): boolean => ours.has(row['format'] ?? '')
const isMutation = (row: Record<string, string>): boolean => row['format'] === 'pit' || row['format'] === 'stryker'
const named = (rows: Record<string, string>[]): [string, Record<string, string>][] =>
  rows.map((row) => [row['file'] ?? '', row])

describe.skipIf(!isHere)('the corpus', () => {
  it.each(named(manifest.filter((row) => isOurs(row) && row['verdict'] === 'accept')))(
    '%s has the numbers of the manifest',
    async (name, row) => {
      const description = await describeFile(name)
      expect(description.verdict).toBe('accept')
      expect(numbersOf(description)).toEqual(expectedOf(row))
    },
  )

  it.each(named(manifest.filter(isMutation)))('%s has the mutants of the manifest, and no line', async (name, row) => {
    const { verdict, files, lines, branches, ...description } = await describeFile(name)
    expect([verdict, files]).toEqual(['accept', Number(row['exp_files'])])
    expect([lines, branches]).toEqual([
      { found: 0, covered: 0, partial: 0, missed: 0 },
      { found: 0, covered: 0 },
    ])
    const expected = JSON.parse(row['extra'] ?? '{}') as {
      mutants: number
      status: Record<string, number>
      detected?: number
      mutated_lines?: number
    }
    const { found, detected, undetected, ...byStatus } = description.mutants ?? { found: -1, detected: -1, undetected: -1 } // oxfmt-ignore
    const words = Object.entries(byStatus).filter(([, count]) => count > 0)
    const toWord = (status: string): string =>
      status === 'Timeout' ? 'timed_out' : status.replaceAll(/([a-z])([A-Z])/g, '$1_$2').toLowerCase()
    expect(found).toBe(expected.mutants)
    expect(Object.fromEntries(words)).toEqual(
      Object.fromEntries(Object.entries(expected.status).map(([status, count]) => [toWord(status), count])),
    )
    if (expected.detected !== undefined) expect([detected, found - undetected]).toEqual([expected.detected, expected.detected]) // oxfmt-ignore
    if (expected.mutated_lines !== undefined) expect(description.mutated_lines?.found).toBe(expected.mutated_lines)
  })

  it.each(named(manifest.filter((row) => row['verdict']?.startsWith('incomplete'))))(
    '%s is incomplete and keeps its whole sections',
    async (name, row) => {
      const description = await describeFile(name)
      expect(description.verdict).toBe('incomplete')
      const { complete_sections_only: whole } = JSON.parse(row['extra'] ?? '{}') as {
        complete_sections_only?: number[]
      }
      if (whole === undefined) expect(numbersOf(description)).toEqual(expectedOf(row))
      else expect(numbersOf(description).slice(1)).toEqual(whole)
    },
  )

  it.each(named(manifest.filter((row) => row['verdict']?.startsWith('refuse'))))('%s is refused', async (name) => {
    expect(await describeFile(name)).toMatchObject({ verdict: 'refuse', files: 0 })
  })

  it.each([
    ['lcov-coveralls-empty.info', 'report_empty'],
    ['lcov-grcov-not-an-info-file.info', 'report_unrecognized'],
    ['istanbul-duplicate-json-keys.json', 'duplicate_key'],
    ['v8-eslint-raw.json.gz', 'no_lines'],
    ['llvmcov-cargo-all.json', 'no_lines'],
    ['other-coveragepy-private-data-v3.json', 'no_lines'],
    ['coveragepy-truncated.json', 'report_invalid'],
    ['go-codacy-changed-package.out', 'report_invalid'],
    ['cobertura-coveralls-1byte.xml', 'report_empty'],
    ['cobertura-coveralls-oneline.xml', 'report_invalid'],
    ['cobertura-truncated.xml', 'report_invalid'],
    ['hostile-cobertura-xxe.xml', 'report_invalid'],
    ['jacoco-grcov-not-jacoco.xml', 'report_unrecognized'],
    ['other-dotcover.xml', 'report_unrecognized: it looks like a report of dotCover'],
    ['other-sonar-generic.xml', "report_unrecognized: it looks like SonarQube's generic coverage"],
    ['other-trace32.xml', 'report_unrecognized: it looks like a report of TRACE32'],
    ['other-visualstudio.coveragexml', 'report_unrecognized: it looks like coverage of Visual Studio'],
    ['pit-aggregator-linecoverage.xml', 'report_unrecognized: it looks like line coverage of PIT'],
  ])('%s is refused with %s', async (name, code) => {
    expect((await describeFile(name)).reason?.startsWith(code)).toBe(true)
  })

  it('has as many partial lines as an independent reader found in JaCoCo', async () => {
    const rows = manifest.filter((row) => row['format'] === 'jacoco' && row['verdict'] === 'accept')
    for (const row of rows) {
      const { partial_lines: expected = 0 } = JSON.parse(row['extra'] ?? '{}') as { partial_lines?: number }
      expect([row['file'], (await describeFile(row['file'] ?? '')).lines.partial]).toEqual([row['file'], expected])
    }
    expect(rows.length > 10 || !isHere).toBe(true)
  })

  it('counts the statements of Go, and the regions and functions of llvm-cov, as these do', async () => {
    const rows = manifest.filter(({ format = '', verdict }) => /^(?:go|llvmcov)$/.test(format) && verdict === 'accept')
    for (const { file = '', extra = '{}' } of rows) {
      const expected = JSON.parse(extra) as Record<string, number>
      const { statements, regions, functions } = sumLines((await read(open(file))).files)
      const pairs = [statements ?? regions, functions].map((pair) => [pair?.found, pair?.covered])
      const of = (found: string, hit: string): (number | undefined)[] => [expected[found] || undefined, expected[hit]]
      if (file.startsWith('go'))
        expect([file, pairs[0]]).toEqual([file, of('stmts_found', 'stmts_hit').map((n) => n || undefined)])
      else expect([file, ...pairs]).toEqual([file, of('regions', 'regions_hit'), of('fn_found', 'fn_hit')])
    }
    expect(rows.length).toBe(isHere ? 10 : 0)
  })

  it('finds in coverage.py what that declares, and asks which suite of SimpleCov is meant', async () => {
    for (const name of ['coveragepy-jinja-format3.json', 'coveragepy-jinja-contexts-small.json']) {
      const { declared, files } = await read(open(name))
      const { lines, branches } = sumLines(files)
      expect(declared).toMatchObject({
        lines: { found: lines.found, executed: lines.covered + lines.partial },
        branches,
      })
    }
    expect((await read(open(joined)).then(describeReport, describeRefusal)).reason).toMatch(
      /^report_ambiguous: .*"name-a", "name-b"/,
    )
  })

  it('counts the sequence points of OpenCover as OpenCover does', async () => {
    for (const name of ['opencover-rg.xml', 'opencover-rg-tracked-methods.xml', 'opencover-jenkins-bom.xml']) {
      const result = await read(open(name))
      expect(sumFiles(result.files, 'line')).toMatchObject({ statements: result.declared?.statements ?? 'none' })
    }
  })

  it('matches both source folders of a Cobertura report to the files of the commit', async () => {
    const all = await read(open('cobertura-jinja-coveragepy7.xml'))
    const tree = new Set([...all.files].map(({ path }) => path))
    const matched = await read(open('cobertura-jinja-coveragepy7.xml'), { tree })
    expect([all.unresolved.count, matched.unresolved.count, matched.refused.count]).toEqual([25, 0, 0])
    expect([...matched.files].map(({ path }) => path)).toEqual([...tree])
    const [first = ''] = tree
    const fewer = await read(open('cobertura-jinja-coveragepy7.xml'), { tree: new Set([first]) })
    expect([fewer.refused.count, [...fewer.files].map(({ path }) => path)]).toEqual([24, [first]])
  })

  it('keeps the one good file of a report with impossible paths', async () => {
    const result = await read(open('hostile-lcov-path-traversal.info'))
    expect(printFiles(result)).toEqual(['src/ok.c 1||2 - -'])
    expect(result.refused.count).toBe(4)
    expect(result.refused.first.map(({ reason }) => reason)).toEqual([
      'the path leaves the repository',
      'the path lies outside any repository',
      'the path has a control character',
      'the path is longer than 1024 bytes',
    ])
  })

  it.each(named(readTable('history-lua/EVENTS.tsv')))('event %s', async (_, row) => {
    const description = await describeFile(`history-lua/${row['file']}`)
    expect(description.verdict).toBe('accept')
    expect(numbersOf(description)).toEqual(expectedOf(row))
  })

  it('gives the same result however the bytes are cut', async () => {
    const names = manifest
      .filter((row) => (isOurs(row) || isMutation(row)) && Number(row['bytes_unpacked']) < 20_000)
      .map((row) => row['file'] ?? '')
    for (const name of names) {
      const bytes = open(name)
      const outcomes = await Promise.all(
        [1, 7, 4_096].map((size) =>
          read(bytes, optionsFor(name), size).then((result) => [result, printFiles(result)], describeRefusal),
        ),
      )
      for (const outcome of outcomes) expect(JSON.stringify(outcome)).toBe(JSON.stringify(outcomes[0]))
    }
  })

  it('finds a file whose name is Latin-1 in the tree of the commit', async () => {
    const result = await read(open('lcov-latin1-path-gcc.info'), { tree: new Set(['src/naïve módulo/ünï.c']) })
    expect(printFiles(result)).toEqual(['src/naïve módulo/ünï.c 3|2| 6/8 2/2'])
  })
})
