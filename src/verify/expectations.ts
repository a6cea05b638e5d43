import { equalHashes, hashBytes } from '../log/merkle.ts'

/** What an audit was told and has not met yet. Everything here lies at or after the audit's position and is let go when met. */
export interface Expectations {
  /**
   * Tells where they differ from leaves expected before; those stay. Throws when all of them were passed already: a caller's mistake,
   * which would leave them unchecked.
   */
  addLeaves(firstSeq: number, packed: Uint8Array, position: number): LeafConflict[]
  /** Consecutive roots of perfect subtrees of one height, packed. */
  addNodes(height: number, firstIndex: number, packed: Uint8Array, position: number): void
  /** `note` is the checkpoint it stands in, if it is signed. */
  addRoot(size: number, root: Uint8Array, position: number, note: string | undefined): void
  /** A signed note of this size with another root. */
  findNote(size: number, root: Uint8Array): string | undefined
  /** The hash expected for leaf `seq`; what lies before it is let go. */
  takeLeaf(seq: number): Uint8Array | undefined
  takeNode(height: number, index: number): Uint8Array | undefined
  takeRoots(size: number): ExpectedRoot[]
  /** Smallest size above `position` whose root is expected; Infinity when there is none. */
  nextRoot(position: number): number
  /** How many records there must be for everything expected to be met. */
  claimed(): number
}

export interface ExpectedRoot {
  root: Uint8Array
  isSigned: boolean
  note: string | undefined
}

export interface LeafConflict {
  seq: number
  before: Uint8Array
  now: Uint8Array
}

interface LeafRange {
  first: number
  end: number
  packed: Uint8Array
}

export function createExpectations(start: number): Expectations {
  let ranges: LeafRange[] = [] // ascending by first
  let head = 0 // those before it are passed
  const nodes = new Map<string, Uint8Array>()
  const roots = new Map<number, ExpectedRoot[]>()
  let sizes: number[] = [] // the keys of roots, ascending
  let claimed = start

  const refusePassed = (first: number, position: number, what: string): void => {
    if (first < position) throw new Error(`${what} ${first} was told after its records: the audit is at ${position}`)
  }

  return {
    addLeaves(firstSeq, packed, position) {
      if (packed.length % hashBytes !== 0)
        throw new Error(`leaf hashes are ${packed.length} bytes, not a multiple of 32`)
      const end = firstSeq + packed.length / hashBytes
      if (end <= position) refusePassed(firstSeq, position, 'leaf')
      const added = { first: firstSeq, end, packed }
      const conflicts = ranges.slice(head).flatMap((range) => compare(range, added))
      let at = ranges.length
      while (at > head && (ranges[at - 1]?.first ?? 0) > firstSeq) at--
      ranges.splice(at, 0, added)
      claimed = Math.max(claimed, end)
      return conflicts
    },

    addNodes(height, firstIndex, packed, position) {
      const count = packed.length / hashBytes
      if ((firstIndex + count) * 2 ** height <= position)
        refusePassed(firstIndex * 2 ** height, position, 'the subtree at')
      for (let i = 0; i < count; i++) {
        const end = (firstIndex + i + 1) * 2 ** height
        if (end <= position) continue
        nodes.set(`${height}/${firstIndex + i}`, packed.slice(i * hashBytes, (i + 1) * hashBytes))
        claimed = Math.max(claimed, end)
      }
    },

    addRoot(size, root, position, note) {
      refusePassed(size, position, 'the root of size')
      const found = roots.get(size)
      const entry = { root, isSigned: note !== undefined, note }
      if (found === undefined) {
        roots.set(size, [entry])
        if (size > (sizes.at(-1) ?? -1)) sizes.push(size)
        else sizes = [...sizes, size].toSorted((a, b) => a - b)
      } else if (!found.some((other) => equalHashes(other.root, root) && other.isSigned === entry.isSigned))
        found.push(entry)
      claimed = Math.max(claimed, size)
    },

    findNote: (size, root) => roots.get(size)?.find((other) => other.isSigned && !equalHashes(other.root, root))?.note,

    takeLeaf(seq) {
      while ((ranges[head]?.end ?? Infinity) <= seq) head++
      if (head > 1_000) {
        ranges = ranges.slice(head)
        head = 0
      }
      for (let i = head; i < ranges.length; i++) {
        const range = ranges[i]
        if (range === undefined || range.first > seq) return undefined
        if (seq < range.end) return leafOf(range, seq)
      }
      return undefined
    },

    takeNode(height, index) {
      const key = `${height}/${index}`
      const hash = nodes.get(key)
      nodes.delete(key)
      return hash
    },

    takeRoots(size) {
      const found = roots.get(size) ?? []
      roots.delete(size)
      return found
    },

    nextRoot(position) {
      while ((sizes[0] ?? Infinity) <= position) roots.delete(sizes.shift() ?? -1)
      return sizes[0] ?? Infinity
    },

    claimed: () => claimed,
  }
}

const leafOf = ({ first, packed }: LeafRange, seq: number): Uint8Array =>
  packed.subarray((seq - first) * hashBytes, (seq - first + 1) * hashBytes)

/** Where two ranges overlap and differ. */
function compare(before: LeafRange, now: LeafRange): LeafConflict[] {
  const conflicts: LeafConflict[] = []
  for (let seq = Math.max(before.first, now.first); seq < Math.min(before.end, now.end); seq++) {
    const pair = { seq, before: leafOf(before, seq), now: leafOf(now, seq) }
    if (!equalHashes(pair.before, pair.now)) conflicts.push(pair)
  }
  return conflicts
}
