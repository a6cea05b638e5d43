import { hashBytes, rootOfLeaves } from './merkle.ts'
import type { Node } from './merkle.ts'
import type { NodeSource } from './merkle-proof.ts'

/**
 * C2SP tlog-tiles: the tree cut into tiles of 256 hashes, eight levels of the tree each. Entry i of tile n at level l is the root of the
 * perfect subtree of height 8*l with index 256*n+i. Level `entries` is the entry bundles, which share the coordinates of level 0.
 */

export const tileWidth = 256
const tileHeight = 8
const maxEntryBytes = 65_535

export interface Tile {
  level: number | 'entries'
  index: number
  /** Hashes or entries in it: 256 when full, else 1 to 255. */
  width: number
}

/** `tile/<level>/<index>[.p/<width>]`, the index in groups of three digits: 1234067 -> x001/x234/067. */
export function tilePath(level: number | 'entries', index: number, width: number = tileWidth): string {
  const isLevel = level === 'entries' || (Number.isInteger(level) && level >= 0 && level <= 63)
  if (
    !isLevel ||
    !Number.isSafeInteger(index) ||
    index < 0 ||
    !Number.isInteger(width) ||
    width < 1 ||
    width > tileWidth
  ) {
    throw new RangeError(`there is no tile ${level}/${index} of width ${width}`)
  }
  const text = String(index)
  const groups = text.padStart(Math.ceil(text.length / 3) * 3, '0').match(/\d{3}/g) ?? []
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
  return `tile/${level}/${path}${width === tileWidth ? '' : `.p/${width}`}`
}

/** Reads exactly what `tilePath` prints; undefined for anything else. */
export function parseTilePath(path: string): Tile | undefined {
  const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path)
  if (match === null) return undefined
  const [, levelText, indexText = '', widthText] = match
  const level = levelText === 'entries' ? levelText : Number(levelText)
  const index = Number(indexText.replace(/[x/]/g, ''))
  const width = widthText === undefined ? tileWidth : Number(widthText)
  if ((level !== 'entries' && level > 63) || !Number.isSafeInteger(index) || width < 1) return undefined
  return width <= tileWidth && tilePath(level, index, width) === path ? { level, index, width } : undefined
}

/** How many hashes level `level` has in a tree of `size` leaves. */
const hashesAt = (level: number | 'entries', size: number): number =>
  Math.floor(size / tileWidth ** (level === 'entries' ? 0 : level))

/** Width of the one partial tile of a level: floor(size / 256^level) mod 256; 0 means there is none, and none may be served. */
export function partialWidth(level: number | 'entries', size: number): number {
  return hashesAt(level, size) % tileWidth
}

/** Width of a tile in a tree of `size` leaves: 256 when full, 0 when it does not exist. */
export function tileWidthAt(level: number | 'entries', index: number, size: number): number {
  return Math.max(0, Math.min(tileWidth, hashesAt(level, size) - index * tileWidth))
}

/** The hash tiles that are new or wider in a tree of `to` leaves than in one of `from`: levels ascending, then index; partial ones last. */
export function* tilesBetween(from: number, to: number): Generator<Tile & { level: number }> {
  for (let level = 0; hashesAt(level, to) > hashesAt(level, from); level++) {
    const count = hashesAt(level, to)
    for (let index = Math.floor(hashesAt(level, from) / tileWidth); index * tileWidth < count; index++) {
      yield { level, index, width: Math.min(tileWidth, count - index * tileWidth) }
    }
  }
}

export interface TileSpan {
  level: number
  index: number
  /** The first of the tile's hashes that the node covers, and how many. */
  offset: number
  count: number
}

/** Where a perfect subtree lies: `count` hashes of one tile (1 when its height is a multiple of 8), which fold into it. */
export function tileOfNode(node: Node): TileSpan {
  const count = 2 ** (node.height % tileHeight)
  const first = node.index * count
  const index = Math.floor(first / tileWidth)
  return { level: Math.floor(node.height / tileHeight), index, offset: first - index * tileWidth, count }
}

/** The hash of a perfect subtree, out of the bytes of its tile. Throws when the tile is too narrow for it. */
export function nodeFromTile(tile: Uint8Array, { offset, count }: TileSpan): Uint8Array {
  if (tile.length < (offset + count) * hashBytes)
    throw new Error(`a tile of ${tile.length} bytes does not reach hash ${offset + count}`)
  return rootOfLeaves(tile.subarray(offset * hashBytes, (offset + count) * hashBytes))
}

/**
 * Nodes of a tree of `size` leaves out of its tiles. Each tile is read once per call, at the width it has in that tree. What is read is
 * not checked here: a proof made from it is.
 */
export function nodesFromTiles(
  size: number,
  readTile: (tile: Tile & { level: number }) => Promise<Uint8Array>,
): NodeSource {
  return async (nodes) => {
    const tiles = new Map<string, Promise<Uint8Array>>()
    const read = (span: TileSpan): Promise<Uint8Array> => {
      const width = tileWidthAt(span.level, span.index, size)
      if (width === 0) throw new RangeError(`there is no tile ${span.level}/${span.index} in a tree of ${size}`)
      const key = `${span.level}/${span.index}`
      const found = tiles.get(key) ?? readTile({ level: span.level, index: span.index, width })
      tiles.set(key, found)
      return found
    }
    const spans = nodes.map(tileOfNode)
    return Promise.all(spans.map(async (span) => nodeFromTile(await read(span), span)))
  }
}

/**
 * The first `width` hashes of a tile that has them or is full: what stands in for a partial tile that was let go once the full one was there.
 * Throws for any other length: a tile that is torn, or has more hashes than was asked for without being whole.
 */
export function trimTile(tile: Uint8Array, width: number): Uint8Array {
  if (tile.length !== width * hashBytes && tile.length !== tileWidth * hashBytes)
    throw new Error(`a tile of ${tile.length} bytes instead of ${width * hashBytes}`)
  return tile.subarray(0, width * hashBytes)
}

/** The same of an entry bundle. Throws when it is torn, or holds neither `width` nor 256 entries. */
export function trimBundle(bytes: Uint8Array, width: number): Uint8Array {
  const entries = splitBundle(bytes)
  if (entries.length !== width && entries.length !== tileWidth) throw new Error(`the bundle holds ${entries.length} entries, not ${width}`) // oxfmt-ignore
  return bytes.subarray(
    0,
    entries.slice(0, width).reduce((sum, entry) => sum + 2 + entry.length, 0),
  )
}

/** An entry bundle: each entry behind its length, 16 bits big-endian. Throws for more than 256 entries, or one over 65,535 bytes. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length > tileWidth) throw new RangeError(`a bundle holds at most 256 entries, not ${entries.length}`)
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0))
  let at = 0
  for (const entry of entries) {
    if (entry.length > maxEntryBytes)
      throw new RangeError(`an entry of ${entry.length} bytes does not fit into a bundle`)
    bytes[at] = entry.length >> 8
    bytes[at + 1] = entry.length & 0xff
    bytes.set(entry, at + 2)
    at += 2 + entry.length
  }
  return bytes
}

/** The entries, as views of `bytes`. Throws when the bundle is torn or does not hold exactly `width` entries. */
export function decodeBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  const entries = splitBundle(bytes)
  if (entries.length !== width) throw new Error(`the bundle holds ${entries.length} entries, not ${width}`)
  return entries
}

function splitBundle(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = []
  let at = 0
  while (at < bytes.length) {
    const start = at + 2
    const end = start + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
    if (end > bytes.length || start > bytes.length) throw new Error(`the bundle ends within entry ${entries.length}`)
    entries.push(bytes.subarray(start, end))
    at = end
  }
  return entries
}
