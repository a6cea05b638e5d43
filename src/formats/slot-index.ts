/**
 * Hash indexes of slots, one for each file that has many, all in a few large arrays: 200,000 files must not be as many objects. An index that
 * grows moves to a block of twice the size; the old block serves the next index that needs one.
 */
export interface Indexes {
  hash(k1: number, k2: number, k3: number): number
  /** The first slot that may be the one with this hash, then the others with `another`; -1 at the end. */
  first(file: number, hash: number): number
  another(): number
  insert(file: number, slot: number): void
}

const arenaBits = 20
const arenaSize = 1 << arenaBits
/** The first arena; each further one is twice as large: most reports are small, and zeroing 4 MiB took a third of the time of one of 300 KB. */
const firstArenaSize = 1 << 12
const smallest = 5

// Blocks lie within their arena, and files have one when they are asked for: hence `as` behind an index.

/** `hashOf` is `hash` of the slot's key. */
export function createIndexes(hashOf: (slot: number) => number): Indexes {
  // A seed of the process's own, so that nobody can send a report whose keys all meet in one place. No result depends on it.
  const seed = (Math.random() * 0x1_0000_0000) | 0
  const arenas: Int32Array[] = []
  /** Blocks given back, by their size as a power of two. */
  const free: [arena: Int32Array, base: number][][] = []
  let open: Int32Array = new Int32Array(0)
  let used = 0

  // By file: where its block lies, its size as a power of two, how much of it is taken.
  const blockArena: (Int32Array | undefined)[] = []
  const blockBase: number[] = []
  const blockBits: number[] = []
  const blockCount: number[] = []

  let arena: Int32Array = open
  let base = 0
  let mask = 0
  let at = 0

  function allocate(bits: number): void {
    const block = free[bits]?.pop()
    if (block !== undefined) {
      ;[arena, base] = block
      arena.fill(0, base, base + (1 << bits))
      return
    }
    if (bits >= arenaBits) {
      arena = new Int32Array(1 << bits)
      base = 0
      return
    }
    if (used + (1 << bits) > open.length) {
      open = new Int32Array(Math.min(arenaSize, Math.max(firstArenaSize, 2 * open.length, 1 << bits)))
      arenas.push(open)
      used = 0
    }
    arena = open
    base = used
    used += 1 << bits
  }

  function place(slot: number): void {
    let to = hashOf(slot) & mask
    while (arena[base + to] !== 0) to = (to + 1) & mask
    arena[base + to] = slot + 1
  }

  function grow(file: number): void {
    const [oldArena, oldBase, oldBits] = [blockArena[file], blockBase[file] ?? 0, blockBits[file] ?? smallest - 1]
    allocate(oldBits + 1)
    mask = (2 << oldBits) - 1
    blockArena[file] = arena
    blockBase[file] = base
    blockBits[file] = oldBits + 1
    if (oldArena === undefined) return
    for (let i = oldBase; i < oldBase + (1 << oldBits); i += 1)
      if (oldArena[i] !== 0) place((oldArena[i] as number) - 1)
    ;(free[oldBits] ??= []).push([oldArena, oldBase])
  }

  function use(file: number): void {
    arena = blockArena[file] as Int32Array
    base = blockBase[file] as number
    mask = (1 << (blockBits[file] as number)) - 1
  }

  return {
    hash(k1, k2, k3) {
      let h = Math.imul(k1 ^ seed, 0x9e3779b1)
      h = Math.imul(h ^ (h >>> 15) ^ k2, 0x85ebca6b)
      h = Math.imul(h ^ (h >>> 13) ^ k3, 0xc2b2ae35)
      return h ^ (h >>> 16)
    },
    first(file, hash) {
      use(file)
      at = hash & mask
      return (arena[base + at] as number) - 1
    },
    another() {
      at = (at + 1) & mask
      return (arena[base + at] as number) - 1
    },
    insert(file, slot) {
      const count = (blockCount[file] ?? 0) + 1
      blockCount[file] = count
      const bits = blockBits[file]
      if (bits === undefined || count * 3 > (1 << bits) * 2) grow(file)
      else use(file)
      place(slot)
    },
  }
}
