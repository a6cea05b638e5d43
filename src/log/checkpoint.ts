import { decodeHash, encodeBase64 } from './base64.ts'
import { LogError, parseDecimal } from './log-error.ts'
import { emptyRoot, equalHashes, hashBytes } from './merkle.ts'
import { openNote } from './note.ts'
import type { VerifiedSignature } from './note.ts'
import { describeInvalid, isValidAt } from './trusted-key.ts'
import type { TrustedKey } from './trusted-key.ts'

/** C2SP tlog-checkpoint: the text of a signed tree head. Our logs write no extension lines: monitors cannot audit them. */

export interface Checkpoint {
  origin: string
  size: number
  /** 32 bytes. */
  root: Uint8Array
}

export interface OpenedCheckpoint extends Checkpoint {
  /** The log's own signatures, by keys that count for this size: at least one. */
  signatures: VerifiedSignature[]
  /** Of known witnesses, each with its time. */
  cosignatures: VerifiedSignature[]
}

/** The note text, ready to be signed. Throws for what no reader would take. */
export function printCheckpoint({ origin, size, root }: Checkpoint): string {
  if (!Number.isSafeInteger(size) || size < 0 || root.length !== hashBytes)
    throw new RangeError('a checkpoint has a size and 32 bytes of root')
  const text = `${origin}\n${size}\n${encodeBase64(root)}\n`
  parseCheckpoint(text)
  return text
}

/** Reads a note text. Throws LogError `malformed`: also for an extension line, and for size 0 with another root than the empty one. */
export function parseCheckpoint(text: string): Checkpoint {
  const { extensions, ...checkpoint } = parseForeignCheckpoint(text)
  if (extensions.length > 0) throw new LogError('malformed', 'the checkpoint does not end after its root')
  if (checkpoint.size === 0 && !equalHashes(checkpoint.root, emptyRoot))
    throw new LogError('malformed', 'the checkpoint of an empty log has another root')
  return checkpoint
}

/** One of another log, for a witness: it may have extension lines, and whether its root is that of an empty log is judged later. */
export function parseForeignCheckpoint(text: string): Checkpoint & { extensions: string[] } {
  const [origin = '', sizeText = '', rootText = '', ...rest] = text.split('\n')
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  if (origin === '' || !origin.isWellFormed() || /[\u0000-\u001f\ufeff]/.test(origin))
    throw new LogError('malformed', 'the checkpoint has no origin')
  const size = parseDecimal(sizeText, 'the size of the checkpoint')
  const root = decodeHash(rootText)
  if (root === undefined) throw new LogError('malformed', 'the root of the checkpoint is not a hash in base64')
  const extensions = rest.slice(0, -1)
  if (rest.at(-1) !== '' || extensions.includes(''))
    throw new LogError('malformed', 'the checkpoint does not end after its root')
  return { origin, size, root, extensions }
}

/**
 * A checkpoint of the log `origin`, signed by one of `keys`: type 1 are the log's (each named as the origin), type 4 are witnesses.
 * Throws LogError; `origin_mismatch` when it is another log's, `retired_key` when no key that signed it counts for its size.
 */
export async function openCheckpoint(
  note: string | Uint8Array,
  origin: string,
  keys: readonly TrustedKey[],
): Promise<OpenedCheckpoint> {
  const { text, verified } = await openNote(note, keys)
  const checkpoint = parseCheckpoint(text)
  if (checkpoint.origin !== origin) {
    throw new LogError('origin_mismatch', `origin mismatch: expected ${origin}, got ${checkpoint.origin}`)
  }
  const own = verified.filter(({ key }) => key.type === 1 && key.name === origin)
  if (own.length === 0) throw new LogError('no_trusted_signature', `no trusted signature of ${origin} itself`)
  const signatures = own.filter(({ key }) => isValidAt(key, checkpoint.size))
  if (signatures.length === 0)
    throw new LogError('retired_key', describeInvalid(own.map(({ key }) => key), checkpoint.size)) // oxfmt-ignore
  return { ...checkpoint, signatures, cosignatures: verified.filter(({ key }) => key.type === 4) }
}
