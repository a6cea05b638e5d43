import type { Observed } from './observed.ts'
import { maxPackedBytes, packInto } from './packed.ts'

/**
 * Packed knowledge about files, one behind the other in large blocks. What was replaced is garbage until there is more of it than of the rest; then all is
 * moved together.
 */
export interface Shelf {
  /** Packs what was observed behind what is kept, where the next call overwrites it. Answers its length. */
  write(observed: Observed): number
  /** What was written last has the bytes of this. */
  isWritten(packed: Packed): boolean
  /** Keeps what was written last, which is about so many things. */
  keep(below: Packed | undefined, size: number): Packed
  free(packed: Packed): void
}

/** Bytes `[from, to)`, and what is known about the same file from earlier sections. */
export interface Packed {
  bytes: Uint8Array
  from: number
  to: number
  /** Lines, blocks of branches, functions and the like in it. */
  size: number
  below: Packed | undefined
}

/** The first block; each further one is twice as large, up to the largest: zeroing 1 MiB takes longer than reading a small report. */
const firstBlock = 1 << 12
const largestBlock = 1 << 20

/** `kept` gives everything that was kept and not freed. */
export function createShelf(kept: () => Iterable<Packed>): Shelf {
  let block: Uint8Array = new Uint8Array(firstBlock)
  let used = 0
  let start = 0
  let end = 0
  /** Written last into an array of its own, for `block` might have had no room for it. */
  let large: Uint8Array | undefined
  let keptBytes = 0
  let freedBytes = 0

  function makeRoom(bytes: number): void {
    if (used + bytes <= block.length) return
    block = new Uint8Array(Math.min(largestBlock, Math.max(2 * block.length, bytes)))
    used = 0
  }

  function compact(): void {
    block = new Uint8Array(firstBlock)
    used = 0
    for (const packed of kept()) {
      const size = packed.to - packed.from
      // It may have an array of its own.
      if (size > largestBlock / 8) continue
      makeRoom(size)
      block.set(packed.bytes.subarray(packed.from, packed.to), used)
      packed.bytes = block
      packed.from = used
      used += size
      packed.to = used
    }
    freedBytes = 0
  }

  return {
    write(observed) {
      const most = maxPackedBytes(observed)
      large = most > largestBlock / 8 ? new Uint8Array(most) : undefined
      if (large === undefined) makeRoom(most)
      start = large === undefined ? used : 0
      end = packInto(large ?? block, start, observed)
      return end - start
    },
    isWritten({ bytes, from, to }) {
      if (to - from !== end - start) return false
      const written = large ?? block
      for (let i = from; i < to; i += 1) if (bytes[i] !== written[start + i - from]) return false
      return true
    },
    keep(below, size) {
      keptBytes += end - start
      if (large !== undefined) return { bytes: large.slice(0, end), from: 0, to: end, size, below }
      used = end
      return { bytes: block, from: start, to: end, size, below }
    },
    free({ from, to }) {
      keptBytes -= to - from
      freedBytes += to - from
      if (freedBytes > largestBlock && freedBytes > keptBytes) compact()
    },
  }
}
