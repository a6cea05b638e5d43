import { decodeBase64, decodeHash, encodeBase64 } from './base64.ts'
import { LogError, parseDecimal } from './log-error.ts'
import { parseNote } from './note.ts'

/** C2SP tlog-proof: an inclusion proof and the checkpoint it leads to, as one text (`.tlog-proof`). */

const headLine = 'c2sp.org/tlog-proof@v1'
const maxHashes = 63

export interface LogProof {
  /** Not authenticated by anything. */
  extra?: Uint8Array
  index: number
  /** Leaf's sibling first, 32 bytes each. */
  hashes: readonly Uint8Array[]
  /** The signed note, as it is. */
  checkpoint: string
}

export function printProof({ extra, index, hashes, checkpoint }: LogProof): string {
  const lines = [
    headLine,
    ...(extra === undefined ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(encodeBase64),
  ]
  const text = `${lines.join('\n')}\n\n${checkpoint}`
  parseProof(text)
  return text
}

/** Checks the form, also that of the note; believes nothing. Throws LogError `malformed`. */
export function parseProof(text: string): LogProof {
  const middle = text.indexOf('\n\n') // the first one: the checkpoint has its own
  if (middle < 0) throw new LogError('malformed', 'no empty line parts the proof from its checkpoint')
  const [head, ...lines] = text.slice(0, middle).split('\n')
  if (head !== headLine) throw new LogError('malformed', `a proof begins with ${headLine}`)
  const extraText = lines[0]?.startsWith('extra ') ? lines.shift()?.slice(6) : undefined
  const extra = extraText === undefined ? undefined : decodeBase64(extraText)
  if (extraText !== undefined && extra === undefined) throw new LogError('malformed', 'the extra data is not base64')
  const indexLine = lines.shift() ?? ''
  if (!indexLine.startsWith('index ')) throw new LogError('malformed', 'the proof does not name an index')
  const index = parseDecimal(indexLine.slice(6), 'the index of the proof')
  if (lines.length > maxHashes) throw new LogError('malformed', `a proof has at most ${maxHashes} hashes`)
  const hashes = lines.map((line, i) => {
    const hash = decodeHash(line)
    if (hash === undefined) throw new LogError('malformed', `line ${i + 1} of the proof is not a hash in base64`)
    return hash
  })
  const checkpoint = text.slice(middle + 2)
  parseNote(checkpoint)
  return { ...(extra === undefined ? {} : { extra }), index, hashes, checkpoint }
}
