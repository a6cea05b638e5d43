import { decodeHash, encodeBase64 } from './base64.ts'
import { LogError, parseDecimal } from './log-error.ts'
import { openNote, parseNote } from './note.ts'
import type { VerifierKey } from './vkey.ts'

/** C2SP tlog-witness: what a log sends to a witness, and what it gets back. */

export const maxProofHashes = 63

export interface AddCheckpoint {
  /** The size that the witness cosigned last, as the log believes. */
  oldSize: number
  /** From there to the size of the checkpoint; nothing when `oldSize` is 0 or that size. */
  hashes: readonly Uint8Array[]
  /** The signed note, as it is. */
  checkpoint: string
}

export function printAddCheckpoint({ oldSize, hashes, checkpoint }: AddCheckpoint): string {
  const text = `${[`old ${oldSize}`, ...hashes.map(encodeBase64)].join('\n')}\n\n${checkpoint}`
  parseAddCheckpoint(text)
  return text
}

/** Checks the form, also that of the note; believes nothing. Throws LogError `malformed`. */
export function parseAddCheckpoint(text: string): AddCheckpoint {
  const middle = text.indexOf('\n\n') // the first one: the checkpoint has its own
  if (middle < 0) throw new LogError('malformed', 'no empty line parts the proof from its checkpoint')
  const [head = '', ...lines] = text.slice(0, middle).split('\n')
  if (!head.startsWith('old ')) throw new LogError('malformed', 'the first line does not name the old size')
  const oldSize = parseDecimal(head.slice(4), 'the old size')
  if (lines.length > maxProofHashes) throw new LogError('malformed', `a proof has at most ${maxProofHashes} hashes`)
  const hashes = lines.map((line, i) => {
    const hash = decodeHash(line)
    if (hash === undefined) throw new LogError('malformed', `line ${i + 1} of the proof is not a hash in base64`)
    return hash
  })
  const checkpoint = text.slice(middle + 2)
  parseNote(checkpoint)
  return { oldSize, hashes, checkpoint }
}

export interface Cosignature {
  key: VerifierKey
  /** POSIX seconds. */
  time: number
  /** As it stands in a note, with its newline. */
  line: string
}

/**
 * The cosignatures by `keys` over the note text among the lines that a witness answered; those of unknown keys are ignored, as the
 * specification demands. Throws LogError `malformed`, `bad_signature`.
 */
export async function readCosignatures(
  answer: string,
  text: string,
  keys: readonly VerifierKey[],
): Promise<Cosignature[]> {
  parseNote(`${text}\n${answer}`)
  const found: Cosignature[] = []
  for (const line of answer.slice(0, -1).split('\n')) {
    const opened = await openNote(`${text}\n${line}\n`, keys).catch((error: unknown) => {
      if (error instanceof LogError && error.code === 'no_trusted_signature') return undefined
      throw error
    })
    for (const { key, time } of opened?.verified ?? []) {
      if (time === undefined) continue
      if (time === 0) throw new LogError('malformed', `the cosignature of ${key.name} has no time`)
      found.push({ key, time, line: `${line}\n` })
    }
  }
  return found
}
