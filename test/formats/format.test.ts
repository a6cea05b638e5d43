import { describe, expect, it } from 'vitest'
import { describeRefusal, describeReport } from '../../src/formats/describe.ts'
import { printFiles, read, refusalOf } from './read.ts'

const lcov = 'TN:\nSF:src/ä.c\nBRDA:1,0,0,1\nBRDA:1,0,1,0\nDA:1,1\nDA:2,0\nend_of_record\n'
const istanbul =
  '{"src/a.js":{"path":"src/a.js","statementMap":{"0":{"start":{"line":1,"column":1},"end":{"line":1,"column":2}}},"s":{"0":1},"f":{},"b":{}}}'

function utf16(text: string, littleEndian: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * text.length))
  for (let i = 0; i < text.length; i += 1) view.setUint16(2 * i, text.charCodeAt(i), littleEndian)
  return new Uint8Array(view.buffer)
}

describe('openReport', () => {
  it('knows a format by its content', async () => {
    expect(await read(lcov)).toMatchObject({ format: 'lcov', definition: 'lcov.da@1' })
    expect(await read(istanbul)).toMatchObject({ format: 'istanbul', definition: 'istanbul.statement@1' })
    expect(await read(`\n# made by hand\n\n${lcov}`)).toMatchObject({ format: 'lcov' })
    expect(await read(` \n ${istanbul} `)).toMatchObject({ format: 'istanbul' })
  })

  it.each([
    ['a byte order mark', `\ufeff${lcov}`],
    ['UTF-16, little end first', utf16(`\ufeff${lcov.replaceAll('\n', '\r\n')}`, true)],
    ['UTF-16, big end first', utf16(`\ufeff${lcov}`, false)],
    ['byte order marks within', `\ufeffSF:b.c\nend_of_record\n\ufeff${lcov}`.replace('SF:b.c\nend_of_record\n', '')],
  ])('reads %s', async (_, report) => {
    for (const size of [1, 2, 3, 64]) expect(printFiles(await read(report, {}, size))).toEqual(['src/ä.c |1|2 1/2 -'])
  })

  it.each([
    ['report_empty', ''],
    ['report_empty', ' \r\n\t'],
    ['report_empty', '\ufeff'],
    ['report_empty', '{}'],
    ['report_empty', 'TN:unit\n'],
    ['report_unrecognized', 'hello'],
    ['report_unrecognized', '<?xml version="1.0"?><coverage/>'],
    ['report_unrecognized', '{"meta":{},"files":{}}'],
    ['report_unrecognized', '[]'],
    ['report_unrecognized', '<!doctype html><title>502</title><br>'],
    ['report_unrecognized', '<!DOCTYPE html>\n<html><body><br></body></html>'],
    ['report_unrecognized', '<testsuites><testsuite/></testsuites>'],
    ['report_invalid', '<!DOCTYPE coverage [<!ENTITY x "y">]><coverage><packages/></coverage>'],
    ['report_invalid', '<coverage><packages>'],
    ['report_invalid', '<coverage><packages/></coverage><coverage/>'],
    ['report_invalid', '<?xml version="1.0" encoding="EBCDIC-X"?><coverage><packages/></coverage>'],
    ['report_unrecognized', '\u001f\u008b'],
    ['no_lines', '{"result":[{"scriptId":"1","url":"file:///a.js","functions":[]}]}'],
    [
      'no_lines',
      '{"total":{"lines":{"total":1,"covered":1,"skipped":0,"pct":100},"statements":{"total":1,"covered":1,"skipped":0,"pct":100}}}',
    ],
    ['report_invalid', istanbul.slice(0, -1)],
    ['report_invalid', `${istanbul}${istanbul}`],
  ])('refuses with %s: %j', async (code, report) => {
    expect(await refusalOf(report)).toBe(code)
  })

  it('believes the caller about the format', async () => {
    expect(await refusalOf(lcov, { format: 'istanbul' })).toBe('report_invalid')
    expect(await refusalOf(istanbul, { format: 'lcov' })).toBe('report_empty')
    expect(await refusalOf(lcov, { format: 'lcow' })).toBe('report_unrecognized')
    expect(printFiles(await read(lcov, { format: 'lcov' }))).toHaveLength(1)
  })

  it('names the converter to whoever sends raw V8 coverage', async () => {
    await expect(read('{"result":[{"scriptId":"1"}],"timestamp":1}')).rejects.toThrow(/c8/)
  })

  it('lists files in the order of their paths, as often as it is asked', async () => {
    const result = await read(['b', 'a/c', 'a', 'B'].map((path) => `SF:${path}\nDA:1,1\nend_of_record\n`).join(''))
    const paths = (): string[] => [...result.files].map(({ path }) => path)
    expect(paths()).toEqual(['B', 'a', 'a/c', 'b'])
    expect(paths()).toEqual(paths())
  })

  it('passes on what its source throws', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode(lcov)
      throw new Error('reset')
    }
    const { openReport } = await import('../../src/formats/format.ts')
    await expect(openReport(broken())).rejects.toThrow('reset')
  })
})

describe('describeReport', () => {
  it('is the line that push --dry-run prints', async () => {
    expect(describeReport(await read(lcov))).toEqual({
      verdict: 'accept',
      reason: null,
      format: 'lcov',
      definition: 'lcov.da@1',
      files: 1,
      lines: { found: 2, covered: 0, partial: 1, missed: 1 },
      branches: { found: 2, covered: 1 },
    })
    expect(describeReport(await read(`${lcov}SF:b.c\n`))).toMatchObject({
      verdict: 'incomplete',
      reason: expect.stringContaining('end_of_record') as string,
      files: 1,
    })
  })

  it('says why a report is refused, and nothing about what is no refusal', async () => {
    expect(describeRefusal(await read('hello').catch((error: unknown) => error))).toMatchObject({
      verdict: 'refuse',
      reason: expect.stringMatching(/^report_unrecognized: /) as string,
      files: 0,
    })
    expect(() => describeRefusal(new Error('a bug'))).toThrow('a bug')
  })
})
