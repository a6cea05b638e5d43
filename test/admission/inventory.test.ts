import { describe, expect, it } from 'vitest'
import { readInventory } from '../../src/admission/inventory.ts'
import { Problem } from '../../src/record/problem.ts'

const blob = 'a'.repeat(40)
const line = (path: string): string => `${JSON.stringify({ path, blob })}\n`
async function* inPieces(text: string | Uint8Array, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
const codeOf = (body: AsyncIterable<Uint8Array>, maxFiles = 100): Promise<unknown> =>
  readInventory(body, maxFiles).then(
    (files) => files,
    (error: unknown) => (error instanceof Problem ? `${error.code}: ${error.message}` : error),
  )

describe('readInventory', () => {
  it('reads paths in order, however the bytes are cut', async () => {
    const text = `${line('b.ts')}${line('ä/€.ts')}\n${JSON.stringify({ path: 'a.ts', blob: 'b'.repeat(64), more: 1 })}`
    const files = [
      { path: 'a.ts', blob: 'b'.repeat(64) },
      { path: 'b.ts', blob },
      { path: 'ä/€.ts', blob },
    ]
    for (const size of [1, 2, 3, 50, 1_000]) expect(await readInventory(inPieces(text, size), 100)).toEqual(files)
    expect(await readInventory(inPieces(''), 100)).toEqual([])
  })

  it.each([
    ['no JSON', `${line('a')}nonsense\n`, /^request_invalid: line 2 .* not JSON/],
    ['no object', '[]\n', /^request_invalid: line 1/],
    ['a path that is no text', '{"path":1,"blob":"x"}\n', /^request_invalid: line 1/],
    ['an empty path', line(''), /^request_invalid: line 1/],
    ['a NUL', line('a\0b'), /^request_invalid: line 1/],
    ['a short blob', '{"path":"a","blob":"abc"}\n', /^request_invalid: line 1/],
    ['a path twice', line('a') + line('b') + line('a'), /^request_invalid: .*"a" twice/],
    ['a path that no record holds', line('"'.repeat(513)), /^record_too_large: line 1/],
    ['a line without end', 'x'.repeat(20_000), /^request_invalid: line 1 .* too long/],
  ])('refuses %s', async (_what, text, message) => {
    expect(await codeOf(inPieces(text, 4_096))).toMatch(message)
  })

  it('refuses bytes that are no UTF-8, too many files, and a body that breaks', async () => {
    expect(await codeOf(inPieces(Uint8Array.of(0x7b, 0xff, 0x0a)))).toMatch(/^request_invalid: line 1 .*UTF-8/)
    expect(await codeOf(inPieces(Uint8Array.of(0x7b, 0xc3)))).toMatch(/^request_invalid: line 1 .*UTF-8/)
    expect(await codeOf(inPieces(line('a') + line('b') + line('c')), 2)).toMatch(/^too_many_files/)
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(line('a'))
      throw new Error('reset')
    }
    expect(await codeOf(broken())).toMatch(/^body_incomplete/)
  })
})
