import { describe, expect, it } from 'vitest'
import { describeRefusal } from '../../src/formats/describe.ts'
import { flatten, printFiles, read, refusalOf } from './read.ts'

const producer = { event: 'producer', schema: 'proofline.events.v1', tool: { name: 'probe', version: '2.1' }, rule: 'acme.statement@2' } // oxfmt-ignore
const stream = (...events: unknown[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join('')
const file = (path: string, more: object): object => ({ event: 'file', path, ...more })
const whole = (...files: object[]): string => stream(producer, ...files, { event: 'end', files: files.length })
const mistakeIn = async (...events: unknown[]): Promise<string> => {
  const refusal = await read(stream(...events), { format: 'events' }).catch(describeRefusal)
  return 'reason' in refusal ? (refusal.reason ?? '') : 'taken'
}

describe('coverage events', () => {
  it('say which lines of a file ran, which ran in part and which did not', async () => {
    const result = await read(
      whole(
        file('src/a.c', { covered: '1-5,9', partial: '11', missed: '7-8', functions: { f: 3, g: 0 } }),
        file('src/b.c', { covered: '1,2', branches: { 2: [4, 0, 1] } }),
      ),
    )
    expect(printFiles(result)).toEqual(['src/a.c 1-5,9|11|7-8 - 1/2', 'src/b.c 1|2| 2/3 -'])
    expect(result).toMatchObject({
      format: 'events',
      definition: 'events.acme.statement@2',
      tool: { name: 'probe', version: '2.1' },
      refused: { count: 0 },
    })
  })

  it('may name a file again: a line ran when one of them says so, a way was taken when one took it', async () => {
    const events = [
      file('a.c', { covered: '1', missed: '2-4', branches: { 1: [1, 0] } }),
      file('b.c', { missed: '1' }),
      file('a.c', { covered: '2', missed: '1', branches: { 1: [0, 1] } }),
    ]
    const result = await read(whole(...events))
    expect(printFiles(result)).toEqual(['a.c 1-2||3-4 2/2 -', 'b.c ||1 - -'])
    expect(flatten(await read(whole(...events.toReversed()), {}, 3))).toEqual(
      flatten(await read(whole(...events.toReversed()))),
    )
  })

  it('are incomplete without their end', async () => {
    const result = await read(stream(producer, file('a.c', { covered: '1' })))
    expect(result.incomplete).toMatch(/end event is missing/)
    expect((await read(`${whole(file('a.c', { covered: '1' }))}\n \r\n`)).incomplete).toBeUndefined()
  })

  it.each([
    ['not a JSON object', [producer, 7], /line 2: not a JSON object/],
    ['broken JSON', [producer], /line 2: .*not valid JSON/, '{"event":'],
    ['a member twice', [producer], /line 2: .*key twice/, '{"event":"end","files":0,"files":0}\n'],
    ['an unknown event', [producer, { event: 'line' }], /line 2: "event" is not one of/],
    ['an unknown member', [producer, file('a', { lines: '1' })], /line 2: a file event has no member "lines"/],
    ['no producer', [file('a', { covered: '1' })], /line 1: the first event is not the producer event/],
    ['two producers', [producer, producer], /line 2: a second producer event/],
    ['another schema', [{ ...producer, schema: 'x' }], /line 1: "schema" is not "proofline.events.v1"/],
    ['a rule without version', [{ ...producer, rule: 'acme' }], /line 1: "rule" is not a name and version/],
    ['a tool without name', [{ ...producer, tool: {} }], /line 1: "tool" is not/],
    ['no path', [producer, file('', {})], /line 2: "path" is not a text/],
    ['a path that is no Unicode', [producer, file('\ud800', {})], /line 2: "path" is not valid Unicode/],
    ['lines that fall', [producer, file('a', { covered: '5,3' })], /line 2: "covered" .*: "3" after 5/],
    ['a line 0', [producer, file('a', { missed: '0-3' })], /line 2: "missed" .*: "0-3" after 0/],
    ['a line too far', [producer, file('a', { covered: '2147483648' })], /line 2: "covered"/],
    ['a list of lines', [producer, file('a', { covered: [1] })], /line 2: "covered" is not a text/],
    ['a line twice', [producer, file('a', { covered: '1-5', missed: '3' })], /line 2: line 3 is in two of/],
    ['branches of no line', [producer, file('a', { branches: { x: [1] } })], /line 2: "branches" has "x"/],
    ['no counts', [producer, file('a', { branches: { 1: [] } })], /line 2: "branches" of line 1 is not a list/],
    ['a negative count', [producer, file('a', { functions: { f: -1 } })], /line 2: "functions" is not a whole/],
    ['another number of files', [producer, { event: 'end', files: 1 }], /line 2: "files" is 1, but 0 file events/],
    ['more behind the end', [producer, { event: 'end', files: 0 }, file('a', {})], /line 3: an event behind the end/],
  ] as [string, unknown[], RegExp, string?][])(
    'are refused for %s, with the line',
    async (_, events, mistake, rest = '') => {
      const refusal = await read(stream(...events) + rest, { format: 'events' }).catch(describeRefusal)
      expect(refusal).toMatchObject({ verdict: 'refuse', reason: expect.stringMatching(mistake) as string })
    },
  )

  it('all mistakes are told at once, and nothing of such a stream is taken', async () => {
    const reason = await mistakeIn(producer, file('a', { x: 1 }), file('b', { covered: '1' }), 7, {
      event: 'end',
      files: 1,
    })
    expect(reason).toMatch(
      /^report_invalid: 2 of 5 lines are no coverage events: line 2: .*; line 4: not a JSON object$/,
    )
  })

  it('are of one file however its name and its members are printed', async () => {
    const lines = [
      '{"event":"file","path":"src/a.c","covered":"1","functions":{"f":0}}',
      '{"path":"src\\/a.c","event":"file","missed":"2","functions":{"\\u0066":1}}',
      '  {"event":"file","path":"src/é.c","covered":"3"}',
      '{"event": "file", "path": "src/\\u00e9.c", "missed": "4"}',
    ]
    const result = await read(`${stream(producer)}${lines.join('\r\n')}\r\n${stream({ event: 'end', files: 4 })}`)
    expect(printFiles(result)).toEqual(['src/a.c 1||2 - 1/1', 'src/é.c 3||4 - -'])
  })

  it('are known by what they say, not by a name', async () => {
    expect((await read(whole(file('a.c', { covered: '1' })))).format).toBe('events')
    expect(await refusalOf(stream({ event: 'file', path: 'a' }))).toBe('report_unrecognized')
    expect(await refusalOf('\n', { format: 'events' })).toBe('report_empty')
  })

  it('cost nothing for the value of a line number', async () => {
    expect(await refusalOf(whole(file('a', { partial: '1-2147483647' })))).toBe('too_many_lines')
  })

  it('may not name the same lines without end: partial ones cost one by one, others by 32', async () => {
    const again = (set: string, lines: string, times: number): string =>
      whole(...Array.from({ length: times }, () => file('a', { [set]: lines })))
    const limits = { maxLines: 1_000, maxLinesPerFile: 1_000 }
    expect(printFiles(await read(again('partial', '1-380', 10), limits))).toEqual(['a |1-380| - -'])
    expect(await refusalOf(again('partial', '1-380', 11), limits)).toBe('too_many_lines')
    expect(printFiles(await read(again('missed', '1-320', 400), limits))).toEqual(['a ||1-320 - -'])
    expect(await refusalOf(again('missed', '1-320', 401), limits)).toBe('too_many_lines')
  })
})
