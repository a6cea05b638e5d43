import { describe, expect, it } from 'vitest'
import { printFiles, read, refusalOf } from './read.ts'

const report = (content: string, attributes = '', metrics = ''): string =>
  `<?xml version="1.0"?><coverage generated="1" ${attributes}><project timestamp="1" name="All files">${metrics}${content}</project></coverage>`
const file = (attributes: string, lines: string): string =>
  `<package name="p"><file ${attributes}>${lines}</file></package>`
const stmt = (num: number, count: number): string => `<line num="${num}" type="stmt" count="${count}"/>`

describe('Clover', () => {
  it('has statements and conditions as lines, and methods as functions', async () => {
    const lines =
      `<line num="1" type="method" signature="run()" count="3"/><line num="9" type="method" name="off" count="0"/>` +
      stmt(2, 1) + stmt(3, 0) + '<line num="4" type="cond" truecount="1" falsecount="0"/><line num="5" type="cond" truecount="0" falsecount="0"/>' // oxfmt-ignore
    const result = await read(report(file('name="A.java" path="src/A.java"', lines), 'clover="4.3.1"'))
    expect(result).toMatchObject({
      format: 'clover',
      definition: 'clover.statement@1',
      tool: { name: 'clover', version: '4.3.1' },
    })
    expect(printFiles(result)).toEqual(['src/A.java 2|4|3,5 1/4 1/2'])
    expect([...result.files][0]).toMatchObject({ statements: { found: 2, covered: 1 } })
  })

  it('reads conditions of Istanbul as Istanbul means them: ways taken and ways missed', async () => {
    const lines = '<line num="1" count="0" type="cond" truecount="0" falsecount="2"/><line num="2" count="7" type="cond" truecount="1" falsecount="2"/>' + stmt(3, 1) // oxfmt-ignore
    const result = await read(report(file('name="a.js" path="/ci/a.js"', lines), 'clover="3.2.0"', '<metrics statements="3" coveredstatements="2" conditionals="9" coveredconditionals="4"/>')) // oxfmt-ignore
    expect(result).toMatchObject({
      definition: 'clover.istanbul@1',
      dialect: 'istanbul',
      tool: { name: 'istanbul' },
      declared: { lines: { found: 3, executed: 2 }, branches: { found: 9, covered: 4 } },
    })
    expect(printFiles(result)).toEqual(['/ci/a.js 3|2|1 1/5 -'])
  })

  it('takes the name for the path where there is no path, with or without a package', async () => {
    const result = await read(
      report(file('name="C:\\app\\A.php"', stmt(1, 1)) + `<file name="src/B.php" path="">${stmt(2, 0)}</file>`),
    )
    expect(printFiles(result)).toEqual(['C:\\app\\A.php 1|| - -', 'src/B.php ||2 - -'])
    expect(result.tool).toBeUndefined()
  })

  it('joins a line told twice, and counts both statements on it', async () => {
    const result = await read(
      report(file('name="A"', stmt(1, 0) + stmt(1, 1)) + file('name="A"', stmt(1, 0) + stmt(1, 0))),
    )
    expect(printFiles(result)).toEqual(['A 1|| - -'])
    expect([...result.files][0]).toMatchObject({ statements: { found: 2, covered: 1 } })
  })

  it("adds up what project and tests declare, in Clover's own statements", async () => {
    const metrics = '<metrics statements="5" coveredstatements="4" conditionals="2" coveredconditionals="1"/>'
    const text = report(file('name="A"', stmt(1, 1)), '', metrics).replace(
      '</coverage>',
      `<testproject>${metrics}</testproject></coverage>`,
    )
    expect((await read(text)).declared).toEqual({
      branches: { found: 4, covered: 2 },
      statements: { found: 10, covered: 8 },
    })
  })

  it('refuses two dialects in one report, and metrics without lines', async () => {
    const lines =
      '<line num="1" type="cond" truecount="1" falsecount="0"/><line num="2" count="1" type="cond" truecount="1" falsecount="0"/>'
    expect(await refusalOf(report(file('name="A"', lines)))).toBe('report_invalid')
    expect(await refusalOf(report(file('name="A"', ''), '', '<metrics statements="5" coveredstatements="4"/>'))).toBe(
      'no_lines',
    )
    expect(printFiles(await read(report('', '', '<metrics statements="0" coveredstatements="0"/>')))).toEqual([])
  })

  it('lists lines that say nothing', async () => {
    const lines = '<line num="0" type="stmt" count="1"/><line num="1" type="stmt"/><line num="2" type="cond" count="1"/><line num="3" type="x" count="1"/>' + stmt(4, 1) // oxfmt-ignore
    const result = await read(report(file('name="A"', lines)))
    expect(printFiles(result)).toEqual(['A 4|| - -'])
    expect(result.refused.count).toBe(4)
  })
})
