import { hashBytes } from '../log/merkle.ts'
import { type Tile, decodeBundle, tilePath, tileWidth } from '../log/tiles.ts'

/** Where the files of logs are read from: a service, any server of C2SP tlog-tiles, a folder. */
export interface LogSource {
  /** For people. */
  readonly name: string
  /** Caches may stand between: what does not fit is worth asking for again. */
  readonly mayBeCached: boolean
  /** Whole bytes of `<org>/<ledger>/<file>`; undefined when there is nothing. `fresh`: caches on the way must ask again. */
  get(path: string, fresh: boolean): Promise<Uint8Array | undefined>
  /** Whether the answer to this path was that its records are gone, their retention having passed. */
  isExpired?(path: string): boolean
}

/** One log of it. */
export type ReadFile = (path: string, fresh: boolean) => Promise<Uint8Array | undefined>

/**
 * A tile or entry bundle as wide as asked for. A partial one may be gone once the full one is there, which is then cut to size. What is
 * torn or too long is asked for once more past all caches, and given as it is then: whoever checks it names it.
 */
export async function readTile(get: ReadFile, tile: Tile, fresh: boolean): Promise<Uint8Array | undefined> {
  const once = async (again: boolean): Promise<Uint8Array | undefined> => {
    const found = await get(tilePath(tile.level, tile.index, tile.width), again)
    if (found !== undefined || tile.width === tileWidth) return found
    const full = await get(tilePath(tile.level, tile.index), again)
    return full === undefined ? undefined : cut(full, tile)
  }
  const first = await once(fresh)
  return fresh || (first !== undefined && isWhole(first, tile)) ? first : once(true)
}

function isWhole(bytes: Uint8Array, { level, width }: Tile): boolean {
  return level === 'entries' ? endOfEntries(bytes, width) === bytes.length : bytes.length === width * hashBytes
}

/** The first `width` entries or hashes of a full tile; all of it when it is torn. */
function cut(full: Uint8Array, { level, width }: Tile): Uint8Array {
  if (!isWhole(full, { level, index: 0, width: tileWidth })) return full
  return full.subarray(0, level === 'entries' ? endOfEntries(full, width) : width * hashBytes)
}

/** Where `width` entries end; undefined when there are fewer. */
function endOfEntries(bytes: Uint8Array, width: number): number | undefined {
  let at = 0
  for (let i = 0; i < width; i++) {
    if (at + 2 > bytes.length) return undefined
    at += 2 + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
  }
  return at <= bytes.length ? at : undefined
}

/** Entries of a bundle, or undefined when it is torn or holds another number of them. */
export function entriesOf(bytes: Uint8Array, width: number): Uint8Array[] | undefined {
  return endOfEntries(bytes, width) === bytes.length ? decodeBundle(bytes, width) : undefined
}
