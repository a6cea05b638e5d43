import { type Checkpoint, openCheckpoint, parseCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { parseNote } from '../log/note.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { printHash } from '../verify/differences.ts'

/** What our own ledger is, for comparing it with a signed head that somebody else holds. */
export interface OwnHead {
  origin: string
  keys: readonly TrustedKey[]
  /** Committed records. */
  size: number
  /** Whether the tree of the first `size` records has this root; only asked for sizes that are there. */
  hasRoot(size: number, root: Uint8Array): Promise<boolean>
}

export type HeadVerdict =
  | { kind: 'same' }
  /** Not of this log, or not to be believed: of whoever can write there, and no proof of anything. */
  | { kind: 'mismatch'; detail: string }
  /** Proof that this database is older than what was signed, or another one. */
  | { kind: 'rollback'; detail: string }

/**
 * Compares a checkpoint that somebody else holds with our ledger. Only what our own key has signed proves anything: whoever can merely write
 * over there must not be able to stop us. But an empty ledger under an origin that is in use is no beginning, whoever signed that.
 */
export async function compareHead(note: Uint8Array, where: string, own: OwnHead): Promise<HeadVerdict> {
  const { origin, keys, size, hasRoot } = own
  let theirs: Checkpoint
  try {
    theirs = await openCheckpoint(note, origin, keys)
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    const claimed = claimOf(note)
    if (size === 0 && claimed?.origin === origin && claimed.size > 0)
      return {
        kind: 'rollback',
        detail: `the ledger is empty, and ${where} has a log of ${origin} with ${claimed.size} records, signed by other keys (${error.message})`,
      }
    return { kind: 'mismatch', detail: `${where}: ${error.message}` }
  }
  if (theirs.size > size)
    return { kind: 'rollback', detail: `there are ${size} records, and ${where} has a signed head of ${theirs.size}` }
  if (await hasRoot(theirs.size, theirs.root)) return { kind: 'same' }
  const detail = `the first ${theirs.size} records are others than those that ${where} has a signed head of (root ${printHash(theirs.root)})`
  return { kind: 'rollback', detail }
}

function claimOf(note: Uint8Array): Checkpoint | undefined {
  try {
    return parseCheckpoint(parseNote(note).text)
  } catch (error) {
    if (error instanceof LogError) return undefined
    throw error
  }
}
