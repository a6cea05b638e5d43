import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonLimits } from '../../src/formats/json.ts'
import { jsonLimits, parseJson } from '../../src/formats/json.ts'
import type { Choice } from '../../src/formats/json-walk.ts'
import { walkJson } from '../../src/formats/json-walk.ts'
import { inChunks } from './read.ts'

interface Read {
  key: string
  value: unknown
}

async function membersOf(text: string, chunkBytes = 5, limits: Partial<JsonLimits> = {}): Promise<Read[]> {
  const members: Read[] = []
  await walkJson(
    inChunks(new TextEncoder().encode(text), chunkBytes),
    { choose: () => 'take', take: (bytes, _, key) => members.push({ key, value: parseJson(bytes, key) }) },
    { ...jsonLimits, ...limits },
  )
  return members
}

describe('walkJson', () => {
  it('reads any object as JSON.parse does, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 4 })),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(0, 1),
        async (object, size, indent) => {
          const text = JSON.stringify(object, undefined, indent)
          const members = await membersOf(text, size)
          expect(members).toEqual(
            Object.entries(JSON.parse(text) as object).map(([key, value]: [string, unknown]) => ({ key, value })),
          )
        },
      ),
    )
  })

  it.each([
    '',
    '[]',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{"a" 1}',
    '{a:1}',
    '{"a":1}{}',
    '{"a":1} x',
    '{"a":[1}',
    '{"a":{]}',
    '{"a":tru}',
    '{"a":1 2}',
    '{"a":"\n"}',
    '{,}',
    '{"a":}',
  ])('refuses %j', async (text) => {
    await expect(membersOf(text)).rejects.toMatchObject({ code: 'report_invalid' })
  })

  it('refuses bytes that are not UTF-8 inside of it', async () => {
    const bytes = Uint8Array.from([...new TextEncoder().encode('{"a":"'), 0xe9, ...new TextEncoder().encode('"}')])
    let taken = 0
    const take = (value: Uint8Array): void => {
      taken += 1
      expect(() => parseJson(value, 'a')).toThrow(expect.objectContaining({ code: 'report_invalid' }) as Error)
    }
    await walkJson(inChunks(bytes, 3), { choose: () => 'take', take })
    expect(taken).toBe(1)
  })

  it('finds a key that stands twice in the same object, at any depth, and not in two objects', async () => {
    await expect(membersOf('{"a":[{"b":{"c":1,"d":":","c":2}}]}')).rejects.toMatchObject({ code: 'duplicate_key' })
    await expect(membersOf('{"a":{"__proto__":1,"__proto__":2}}')).rejects.toMatchObject({ code: 'duplicate_key' })
    expect(await membersOf('{"a":[{"c":":"},{"c":"\\":"}]}')).toHaveLength(1)
  })

  it('limits depth and the length of a member', async () => {
    await expect(membersOf(`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 1_000)).rejects.toMatchObject({
      code: 'report_invalid',
    })
    await expect(membersOf(`{"a":"${'x'.repeat(100)}"}`, 10, { maxMemberBytes: 50 })).rejects.toMatchObject({
      code: 'report_invalid',
    })
    await expect(membersOf(`{"${'x'.repeat(100)}":1}`, 10, { maxMemberBytes: 50 })).rejects.toMatchObject({
      code: 'report_invalid',
    })
  })

  it('walks into what is entered, hands over what is taken and passes over the rest, however it is cut', async () => {
    const choices: Record<string, Choice> = { files: 'enter', big: 'skip', a: 'enter', b: 'enter', list: 'enter' }
    const text = JSON.stringify({
      big: { x: [1, '}]"\\'], y: { z: {} } },
      files: { a: { lines: [1, 2], big: 'x"' }, b: 3 },
      list: [{ lines: [] }, 7, []],
      end: null,
    })
    for (const size of [1, 2, 7, 1_000]) {
      const seen: string[] = []
      await walkJson(inChunks(new TextEncoder().encode(text), size), {
        choose: (depth, key) => (depth === 2 && key === '' ? 'enter' : (choices[key] ?? 'take')),
        take: (bytes, depth, key) => seen.push(`${depth} ${key} ${new TextDecoder().decode(bytes)}`),
        leave: (depth, key) => seen.push(`${depth} ${key} ends`),
      })
      expect(seen).toEqual([
        '3 lines [1,2]',
        '2 a ends',
        '2 b 3',
        '1 files ends',
        '3 lines []',
        '2  ends',
        '2  7',
        '2  ends',
        '1 list ends',
        '1 end null',
      ])
    }
  })

  it('holds nothing of what it passes over, and still finds a key twice, a depth and an early end there', async () => {
    const walk = (text: string): Promise<void> =>
      walkJson(
        inChunks(new TextEncoder().encode(text), 100),
        { choose: (_, key) => (key === 'in' ? 'enter' : 'skip'), take: () => undefined },
        { maxMemberBytes: 10, maxDepth: 3 },
      )
    await expect(walk(`{"a":"${'x'.repeat(10_000)}"}`)).resolves.toBeUndefined()
    await expect(walk('{"in":{"a":[[1]]}}')).resolves.toBeUndefined()
    await expect(walk('{"in":{"a":[[[1]]]}}')).rejects.toMatchObject({ code: 'report_invalid' })
    await expect(walk('{"in":{"a":1,"a":2}}')).rejects.toMatchObject({ code: 'duplicate_key' })
    await expect(walk('{"in":{"a":[1}')).rejects.toMatchObject({ code: 'report_invalid' })
    await expect(walk('{"in":[1,]}')).rejects.toMatchObject({ code: 'report_invalid' })
  })
})
