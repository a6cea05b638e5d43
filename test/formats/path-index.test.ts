import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPathIndex } from '../../src/formats/path-index.ts'

describe('createPathIndex', () => {
  it('numbers strings of bytes as a map would, wherever they lie', () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 3 }), fc.uint8Array({ maxLength: 300, size: 'max' }))
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 60, size: 'max' }), fc.nat({ max: 5 }), (strings, offset) => {
        const index = createPathIndex()
        const model = new Map<string, number>()
        for (const string of strings) {
          const within = new Uint8Array(string.length + 10).fill(0x2f)
          within.set(string, offset)
          const [from, to] = [offset, offset + string.length]
          const known = model.get(String(string))
          expect(index.find(within, from, to)).toBe(known ?? -1)
          if (known !== undefined) continue
          index.add(within, from, to)
          model.set(String(string), model.size)
        }
      }),
    )
  })

  it('knows 100,000 paths again', () => {
    const index = createPathIndex()
    const toBytes = (i: number): Uint8Array => new TextEncoder().encode(`src/module${i % 97}/component${i}.ts`)
    for (let i = 0; i < 100_000; i += 1) {
      const path = toBytes(i)
      if (index.find(path, 0, path.length) < 0) index.add(path, 0, path.length)
    }
    for (let i = 0; i < 100_000; i += 999) {
      const path = toBytes(i)
      expect(index.find(path, 0, path.length)).toBe(i)
    }
    expect(index.find(toBytes(100_000), 0, toBytes(100_000).length)).toBe(-1)
  })
})
