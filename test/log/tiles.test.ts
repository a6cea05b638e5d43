import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashLeaf, perfectSubtrees, rootOfLeaves } from '../../src/log/merkle.ts'
import { inclusionProof, verifyInclusion } from '../../src/log/merkle-proof.ts'
import {
  decodeBundle,
  encodeBundle,
  nodeFromTile,
  nodesFromTiles,
  parseTilePath,
  partialWidth,
  tileOfNode,
  tilePath,
  trimBundle,
  trimTile,
  tilesBetween,
  tileWidthAt,
} from '../../src/log/tiles.ts'
import type { Tile } from '../../src/log/tiles.ts'
import { sha256Hex } from '../../src/record/sha256.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const entry = (i: number): Uint8Array => utf8(`leaf-${i}`)
const leaves = Uint8Array.from(Buffer.concat(Array.from({ length: 70_000 }, (_, i) => hashLeaf(entry(i)))))
const nodeAt = (height: number, index: number): Uint8Array =>
  rootOfLeaves(leaves.subarray(32 * index * 2 ** height, 32 * (index + 1) * 2 ** height))
const tileBytes = ({ level, index, width }: Tile & { level: number }): Uint8Array =>
  Uint8Array.from(Buffer.concat(Array.from({ length: width }, (_, i) => nodeAt(8 * level, 256 * index + i))))

interface Vectors {
  tiles: { path: string; bytes: number; sha256: string }[]
  bundles: { path: string; bytes: number; sha256: string }[]
}
const vectors = JSON.parse(readFileSync(new URL('tlog-vectors.json', import.meta.url), 'utf8')) as Vectors

describe('tile paths', () => {
  it('are those of the specification and of tessera', () => {
    expect(tilePath(0, 0)).toBe('tile/0/000')
    expect(tilePath(0, 999)).toBe('tile/0/999')
    expect(tilePath(0, 1000)).toBe('tile/0/x001/000')
    expect(tilePath(0, 1_234_067)).toBe('tile/0/x001/x234/067')
    expect(tilePath(15, 455_667)).toBe('tile/15/x455/667')
    expect(tilePath(15, 123_456_789, 41)).toBe('tile/15/x123/x456/789.p/41')
    expect(tilePath('entries', 123_456_789)).toBe('tile/entries/x123/x456/789')
  })

  it('are read back as what was printed, for any tile', () => {
    const level = fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 }))
    const index = fc.oneof(fc.maxSafeNat(), fc.integer({ min: 0, max: 2_000 }))
    fc.assert(
      fc.property(level, index, fc.integer({ min: 1, max: 256 }), (l, i, width) => {
        expect(parseTilePath(tilePath(l, i, width))).toEqual({ level: l, index: i, width })
      }),
    )
  })

  it('that are spelled in another way are not read', () => {
    const wrong = `tile/00/000 tile/64/000 tile/-1/000 tile/0/00 tile/0/0000 tile/0/x000/001 tile/0/001/000 tile/0/x001/x000 tile/0/000.p/0
      tile/0/000.p/256 tile/0/000.p/07 tile/0/000.p/ tile/0/000.p/1/ /tile/0/000 tile/0/000/ tile/entries/x1/000 tile/Entries/000 tile/data/000
      tile/0/x999/x999/x999/x999/x999/999 tile/0/000.p/1000 tile/0/%30 tile/0/../0/000 tile/0/00a`
    for (const path of [...wrong.split(/\s+/), '', 'tile/0/000\n', 'tile/0/000 '])
      expect(parseTilePath(path)).toBeUndefined()
  })

  it('are not printed for what is no tile', () => {
    for (const [level, index, width] of [
      [64, 0, 1],
      [0.5, 0, 1],
      [0, -1, 1],
      [0, 2 ** 53, 1],
      [0, 0, 0],
      [0, 0, 257],
    ] as const) {
      expect(() => tilePath(level, index, width)).toThrow(RangeError)
    }
  })
})

describe('tile widths', () => {
  it('follow floor(size / 256^level) mod 256', () => {
    expect([0, 1, 2, 3].map((level) => partialWidth(level, 70_000))).toEqual([112, 17, 1, 0])
    expect([0, 1].map((level) => partialWidth(level, 256))).toEqual([0, 1])
    expect(tileWidthAt(0, 272, 70_000)).toBe(256)
    expect(tileWidthAt('entries', 273, 70_000)).toBe(112)
    expect(tileWidthAt(0, 274, 70_000)).toBe(0)
  })
})

describe('tilesBetween', () => {
  it('names the tiles of a tree of 70,000 with their widths', () => {
    const tiles = [...tilesBetween(0, 70_000)]
    expect(tiles).toHaveLength(274 + 2 + 1)
    expect(
      tiles.filter(({ width }) => width < 256).map(({ level, index, width }) => tilePath(level, index, width)),
    ).toEqual(['tile/0/273.p/112', 'tile/1/001.p/17', 'tile/2/000.p/1'])
    expect([...tilesBetween(5, 5)]).toEqual([])
    expect([...tilesBetween(255, 257)]).toEqual([
      { level: 0, index: 0, width: 256 },
      { level: 0, index: 1, width: 1 },
      { level: 1, index: 0, width: 1 },
    ])
  })

  it('names what changed, no more and no less', () => {
    const all = (size: number): Map<string, number> =>
      new Map([...tilesBetween(0, size)].map(({ level, index, width }) => [`${level}/${index}`, width]))
    fc.assert(
      fc.property(fc.nat(140_000), fc.nat(3_000), (from, more) => {
        const [before, after] = [all(from), all(from + more)]
        const changed = [...after]
          .filter(([tile, width]) => before.get(tile) !== width)
          .map(([tile, width]) => `${tile} ${width}`)
        const told = [...tilesBetween(from, from + more)].map(({ level, index, width }) => `${level}/${index} ${width}`)
        expect(told.toSorted()).toEqual(changed.toSorted())
      }),
      { numRuns: 50 },
    )
  })
})

describe('tiles', () => {
  it('have the bytes of the golden vectors', () => {
    expect(vectors.tiles).toHaveLength(9)
    for (const { path, bytes, sha256 } of vectors.tiles) {
      const { level, ...rest } = parseTilePath(path)!
      if (level === 'entries') expect.fail(path)
      const tile = tileBytes({ level, ...rest })
      expect([tile.length, sha256Hex(tile)]).toEqual([bytes, sha256])
    }
  })

  it('hold each node where tileOfNode says', () => {
    for (const size of [1, 255, 256, 257, 65_537, 70_000]) {
      for (const node of perfectSubtrees(0, size)) {
        const span = tileOfNode(node)
        const tile = tileBytes({
          level: span.level,
          index: span.index,
          width: tileWidthAt(span.level, span.index, size),
        })
        expect(Buffer.compare(nodeFromTile(tile, span), nodeAt(node.height, node.index))).toBe(0)
      }
    }
    expect(tileOfNode({ height: 0, index: 300 })).toEqual({ level: 0, index: 1, offset: 44, count: 1 })
    expect(tileOfNode({ height: 7, index: 3 })).toEqual({ level: 0, index: 1, offset: 128, count: 128 })
    expect(tileOfNode({ height: 8, index: 256 })).toEqual({ level: 1, index: 1, offset: 0, count: 1 })
    expect(tileOfNode({ height: 10, index: 2 ** 40 })).toEqual({ level: 1, index: 2 ** 34, offset: 0, count: 4 })
  })

  it('give proofs, each tile being read once and at its width', async () => {
    const size = 70_000
    for (const index of [0, 255, 256, 65_535, 65_536, 69_999]) {
      const asked: string[] = []
      const nodes = nodesFromTiles(size, async (tile) => {
        asked.push(tilePath(tile.level, tile.index, tile.width))
        return tileBytes(tile)
      })
      const proof = await inclusionProof(index, size, nodes)
      const leafHash = hashLeaf(entry(index))
      expect(verifyInclusion({ index, size, leafHash, proof, root: rootOfLeaves(leaves) })).toBe(true)
      expect(new Set(asked).size).toBe(asked.length)
    }
  })

  it('that are torn or outside the tree give an error, not a wrong hash', async () => {
    const torn = nodesFromTiles(300, async (tile) => tileBytes(tile).subarray(0, 32 * 10))
    await expect(inclusionProof(20, 300, torn)).rejects.toThrow('does not reach')
    await expect(nodesFromTiles(300, async (tile) => tileBytes(tile))([{ height: 0, index: 600 }])).rejects.toThrow(
      'no tile',
    )
  })
})

describe('entry bundles', () => {
  it('have the bytes of the golden vectors and of tessera', () => {
    for (const { path, bytes, sha256 } of vectors.bundles) {
      const { index, width } = parseTilePath(path)!
      const bundle = encodeBundle(Array.from({ length: width }, (_, i) => entry(256 * index + i)))
      expect([bundle.length, sha256Hex(bundle)]).toEqual([bytes, sha256])
    }
    const words = 'one two three four five six seven eit nain ten ileven twelf threeten fourten fivten'
      .split(' ')
      .map(utf8)
    expect(Buffer.from(encodeBundle(words.slice(0, 2))).toString('hex')).toBe('00036f6e65000374776f')
    expect(sha256Hex(encodeBundle(words))).toBe('9ac6a9fc9012f2b4d67ac26041933c119e1505defc5c808ed614c5778c9f1716')
  })

  it('are read back as what was packed', () => {
    const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })
    const isSame = (list: Uint8Array[]): boolean =>
      Buffer.concat(decodeBundle(encodeBundle(list), list.length)).equals(Buffer.concat(list))
    fc.assert(fc.property(entries, isSame))
    const largest = new Uint8Array(65_535).fill(1)
    expect(decodeBundle(encodeBundle([largest]), 1)).toEqual([largest])
  })

  it('refuse what does not fit, what is torn, and another number of entries', () => {
    expect(() => encodeBundle([new Uint8Array(65_536)])).toThrow(RangeError)
    expect(() => encodeBundle(Array.from({ length: 257 }, () => new Uint8Array(0)))).toThrow(RangeError)
    const bundle = encodeBundle([utf8('one'), utf8('two')])
    for (let cut = 1; cut < bundle.length; cut++) expect(() => decodeBundle(bundle.subarray(0, cut), 2)).toThrow()
    expect(() => decodeBundle(bundle, 1)).toThrow('2 entries, not 1')
    expect(() => decodeBundle(bundle, 3)).toThrow('2 entries, not 3')
  })
})

describe('a full tile or bundle stands in for a partial one', () => {
  it('trimmed to the width that was asked for, and nothing else does', () => {
    const full = tileBytes({ level: 0, index: 0, width: 256 })
    const bundle = encodeBundle(Array.from({ length: 256 }, (_, i) => entry(i)))
    for (const width of [1, 112, 255, 256]) {
      expect(trimTile(full, width)).toEqual(tileBytes({ level: 0, index: 0, width }))
      expect(trimTile(full.subarray(0, 32 * width), width)).toEqual(full.subarray(0, 32 * width))
      expect(decodeBundle(trimBundle(bundle, width), width)).toEqual(Array.from({ length: width }, (_, i) => entry(i)))
      expect(trimBundle(trimBundle(bundle, width), width)).toEqual(trimBundle(bundle, width))
    }
    for (const length of [0, 32 * 111, 32 * 113, 32 * 112 + 1, 32 * 257])
      expect(() => trimTile(new Uint8Array(length), 112)).toThrow('instead of 3584')
    expect(() => trimBundle(trimBundle(bundle, 113), 112)).toThrow('113 entries, not 112')
    expect(() => trimBundle(bundle.subarray(1), 112)).toThrow()
  })
})
