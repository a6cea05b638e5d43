/**
 * Numbers distinct strings of bytes, from 0 in the order they come. A table over the bytes themselves: a Map of the decoded paths, which grows by copying
 * and hashes each once more, took 15 % of the time for sections of 60 lines, and what is met again need not be decoded.
 */
export interface PathIndex {
  /** The number of `bytes[from, to)`, or -1 when it has none. */
  find(bytes: Uint8Array, from: number, to: number): number
  /** Gives the next number to what was sought last, and not found. */
  add(bytes: Uint8Array, from: number, to: number): void
}

const firstSlots = 256

// Slots are within the table, and numbers below `count`: hence `as number`.

export function createPathIndex(): PathIndex {
  // A seed of the process's own, so that nobody can send paths that all meet in one place. No result depends on it.
  const seed = (Math.random() * 0x1_0000_0000) | 0
  /** Number + 1 by slot; 0 is free. At most half are taken. */
  let slots = new Int32Array(firstSlots)
  let count = 0
  // By number: the hash, and where its bytes end in `held`.
  let hashes = new Int32Array(firstSlots / 2)
  let ends = new Int32Array(firstSlots / 2)
  let held = new Uint8Array(4_096)
  let hash = 0
  let free = 0

  function isHeld(number: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = number === 0 ? 0 : (ends[number - 1] as number)
    if ((ends[number] as number) - start !== to - from) return false
    for (let i = from; i < to; i += 1) if (bytes[i] !== held[start + i - from]) return false
    return true
  }

  function grow(): void {
    slots = new Int32Array(2 * slots.length)
    const mask = slots.length - 1
    for (let number = 0; number < count; number += 1) {
      let slot = (hashes[number] as number) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = number + 1
    }
    const [oldHashes, oldEnds] = [hashes, ends]
    hashes = new Int32Array(slots.length / 2)
    hashes.set(oldHashes)
    ends = new Int32Array(slots.length / 2)
    ends.set(oldEnds)
  }

  return {
    find(bytes, from, to) {
      let h = seed ^ (to - from)
      for (let i = from; i < to; i += 1) h = Math.imul(h ^ (bytes[i] as number), 0x5bd1e995) ^ (h >>> 15)
      hash = h ^ (h >>> 13)
      const mask = slots.length - 1
      let slot = hash & mask
      for (let number = (slots[slot] as number) - 1; number >= 0; number = (slots[slot] as number) - 1) {
        if (hashes[number] === hash && isHeld(number, bytes, from, to)) return number
        slot = (slot + 1) & mask
      }
      free = slot
      return -1
    },
    add(bytes, from, to) {
      const start = count === 0 ? 0 : (ends[count - 1] as number)
      const end = start + to - from
      if (end > held.length) {
        const longer = new Uint8Array(2 * end)
        longer.set(held)
        held = longer
      }
      for (let i = from; i < to; i += 1) held[start + i - from] = bytes[i] as number
      hashes[count] = hash
      ends[count] = end
      slots[free] = count + 1
      count += 1
      if (2 * count === slots.length) grow()
    },
  }
}
