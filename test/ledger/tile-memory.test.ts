import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTileMemory } from '../../src/ledger/tile-memory.ts'

/** Hash number n is n in its first bytes. */
function hashes(from: number, to: number): Buffer {
  const bytes = Buffer.alloc((to - from) * 32)
  for (let n = from; n < to; n++) bytes.writeUInt32BE(n, (n - from) * 32)
  return bytes
}

describe('a tile memory', () => {
  it('gives back what was added, over whatever tiles it reaches', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 }), (counts) => {
        const memory = createTileMemory()
        let end = 0
        for (const count of counts) {
          memory.add(0, end, hashes(end, end + count))
          end += count
        }
        for (let index = 0; index * 256 < end; index++) {
          const width = Math.min(256, end - index * 256)
          expect(memory.width(0, index)).toBe(width)
          expect(Buffer.from(memory.find(0, index, width) ?? [])).toEqual(hashes(index * 256, index * 256 + width))
        }
      }),
    )
  })

  it('leaves out what would leave a hole in a tile, and takes it when the hole is filled', () => {
    const memory = createTileMemory()
    memory.add(0, 300, hashes(300, 310))
    expect(memory.width(0, 1)).toBe(0)
    memory.add(0, 256, hashes(256, 300))
    memory.add(0, 300, hashes(300, 310))
    expect(Buffer.from(memory.find(0, 1, 54) ?? [])).toEqual(hashes(256, 310))
    expect(memory.find(0, 1, 55)).toBeUndefined()
  })

  it('keeps what was given out as it was while the tile grows', () => {
    const memory = createTileMemory()
    memory.add(1, 0, hashes(0, 3))
    const given = memory.find(1, 0, 3)
    memory.add(1, 0, hashes(0, 3))
    memory.add(1, 3, hashes(3, 9))
    expect(Buffer.from(given ?? [])).toEqual(hashes(0, 3))
    expect(memory.width(1, 0)).toBe(9)
  })
})
