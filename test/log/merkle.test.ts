import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  appendLeaves,
  bitLength,
  createEdge,
  emptyEdge,
  emptyRoot,
  hashLeaf,
  hashNode,
  perfectSubtrees,
  rootOf,
  rootOfLeaves,
} from '../../src/log/merkle.ts'
import type { Node } from '../../src/log/merkle.ts'
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from '../../src/log/merkle-proof.ts'
import type { NodeSource } from '../../src/log/merkle-proof.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const fromBase64 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'))
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const pack = (entries: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(entries.map(hashLeaf)))

/** The definition in RFC 6962 section 2.1, word for word; slow. */
function definition(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return emptyRoot
  if (leaves.length === 1) return leaves[0]!
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return hashNode(definition(leaves.slice(0, k)), definition(leaves.slice(k)))
}

const leafList = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => hashLeaf(utf8(`leaf-${i}`)))
function sourceOf(leaves: Uint8Array[]): NodeSource {
  return async (nodes: readonly Node[]) =>
    nodes.map(({ height, index }) => {
      expect((index + 1) * 2 ** height).toBeLessThanOrEqual(leaves.length)
      return definition(leaves.slice(index * 2 ** height, (index + 1) * 2 ** height))
    })
}

interface Vectors {
  leafHashes: string[]
  roots: { size: number; root: string }[]
  inclusion: { index: number; size: number; proof: string[] }[]
  consistency: { from: number; to: number; proof: string[] }[]
}
const vectors = JSON.parse(readFileSync(new URL('tlog-vectors.json', import.meta.url), 'utf8')) as Vectors
const manyLeaves = pack(Array.from({ length: 70_000 }, (_, i) => utf8(`leaf-${i}`)))
const rootAt = (size: number): Uint8Array => rootOfLeaves(manyLeaves.subarray(0, 32 * size))

describe('roots', () => {
  it('are those published for the eight small leaves of the reference implementation', () => {
    const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
    const roots = [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ]
    const entries = leaves.map((text) => Uint8Array.from(Buffer.from(text, 'hex')))
    for (const [size, root] of roots.entries()) expect(hex(rootOfLeaves(pack(entries.slice(0, size))))).toBe(root)
  })

  it('are those published for the fifteen leaves of the tessera test log', () => {
    const words = 'one two three four five six seven eit nain ten ileven twelf threeten fourten fivten'.split(' ')
    const roots =
      `47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= 0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek= T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=
      Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk= zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co= gy5gl3aksFyiCO95a/1vLXz88A3dRq+0l9Sxte8ZqZQ=
      a6sWvsc2eEzmj72vah7mZ5dwFltivehh2b11qwlp5Jg= IrSXADBqJ7EQoUODSDKROySgNveeL6CFhik2w/+fS7U= bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY=
      CvhHViE3S9E3htHLR+25mapWoGCJ3WckMq1UtC3VmEY= y8/gZsZCtitsMan09tY+k8I7Qpr7Y5fbO2tLi9GQnfU= Yok1cS5VdokGLBy73BC2I16b3atss6KBN9jnIi6Fz/A=
      uZo6M+IhVna+CLgWCrJs0xBPUHbozHkYTQASduHSLME= av0kLH0VkkVDrTuZzBGIx7d9z5G1l/GlKz/nAV/8woQ= SvCd38yNade7xEPY1a/aAc1M3A2AHYVF8lIiUnsH1ao=
      rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=`.split(/\s+/)
    for (const [size, root] of roots.entries())
      expect(base64(rootOfLeaves(pack(words.slice(0, size).map(utf8))))).toBe(root)
  })

  it('case 47: are those of the golden vectors, up to 70,000 leaves', () => {
    for (const [i, leafHash] of vectors.leafHashes.entries()) expect(hex(hashLeaf(utf8(`leaf-${i}`)))).toBe(leafHash)
    expect(vectors.roots).toHaveLength(25)
    for (const { size, root } of vectors.roots) expect(hex(rootAt(size))).toBe(root)
  })

  it('hash a leaf as the Go checksum database does', () => {
    expect(base64(hashLeaf(utf8('hello world')))).toBe('TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=')
  })
})

describe('appendLeaves', () => {
  it('gives the root of the definition for every size to 130, however the leaves are cut', () => {
    const leaves = leafList(130)
    const packed = Uint8Array.from(Buffer.concat(leaves))
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 }), (cuts) => {
        let edge = emptyEdge
        for (const count of [...cuts, 130]) {
          edge = appendLeaves(edge, packed.subarray(32 * edge.size, 32 * Math.min(130, edge.size + count)))
          expect(hex(rootOf(edge))).toBe(hex(definition(leaves.slice(0, edge.size))))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('leaves the edge it was given as it is, and keeps no view of the bytes', () => {
    const packed = Uint8Array.from(Buffer.concat(leafList(6)))
    const before = appendLeaves(emptyEdge, packed.slice(0, 96))
    const copy = structuredClone(before.hashes.map((hash) => Uint8Array.from(hash)))
    const after = appendLeaves(before, packed.subarray(96))
    const root = hex(rootOf(after))
    packed.fill(0)
    expect(before.size).toBe(3)
    expect(before.hashes.map(hex)).toEqual(copy.map(hex))
    expect(hex(rootOf(after))).toBe(root)
    expect(emptyEdge).toEqual({ size: 0, hashes: [] })
  })

  it('tells every full tile: height 8 and 16 at once when leaf 65,535 arrives', () => {
    const first = appendLeaves(emptyEdge, manyLeaves.subarray(0, 32 * 65_535))
    const last = appendLeaves(first, manyLeaves.subarray(32 * 65_535, 32 * 65_537))
    expect(first.completed).toHaveLength(255)
    expect(first.completed.map(({ height, index }) => [height, index])).toEqual(first.completed.map((_, i) => [8, i]))
    expect(last.completed.map(({ height, index }) => [height, index])).toEqual([
      [8, 255],
      [16, 0],
    ])
    expect(hex(last.completed[1]!.hash)).toBe(hex(rootAt(65_536)))
    expect(hex(first.completed[1]!.hash)).toBe(hex(rootOfLeaves(manyLeaves.subarray(32 * 256, 32 * 512))))
  })

  it('counts on beyond 2^32 leaves', () => {
    const size = 2 ** 40 + 255
    const edge = createEdge(
      size,
      perfectSubtrees(0, size).map(({ height }) => hashLeaf(Uint8Array.of(height))),
    )
    const { completed, hashes } = appendLeaves(edge, hashLeaf(utf8('next')))
    expect(completed).toMatchObject([{ height: 8, index: 2 ** 32 }])
    expect(hashes).toHaveLength(2)
  })

  it('refuses bytes that are no whole hashes', () => {
    expect(() => appendLeaves(emptyEdge, new Uint8Array(33))).toThrow('multiple of 32')
  })
})

describe('createEdge', () => {
  it('takes one hash of 32 bytes per bit of the size and nothing else', () => {
    const hash = hashLeaf(utf8('x'))
    expect(createEdge(5, [hash, hash]).size).toBe(5)
    expect(() => createEdge(5, [hash])).toThrow('edge of 2')
    expect(() => createEdge(4, [new Uint8Array(31)])).toThrow('32 bytes')
    for (const size of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => createEdge(size, [])).toThrow()
  })
})

describe('bitLength', () => {
  it('is exact where logarithms round', () => {
    for (let power = 1; power < 53; power++) {
      expect(bitLength(2 ** power)).toBe(power + 1)
      expect(bitLength(2 ** power - 1)).toBe(power)
    }
    expect(bitLength(0)).toBe(0)
    expect(bitLength(Number.MAX_SAFE_INTEGER)).toBe(53)
  })
})

describe('proofs', () => {
  const flipBit = (hash: Uint8Array): Uint8Array => Uint8Array.from(hash, (byte, i) => (i === 7 ? byte ^ 4 : byte))
  const mutateProof = (proof: Uint8Array[], root: Uint8Array): Uint8Array[][] => [
    [hashLeaf(utf8('garbage')), ...proof],
    [...proof, hashLeaf(utf8('garbage'))],
    [root, ...proof],
    [...proof, root],
    ...(proof.length === 0 ? [] : [[], proof.slice(1), proof.slice(0, -1), [...proof, proof.at(-1)!]]),
    ...proof.map((_, i) => proof.map((hash, k) => (k === i ? flipBit(hash) : hash))),
    ...proof.map((_, i) => proof.map((hash, k) => (k === i ? hash.slice(0, 31) : hash))),
    ...proof.map((_, i) => [...proof.slice(0, i), root, ...proof.slice(i)]),
    ...(proof.length > 1 ? [proof.toReversed()] : []),
  ]
  const numbersNear = (n: number): number[] => [
    n + 1,
    n - 1,
    n ^ 2,
    n * 2,
    Math.floor(n / 2),
    -1,
    0.5,
    Number(2n ** 64n - 1n),
    Number.NaN,
  ]

  it('of inclusion verify for every leaf of every tree to 130, and nowhere else in it', async () => {
    const leaves = leafList(130)
    for (let size = 1; size <= 130; size++) {
      const root = definition(leaves.slice(0, size))
      const tree = sourceOf(leaves.slice(0, size))
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(index, size, tree)
        const claim = { index, size, leafHash: leaves[index]!, proof, root }
        if (!verifyInclusion(claim)) expect.fail(`${index} in ${size}`)
        if (size > 1 && verifyInclusion({ ...claim, index: (index + 1) % size })) expect.fail(`${index} + 1 in ${size}`)
      }
    }
  })

  it('of inclusion are refused after every mutation', async () => {
    const leaves = leafList(40)
    for (const size of [1, 2, 3, 7, 8, 21, 40]) {
      const root = definition(leaves.slice(0, size))
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(index, size, sourceOf(leaves.slice(0, size)))
        const claim = { index, size, leafHash: leaves[index]!, proof, root }
        for (const other of mutateProof(proof, root)) expect(verifyInclusion({ ...claim, proof: other })).toBe(false)
        for (const other of numbersNear(index))
          if (other !== index) expect(verifyInclusion({ ...claim, index: other })).toBe(false)
        expect(verifyInclusion({ ...claim, index: size })).toBe(false)
        expect(verifyInclusion({ ...claim, leafHash: flipBit(claim.leafHash) })).toBe(false)
        expect(verifyInclusion({ ...claim, leafHash: new Uint8Array(0) })).toBe(false)
        for (const other of [emptyRoot, flipBit(root), new Uint8Array(0)])
          expect(verifyInclusion({ ...claim, root: other })).toBe(false)
      }
    }
  })

  it('of inclusion with another size are refused, unless the tree path is the same in both', async () => {
    // A path to a leaf near the left does not depend on how far the right goes: then sizes are told apart by the root alone.
    const leaves = leafList(40)
    for (const size of [1, 2, 3, 7, 8, 21, 40]) {
      const root = definition(leaves.slice(0, size))
      for (const other of [size + 1, size - 1, 2 * size, 0, 2 ** 64]) {
        const proof = await inclusionProof(size - 1, size, sourceOf(leaves.slice(0, size)))
        expect(verifyInclusion({ index: size - 1, size: other, leafHash: leaves[size - 1]!, proof, root })).toBe(false)
      }
    }
  })

  it('of consistency verify between all trees to 130', async () => {
    const leaves = leafList(130)
    const roots = Array.from({ length: 131 }, (_, size) => definition(leaves.slice(0, size)))
    for (let to = 1; to <= 130; to++) {
      for (let from = 1; from <= to; from++) {
        const proof = await consistencyProof(from, to, sourceOf(leaves.slice(0, to)))
        const claim = { from, to, fromRoot: roots[from]!, toRoot: roots[to]!, proof }
        if (!verifyConsistency(claim)) expect.fail(`${from} to ${to}`)
        if (from < to && verifyConsistency({ ...claim, fromRoot: roots[to]!, toRoot: roots[from]! }))
          expect.fail(`swapped ${from} ${to}`)
      }
    }
  }, 60_000)

  it('of consistency are refused after every mutation', async () => {
    const leaves = leafList(33)
    const roots = Array.from({ length: 34 }, (_, size) => definition(leaves.slice(0, size)))
    for (const [from, to] of [
      [1, 1],
      [1, 2],
      [2, 3],
      [4, 8],
      [6, 8],
      [7, 21],
      [16, 33],
      [20, 33],
      [33, 33],
    ] as const) {
      const proof = await consistencyProof(from, to, sourceOf(leaves.slice(0, to)))
      const claim = { from, to, fromRoot: roots[from]!, toRoot: roots[to]!, proof }
      expect(verifyConsistency(claim)).toBe(true)
      for (const root of [claim.fromRoot, claim.toRoot]) {
        for (const other of mutateProof(proof, root)) expect(verifyConsistency({ ...claim, proof: other })).toBe(false)
      }
      for (const other of [0, -1, to + 1, 0.5, 2 ** 64])
        expect(verifyConsistency({ ...claim, from: other })).toBe(false)
      for (const other of [0, from - 1, 2 ** 64, Number.NaN])
        expect(verifyConsistency({ ...claim, to: other })).toBe(false)
      for (const other of [emptyRoot, flipBit(claim.toRoot)]) {
        expect(verifyConsistency({ ...claim, toRoot: other })).toBe(false)
        expect(verifyConsistency({ ...claim, fromRoot: other })).toBe(false)
      }
    }
  })

  it('from an empty tree do not exist', async () => {
    expect(verifyConsistency({ from: 0, to: 3, fromRoot: emptyRoot, toRoot: rootAt(3), proof: [] })).toBe(false)
    expect(verifyConsistency({ from: 0, to: 0, fromRoot: emptyRoot, toRoot: emptyRoot, proof: [] })).toBe(false)
    await expect(consistencyProof(0, 3, sourceOf(leafList(3)))).rejects.toThrow(RangeError)
    await expect(consistencyProof(4, 3, sourceOf(leafList(4)))).rejects.toThrow(RangeError)
    await expect(inclusionProof(3, 3, sourceOf(leafList(3)))).rejects.toThrow(RangeError)
  })

  it('are those of the golden vectors', async () => {
    const nodes: NodeSource = async (wanted) =>
      wanted.map(({ height, index }) =>
        rootOfLeaves(manyLeaves.subarray(32 * index * 2 ** height, 32 * (index + 1) * 2 ** height)),
      )
    expect(vectors.inclusion).toHaveLength(18)
    for (const { index, size, proof } of vectors.inclusion) {
      expect((await inclusionProof(index, size, nodes)).map(base64)).toEqual(proof)
      const leafHash = manyLeaves.slice(32 * index, 32 * index + 32)
      expect(verifyInclusion({ index, size, leafHash, proof: proof.map(fromBase64), root: rootAt(size) })).toBe(true)
    }
    expect(vectors.consistency).toHaveLength(16)
    for (const { from, to, proof } of vectors.consistency) {
      expect((await consistencyProof(from, to, nodes)).map(base64)).toEqual(proof)
      expect(
        verifyConsistency({ from, to, fromRoot: rootAt(from), toRoot: rootAt(to), proof: proof.map(fromBase64) }),
      ).toBe(true)
    }
  })

  it('are those published for the tessera test log', async () => {
    const words = 'one two three four five six seven eit nain ten ileven twelf threeten fourten fivten'.split(' ')
    const tree = sourceOf(words.map((word) => hashLeaf(utf8(word))))
    const perfect = '5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks='
    const left = 'zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co='
    expect((await inclusionProof(7, 15, tree)).map(base64)).toEqual([
      '2Q0P5jSR+TdkwdXWyx+GbBWX0KZbNZkWzCjyTPSozsw=',
      'ycRkkNklus5eMVRUvkD1pK321vMrA+jjOiZKU8aOcY4=',
      left,
      perfect,
    ])
    expect((await inclusionProof(14, 15, tree)).map(base64)).toEqual([
      'GiUtVP0XhIaZ/fl7ReMLgw+9YUtjFAt8kaTdfOe2u/I=',
      '3cFRCtyHVxAUTugFyRgo30efbl+BVxdTQDIGg5H61SA=',
      'bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY=',
    ])
    expect((await consistencyProof(6, 15, tree)).map(base64)).toEqual([
      'ycRkkNklus5eMVRUvkD1pK321vMrA+jjOiZKU8aOcY4=',
      'nk9gCR+floFqznAPtqjjcnnV64dge2jQB95D5t164Hg=',
      left,
      perfect,
    ])
    expect((await consistencyProof(8, 15, tree)).map(base64)).toEqual([perfect])
  })
})
