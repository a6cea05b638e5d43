import { describe, expect, it } from 'vitest'
import { printFiles, read, refusalOf, sumLines } from './read.ts'

type Segment = [line: number, column: number, count: number, hasCount: boolean, isEntry: boolean, isGap?: boolean]

const fileOf = (segments: unknown[], more: object = {}): object => ({
  branches: [],
  expansions: [{ segments: [[1, 1, 9, true, true]] }],
  filename: 'a.c',
  segments,
  ...more,
})
const report = (...files: object[]): string =>
  JSON.stringify({
    data: [{ files, functions: [{ name: '}]"' }] }],
    type: 'llvm.coverage.json.export',
    version: '2.0.1',
  })
const linesOf = async (...segments: Segment[]): Promise<string[]> => printFiles(await read(report(fileOf(segments))))

describe('llvm-cov export', () => {
  it('a region goes on to the next segment; a line with several is partial when one of them did not run', async () => {
    expect(
      await linesOf(
        [2, 1, 5, true, true, false],
        [3, 9, 0, true, true, false],
        [5, 3, 5, true, false, false],
        [7, 2, 0, false, false, false],
      ),
    ).toEqual(['a.c 2,6-7|3|4-5 - -'])
  })

  it('a line at whose beginning a region ends that did not run, and on which one begins that did, is partial', async () => {
    expect(await linesOf([1, 1, 0, true, true], [3, 3, 0, false, false], [3, 5, 4, true, true], [4, 1, 0, false, false])).toEqual(
      ['a.c 4|3|1-2 - -'],
    ) // oxfmt-ignore
  })

  it('a gap begins no line, and a region that is skipped is no line', async () => {
    expect(await linesOf([1, 1, 1, true, true], [2, 1, 0, false, false], [4, 1, 3, true, true, true], [5, 1, 0, false, false])).toEqual(
      ['a.c 1-2,5|| - -'],
    ) // oxfmt-ignore
    expect(await linesOf([1, 1, 1, true, true], [3, 1, 0, false, true], [5, 1, 1, true, false], [6, 1, 0, false, false])).toEqual(
      ['a.c 1-2,6|| - -'],
    ) // oxfmt-ignore
  })

  it('each condition is two branches, once however many instantiations name it', async () => {
    const branches = [
      [1, 5, 1, 9, 3, 0, 0, 0, 4],
      [1, 5, 1, 9, 0, 0, 0, 0, 4],
      [2, 5, 2, 9, 12_345_678_901, 2 ** 63, 0, 0, 4],
      [0, 1, 1, 1, 1, 1, 0, 0, 4],
    ]
    const result = await read(report(fileOf([[1, 1, 1, true, true], [3, 2, 0, false, false]], { branches }))) // oxfmt-ignore
    expect(printFiles(result)).toEqual(['a.c 2-3|1| 3/4 -'])
    expect(result.refused).toMatchObject({ count: 1, first: [{ where: 'a.c' }] })
  })

  it('regions, conditions and functions are those of the summary', async () => {
    const counts = (count: number, covered: number): object => ({ count, covered, percent: 1 })
    const summary = { regions: counts(70, 40), mcdc: counts(3, 1), functions: counts(4, 3), lines: counts(9, 9) }
    const result = await read(report(fileOf([[1, 1, 1, true, true], [2, 2, 0, false, false]], { summary }))) // oxfmt-ignore
    const { regions, mcdc, functions, lines } = sumLines(result.files)
    expect({ regions, mcdc, functions }).toEqual({
      regions: { found: 70, covered: 40 },
      mcdc: { found: 3, covered: 1 },
      functions: { found: 4, covered: 3 },
    })
    expect(lines.found).toBe(2)
  })

  it('declares the totals of its summary, and names the version of the export and of cargo-llvm-cov', async () => {
    const totals = { lines: { count: 9, covered: 8 }, branches: { count: 4, covered: 1 } }
    const data = [{ files: [fileOf([[1, 1, 1, true, true], [2, 2, 0, false, false]])], totals }] // oxfmt-ignore
    const result = await read(JSON.stringify({ data, version: '3.1.0', cargo_llvm_cov: { version: '0.6.21' } }))
    expect(result).toMatchObject({
      format: 'llvmcov',
      definition: 'llvm-cov.segment@1',
      dialect: 'cargo-llvm-cov 0.6.21',
      tool: { name: 'llvm-cov export', version: '3.1.0' },
      declared: { lines: { found: 9, executed: 8 }, branches: { found: 4, covered: 1 } },
    })
  })

  it('reads the five-element segments of old versions, with numbers for booleans, and joins files of two exports', async () => {
    const old = fileOf([[1, 1, 0, 1, 1], [2, 2, 0, 0, 0]]) // oxfmt-ignore
    const other = fileOf([[2, 1, 7, true, true], [3, 2, 0, false, false]]) // oxfmt-ignore
    const data = [{ files: [old] }, { files: [other, fileOf([], { filename: 'b.h' })] }]
    expect(printFiles(await read(JSON.stringify({ data })))).toEqual(['a.c 2-3||1 - -', 'b.h || - -'])
  })

  it('a summary has no lines', async () => {
    const { segments: _, ...summary } = fileOf([]) as { segments: unknown }
    expect(await refusalOf(report(summary))).toBe('no_lines')
    const result = await read(report(summary, fileOf([[1, 1, 1, true, true], [1, 9, 0, false, false]]))) // oxfmt-ignore
    expect(result.refused.first).toEqual([{ where: 'a.c', reason: 'no segments' }])
  })

  it('lists segments that make no sense, and does not count lines that nobody wrote', async () => {
    const result = await read(report(fileOf([[5, 1, 1, true, true], [4, 1, 1, true, true], 'x', [6, 1], [7, 2, 0, false, false]]))) // oxfmt-ignore
    expect(printFiles(result)).toEqual(['a.c 5-7|| - -'])
    expect(result.refused.first[0]?.reason).toMatch(/^3 segments or branches/)
    expect(await refusalOf(report(fileOf([[1, 1, 1, true, true], [2_147_483_647, 1, 0, false, false]])))).toBe('too_many_lines') // oxfmt-ignore
  })

  it('profiles that are not exported yet are refused with what to send', async () => {
    expect(await refusalOf(Uint8Array.from([0x81, 0x72, 0x66, 0x6f, 0x72, 0x70, 0x6c, 0xff, 8, 0]))).toBe('no_lines')
    expect(await refusalOf(Uint8Array.from([0xff, 0x6c, 0x70, 0x72, 0x6f, 0x66, 0x69, 0x81, 5, 0]))).toBe('no_lines')
  })
})
