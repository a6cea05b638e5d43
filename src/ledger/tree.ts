import type { Queryable } from '../database/database.ts'
import { consistencyProof, inclusionProof } from '../log/merkle-proof.ts'
import { printProof } from '../log/proof.ts'
import { encodeBundle, nodeFromTile, tileOfNode, tileWidth } from '../log/tiles.ts'
import { type Edge, type Node, createEdge, equalHashes, perfectSubtrees, rootOf } from '../log/merkle.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { Reader } from './read.ts'
import type { Append } from './batch.ts'
import { joinLeaves, leafPiecesBetween } from './cold.ts'
import * as store from './store.ts'
import { createTileMemory } from './tile-memory.ts'

/**
 * The Merkle tree of one ledger as C2SP tlog-tiles. Level 0 is cut from the segments' leaf hashes, the levels above from tile_roots; both
 * are immutable, so what was read once, or appended by this process, is kept. Nothing is served beyond the newest checkpoint.
 */
export interface Tree {
  checkpoint(): Promise<string | undefined>
  /** 32 bytes for each of `width` entries; undefined when the published tree has fewer. */
  tile(level: number, index: number, width: number): Promise<Uint8Array | undefined>
  /** Entry bundle of `width` records from 256 * index on. */
  entries(index: number, width: number): Promise<Uint8Array | undefined>
  /** Proof that the tree of size `to` continues that of size `from`, which are sizes of committed heads. */
  consistency(from: number, to: number): Promise<Uint8Array[]>
  /** The edge of a committed head. Throws Problem('integrity') when what is stored does not fold into its root. */
  edge(size: number, root: Uint8Array): Promise<Edge>
  /** Hashes of perfect subtrees, all of whose leaves are committed. */
  nodes(wanted: readonly Node[]): Promise<Uint8Array[]>
  /** The edge of any size up to that of a committed head, as the stored hashes have it. */
  edgeOf(size: number): Promise<Edge>
  /** Leaf hashes of the committed records [from, to), packed. */
  leafHashes(from: number, to: number): Promise<Buffer>
  /** tlog-proof of a record against this checkpoint, or the newest. */
  proof(seq: number, checkpoint?: { size: number; note: string }): Promise<string>
  /** An append whose commit came back clean: its hashes need not be read back, as the proof for its own signature would. */
  grew(append: Pick<Append, 'segments' | 'tileRoots'>): void
}

export function createTree(db: Queryable, ledger: LedgerName, reader: Pick<Reader, 'readBatch'>): Tree {
  const memory = createTileMemory()

  /** Hashes [from, to) of a tile row, straight from the tables. */
  const row = async (level: number, from: number, to: number): Promise<Uint8Array | undefined> => {
    if (level > 0) {
      const roots = await store.tileRootsBetween(db, ledger, level, from, to)
      return roots.length === to - from ? Buffer.concat(roots) : undefined
    }
    const pieces = await store.leafHashesBetween(db, ledger, from, to)
    // Looked at second: a month that leaves in between is then seen twice, never not at all.
    return (
      joinLeaves(pieces, from, to) ??
      joinLeaves([...pieces, ...(await leafPiecesBetween(db, ledger, from, to))], from, to)
    )
  }

  const tile = async (level: number, index: number, width: number): Promise<Uint8Array | undefined> => {
    const known = memory.width(level, index)
    if (known < width) {
      const first = index * tileWidth
      const rest = await row(level, first + known, first + width)
      if (rest === undefined) return undefined
      memory.add(level, first + known, rest)
    }
    return memory.find(level, index, width)
  }

  /** Hash of a perfect subtree, out of the one tile that holds its base. */
  const node = async (wanted: Node): Promise<Uint8Array> => {
    const span = tileOfNode(wanted)
    const hashes = await tile(span.level, span.index, span.offset + span.count)
    if (hashes === undefined)
      throw new Problem('integrity', `${ledger}: hashes of tile ${span.level}/${span.index} are missing`)
    return nodeFromTile(hashes, span)
  }
  const nodes = (wanted: readonly Node[]): Promise<Uint8Array[]> => Promise.all(wanted.map(node))

  const edgeOf = async (size: number): Promise<Edge> => createEdge(size, await nodes(perfectSubtrees(0, size)))

  const published = async (): Promise<number> => (await store.newestCheckpoint(db, ledger))?.size ?? 0

  return {
    checkpoint: async () => (await store.newestCheckpoint(db, ledger))?.note,
    async tile(level, index, width) {
      const size = await published()
      return (index * tileWidth + width) * tileWidth ** level > size ? undefined : tile(level, index, width)
    },
    async entries(index, width) {
      const from = index * tileWidth
      if (from + width > (await published())) return undefined
      const entries: Uint8Array[] = []
      while (entries.length < width) {
        const batch = await reader.readBatch(ledger, from + entries.length, {
          maxRecords: width - entries.length,
          maxBytes: 2 ** 24,
        })
        if (batch.records.length === 0) return undefined
        for (const record of batch.records) entries.push(record.bytes)
      }
      return encodeBundle(entries)
    },
    nodes,
    consistency: (from, to) => consistencyProof(from, to, nodes),
    edgeOf,
    async edge(size, root) {
      const edge = await edgeOf(size)
      if (!equalHashes(rootOf(edge), root))
        throw new Problem(
          'integrity',
          `${ledger}: the stored hashes of ${size} records do not lead to the root of their head`,
        )
      return edge
    },
    async leafHashes(from, to) {
      const parts: Uint8Array[] = []
      for (let at = from; at < to;) {
        const index = Math.floor(at / tileWidth)
        const end = Math.min(to, (index + 1) * tileWidth)
        const hashes = await tile(0, index, end - index * tileWidth)
        if (hashes === undefined) throw new Error(`leaf hashes ${from} to ${to} are not all there`)
        parts.push(hashes.subarray((at - index * tileWidth) * 32))
        at = end
      }
      return Buffer.concat(parts)
    },
    async proof(seq, checkpoint) {
      const { size, note } = checkpoint ?? (await store.newestCheckpoint(db, ledger)) ?? { size: 0, note: '' }
      if (seq >= size) throw new Problem('not_found', `no published record ${seq} in ${ledger}`)
      return printProof({ index: seq, hashes: await inclusionProof(seq, size, nodes), checkpoint: note })
    },
    grew({ segments, tileRoots }) {
      for (const { firstSeq, leafHashes } of segments) memory.add(0, firstSeq, leafHashes)
      for (const { level, index, root } of tileRoots) memory.add(level, index, root)
    },
  }
}
