import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonLimits } from '../../src/formats/json.ts'
import { jsonLimits, parseJson, readMembers } from '../../src/formats/json.ts'
import { inChunks } from './read.ts'

interface Read {
  key: string
  value: unknown
}

async function membersOf(text: string, chunkBytes = 5, limits: Partial<JsonLimits> = {}): Promise<Read[]> {
  const members: Read[] = []
  for await (const { key, bytes } of readMembers(inChunks(new TextEncoder().encode(text), chunkBytes), {
    ...jsonLimits,
    ...limits,
  }))
    members.push({ key, value: parseJson(bytes, key) })
  return members
}

describe('readMembers', () => {
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
    for await (const { key, bytes: value } of readMembers(inChunks(bytes, 3)))
      expect(() => parseJson(value, key)).toThrow(expect.objectContaining({ code: 'report_invalid' }) as Error)
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
})
