import { sha256, sha256Into } from '../record/sha256.ts'

/**
 * RFC 6962 trees, growing at the right edge. The edge of a tree of n leaves is the list of its perfect subtrees, one per bit of n,
 * largest first: all that has to be kept to append, 32 bytes each. A perfect subtree is named by its height (0 = leaf) and index.
 * Hashes are 32-byte Uint8Arrays. Sizes are safe integers; whoever reads them from foreign text checks them there.
 */

export interface Edge {
  /** Number of leaves. */
  readonly size: number
  /** Roots of the perfect subtrees, largest first: as many as `size` has bits set. */
  readonly hashes: readonly Uint8Array[]
}

export interface Node {
  height: number
  index: number
}

export interface CompletedNode extends Node {
  hash: Uint8Array
}

export interface Appended extends Edge {
  root: Uint8Array
  /** Every perfect subtree that became whole and whose height is a positive multiple of 8: the roots of full tiles, in order of their last leaf. */
  completed: CompletedNode[]
}

export const hashBytes = 32

/** SHA-256 of nothing: the root of a tree without leaves. */
export const emptyRoot: Uint8Array = Uint8Array.from(sha256(new Uint8Array(0)))

export const emptyEdge: Edge = { size: 0, hashes: [] }

/** SHA-256(0x00 || entry). */
export function hashLeaf(entry: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(entry.length + 1)
  bytes.set(entry, 1)
  return sha256(bytes)
}

// One buffer for all inner nodes: 0x01 || left || right. Nothing here awaits between filling and hashing it.
const pair = new Uint8Array(1 + 2 * hashBytes)
pair[0] = 1

/** SHA-256(0x01 || left || right). */
export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  pair.set(left, 1)
  pair.set(right, 1 + hashBytes)
  return sha256(pair)
}

/** Throws unless there are exactly as many hashes of 32 bytes as `size` has bits set. */
export function createEdge(size: number, hashes: readonly Uint8Array[]): Edge {
  const wanted = perfectSubtrees(0, size).length
  if (hashes.length !== wanted)
    throw new Error(`a tree of ${size} has an edge of ${wanted} hashes, not ${hashes.length}`)
  if (hashes.some((hash) => hash.length !== hashBytes)) throw new Error('an edge holds hashes of 32 bytes')
  return { size, hashes: [...hashes] }
}

/** Folds hashes of adjoining subtrees, largest first, into the root over all of them; the empty root for none. */
export function foldHashes(hashes: readonly Uint8Array[]): Uint8Array {
  let root = hashes.at(-1)
  if (root === undefined) return emptyRoot
  for (const left of hashes.slice(0, -1).reverse()) root = hashNode(left, root)
  return root
}

export function rootOf(edge: Edge): Uint8Array {
  return foldHashes(edge.hashes)
}

/** 0x01 || left || right. */
function createPair(): Uint8Array {
  const bytes = new Uint8Array(1 + 2 * hashBytes)
  bytes[0] = 1
  return bytes
}

const leftAt = 1
const rightAt = 1 + hashBytes

/**
 * The tree with `leafHashes` (packed, 32 bytes each) appended. Pure: the given edge stays as it is. One inner hash per leaf on average,
 * which is all that takes time: each is written to where it is hashed from next.
 */
export function appendLeaves(edge: Edge, leafHashes: Uint8Array): Appended {
  if (leafHashes.length % hashBytes !== 0)
    throw new Error(`leaf hashes are ${leafHashes.length} bytes, not a multiple of 32`)
  // By height: the perfect subtree that waits there for its right sibling, or what is left of one that has found it.
  const pairs: Uint8Array[] = [createPair()]
  for (const [i, { height }] of perfectSubtrees(0, edge.size).entries()) {
    const hash = edge.hashes[i]
    if (hash === undefined) throw new Error('the edge does not fit its size')
    while (pairs.length <= height) pairs.push(createPair())
    pairs[height]?.set(hash, leftAt)
  }
  const completed: CompletedNode[] = []
  let size = edge.size
  for (let at = 0; at < leafHashes.length; at += hashBytes) {
    let index = size
    let pair = pairs[0] ?? createPair()
    const to = index % 2 === 0 ? leftAt : rightAt
    for (let i = 0; i < hashBytes; i++) pair[to + i] = leafHashes[at + i] ?? 0
    // Each trailing 1 bit of the index is a perfect subtree that this leaf completes together with its left sibling.
    for (let height = 1; index % 2 === 1; height++) {
      index = (index - 1) / 2
      const above = (pairs[height] ??= createPair())
      const place = index % 2 === 0 ? leftAt : rightAt
      sha256Into(pair, above, place)
      if (height % 8 === 0) completed.push({ height, index, hash: above.slice(place, place + hashBytes) })
      pair = above
    }
    size++
  }
  if (!Number.isSafeInteger(size)) throw new Error('the tree is too large')
  const hashes = perfectSubtrees(0, size).map(({ height }) =>
    (pairs[height] ?? createPair()).slice(leftAt, leftAt + hashBytes),
  )
  return { size, hashes, root: foldHashes(hashes), completed }
}

/** Root of the tree over these leaf hashes alone (packed, 32 bytes each). */
export function rootOfLeaves(leafHashes: Uint8Array): Uint8Array {
  return appendLeaves(emptyEdge, leafHashes).root
}

/**
 * The perfect subtrees that make up [start, end), largest first. The range must be one that the splitting rule of RFC 6962 produces,
 * so `start` is a multiple of each of their sizes.
 */
export function perfectSubtrees(start: number, end: number): Node[] {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new Error(`[${start}, ${end}) is not a range of leaves`)
  }
  const nodes: Node[] = []
  for (let at = start; at < end;) {
    const height = bitLength(end - at) - 1
    nodes.push({ height, index: at / 2 ** height })
    at += 2 ** height
  }
  return nodes
}

/** Number of binary digits of a non-negative safe integer. Not by Math.log2, which rounds up just below large powers of two. */
export function bitLength(n: number): number {
  return n < 2 ** 31 ? 32 - Math.clz32(n) : 31 + bitLength(Math.floor(n / 2 ** 31))
}

export function equalHashes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
