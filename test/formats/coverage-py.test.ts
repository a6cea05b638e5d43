import { describe, expect, it } from 'vitest'
import { flatten, printFiles, read, refusalOf } from './read.ts'

interface File {
  executed?: unknown
  missing?: unknown
  more?: object
}

const fileOf = ({ executed = [], missing = [], more = {} }: File): object => ({
  executed_lines: executed,
  summary: { covered_lines: 1 },
  missing_lines: missing,
  excluded_lines: [],
  ...more,
})

const report = (files: Record<string, unknown>, more: object = {}): string =>
  JSON.stringify({
    meta: { format: 3, version: '7.16.2', branch_coverage: true, show_contexts: false },
    files,
    totals: { covered_lines: 3, num_statements: 5, percent_covered: 86.88, covered_branches: 1, num_branches: 2 },
    ...more,
  })

describe('coverage.py', () => {
  it('a line is executed or missing, and partial when it ran and an arc that leaves it did not', async () => {
    const more = { executed_branches: [[3, 4], [7, -1]], missing_branches: [[3, 9], [5, 6], [5, -1]] } // oxfmt-ignore
    const result = await read(report({ 'a.py': fileOf({ executed: [1, 3, 7], missing: [5, 9], more }) }))
    expect(printFiles(result)).toEqual(['a.py 1,7|3|5,9 2/5 -'])
    expect(result).toMatchObject({
      format: 'coveragepy',
      definition: 'coveragepy.statement@1',
      tool: { name: 'coverage.py', version: '7.16.2' },
      dialect: 'format 3, branches',
    })
  })

  it('declares its totals, never its percentage, and how many lines configuration took out', async () => {
    const result = await read(report({ 'a.py': fileOf({ executed: [1], more: { excluded_lines: [4, 5] } }) }))
    expect(result.declared).toEqual({
      lines: { found: 5, executed: 3 },
      branches: { found: 2, covered: 1 },
      excluded: 2,
    })
  })

  it('does not hold contexts, functions and classes, which repeat everything', async () => {
    const long = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, i) => [`${i + 1}`, ['tests/a.py::test|run', '"}]\\']]),
    )
    const more = { contexts: long, functions: { f: { executed_lines: [99], contexts: long } }, classes: { C: long } }
    const plain = await read(report({ 'a.py': fileOf({ executed: [1] }) }))
    const rich = await read(report({ 'a.py': fileOf({ executed: [1], more }) }), {}, 1_000)
    expect(flatten(rich)).toEqual(flatten(plain))
  })

  it('lists what is no line and no file, and takes the rest', async () => {
    const more = { executed_branches: [[1], [0, 2], ['1', 2], [1, 2]] }
    const files = { 'a.py': fileOf({ executed: [1, 0, 1.5, 'x', 2_147_483_648, 7], more }), b: 7, c: {} }
    const result = await read(report(files))
    expect(printFiles(result)).toEqual(['a.py 1,7|| 1/1 -'])
    expect(result.refused.first).toEqual([
      { where: 'a.py', reason: '4 of executed_lines are not between 1 and 2147483647' },
      { where: 'a.py', reason: '3 branches are not [line, line]' },
      { where: 'b', reason: 'not the coverage of a file' },
      { where: 'c', reason: 'no executed_lines and missing_lines' },
    ])
  })

  it('is refused when no file has lines, when a file stands there twice, and when it is cut', async () => {
    const text = report({ 'a.py': fileOf({ executed: [1] }), 'b.py': fileOf({}) })
    expect(await refusalOf(report({ a: { summary: {} } }))).toBe('no_lines')
    expect(await refusalOf(text.replace('b.py', 'a.py'))).toBe('duplicate_key')
    expect(await refusalOf(text.slice(0, -40))).toBe('report_invalid')
    expect(await refusalOf(text.replace('[1]', '[1,,2]'))).toBe('report_invalid')
    expect(await refusalOf(text.replace('[1]', '{}'))).toBe('report_invalid')
  })

  it('data that coverage.py keeps for itself is refused with what to send instead', async () => {
    expect(await refusalOf('SQLite format 3\0\x10\0')).toBe('no_lines')
    expect(await refusalOf("!coverage.py: This is a private format, don't read it directly!{}")).toBe('no_lines')
  })
})
