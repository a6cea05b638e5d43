import { decodeBase64, encodeBase64 } from './base64.ts'
import { cosignatureMessage, joinCosignature, splitCosignature } from './cosignature.ts'
import { verifyEd25519 } from './ed25519.ts'
import { LogError } from './log-error.ts'
import { isKeyName, printKeyId } from './vkey.ts'
import type { SigningKey, VerifierKey } from './vkey.ts'

/**
 * C2SP signed notes: a text that ends in a newline, an empty line, signature lines. The signed bytes are the text with its last newline,
 * without the empty line. Form is checked wholly before the first signature is.
 */

const maxNoteBytes = 1_000_000
/** At least 16 must be taken; Go takes 100. */
const maxSignatures = 100

export interface NoteSignature {
  name: string
  /** 32 bits, unsigned. */
  id: number
  /** What follows the key id, not yet verified. */
  bytes: Uint8Array
}

export interface ParsedNote {
  /** With its final newline. */
  text: string
  signatures: NoteSignature[]
}

export interface VerifiedSignature {
  key: VerifierKey
  /** POSIX seconds; only of a cosignature. */
  time: number | undefined
}

export interface OpenedNote {
  text: string
  /** At least one; each key once, in the order of the note. */
  verified: VerifiedSignature[]
  /** Signatures of keys that are not known here, ignored as the specification demands. */
  ignored: NoteSignature[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Takes a note apart without believing it. Throws LogError `malformed`. */
export function parseNote(note: string | Uint8Array): ParsedNote {
  const whole = typeof note === 'string' ? note : decode(note)
  if (whole.length > maxNoteBytes || !whole.isWellFormed())
    throw new LogError('malformed', 'the note is too long or not UTF-8')
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) throw new LogError('malformed', 'the note holds a control character')
  if (whole.startsWith('\ufeff')) throw new LogError('malformed', 'the note begins with a byte order mark')
  const middle = whole.lastIndexOf('\n\n') // the last one: the text may hold empty lines
  if (middle < 0) throw new LogError('malformed', 'no empty line parts the text from its signatures')
  const block = whole.slice(middle + 2)
  if (!block.endsWith('\n')) throw new LogError('malformed', 'the note has no signature, or its last line does not end')
  const lines = block.slice(0, -1).split('\n')
  if (lines.length > maxSignatures)
    throw new LogError('malformed', `the note has more than ${maxSignatures} signatures`)
  return { text: whole.slice(0, middle + 1), signatures: lines.map(parseSignature) }
}

/**
 * Verifies every signature that names one of `keys`. Throws LogError `malformed`, `bad_signature` (a known key's signature fails: then
 * nothing in the note is believed), `no_trusted_signature`.
 */
export async function openNote(note: string | Uint8Array, keys: readonly VerifierKey[]): Promise<OpenedNote> {
  const { text, signatures } = parseNote(note)
  const verified: VerifiedSignature[] = []
  const ignored: NoteSignature[] = []
  for (const signature of signatures) {
    // Ids are 32 bits: two keys may share name and id, and then either may have signed.
    const known = keys.filter((key) => key.name === signature.name && key.id === signature.id)
    if (known.length === 0) {
      ignored.push(signature)
      continue
    }
    const found = await verifyAny(known, text, signature)
    if (found === undefined)
      throw new LogError('bad_signature', `bad signature for key ${signature.name}+${printKeyId(signature.id)}`)
    if (!verified.some(({ key }) => key === found.key)) verified.push(found)
  }
  if (verified.length === 0) throw new LogError('no_trusted_signature', `no trusted signature: ${describe(signatures)}`)
  return { text, verified, ignored }
}

/** The note with one signature line per key, in order. Throws LogError `malformed` for a text that no reader would take. */
export async function sealNote(text: string, keys: readonly SigningKey[]): Promise<string> {
  const message = encoder.encode(text)
  const lines = await Promise.all(keys.map(async (key) => signatureLine(key, await key.sign(message))))
  return checkedNote(text, lines)
}

/** The signature line by which a witness (key type 4) vouches for a checkpoint's text at a time in POSIX seconds. */
export async function cosign(text: string, key: SigningKey, time: number): Promise<string> {
  if (key.type !== 4) throw new LogError('key_invalid', `${key.name} is not a cosigner's key`)
  if (!Number.isSafeInteger(time) || time <= 0) throw new RangeError(`not a time in seconds: ${time}`)
  return signatureLine(key, joinCosignature(time, await key.sign(cosignatureMessage(time, text))))
}

/** Adds signature lines (each with its newline) behind those that the note has. */
export function addSignatures(note: string, lines: readonly string[]): string {
  const added = note + lines.join('')
  parseNote(added)
  return added
}

function checkedNote(text: string, lines: readonly string[]): string {
  const note = `${text}\n${lines.join('')}`
  if (parseNote(note).text !== text) throw new LogError('malformed', 'the text of a note ends in one newline')
  return note
}

function signatureLine({ name, id }: VerifierKey, signature: Uint8Array): string {
  const bytes = new Uint8Array(4 + signature.length)
  new DataView(bytes.buffer).setUint32(0, id)
  bytes.set(signature, 4)
  return `— ${name} ${encodeBase64(bytes)}\n`
}

function parseSignature(line: string): NoteSignature {
  const [dash, name = '', encoded = '', ...more] = line.split(' ')
  const bytes = decodeBase64(encoded)
  if (dash !== '—' || !isKeyName(name) || more.length > 0 || bytes === undefined || bytes.length < 5) {
    throw new LogError('malformed', `not a signature line: ${JSON.stringify(line.slice(0, 200))}`)
  }
  return { name, id: new DataView(bytes.buffer).getUint32(0), bytes: bytes.subarray(4) }
}

async function verifyAny(
  keys: readonly VerifierKey[],
  text: string,
  { bytes }: NoteSignature,
): Promise<VerifiedSignature | undefined> {
  for (const key of keys) {
    const parts = key.type === 4 ? splitCosignature(bytes) : { time: undefined, signature: bytes }
    if (parts === undefined) continue
    const message = parts.time === undefined ? encoder.encode(text) : cosignatureMessage(parts.time, text)
    if (await verifyEd25519(key.publicKey, message, parts.signature)) return { key, time: parts.time }
  }
  return undefined
}

function describe(signatures: readonly NoteSignature[]): string {
  return `signed by ${signatures.map(({ name, id }) => `${name}+${printKeyId(id)}`).join(', ')}`
}

function decode(bytes: Uint8Array): string {
  if (bytes.length > maxNoteBytes) throw new LogError('malformed', `the note is longer than ${maxNoteBytes} bytes`)
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new LogError('malformed', 'the note is not UTF-8', { cause })
  }
}
