import { hashBytes } from '../log/merkle.ts'
import { tileWidth } from '../log/tiles.ts'

/**
 * Tiles of one ledger's tree, each as far as it has grown. What stands in a tile never changes, so a tile only gets wider: an append adds
 * what it made, a read from the tables what was not there yet.
 */
export interface TileMemory {
  /** How many hashes of this tile are known, from its first one on. */
  width(level: number, index: number): number
  /** The first `width` hashes; undefined when fewer are known. */
  find(level: number, index: number, width: number): Uint8Array | undefined
  /** Hashes `at` and following of a row of the tree, packed, over as many tiles as it takes. What would leave a hole in a tile is left out. */
  add(level: number, at: number, hashes: Uint8Array): void
}

interface Grown {
  bytes: Uint8Array
  width: number
}

/** 8 KiB each. */
const maxTiles = 1_024

export function createTileMemory(): TileMemory {
  const tiles = new Map<string, Grown>()

  const addTo = (level: number, index: number, offset: number, hashes: Uint8Array): void => {
    const key = `${level}/${index}`
    const known = tiles.get(key) ?? { bytes: new Uint8Array(tileWidth * hashBytes), width: 0 }
    if (offset > known.width) return
    // Bytes below the old width are the same again; nobody was given what lies above it.
    known.bytes.set(hashes, offset * hashBytes)
    known.width = Math.max(known.width, offset + hashes.length / hashBytes)
    tiles.delete(key)
    tiles.set(key, known)
    if (tiles.size > maxTiles) tiles.delete(tiles.keys().next().value ?? key)
  }

  return {
    width: (level, index) => tiles.get(`${level}/${index}`)?.width ?? 0,
    find(level, index, width) {
      const known = tiles.get(`${level}/${index}`)
      return known === undefined || known.width < width ? undefined : known.bytes.subarray(0, width * hashBytes)
    },
    add(level, at, hashes) {
      const end = at + hashes.length / hashBytes
      for (let from = at; from < end;) {
        const index = Math.floor(from / tileWidth)
        const to = Math.min(end, (index + 1) * tileWidth)
        addTo(level, index, from - index * tileWidth, hashes.subarray((from - at) * hashBytes, (to - at) * hashBytes))
        from = to
      }
    },
  }
}
