import { openCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { appendLeaves, emptyEdge, equalHashes, hashBytes, rootOf } from '../log/merkle.ts'
import type { Edge } from '../log/merkle.ts'
import { decodeBundle, tilePath, tileWidth } from '../log/tiles.ts'
import type { Tile } from '../log/tiles.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { type LedgerName, type Micros, ledgerKindOf } from '../record/record.ts'
import { createDifferences, kindOfLogError, printHash } from './differences.ts'
import type { Difference, DifferenceKind } from './differences.ts'
import { createExpectations } from './expectations.ts'
import { createRecordChecker } from './record-check.ts'
import type { CheckedRecord, PlacedRecord } from './record-check.ts'
import { createSeenPayloads } from './seen-payloads.ts'

/**
 * Finds out whether bytes are what the log says. Told first what is claimed (leaf hashes, tiles, heads, checkpoints), then fed the
 * records in order, from a database, a running service or files alike; names every difference by seq, with what was expected and found.
 *
 * Where a stored leaf hash and the record disagree, the tree goes on with the stored one: so the one altered record is named, and the
 * signed roots still say whether the rest is whole. Where a record is missing and no leaf hash is known, or a root is not met, no later
 * root can be computed; records are still checked one by one, and `proved` tells how far the roots held.
 */
export interface Audit {
  /** The next record. `position` is the seq under which it was stored, where that is known; else the record's own word is taken. */
  add(record: Uint8Array, position?: number): void
  /** The same of a record whose header was made from what is stored beside its payload: a third of the time goes into reading headers. */
  addPlaced(record: PlacedRecord): void
  /** Leaf hashes from `firstSeq` on, packed; as stored beside segments. Whatever is expected must be told before its records are added. */
  expectLeafHashes(firstSeq: number, packed: Uint8Array): void
  /** A hash tile as served under /log: level 0 are leaf hashes, higher ones roots of subtrees. */
  expectTile(tile: Tile & { level: number }, bytes: Uint8Array): void
  /** Roots of perfect subtrees of 256^`level` leaves, packed, from the one with this index on; as tiles are cut from. */
  expectSubtrees(level: number, firstIndex: number, packed: Uint8Array): void
  /** A root that some head claims for a size. */
  expectHead(size: number, root: Uint8Array): void
  /** A signed checkpoint. Its signature is checked at once, its root when the records reach its size. */
  expectCheckpoint(note: string): Promise<void>
  /** An entry bundle: adds the records that follow those already added, so that a partial bundle may be followed by the full one. */
  addBundle(tile: Tile & { level: 'entries' }, bytes: Uint8Array): void
  /** Steps over the records before `until`, by the leaf hashes that are known: they are missing, or let go of because their time had come. */
  pass(until: number, why: 'missing' | 'expired'): void
  /** What the caller found to differ beside the records, to stand in the same list. */
  differ(kind: DifferenceKind, seq: number, expected: string, found: string, through?: number): void
  /** Seq of the record that comes next. */
  next(): number
  /** To be called once, after the last record. */
  finish(): AuditResult
}

export interface AuditResult {
  ledger: LedgerName
  /** Records up to here were looked at. */
  size: number
  /** Over all of them; undefined when it cannot be computed because leaves are missing or wrong. */
  root: Uint8Array | undefined
  /** The tree of `size` records, to begin another audit with; undefined like `root`. */
  edge: Edge | undefined
  /** Number of records that are gone because their retention has passed: proved by their leaf hashes, but nobody can read them. */
  expired: number
  /** Number of records whose bytes were checked. */
  checked: number
  /** Largest size at which an expected root was met. */
  proved: number
  /** Largest size covered by a checkpoint that was validly signed and met; -1 for none: also an empty log has one. */
  signed: number
  /** In order of seq; at most `maxDifferences`. */
  differences: Difference[]
  /** All of them, also those past the limit. */
  differenceCount: number
}

export interface AuditOptions {
  ledger: LedgerName
  /** Origin of the log's checkpoints. */
  origin: string
  vkeys: readonly TrustedKey[]
  /** Begin in the middle, with a tree that is trusted, and the time of its last record. Default: the empty tree. */
  from?: Edge & { lastTime: Micros }
  /** About one record in so many is parsed as JSON as well. Default 256; 1 parses all, 0 none. */
  parseEvery?: number
  /** 32 bits that decide which. Default random: who alters records cannot know it. */
  seed?: number
  /** Whether to look for payloads that were recorded twice; memory grows with the ledger. Default: only for unit and integration, where no two are alike. */
  findDoubles?: boolean
  /** Default 10,000. */
  maxDifferences?: number
}

/** Leaves are folded into the tree in batches of this many. */
const batchLeaves = 1_024

export function createAudit(options: AuditOptions): Audit {
  const { ledger, origin, vkeys, parseEvery = 256 } = options
  const seed = options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
  const seen =
    (options.findDoubles ?? ['unit', 'integration'].includes(ledgerKindOf(ledger))) ? createSeenPayloads() : undefined
  const checker = createRecordChecker(ledger, parseEvery, seed)
  const differences = createDifferences(options.maxDifferences ?? 10_000)
  const start: Edge = options.from ?? emptyEdge
  const expected = createExpectations(start.size)
  const leaves = new Uint8Array(batchLeaves * hashBytes)

  let edge = start
  let waiting = 0 // leaves not yet folded
  let next = start.size
  let lastTime = options.from?.lastTime ?? -1
  let checked = 0
  let expired = 0
  let foldable = true
  let proved = start.size
  let signed = -1
  let boundary = Infinity // the next size whose root is expected

  const meetRoots = (): void => {
    for (const { root, isSigned } of expected.takeRoots(edge.size)) {
      if (!foldable) continue
      const found = rootOf(edge)
      if (equalHashes(found, root)) {
        proved = edge.size
        if (isSigned) signed = edge.size
        continue
      }
      const what = `root ${printHash(root)} at size ${edge.size}`
      differences.add(
        'root-mismatch',
        Math.min(proved, Math.max(0, edge.size - 1)),
        what,
        `root ${printHash(found)}`,
        Math.max(0, edge.size - 1),
      )
      foldable = false
    }
  }

  const fold = (): void => {
    if (waiting > 0 && foldable) {
      const appended = appendLeaves(edge, leaves.subarray(0, waiting * hashBytes))
      edge = appended
      for (const { height, index, hash } of appended.completed) {
        const wanted = expected.takeNode(height, index)
        if (wanted === undefined || equalHashes(wanted, hash)) continue
        const first = index * 2 ** height
        const what = `subtree ${printHash(wanted)} in level ${height / 8}`
        differences.add('tile-mismatch', first, what, `subtree ${printHash(hash)}`, first + 2 ** height - 1)
      }
    }
    waiting = 0
    if (next === edge.size) meetRoots()
    boundary = expected.nextRoot(next)
  }

  const push = (leafHash: Uint8Array): void => {
    leaves.set(leafHash, waiting * hashBytes)
    waiting++
    next++
    if (waiting === batchLeaves || next >= boundary) fold()
  }

  /** Steps over [next, until): with the leaf hashes that are known the tree can still be computed. */
  const skip = (until: number, why: 'missing' | 'expired' = 'missing'): void => {
    if (why === 'expired') expired += until - next
    else differences.add('missing', next, `records ${next} to ${until - 1}`, 'nothing', until - 1)
    while (next < until && foldable) {
      const known = expected.takeLeaf(next)
      if (known === undefined) {
        fold() // what came before the gap still counts
        foldable = false
      } else push(known)
    }
    next = until
    fold()
  }

  const addLeaves = (firstSeq: number, packed: Uint8Array): void => {
    for (const { seq, before, now } of expected.addLeaves(firstSeq, packed, next)) {
      differences.add(
        'leaf-mismatch',
        seq,
        `leaf ${printHash(before)}`,
        `leaf ${printHash(now)} in another place where it is stored`,
      )
    }
  }

  const take = (
    { leafHash, seq, recordedAt, payloadHigh, payloadLow, fault }: CheckedRecord,
    position: number | undefined,
  ): void => {
    const at = position ?? seq ?? next
    if (at < next) {
      differences.add('duplicate', at, `seq ${next}`, `seq ${at} again`)
      return
    }
    if (at > next) skip(at)
    checked++
    if (fault !== undefined) differences.add(fault.kind, at, fault.expected, fault.found)
    if (seq !== undefined) {
      if (seq !== at) differences.add('id-mismatch', at, `seq ${at}`, `seq ${seq}`)
      if (recordedAt <= lastTime) differences.add('time-not-increasing', at, `after ${lastTime} us`, `${recordedAt} us`)
      lastTime = recordedAt // also after a step back: what was moved is named once, not every record behind it
      const before = fault === undefined ? seen?.findOrAdd(payloadHigh, payloadLow, at) : undefined
      if (before !== undefined)
        differences.add('submission-double', at, `once, at seq ${before}`, 'the same payload again')
    }
    const known = expected.takeLeaf(at)
    if (known !== undefined && !equalHashes(known, leafHash)) {
      differences.add('leaf-mismatch', at, `leaf ${printHash(known)}`, `leaf ${printHash(leafHash)}`)
    }
    push(known ?? leafHash)
  }

  const audit: Audit = {
    add: (record, position) => take(checker.check(record), position),
    addPlaced: (record) => take(checker.checkPlaced(record), record.seq),

    expectLeafHashes(firstSeq, packed) {
      addLeaves(firstSeq, packed)
    },

    expectTile(tile, bytes) {
      const first = tile.index * tileWidth ** (tile.level + 1)
      const through = first + tile.width * tileWidth ** tile.level - 1
      if (bytes.length !== tile.width * hashBytes) {
        const path = tilePath(tile.level, tile.index, tile.width)
        differences.add(
          'tile-mismatch',
          first,
          `${tile.width * hashBytes} bytes of ${path}`,
          `${bytes.length} bytes`,
          through,
        )
      } else if (tile.level === 0) addLeaves(first, bytes)
      else audit.expectSubtrees(tile.level, tile.index * tileWidth, bytes)
    },

    expectSubtrees: (level, firstIndex, packed) => expected.addNodes(level * 8, firstIndex, packed, next),

    pass: (until, why) => (until > next ? skip(until, why) : undefined),

    differ: (kind, seq, expectation, found, through) => differences.add(kind, seq, expectation, found, through),

    expectHead(size, root) {
      expected.addRoot(size, root, next, undefined)
      if (size === next) fold()
      else boundary = Math.min(boundary, size)
    },

    async expectCheckpoint(note) {
      try {
        const { size, root } = await openCheckpoint(note, origin, vkeys)
        const other = expected.findNote(size, root)
        if (other !== undefined) differences.add('fork', Math.max(0, size - 1), other, note)
        expected.addRoot(size, root, next, note)
        if (size === next) fold()
        else boundary = Math.min(boundary, size)
      } catch (error) {
        if (!(error instanceof LogError)) throw error
        differences.add(kindOfLogError(error.code), next, `a checkpoint signed by ${origin}`, error.message)
      }
    },

    addBundle(tile, bytes) {
      const first = tile.index * tileWidth
      try {
        for (const [i, entry] of decodeBundle(bytes, tile.width).entries())
          if (first + i >= next) audit.add(entry, first + i)
      } catch (error) {
        if (!(error instanceof Error)) throw error
        const path = tilePath('entries', tile.index, tile.width)
        differences.add(
          'malformed',
          Math.max(first, next),
          `the entries of ${path}`,
          error.message,
          first + tile.width - 1,
        )
      }
    },

    next: () => next,

    finish() {
      fold()
      const claimed = expected.claimed()
      if (claimed > next) skip(claimed)
      const root = foldable ? rootOf(edge) : undefined
      const found = { differences: differences.list(), differenceCount: differences.count() }
      return { ledger, size: next, root, edge: foldable ? edge : undefined, expired, checked, proved, signed, ...found }
    },
  }
  return audit
}
