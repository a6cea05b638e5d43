/**
 * Which payloads were recorded before: an open-addressing table over the 64 bits of payload hash that stand in every id, 16 bytes a slot
 * and at most 0.7 full: 270 MB for ten million records. Two different payloads among those share 64 bits once in 370,000 audits.
 */
export interface SeenPayloads {
  /** The seq at which these 52 and 12 bits were added first; undefined when they are new, and then they are added. */
  findOrAdd(high: number, low: number, seq: number): number | undefined
}

const lowValues = 4_096

export function createSeenPayloads(): SeenPayloads {
  let capacity = 1 << 12
  let table = new Float64Array(2 * capacity) // per slot: high + 1 (0 is free); seq * 4096 + low, exact below seq 2^41
  let count = 0

  /** Where the key stands, or the free place where it belongs. */
  const placeOf = (high: number, low: number): number => {
    let slot = high >>> 0
    for (;;) {
      const at = 2 * (slot & (capacity - 1))
      const key = table[at]
      if (key === 0 || (key === high + 1 && (table[at + 1] ?? 0) % lowValues === low)) return at
      slot++
    }
  }
  const grow = (): void => {
    const old = table
    capacity *= 2
    table = new Float64Array(2 * capacity)
    for (let i = 0; i < old.length; i += 2) {
      const [key = 0, value = 0] = [old[i], old[i + 1]]
      if (key === 0) continue
      const at = placeOf(key - 1, value % lowValues)
      table[at] = key
      table[at + 1] = value
    }
  }

  return {
    findOrAdd(high, low, seq) {
      const at = placeOf(high, low)
      if (table[at] !== 0) return Math.floor((table[at + 1] ?? 0) / lowValues)
      table[at] = high + 1
      table[at + 1] = seq * lowValues + low
      if (++count > capacity * 0.7) grow()
      return undefined
    },
  }
}
