import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Node, appendLeaves, createEdge, emptyEdge, hashLeaf, perfectSubtrees, rootOfLeaves } from '../../src/log/merkle.ts' // oxfmt-ignore
import { createRangeFold, gapNodes } from '../../src/verify/pack-range.ts'

const leaves = Array.from({ length: 300 }, (_, i) => hashLeaf(Buffer.from(`leaf-${i}`)))
const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex')
const rootOf = (size: number): string => hex(appendLeaves(emptyEdge, Buffer.concat(leaves.slice(0, size))).root)
const nodeHash = ({ height, index }: Node) => rootOfLeaves(Buffer.concat(leaves.slice(index * 2 ** height, (index + 1) * 2 ** height))) // oxfmt-ignore
const edgeOf = (size: number) => createEdge(size, perfectSubtrees(0, size).map(nodeHash))

function foldOf(start: number, size: number, shown: ReadonlySet<number>): string {
  const fold = createRangeFold(edgeOf(start))
  const passOver = (to: number): void => {
    if (fold.next() < to) fold.addGap(to, gapNodes(fold.next(), to).map(nodeHash))
  }
  for (let seq = start; seq < size; seq++) {
    if (!shown.has(seq)) continue
    passOver(seq)
    fold.addLeaf(leaves[seq] ?? Buffer.alloc(32))
  }
  passOver(size)
  return hex(fold.root())
}

describe('createRangeFold', () => {
  it('leads to the root of the whole for every stretch of a small tree, with nothing, all or every other leaf shown', () => {
    for (let size = 1; size <= 40; size++)
      for (let start = 0; start <= size; start++)
        for (const shown of [[], [...leaves.keys()], [...leaves.keys()].filter((i) => i % 2 === 0)])
          expect(foldOf(start, size, new Set(shown)), `${start} of ${size}`).toEqual(rootOf(size))
  })

  it('leads to it whatever is shown of a larger one, and elsewhere when a leaf is another', () => {
    const sizes = fc.tuple(fc.nat(300), fc.nat(300)).filter(([start, size]) => start <= size && size > 0)
    fc.assert(
      fc.property(sizes, fc.uniqueArray(fc.nat(299)), ([start, size], shown) => {
        expect(foldOf(start, size, new Set(shown))).toEqual(rootOf(size))
      }),
      { numRuns: 300, seed: 7 },
    )
    const fold = createRangeFold(edgeOf(100))
    fold.addLeaf(leaves[101] ?? Buffer.alloc(32))
    fold.addGap(200, gapNodes(101, 200).map(nodeHash))
    expect(hex(fold.root())).not.toEqual(rootOf(200))
  })

  it('takes a gap only with exactly the hashes that it needs', () => {
    const fold = createRangeFold(edgeOf(5))
    expect(gapNodes(5, 12)).toEqual([{ height: 0, index: 5 }, { height: 1, index: 3 }, { height: 2, index: 2 }]) // oxfmt-ignore
    expect(() => fold.addGap(12, [])).toThrow('the gap 5 to 12 needs 3 hashes, there are 0')
  })
})
