import { describe, expect, it } from 'vitest'
import { inChunks, printFiles, read, refusalOf } from './read.ts'
import { openReport } from '../../src/formats/format.ts'

const section = (path: string, ...records: string[]): string =>
  ['TN:', `SF:${path}`, ...records, 'end_of_record', ''].join('\n')

async function filesOf(...records: string[]): Promise<string[]> {
  return printFiles(await read(section('a.c', ...records)))
}

describe('LCOV', () => {
  it('has a line covered above zero, partial when a branch of it was not taken, else missed', async () => {
    expect(
      await filesOf(
        'BRDA:2,0,0,1',
        'BRDA:2,0,1,0',
        'BRDA:3,0,0,-',
        'BRDA:3,0,1,-',
        'BRDA:4,0,0,2',
        'DA:1,5',
        'DA:2,1',
        'DA:3,0',
        'DA:4,2',
      ),
    ).toEqual(['a.c 1,4|2|3 2/5 -'])
  })

  it('sums sections about one file, so that a branch taken in either is taken', async () => {
    const result = await read(
      section('a.c', 'BRDA:1,0,0,1', 'BRDA:1,0,1,0', 'DA:1,1', 'DA:2,0') +
        section('a.c', 'BRDA:1,0,0,-', 'BRDA:1,0,1,4', 'DA:1,0', 'DA:2,1', 'DA:3,0'),
    )
    expect(printFiles(result)).toEqual(['a.c 1-2||3 2/2 -'])
  })

  it.each([
    ['9007199254740993', true],
    ['18446744073709551615', true],
    ['1.8446744073709552e+19', true],
    ['0', false],
    ['000', false],
    ['0e5', false],
    ['-3', false],
  ])('takes the count %s (above zero: %s)', async (count, isCovered) => {
    expect(await filesOf(`DA:7,${count}`)).toEqual([isCovered ? 'a.c 7|| - -' : 'a.c ||7 - -'])
  })

  it('takes checksums, carriage returns, spaces, comments, blank lines and the records of lcov 2', async () => {
    expect(
      await filesOf(
        'DA:1,1,BPwm2Kqkq8mn',
        'DA:2,0\r',
        'DA: 3 , 4 ',
        '# comment',
        '',
        'VER:1',
        'MCDC:1,2,t,1,0,a, b',
        'MCF:1',
        'FNL:0,1,9',
        'FNA:0,3,f',
        'FNA:0,0,g',
        'FNL:1,20',
      ),
    ).toEqual(['a.c 1,3||2 - 1/2'])
  })

  it('counts both senses of each MC/DC condition, once, and leaves excluded ones out', async () => {
    const records = [
      'DA:1,1',
      'MCDC:1,2,t,1,0,a, b',
      'MCDC:1,2,f,0,0,a, b',
      'MCDC:1,2,t,4,1,b',
      'MCDC:1,2,f,2,1,b',
      'MCDC:1,2,f,2,1,b',
      'MCDC:1,3,t,-,0,c',
      'MCDC:1,U3,f,1,0,c',
      'MCDC:0,3,t,1,0,c',
      'MCDC:1,3,x,1,0,c',
    ]
    const result = await read(['SF:a.c', ...records, 'end_of_record', ''].join('\n'))
    expect([...result.files][0]).toMatchObject({ mcdc: { found: 5, covered: 3 } })
    expect(printFiles(result)).toEqual(['a.c 1|| - -'])
    expect(result.refused.first.map(({ where }) => where)).toEqual(['line 10', 'line 11'])
  })

  it('counts branches that have names with commas, marks of exceptions, and leaves excluded ones out', async () => {
    expect(
      await filesOf(
        'BRDA:1,0,jump to line 2, then 3,1',
        'BRDA:1,0,jump to line 2, then 4,-',
        'BRDA:2,e0,0,1',
        'BRDA:2,0,0,1',
        'BRDA:3,eU0,1,0',
        'BRDA:3,U1,1,0',
        'DA:1,1',
        'DA:2,1',
        'DA:3,1',
      ),
    ).toEqual(['a.c 2-3|1| 3/4 -'])
  })

  it('knows a branch again in whatever form its count comes', async () => {
    expect(await filesOf('BRDA:1,0,1,-', 'BRDA:1,0,1,1.8e19', 'DA:1,1')).toEqual(['a.c 1|| 1/1 -'])
  })

  it('has functions by name: found in FN or FNDA, covered in any', async () => {
    expect(await filesOf('FN:1,f', 'FN:5,9,g<int, int>', 'FNDA:2,f', 'FNDA:0,g<int, int>')).toEqual(['a.c || - 1/2'])
  })

  it('lists every record that it does not take, with its line', async () => {
    const result = await read(
      `DA:1,1\n${section('a.c', 'DA:0,1', 'DA:x,1', 'DA:5', 'DA:4294967296,1', 'BRDA:1,0,0', 'BRDA:0,0,0,1', 'LF:many', 'hello', 'DA:9,-1')}`,
    )
    expect(result.refused).toEqual({
      count: 10,
      first: [
        { where: 'line 1', reason: 'DA outside a section' },
        { where: 'line 4', reason: 'line 0 is not between 1 and 2147483647' },
        { where: 'line 5', reason: 'no line number' },
        { where: 'line 6', reason: 'DA is not <line>,<count>' },
        { where: 'line 7', reason: 'line 4294967296 is not between 1 and 2147483647' },
        { where: 'line 8', reason: 'BRDA is not <line>,<block>,<branch>,<taken>' },
        { where: 'line 9', reason: 'line 0 is not between 1 and 2147483647' },
        { where: 'line 10', reason: 'LF is not a number' },
        { where: 'line 11', reason: 'not a record of LCOV' },
        { where: 'line 12', reason: 'a negative count, read as 0' },
      ],
    })
    expect(printFiles(result)).toEqual(['a.c ||9 - -'])
  })

  it('keeps what the report declares beside what it says, and the names of its tests', async () => {
    const result = await read(
      `TN:unit\n${section('a.c', 'DA:1,1', 'LF:7', 'LH:6', 'BRF:4', 'BRH:3')}TN:integration\n${section('a.c', 'DA:1,1', 'LF:1', 'LH:1')}`,
    )
    expect(result.declared).toEqual({ lines: { found: 8, executed: 7 }, branches: { found: 4, covered: 3 } })
    expect(result.testNames).toEqual(['unit', 'integration'])
  })

  describe('without end_of_record', () => {
    it('drops the last section, also what it said about an earlier file', async () => {
      const result = await read(
        `${section('a.c', 'BRDA:1,0,0,0', 'DA:1,0')}${section('b.c', 'DA:1,1')}SF:a.c\nDA:1,1\nDA:2,1\nBRDA:1,0,0,1\nFN:1,f\nLF:9`,
      )
      expect(printFiles(result)).toEqual(['a.c ||1 0/1 -', 'b.c 1|| - -'])
      expect(result.incomplete).toBe('the last section has no end_of_record: it is left out')
      expect(result.declared).toBeUndefined()
    })

    it('drops a new file of the last section', async () => {
      const result = await read(`${section('a.c', 'DA:1,1')}SF:b.c\nDA:1,1\n`)
      expect(printFiles(result)).toEqual(['a.c 1|| - -'])
      expect(result.incomplete).toBeDefined()
    })

    it('takes SF as the end where no section has another, and says that the report may be cut', async () => {
      const result = await read('SF:a.c\nDA:1,1\nSF:b.c\nDA:1,0\n')
      expect(printFiles(result)).toEqual(['a.c 1|| - -', 'b.c ||1 - -'])
      expect(result.incomplete).toBe('2 of 2 sections have no end_of_record')
    })

    it('has nothing to keep of a single section', async () => {
      const result = await read('SF:a.c\nDA:1,1\n')
      expect(printFiles(result)).toEqual([])
      expect(result.incomplete).toBeDefined()
    })
  })

  it('costs nothing for the value of a line number, and memory for distinct lines only', async () => {
    const repeated = section('a.c', 'BRDA:2147483647,0,999999999,1', 'DA:1,1', 'DA:2147483647,0', 'DA:1073741824,1')
    const report = new TextEncoder().encode(repeated.repeat(10_000))
    const before = process.memoryUsage()
    const result = await read(report)
    const after = process.memoryUsage()
    expect(printFiles(result)).toEqual(['a.c 1,1073741824||2147483647 1/1 -'])
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16 * 1_048_576)
  })

  it('skips a line of megabytes instead of holding it', async () => {
    const report = new TextEncoder().encode(
      `${section('a.c', 'DA:1,1')}SF:${'x'.repeat(3_000_000)}\n${section('b.c', 'DA:1,1')}`,
    )
    const result = await openReport(inChunks(report, 10_000))
    expect(printFiles(result)).toEqual(['a.c 1|| - -', 'b.c 1|| - -'])
    expect(result.refused.first).toEqual([{ where: 'line 5', reason: 'longer than 1048576 bytes' }])
  })

  describe('limits', () => {
    it('refuses ten million lines in one file', async () => {
      async function* lines(): AsyncGenerator<Uint8Array> {
        yield new TextEncoder().encode('SF:a.c\n')
        for (let at = 0; at < 10_000_000; at += 10_000)
          yield new TextEncoder().encode(Array.from({ length: 10_000 }, (_, i) => `DA:${at + i + 1},1\n`).join(''))
      }
      await expect(openReport(lines())).rejects.toMatchObject({ code: 'too_many_lines' })
    })

    it('takes as many as are allowed', async () => {
      expect(printFiles(await read(section('a.c', 'DA:1,1', 'DA:2,1', 'DA:1,1'), { maxLinesPerFile: 2 }))).toEqual([
        'a.c 1-2|| - -',
      ])
      expect(await refusalOf(section('a.c', 'DA:1,1', 'DA:2,1', 'DA:3,1'), { maxLinesPerFile: 2 })).toBe(
        'too_many_lines',
      )
    })

    it('refuses more files than are allowed', async () => {
      const report = ['a', 'b', 'a', 'c'].map((path) => section(path, 'DA:1,1')).join('')
      expect(printFiles(await read(report, { maxFiles: 3 }))).toHaveLength(3)
      expect(await refusalOf(report, { maxFiles: 2 })).toBe('too_many_files')
    })
  })
})
