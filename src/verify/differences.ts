import type { LogErrorCode } from '../log/log-error.ts'

/** What an audit found to differ. Bounded: a ledger in which everything is wrong must not fill the memory of whoever finds out. */

export type DifferenceKind =
  /** The bytes hash to another leaf than was stored or published for this seq. */
  | 'leaf-mismatch'
  /** No bytes for seq..through. */
  | 'missing'
  /** A seq that was there already, or out of order. */
  | 'duplicate'
  /** The id does not name the hash of the payload. */
  | 'id-mismatch'
  /** The bytes are not a record of this ledger. */
  | 'malformed'
  | 'time-not-increasing'
  /** The leaves seq..through (from the last root that was met) do not lead to this root. */
  | 'root-mismatch'
  /** An inner hash of the tree over seq..through is another than the tile says, or the tile is torn. */
  | 'tile-mismatch'
  | 'bad-signature'
  /** A row beside the records (head, checkpoint, submission, segment) does not say what the records say, or is not there. */
  | 'row-mismatch'
  /** Rightly signed, by a key that was retired before this size: it may have been stolen since. */
  | 'retired-key'
  | 'origin-mismatch'
  /** Two validly signed checkpoints of one size with different roots: proof of misbehaviour; both notes are given. */
  | 'fork'
  /** The same payload was recorded before, at the seq named in `expected`. */
  | 'submission-double'
  /** The stored bytes of an artifact that this record names are other ones, or gone. */
  | 'artifact-mismatch'
  /** The proof does not lead from the record to the signed root. */
  | 'proof-mismatch'

export interface Difference {
  kind: DifferenceKind
  /** First and last seq concerned. */
  seq: number
  through: number
  expected: string
  found: string
}

export interface Differences {
  add(kind: DifferenceKind, seq: number, expected: string, found: string, through?: number): void
  /** In order of seq. */
  list(): Difference[]
  /** All that were added, also those past the limit. */
  count(): number
}

export function createDifferences(maxKept: number): Differences {
  const kept: Difference[] = []
  let count = 0
  return {
    add(kind, seq, expected, found, through = seq) {
      count++
      if (kept.length < maxKept) kept.push({ kind, seq, through, expected, found })
    },
    list: () => kept.toSorted((a, b) => a.seq - b.seq),
    count: () => count,
  }
}

export function printHash(hash: Uint8Array): string {
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Why a signed note was not believed. */
export function kindOfLogError(code: LogErrorCode): DifferenceKind {
  switch (code) {
    case 'malformed':
      return 'malformed'
    case 'origin_mismatch':
      return 'origin-mismatch'
    case 'retired_key':
      return 'retired-key'
    case 'key_invalid':
    case 'bad_signature':
    case 'no_trusted_signature':
      return 'bad-signature'
  }
}
