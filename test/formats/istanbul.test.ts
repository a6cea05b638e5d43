import { describe, expect, it } from 'vitest'
import { describeReport } from '../../src/formats/describe.ts'
import { printFiles, read, refusalOf } from './read.ts'

const at = (line: number, column = 0, endLine = line, endColumn = 80): object => ({
  start: { line, column },
  end: { line: endLine, column: endColumn },
})

interface Coverage {
  statements?: [line: number, count: number][]
  branches?: [line: number, counts: number[]][]
}

function fileOf({ statements = [], branches = [] }: Coverage): object {
  return {
    statementMap: Object.fromEntries(statements.map(([line], i) => [i, at(line, 2 * i + 1)])),
    s: Object.fromEntries(statements.map(([, count], i) => [i, count])),
    branchMap: Object.fromEntries(
      branches.map(([line, counts], i) => [
        i,
        { type: 'if', loc: at(line, 2 * i), locations: counts.map(() => at(line)) },
      ]),
    ),
    b: Object.fromEntries(branches.map(([, counts], i) => [i, counts])),
    fnMap: { 0: { name: 'f', decl: at(1), loc: at(1) } },
    f: { 0: 1 },
  }
}

const report = (files: Record<string, unknown>): string => JSON.stringify(files)

describe('coverage-final.json', () => {
  it('has the lines on which statements start, covered when one of them ran', async () => {
    const file = fileOf({
      statements: [
        [1, 1],
        [3, 0],
        [3, 2],
        [5, 0],
        [9, 4],
      ],
      branches: [
        [3, [1, 0]],
        [9, [1, 2]],
        [5, [0, 0]],
      ],
    })
    expect(printFiles(await read(report({ 'a.js': file })))).toEqual(['a.js 1,9|3|5 3/6 1/1'])
  })

  it('may be the object of one file, or wrap each in data', async () => {
    const file = fileOf({ statements: [[1, 1]] })
    expect(printFiles(await read(report({ path: 'one.js', ...file })))).toEqual(['one.js 1|| - 1/1'])
    expect(printFiles(await read(report({ 'b.js': { data: { path: 'b.js', ...file } } })))).toEqual(['b.js 1|| - 1/1'])
    expect(printFiles(await read(report(file as Record<string, unknown>)))).toEqual(['<unnamed> 1|| - 1/1'])
  })

  it('names a file by its path rather than its key', async () => {
    expect(printFiles(await read(report({ x: { path: 'src/a.js', ...fileOf({}) } })))).toEqual(['src/a.js || - 1/1'])
  })

  it('joins two paths of one file by place, not by index', async () => {
    const tree = new Set(['src/a.js'])
    const one = fileOf({ statements: [[1, 1]], branches: [[1, [1, 0]]] })
    const other = fileOf({ statements: [[1, 0]], branches: [[1, [0, 1]]] })
    const result = await read(report({ 'src/a.js': one, './src/a.js': other }), { tree })
    expect(printFiles(result)).toEqual(['src/a.js 1|| 2/2 1/1'])
  })

  it('counts every branch, also where source maps have put two at one place', async () => {
    const branch = { type: 'if', loc: at(4), locations: [] }
    const file = {
      ...fileOf({ statements: [[4, 1]] }),
      branchMap: { 0: branch, 1: branch },
      b: { 0: [1, 1], 1: [0, 1] },
    }
    expect(printFiles(await read(report({ 'a.js': file })))).toEqual(['a.js |4| 3/4 1/1'])
  })

  it('refuses a key twice, at the top and within a file', async () => {
    const file = JSON.stringify(fileOf({ statements: [[1, 1]] }))
    expect(await refusalOf(`{"a.js":${file},"a.js":${file}}`)).toBe('duplicate_key')
    expect(await refusalOf(`{"a.js":${file},"\\u0061.js":${file}}`)).toBe('duplicate_key')
    expect(await refusalOf('{"a.js":{"statementMap":{},"s":{"0":1,"0":0}}}')).toBe('duplicate_key')
    expect(await refusalOf('{"a.js":{"statementMap":{},"s":{"0":1},"s":{}}}')).toBe('duplicate_key')
  })

  it('is not disturbed by keys that objects are born with', async () => {
    const file =
      '{"statementMap":{"__proto__":{"start":{"line":3}},"constructor":{"start":{"line":4}}},"s":{"__proto__":1,"constructor":0,"toString":1},"f":{},"b":{"__proto__":[1]}}'
    const result = await read(`{"__proto__":${file},"constructor":${file}}`)
    expect(printFiles(result)).toEqual(['__proto__ 3||4 - -', 'constructor 3||4 - -'])
    expect(result.refused.count).toBe(4)
    expect(({} as Record<string, unknown>)['statementMap']).toBeUndefined()
  })

  it('lists what has no usable place or count', async () => {
    const file = {
      statementMap: { 0: at(0), 1: at(1), 2: {}, 3: at(2 ** 31) },
      s: { 0: 1, 1: 'x', 2: 1, 3: 1, 4: 1 },
      b: { 0: [1] },
      branchMap: {},
    }
    const result = await read(report({ 'a.js': file, version: '1', 'b.js': { all: true } }))
    expect(result.refused.count).toBe(8)
    expect(printFiles(result)).toEqual(['a.js || - -'])
    expect(describeReport(result)).toMatchObject({
      verdict: 'accept',
      reason: '8 left out, the first: a.js: statement 0 has no line between 1 and 2147483647',
    })
  })

  it('tells lines of V8 in the same shape apart, for they are not comparable', async () => {
    const v8 = (widths: number[]): object => ({
      statementMap: Object.fromEntries(widths.map((width, i) => [i, at(i + 1, 0, i + 1, width)])),
      s: Object.fromEntries(widths.map((_, i) => [i, 1])),
      branchMap: {},
      b: {},
      fnMap: {},
      f: {},
    })
    const result = await read(report({ 'a.js': v8([20, 0, 14]), 'b.js': v8([3, 4]) }))
    expect(result).toMatchObject({ definition: 'istanbul.v8-lines@1', dialect: 'v8-lines' })
    expect([...result.files][0]?.definition).toBe('istanbul.v8-lines@1')
    const mixed = await read(report({ 'a.js': v8([20, 0, 14]), 'b.js': fileOf({ statements: [[2, 1]] }) }))
    expect(mixed).toMatchObject({ definition: 'istanbul.statement@1' })
    expect(mixed.dialect).toBeUndefined()
  })
})
