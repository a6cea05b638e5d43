import { type Edge, type Node, bitLength, foldHashes, hashNode, perfectSubtrees } from '../log/merkle.ts'

/**
 * A stretch of a log of which only some records are shown: the leaves of those, and hashes of perfect subtrees for what lies between
 * them, fold into the root of the whole. So a record that is shown stands at its seq, and no seq of the stretch is passed over unseen:
 * what is not shown has to be stated as a gap.
 */
export interface RangeFold {
  /** Position of the next leaf. */
  next(): number
  addLeaf(hash: Uint8Array): void
  /** The leaves from `next()` up to `to`, not shown. Throws unless there is one hash for each of `gapNodes(next(), to)`. */
  addGap(to: number, hashes: readonly Uint8Array[]): void
  root(): Uint8Array
}

/** The perfect subtrees, aligned as they lie in the tree, that make up the leaves [from, to), in order. */
export function gapNodes(from: number, to: number): Node[] {
  const nodes: Node[] = []
  for (let at = from; at < to;) {
    const height = Math.min(at === 0 ? Infinity : trailingZeroes(at), bitLength(to - at) - 1)
    nodes.push({ height, index: at / 2 ** height })
    at += 2 ** height
  }
  return nodes
}

export function createRangeFold(start: Edge): RangeFold {
  const stack = perfectSubtrees(0, start.size).map(({ height }, i) => {
    const hash = start.hashes[i]
    if (hash === undefined) throw new Error('the edge does not fit its size')
    return { height, hash }
  })
  let next = start.size

  const push = (height: number, hash: Uint8Array): void => {
    let top = { height, hash }
    for (let left = stack.at(-1); left?.height === top.height; left = stack.at(-1)) {
      stack.pop()
      top = { height: top.height + 1, hash: hashNode(left.hash, top.hash) }
    }
    stack.push(top)
    next += 2 ** height
  }

  return {
    next: () => next,
    addLeaf: (hash) => push(0, hash),
    addGap(to, hashes) {
      const nodes = gapNodes(next, to)
      if (nodes.length !== hashes.length)
        throw new Error(`the gap ${next} to ${to} needs ${nodes.length} hashes, there are ${hashes.length}`)
      for (const [i, { height }] of nodes.entries()) push(height, hashes[i] ?? new Uint8Array(0))
    },
    root: () => foldHashes(stack.map(({ hash }) => hash)),
  }
}

function trailingZeroes(n: number): number {
  let zeroes = 0
  for (let rest = n; rest % 2 === 0; rest /= 2) zeroes++
  return zeroes
}
