import type { Tree } from '../ledger/tree.ts'
import { type Checkpoint, openCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { equalHashes, foldHashes, hashBytes, hashLeaf, perfectSubtrees, rootOfLeaves } from '../log/merkle.ts'
import {
  type Tile,
  decodeBundle,
  nodesFromTiles,
  tilePath,
  tileWidth,
  tileWidthAt,
  tilesBetween,
} from '../log/tiles.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { printHash } from '../verify/differences.ts'
import type { Shelf } from './shelf.ts'

/**
 * Writes one log out as C2SP tlog-tiles: entry bundles and tiles first, the checkpoint last, so that whatever checkpoint a reader holds,
 * all that it covers is there. Where to go on from is read from the published checkpoint itself, which is verified like anybody's; nothing
 * is remembered elsewhere. A crash at any point leaves files that the next round makes again, finds and compares.
 */

export interface PublishDeps {
  shelf: Shelf
  ledger: LedgerName
  origin: string
  keys: readonly TrustedKey[]
  tree: Pick<Tree, 'tile' | 'entries'>
  /** The checkpoint to publish: the newest, or the newest that enough witnesses have signed. */
  newest: () => Promise<string | undefined>
  signal: AbortSignal
}

export type Published =
  /** What readers see now. */
  | { kind: 'published'; size: number; isNew: boolean }
  /** There is nothing to publish yet. */
  | { kind: 'nothing' }
  /** The copy is larger than what may be published: an older database, or a policy for witnesses that came later. Nothing was written. */
  | { kind: 'ahead'; size: number; note: string }

/** Files on their way at a time. */
const filesAtOnce = 8

/** One round. Throws Problem `integrity` when the copy is not this log's, or the log's own bytes do not lead to its signed root. */
export async function publishLog(deps: PublishDeps): Promise<Published> {
  const { shelf, ledger, newest, signal } = deps
  const path = `${ledger}/checkpoint`
  const note = await newest()
  const before = await shelf.get(path)
  const published = before === undefined ? undefined : await readCheckpoint(deps, before, `${shelf.name}: ${path}`)
  if (note === undefined)
    return published === undefined || before === undefined
      ? { kind: 'nothing' }
      : { kind: 'ahead', size: published.size, note: textOf(before) }
  const bytes = new TextEncoder().encode(note)
  const next = await readCheckpoint(deps, bytes, `the newest checkpoint of ${ledger}`)
  const from = published?.size ?? 0
  if (published !== undefined && before !== undefined) {
    if (from > next.size) return { kind: 'ahead', size: from, note: textOf(before) }
    if (Buffer.compare(before, bytes) === 0) return { kind: 'published', size: from, isNew: false }
  }
  // Our own tree, at the size that is published, must have the published root; and at the next size the signed one.
  if (published !== undefined) await assertRoot(deps, published)
  await assertRoot(deps, next)
  await writeTiles(deps, from, next.size)
  if (signal.aborted) throw signal.reason
  await shelf.settle()
  await shelf.replace(path, bytes, before)
  for (const tile of outgrown(from, next.size)) await shelf.dropPartials(`${ledger}/${tile}`)
  return { kind: 'published', size: next.size, isNew: true }
}

async function readCheckpoint({ origin, keys }: PublishDeps, bytes: Uint8Array, what: string): Promise<Checkpoint> {
  try {
    return await openCheckpoint(bytes, origin, keys)
  } catch (cause) {
    if (!(cause instanceof LogError)) throw cause
    throw new Problem('integrity', `${what} is not of ${origin}: ${cause.message}`, { cause })
  }
}

/** Out of the very tiles that are put, so that those of the right edge are checked with it. */
async function assertRoot({ tree, ledger, shelf }: PublishDeps, { size, root }: Checkpoint): Promise<void> {
  const nodes = nodesFromTiles(size, async ({ level, index, width }) => {
    const hashes = await tree.tile(level, index, width)
    if (hashes !== undefined) return hashes
    throw new Problem('integrity', `${ledger}: hashes of ${tilePath(level, index, width)} are missing`)
  })
  const found = foldHashes(await nodes(perfectSubtrees(0, size)))
  if (equalHashes(found, root)) return
  throw new Problem(
    'integrity',
    `${ledger} does not lead to the signed root at size ${size}, in ${shelf.name}: expected ${printHash(root)}, found ${printHash(found)}`,
  )
}

/** Every tile and bundle that is new or wider at `to`, each checked against the tree before it is put. */
async function writeTiles(deps: PublishDeps, from: number, to: number): Promise<void> {
  const tiles = tilesBetween(from, to)
  let failure: unknown
  const work = async (): Promise<void> => {
    for (const tile of tiles) {
      if (failure !== undefined || deps.signal.aborted) return
      try {
        await writeTile(deps, tile, to)
      } catch (error) {
        failure ??= error
      }
    }
  }
  await Promise.all(Array.from({ length: filesAtOnce }, work)) // one iterator, shared: each takes the next one
  if (failure !== undefined) throw failure
}

async function writeTile(
  deps: PublishDeps,
  { level, index, width }: Tile & { level: number },
  to: number,
): Promise<void> {
  const { shelf, ledger, tree } = deps
  const hashes = await tree.tile(level, index, width)
  if (hashes === undefined)
    throw new Problem('integrity', `${ledger}: hashes of ${tilePath(level, index, width)} are missing`)
  // A full tile's root stands in the tile above it; a partial one was part of the signed root, which was computed from it.
  const above = { index: Math.floor(index / tileWidth), width: (index % tileWidth) + 1 }
  if (width === tileWidth && tileWidthAt(level + 1, above.index, to) >= above.width) {
    const parent = await tree.tile(level + 1, above.index, above.width)
    if (parent === undefined || !equalHashes(parent.subarray(-hashBytes), rootOfLeaves(hashes)))
      throw new Problem('integrity', `${ledger}: ${tilePath(level, index)} does not lead to the tile above it`)
  }
  // A copy that begins after records expired has their hashes only, as the log itself does then (pruning, in tlog-tiles).
  if (level === 0) await writeBundle(deps, index, width, hashes).catch(unlessExpired)
  await shelf.putOnce(`${ledger}/${tilePath(level, index, width)}`, hashes)
}

async function writeBundle(
  { shelf, ledger, tree }: PublishDeps,
  index: number,
  width: number,
  hashes: Uint8Array,
): Promise<void> {
  const bundle = await tree.entries(index, width)
  if (bundle === undefined)
    throw new Problem('integrity', `${ledger}: records of ${tilePath('entries', index, width)} are missing`)
  for (const [i, entry] of decodeBundle(bundle, width).entries()) {
    if (!equalHashes(hashLeaf(entry), hashes.subarray(i * hashBytes, (i + 1) * hashBytes)))
      throw new Problem('integrity', `${ledger}: record ${index * tileWidth + i} does not hash to its leaf`)
  }
  await shelf.putOnce(`${ledger}/${tilePath('entries', index, width)}`, bundle)
}

function unlessExpired(error: unknown): void {
  if (!(error instanceof Problem) || error.code !== 'expired') throw error
}

/** Full tiles that were partial at `from`. */
function* outgrown(from: number, to: number): Generator<string> {
  for (const { level, index, width } of tilesBetween(from, to)) {
    const was = tileWidthAt(level, index, from)
    if (width < tileWidth || was === 0) continue
    yield tilePath(level, index)
    if (level === 0) yield tilePath('entries', index)
  }
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
