import { bitLength, equalHashes, foldHashes, hashBytes, hashNode, perfectSubtrees } from './merkle.ts'
import type { Node } from './merkle.ts'

/**
 * Inclusion and consistency proofs of RFC 6962 sections 2.1.1 and 2.1.2. Making one needs hashes of perfect subtrees only; where they
 * come from (tiles, database, memory) is the caller's. Checking follows the form that all references share: the length is exact and
 * looked at before anything is hashed.
 */

/** The hashes of these perfect subtrees, in the order asked. Rejects when it cannot give one. */
export type NodeSource = (nodes: readonly Node[]) => Promise<Uint8Array[]>

type Range = readonly [start: number, end: number]

/** Leaf's sibling first. Rejects with RangeError unless 0 <= index < size. */
export async function inclusionProof(index: number, size: number, nodes: NodeSource): Promise<Uint8Array[]> {
  if (!isPosition(index) || !isPosition(size) || index >= size)
    throw new RangeError(`there is no leaf ${index} in a tree of ${size}`)
  const siblings: Range[] = []
  for (let start = 0, end = size; end - start > 1;) {
    const middle = start + splitOf(end - start)
    siblings.push(index < middle ? [middle, end] : [start, middle])
    if (index < middle) end = middle
    else start = middle
  }
  return readRanges(siblings.reverse(), nodes)
}

/** Empty when `from` equals `to`. Rejects with RangeError unless 0 < from <= to: from nothing there is nothing to prove. */
export async function consistencyProof(from: number, to: number, nodes: NodeSource): Promise<Uint8Array[]> {
  if (!isPosition(from) || !isPosition(to) || from === 0 || from > to) {
    throw new RangeError(`there is no consistency proof from ${from} to ${to}`)
  }
  const ranges: Range[] = []
  let start = 0
  let end = to
  while (end !== from) {
    const middle = start + splitOf(end - start)
    ranges.push(from <= middle ? [middle, end] : [start, middle])
    if (from <= middle) end = middle
    else start = middle
  }
  if (start > 0) ranges.push([start, end]) // the verifier knows the old root itself, but no part of it
  return readRanges(ranges.reverse(), nodes)
}

export interface InclusionClaim {
  index: number
  size: number
  leafHash: Uint8Array
  proof: readonly Uint8Array[]
  root: Uint8Array
}

/** Whether `leafHash` is leaf `index` of the tree of `size` leaves with `root`. False for anything malformed. */
export function verifyInclusion({ index, size, leafHash, proof, root }: InclusionClaim): boolean {
  if (!isPosition(index) || !isPosition(size) || index >= size || !areHashes([leafHash, root, ...proof])) return false
  const inner = innerLength(index, size)
  if (proof.length !== inner + borderLength(index, inner)) return false
  let hash = leafHash
  let position = index
  for (const [i, sibling] of proof.entries()) {
    // Above the inner part the path runs along the right edge: every sibling is a left one.
    hash = i >= inner || position % 2 === 1 ? hashNode(sibling, hash) : hashNode(hash, sibling)
    position = Math.floor(position / 2)
  }
  return equalHashes(hash, root)
}

export interface ConsistencyClaim {
  from: number
  to: number
  fromRoot: Uint8Array
  toRoot: Uint8Array
  proof: readonly Uint8Array[]
}

/**
 * Whether the tree (`from`, `fromRoot`) is a prefix of (`to`, `toRoot`). False for anything malformed, and for `from` 0: that an empty
 * tree is a prefix is a rule of protocols, which special-case it.
 */
export function verifyConsistency({ from, to, fromRoot, toRoot, proof }: ConsistencyClaim): boolean {
  if (!isPosition(from) || !isPosition(to) || from === 0 || from > to || !areHashes([fromRoot, toRoot, ...proof]))
    return false
  if (from === to) return proof.length === 0 && equalHashes(fromRoot, toRoot)
  const shift = trailingZeroes(from)
  const inner = innerLength(from - 1, to) - shift
  const border = borderLength(from - 1, inner + shift)
  const perfect = from === 2 ** shift // then the old root is itself the subtree to start from
  const [first] = proof
  if (proof.length !== (perfect ? 0 : 1) + inner + border) return false
  const seed = perfect || first === undefined ? fromRoot : first
  let oldHash = seed
  let newHash = seed
  let position = Math.floor((from - 1) / 2 ** shift)
  for (const [i, sibling] of (perfect ? proof : proof.slice(1)).entries()) {
    const isLeft = i >= inner || position % 2 === 1
    if (isLeft) oldHash = hashNode(sibling, oldHash)
    newHash = isLeft ? hashNode(sibling, newHash) : hashNode(newHash, sibling)
    position = Math.floor(position / 2)
  }
  return equalHashes(oldHash, fromRoot) && equalHashes(newHash, toRoot)
}

const isPosition = (n: number): boolean => Number.isSafeInteger(n) && n >= 0

const areHashes = (hashes: readonly Uint8Array[]): boolean => hashes.every((hash) => hash.length === hashBytes)

/** The largest power of two strictly smaller than n (n > 1). */
const splitOf = (n: number): number => 2 ** (bitLength(n - 1) - 1)

/** Length of the part of the path below where it joins the right edge: bitLength(index XOR (size - 1)), without 32-bit operators. */
function innerLength(index: number, size: number): number {
  let length = 0
  for (let a = index, b = size - 1; a !== b; length++) {
    a = Math.floor(a / 2)
    b = Math.floor(b / 2)
  }
  return length
}

/** Number of one bits of index >> inner. */
function borderLength(index: number, inner: number): number {
  let ones = 0
  for (let n = Math.floor(index / 2 ** inner); n > 0; n = Math.floor(n / 2)) ones += n % 2
  return ones
}

function trailingZeroes(n: number): number {
  let zeroes = 0
  for (let rest = n; rest % 2 === 0; rest /= 2) zeroes++
  return zeroes
}

/** One hash per range, each folded from its perfect subtrees; all asked for at once. */
async function readRanges(ranges: readonly Range[], nodes: NodeSource): Promise<Uint8Array[]> {
  const subtrees = ranges.map(([start, end]) => perfectSubtrees(start, end))
  const wanted = subtrees.flat()
  const hashes = wanted.length === 0 ? [] : await nodes(wanted)
  if (hashes.length !== wanted.length) throw new Error(`asked for ${wanted.length} nodes, got ${hashes.length}`)
  let at = 0
  return subtrees.map((list) => foldHashes(hashes.slice(at, (at += list.length))))
}
