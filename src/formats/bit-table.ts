import { createIndexes } from './slot-index.ts'

/**
 * For each file an exact set of bits under keys of three 32-bit integers, 32 of them a slot: the lines of a report (line / 32) and its branches (line,
 * block, branch / 32). A report of 500 MB holds tens of millions of both, so nothing here is an object or a string: 32 bytes a slot, in
 * chunks that are never copied, and 6 to 12 bytes of index. Memory is bounded by distinct bits, never by how often they are set.
 *
 * Reports ascend and repeat themselves, so the slot touched last and the one made after it are tried before the index; and each file has an index of
 * its own, so that what is touched together lies together (one index for all files was three times as slow on a large report).
 */
export interface BitTable {
  /** Begins a section about a file, by its number from 0; a new one is the next number. `undo` leads back to this moment. */
  open(file: number): void
  /** Sets the bits of `found`, and those of `on` among them; what is once on stays on. Answers which bits were not there before. */
  add(k1: number, k2: number, k3: number, found: number, on: number): number
  undo(): void
  /** The slots of a file in the order they were made. After an undo some may hold no bits. */
  slotsOf(file: number): Int32Array
  /** Columns of a slot: 0-2 key, 3 the bits that are there, 4 those that are on. */
  column(slot: number, which: number): number
}

const chunkBits = 13
const chunkSlots = 1 << chunkBits
const width = 8
const [found, on, touched, next] = [3, 4, 5, 6]
/** Files with so few slots are searched one by one. */
const fewSlots = 8

// Slots are below `size`, whose chunk exists, and files were opened; typed arrays have no holes: hence `as` behind an index.

export function createBitTable(): BitTable {
  const chunks: Int32Array[] = []
  let size = 0
  // By file: first and last slot, number of slots.
  const heads: number[] = []
  const tails: number[] = []
  const counts: number[] = []
  const indexes = createIndexes(hashOf)

  let file = -1
  let slot = -1
  let chunk: Int32Array = new Int32Array(0)
  let base = 0
  let section = 0
  let journal: Int32Array = new Int32Array(3 * 64)
  let journaled = 0

  function go(to: number): void {
    slot = to
    chunk = chunks[to >>> chunkBits] as Int32Array
    base = (to & (chunkSlots - 1)) * width
  }

  function isAt(k1: number, k2: number, k3: number): boolean {
    return chunk[base] === k1 && chunk[base + 1] === k2 && chunk[base + 2] === k3
  }

  function hashOf(of: number): number {
    const [keys, at] = [chunks[of >>> chunkBits] as Int32Array, (of & (chunkSlots - 1)) * width]
    return indexes.hash(keys[at] as number, keys[at + 1] as number, keys[at + 2] as number)
  }

  function nextOf(of: number): number {
    return (chunks[of >>> chunkBits] as Int32Array)[(of & (chunkSlots - 1)) * width + next] as number
  }

  /** Goes to the slot of this key, which is made if there is none. */
  function seek(k1: number, k2: number, k3: number): void {
    const head = heads[file] as number
    if (head >= 0) {
      const following = slot < 0 ? -1 : (chunk[base + next] as number)
      go(following >= 0 ? following : head)
      if (isAt(k1, k2, k3)) return
      if ((counts[file] as number) <= fewSlots) {
        for (let at = head; at >= 0; at = nextOf(at)) {
          go(at)
          if (isAt(k1, k2, k3)) return
        }
      } else {
        const hash = indexes.hash(k1, k2, k3)
        for (let at = indexes.first(file, hash); at >= 0; at = indexes.another()) {
          go(at)
          if (isAt(k1, k2, k3)) return
        }
      }
    }
    make(k1, k2, k3)
  }

  function make(k1: number, k2: number, k3: number): void {
    if (size >>> chunkBits >= chunks.length) chunks.push(new Int32Array(chunkSlots * width))
    const count = (counts[file] as number) + 1
    counts[file] = count
    if (count === 1) heads[file] = size
    else {
      go(tails[file] as number)
      chunk[base + next] = size
    }
    tails[file] = size
    go(size)
    size += 1
    chunk[base] = k1
    chunk[base + 1] = k2
    chunk[base + 2] = k3
    chunk[base + touched] = -1
    chunk[base + next] = -1
    if (count === fewSlots + 1) for (let at = heads[file] as number; at >= 0; at = nextOf(at)) indexes.insert(file, at)
    else if (count > fewSlots) indexes.insert(file, slot)
  }

  /** Once a slot and section: a journal of changes would grow with the bytes of a section that says the same thing for ever. */
  function remember(): void {
    chunk[base + touched] = section
    if (journaled === journal.length) {
      const longer = new Int32Array(journal.length * 2)
      longer.set(journal)
      journal = longer
    }
    journal[journaled] = slot
    journal[journaled + 1] = chunk[base + found] as number
    journal[journaled + 2] = chunk[base + on] as number
    journaled += 3
  }

  return {
    open(to) {
      file = to
      if (to >= heads.length) {
        heads.push(-1)
        tails.push(-1)
        counts.push(0)
      }
      slot = -1
      section = (section + 1) & 0x7fff_ffff
      journaled = 0
    },
    add(k1, k2, k3, bits, bitsOn) {
      if (slot < 0 || !isAt(k1, k2, k3)) seek(k1, k2, k3)
      if (chunk[base + touched] !== section) remember()
      const before = chunk[base + found] as number
      chunk[base + found] = before | bits
      chunk[base + on] = (chunk[base + on] as number) | bitsOn
      return bits & ~before
    },
    undo() {
      for (let i = 0; i < journaled; i += 3) {
        go(journal[i] as number)
        chunk[base + found] = journal[i + 1] as number
        chunk[base + on] = journal[i + 2] as number
      }
      journaled = 0
    },
    slotsOf(of) {
      const slots = new Int32Array(counts[of] ?? 0)
      let at = heads[of] ?? -1
      for (let i = 0; at >= 0; i += 1, at = nextOf(at)) slots[i] = at
      return slots
    },
    column: (of, which) => (chunks[of >>> chunkBits] as Int32Array)[(of & (chunkSlots - 1)) * width + which] as number,
  }
}

/** How many bits of a 32-bit word are set. */
export function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555)
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}
