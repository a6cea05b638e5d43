import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyRoot, foldHashes, hashLeaf, hashNode, perfectSubtrees } from '../../src/log/merkle.ts'
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from '../../src/log/merkle-proof.ts'
import type { ConsistencyClaim, InclusionClaim } from '../../src/log/merkle-proof.ts'
import type { NodeSource } from '../../src/log/merkle-proof.ts'

/**
 * Every proof of every small tree, and what transparency-dev/merkle does to a proof to see it refused: cut, grown, reordered, with a root or
 * garbage in any place, one bit turned, told of another position or size.
 */

type Hash = Uint8Array

/** A tree whose perfect subtrees are all there: levels[h][i] is the subtree of height h at index i. */
function treeOf(size: number): { levels: Hash[][]; nodes: NodeSource; rootAt: (n: number) => Hash } {
  const levels: Hash[][] = [Array.from({ length: size }, (_, i) => hashLeaf(Uint8Array.of(i >> 8, i & 255)))]
  for (let below = levels[0]!; below.length > 1;) {
    below = Array.from({ length: below.length >> 1 }, (_, i) => hashNode(below[2 * i]!, below[2 * i + 1]!))
    levels.push(below)
  }
  const hashOf = ({ height, index }: { height: number; index: number }): Hash => levels[height]![index]!
  return {
    levels,
    nodes: async (wanted) => wanted.map(hashOf),
    rootAt: (n) => foldHashes(perfectSubtrees(0, n).map(hashOf)),
  }
}

const flip = (hash: Hash, bit: number): Hash => hash.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
const garbage = hashLeaf(new TextEncoder().encode('garbage'))

/** What no verifier may take for this proof. `roots` are placed where they do not belong. */
function* proofMutations(proof: readonly Hash[], roots: readonly Hash[], bit: number): Generator<[string, Hash[]]> {
  for (const [name, hash] of [['garbage', garbage], ...roots.map((root) => ['root', root] as const)] as const) {
    yield [`preceding ${name}`, [hash, ...proof]]
    yield [`trailing ${name}`, [...proof, hash]]
    for (let i = 1; i < proof.length; i++)
      yield [`inserted ${name} ${i}`, [...proof.slice(0, i), hash, ...proof.slice(i)]]
    for (let i = 0; i < proof.length; i++) yield [`${name} for ${i}`, proof.with(i, hash)]
  }
  if (proof.length === 0) return
  yield ['empty', []]
  yield ['the last twice', [...proof, proof.at(-1)!]]
  yield ['no hashes in the right number', proof.map(() => new Uint8Array(32))]
  for (let i = 0; i < proof.length; i++) {
    yield [`without ${i}`, proof.toSpliced(i, 1)]
    yield [`bit ${bit} of ${i}`, proof.with(i, flip(proof[i]!, bit))]
    yield [`short ${i}`, proof.with(i, proof[i]!.subarray(0, 31))]
    yield [`long ${i}`, proof.with(i, Uint8Array.of(...proof[i]!, 0))]
    yield [`nothing for ${i}`, proof.with(i, new Uint8Array(0))]
    if (i > 0) yield [`${i} before ${i - 1}`, proof.with(i, proof[i - 1]!).with(i - 1, proof[i]!)]
  }
  if (proof.length > 1) yield ['reversed', proof.toReversed()]
}

const noPosition = [-1, 0.5, Number.NaN, Infinity, 2 ** 53, 2 ** 64, Number(18_446_744_073_709_551_615n)]

function* inclusionMutations(claim: InclusionClaim, bit: number): Generator<[string, InclusionClaim]> {
  const { index, size, leafHash, root, proof } = claim
  for (const [what, other] of proofMutations(proof, [root, leafHash], bit)) yield [what, { ...claim, proof: other }]
  for (const other of [index + 1, index - 1, index ^ 2, size, ...noPosition])
    yield [`index ${other}`, { ...claim, index: other }]
  for (const other of [size * 2, Math.floor(size / 2), index, 0, ...noPosition])
    yield [`size ${other}`, { ...claim, size: other }]
  for (const other of [flip(root, bit), emptyRoot, garbage, root.subarray(1), new Uint8Array(0)])
    yield ['root', { ...claim, root: other }]
  for (const other of [flip(leafHash, bit), emptyRoot, leafHash.subarray(1), new Uint8Array(0)])
    yield ['leaf', { ...claim, leafHash: other }]
  if (size > 1) yield ['leaf and root', { ...claim, leafHash: root }]
}

function* consistencyMutations(claim: ConsistencyClaim, bit: number): Generator<[string, ConsistencyClaim]> {
  const { from, to, fromRoot, toRoot, proof } = claim
  for (const [what, other] of proofMutations(proof, [fromRoot, toRoot], bit)) yield [what, { ...claim, proof: other }]
  for (const other of [from - 1, from + 1, from ^ 2, to + 1, 0, ...noPosition])
    if (other !== from) yield [`from ${other}`, { ...claim, from: other }]
  for (const other of [to * 2, Math.floor(to / 2), from - 1, 0, ...noPosition])
    if (other !== to) yield [`to ${other}`, { ...claim, to: other }]
  if (from !== to) {
    yield ['roots swapped', { ...claim, fromRoot: toRoot, toRoot: fromRoot }]
    yield ['sizes swapped', { ...claim, from: to, to: from }]
    yield ['one root twice', { ...claim, toRoot: fromRoot }]
    yield ['both the new root', { ...claim, fromRoot: toRoot }]
  }
  for (const other of [emptyRoot, garbage, flip(fromRoot, bit), fromRoot.subarray(1), new Uint8Array(0)])
    yield ['old root', { ...claim, fromRoot: other }]
  for (const other of [emptyRoot, garbage, flip(toRoot, bit), toRoot.subarray(1), new Uint8Array(0)])
    yield ['new root', { ...claim, toRoot: other }]
}

const same = (a: readonly Hash[], b: readonly Hash[]): boolean =>
  a.length === b.length && a.every((hash, i) => Buffer.compare(hash, b[i]!) === 0)

/** What is the same claim again is no mutation: the only two equal leaves, a root that is its own subtree. */
function isSame<C extends { proof: readonly Hash[] }>(claim: C, other: C): boolean {
  const valuesOf = (one: C): unknown[] => Object.values(one)
  const hashes = (one: C): Hash[] => valuesOf(one).filter((value): value is Hash => value instanceof Uint8Array)
  const numbers = (one: C): number[] => valuesOf(one).filter((value): value is number => typeof value === 'number')
  return (
    same(claim.proof, other.proof) &&
    same(hashes(claim), hashes(other)) &&
    numbers(claim).every((n, i) => Object.is(n, numbers(other)[i]))
  )
}

async function refusesAll(index: number, size: number, tree: ReturnType<typeof treeOf>): Promise<number> {
  const claim = {
    index,
    size,
    leafHash: tree.levels[0]![index]!,
    root: tree.rootAt(size),
    proof: await inclusionProof(index, size, tree.nodes),
  }
  if (!verifyInclusion(claim)) expect.fail(`${index} in ${size} does not verify`)
  let refused = 0
  for (const [what, other] of inclusionMutations(claim, (7 * index + size) % 256)) {
    if (isSame(claim, other)) continue
    if (verifyInclusion(other)) expect.fail(`${index} in ${size} verifies with ${what}`)
    refused++
  }
  return refused
}

async function refusesAllBetween(from: number, to: number, tree: ReturnType<typeof treeOf>): Promise<number> {
  const claim = {
    from,
    to,
    fromRoot: tree.rootAt(from),
    toRoot: tree.rootAt(to),
    proof: await consistencyProof(from, to, tree.nodes),
  }
  if (!verifyConsistency(claim)) expect.fail(`${from} to ${to} does not verify`)
  let refused = 0
  for (const [what, other] of consistencyMutations(claim, (7 * from + to) % 256)) {
    if (isSame(claim, other)) continue
    if (verifyConsistency(other)) expect.fail(`${from} to ${to} verifies with ${what}`)
    refused++
  }
  return refused
}

const small = 64

describe('every mutation is refused', () => {
  it('case 17: of every inclusion proof in every tree to 64', async () => {
    const tree = treeOf(small)
    let refused = 0
    for (let size = 1; size <= small; size++)
      for (let index = 0; index < size; index++) refused += await refusesAll(index, size, tree)
    expect(refused).toBeGreaterThan(100_000)
  })

  it('case 18: of every consistency proof between trees to 64', async () => {
    const tree = treeOf(small)
    let refused = 0
    for (let to = 1; to <= small; to++)
      for (let from = 1; from <= to; from++) refused += await refusesAllBetween(from, to, tree)
    expect(refused).toBeGreaterThan(100_000)
  })

  it('case 17, 18: of proofs in larger trees, at random', async () => {
    const tree = treeOf(20_000)
    const sizes = fc.integer({ min: small + 1, max: 20_000 })
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (size, n) => {
        await refusesAll(n % size, size, tree)
        await refusesAllBetween(1 + (n % size), size, tree)
      }),
      { seed: 6962, numRuns: 150 },
    )
  })
})

describe('sizes near 2^53', () => {
  /** All leaves are alike, so a subtree of each height is one hash, and a tree of any size is at hand. */
  const byHeight = Array.from({ length: 53 }).reduce<Hash[]>(
    (hashes) => [...hashes, hashNode(hashes.at(-1)!, hashes.at(-1)!)],
    [hashLeaf(new Uint8Array(0))],
  )
  const nodes: NodeSource = async (wanted) => wanted.map(({ height }) => byHeight[height]!)
  const rootAt = (size: number): Hash => foldHashes(perfectSubtrees(0, size).map(({ height }) => byHeight[height]!))
  const position = fc.oneof(
    fc.maxSafeNat(),
    fc.integer({ min: 0, max: 52 }).map((power) => 2 ** power),
    fc.nat(300).map((n) => Number.MAX_SAFE_INTEGER - n),
  )

  it('case 17, 18, 47: are counted without losing a digit, and what does not fit is refused', async () => {
    await fc.assert(
      fc.asyncProperty(position, position, fc.nat(255), async (a, b, bit) => {
        const [index, size] = [Math.min(a, b), Math.min(Math.max(a, b) + 1, Number.MAX_SAFE_INTEGER)]
        if (index >= size) return
        const claim = {
          index,
          size,
          leafHash: byHeight[0]!,
          root: rootAt(size),
          proof: await inclusionProof(index, size, nodes),
        }
        expect(verifyInclusion(claim)).toBe(true)
        expect(verifyInclusion({ ...claim, proof: [...claim.proof, garbage] })).toBe(false)
        expect(verifyInclusion({ ...claim, proof: claim.proof.slice(1) })).toBe(claim.proof.length === 0)
        expect(verifyInclusion({ ...claim, leafHash: flip(claim.leafHash, bit) })).toBe(false)
        const from = index + 1
        const grown = {
          from,
          to: size,
          fromRoot: rootAt(from),
          toRoot: claim.root,
          proof: await consistencyProof(from, size, nodes),
        }
        expect(verifyConsistency(grown)).toBe(true)
        expect(verifyConsistency({ ...grown, proof: [...grown.proof, garbage] })).toBe(false)
        expect(verifyConsistency({ ...grown, toRoot: flip(grown.toRoot, bit) })).toBe(false)
      }),
      { seed: 53, numRuns: 300 },
    )
    for (const wrong of noPosition) {
      await expect(inclusionProof(wrong, 3, nodes)).rejects.toThrow()
      await expect(inclusionProof(0, wrong, nodes)).rejects.toThrow()
      await expect(consistencyProof(1, wrong, nodes)).rejects.toThrow()
    }
  })
})
