import { describe, expect, it } from 'vitest'
import { printFiles, read, refusalOf } from './read.ts'

const lines = [null, 1, 0, 12_345_678_901, null, 'ignored', 2]
const branches = {
  '[:if, 0, 3, 4, 6, 7]': { '[:then, 1, 4, 6, 4, 9]': 3, '[:else, 2, 6, 6, 6, 9]': 0 },
  '[:"&.", 3, 2, 4, 2, 9]': { '[:then, 4, 2, 4, 2, 9]': 1, '[:else, 5, 2, 4, 2, 9]': 0 },
}
const resultset = (commands: Record<string, unknown>): string =>
  JSON.stringify(
    Object.fromEntries(Object.entries(commands).map(([name, coverage]) => [name, { coverage, timestamp: 1 }])),
  )

describe('SimpleCov', () => {
  it('a line has a count or null, and is partial where SimpleCov reports a branch that was not taken', async () => {
    const result = await read(resultset({ RSpec: { 'lib/a.rb': { lines, branches } } }))
    expect(printFiles(result)).toEqual(['lib/a.rb 4,7|2|3 2/4 -'])
    expect(result).toMatchObject({
      format: 'simplecov',
      definition: 'simplecov.line@1',
      dialect: 'resultset',
      tool: { name: 'simplecov' },
      testNames: ['RSpec'],
    })
  })

  it('files are bare arrays before 0.18, and a list in simplecov-json', async () => {
    const expected = ['lib/a.rb 2,4,7||3 - -']
    expect(printFiles(await read(resultset({ RSpec: { 'lib/a.rb': lines } })))).toEqual(expected)
    const list = {
      timestamp: 1,
      command_name: 'RSpec',
      files: [{ filename: 'lib/a.rb', covered_percent: 75, coverage: lines }],
      metrics: { covered_percent: 75, covered_lines: 3, total_lines: 4 },
    }
    const result = await read(JSON.stringify(list))
    expect(printFiles(result)).toEqual(expected)
    expect(result).toMatchObject({ dialect: 'list', declared: { lines: { found: 4, executed: 3 } } })
  })

  it('the JSON formatter tells version, totals and the line of each branch', async () => {
    const text = JSON.stringify({
      meta: { simplecov_version: '1.0.0', command_names: ['RSpec'] },
      total: { lines: { covered: 3, total: 4 }, branches: { covered: 1, total: 2 } },
      coverage: {
        'lib/a.rb': {
          lines,
          source: ['class A', '"}]'],
          branches: [
            { type: 'then', start_line: 3, end_line: 3, coverage: 1, inline: false, report_line: 2 },
            { type: 'else', start_line: 5, end_line: 5, coverage: 0, inline: false, report_line: 4 },
            { type: 'else', start_line: 6, end_line: 6, coverage: 'ignored', inline: false, report_line: 5 },
          ],
          methods: [{ name: 'a', start_line: 2, coverage: 1 }, { name: 'b', start_line: 4, coverage: 0 }], // oxfmt-ignore
        },
      },
      groups: {},
    })
    const result = await read(text)
    expect(printFiles(result)).toEqual(['lib/a.rb 2,7|4|3 1/2 1/2'])
    expect(result).toMatchObject({
      dialect: 'formatter',
      tool: { name: 'simplecov', version: '1.0.0' },
      declared: { lines: { found: 4, executed: 3 }, branches: { found: 2, covered: 1 } },
      testNames: ['RSpec'],
    })
  })

  describe('a resultset of several commands', () => {
    const two = resultset({ RSpec: { 'a.rb': [1, 0, null], 'b.rb': [1] }, Cucumber: { 'a.rb': [0, 2, null] } })

    it('is several suites: which one is asked, with their names', async () => {
      await expect(read(two)).rejects.toMatchObject({
        code: 'report_ambiguous',
        message: expect.stringMatching(/2 suites.*--section.*"RSpec", "Cucumber"/) as string,
      })
    })

    it('is read one suite at a time, or all together when that is said', async () => {
      const suite = async (section: string): Promise<string[]> => printFiles(await read(two, { section }))
      expect(await suite('RSpec')).toEqual(['a.rb 1||2 - -', 'b.rb 1|| - -'])
      expect(await suite('Cucumber')).toEqual(['a.rb 2||1 - -'])
      expect(await suite('*')).toEqual(['a.rb 1-2|| - -', 'b.rb 1|| - -'])
      expect((await read(two, { section: 'Cucumber' })).testNames).toEqual(['Cucumber'])
    })

    it('is refused for a suite that is not there, and so is a section of anything else', async () => {
      expect(await refusalOf(two, { section: 'rspec' })).toBe('report_ambiguous')
      expect(await refusalOf('SF:a\nDA:1,1\nend_of_record\n', { section: 'x' })).toBe('request_invalid')
      const one = JSON.stringify({ meta: { simplecov_version: '1' }, coverage: { 'a.rb': { lines: [1] } } })
      expect(await refusalOf(one, { section: 'RSpec' })).toBe('report_ambiguous')
    })
  })

  it('lists what has no counts, and takes the rest', async () => {
    const files = {
      'a.rb': { lines: [1, 'x', {}, 0], branches: { '[:if, 0, 1, 0, 1, 9]': { '[:then]': 1 } } },
      'b.rb': { branches: {} },
      'c.rb': null,
    }
    const result = await read(resultset({ RSpec: files }))
    expect(printFiles(result)).toEqual(['a.rb 1||4 - -'])
    expect(result.refused.first.map(({ where, reason }) => `${where}: ${reason}`)).toEqual([
      'a.rb: 2 of its lines have neither a count nor null',
      'a.rb: a branch without line and count',
      'b.rb: no lines',
      'c.rb: no lines',
    ])
  })

  it('.last_run.json has no lines', async () => {
    expect(await refusalOf('{"result":{"line":92.85,"branch":77.77}}')).toBe('no_lines')
    expect(await refusalOf('{"result":{"covered_percent":92.85}}')).toBe('no_lines')
  })
})
