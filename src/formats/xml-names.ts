/**
 * Names of elements and attributes, each decoded once: a report has some thirty of them, a million times. They are numbered, and compared as strings that
 * the engine keeps once, which is as fast as comparing numbers.
 */
export interface NameTable {
  /** By number. */
  names: string[]
  /** The number of what was sought last. */
  last: number
  /** Most names there can be. */
  max: number
  /** `hash` is any function of the bytes. */
  find(bytes: Uint8Array, from: number, to: number, hash: number): void
}

const [maxNames, maxNameBytes, slotCount] = [1_024, 256, 4_096]
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

// Slots are within the table: hence `as number`.

export function createNameTable(fail: (what: string, at: number) => never): NameTable {
  /** Number + 1 by slot; 0 is free. */
  const slots = new Int32Array(slotCount)
  const spellings: Uint8Array[] = []

  function isSpelled(number: number, bytes: Uint8Array, from: number, to: number): boolean {
    const spelling = spellings[number] as Uint8Array
    if (spelling.length !== to - from) return false
    for (let i = 0; i < spelling.length; i += 1) if (spelling[i] !== bytes[from + i]) return false
    return true
  }

  const table: NameTable = {
    names: [],
    last: 0,
    max: maxNames,
    find(bytes, from, to, hash) {
      let slot = (hash ^ (hash >>> 12)) & (slotCount - 1)
      for (let number = (slots[slot] as number) - 1; number >= 0; number = (slots[slot] as number) - 1) {
        if (isSpelled(number, bytes, from, to)) {
          table.last = number
          return
        }
        slot = (slot + 1) & (slotCount - 1)
      }
      if (to - from > maxNameBytes) fail(`a name longer than ${maxNameBytes} bytes`, from)
      if (table.names.length === maxNames) fail(`more than ${maxNames} different names`, from)
      const spelling = bytes.slice(from, to)
      spellings.push(spelling)
      table.last = table.names.push(toName(spelling) ?? fail('a name that is not UTF-8', from)) - 1
      slots[slot] = table.last + 1
    },
  }
  return table
}

/** As the key of an object a string is kept once. */
function toName(spelling: Uint8Array): string | undefined {
  try {
    return Object.keys({ [utf8.decode(spelling)]: 0 })[0]
  } catch {
    return undefined
  }
}
