import { sha256 } from '../record/sha256.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { ed25519FromSeed, isUsablePublicKey } from './ed25519.ts'
import type { Ed25519Key } from './ed25519.ts'
import { LogError } from './log-error.ts'

/** Keys of signed notes (C2SP signed-note), as text: `<name>+<key id>+<base64>`. */

/** 1: Ed25519 over the note text. 4: timestamped Ed25519 cosignature. */
export type SignatureType = 1 | 4

export interface VerifierKey {
  name: string
  /** 32 bits, unsigned. */
  id: number
  type: SignatureType
  /** 32 bytes. */
  publicKey: Uint8Array
}

export interface SigningKey extends VerifierKey {
  sign: Ed25519Key['sign']
}

const encoder = new TextEncoder()

/** Non-empty, no Unicode white space (`\s` would miss U+0085), no plus, nothing invisible that makes two names look alike. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.isWellFormed() && !/[\p{White_Space}\p{Cc}+\ufeff]/u.test(name)
}

/** First 32 bits of SHA-256(name || newline || type || public key). */
export function keyId(name: string, type: number, publicKey: Uint8Array): number {
  const head = encoder.encode(`${name}\n`)
  const bytes = new Uint8Array(head.length + 1 + publicKey.length)
  bytes.set(head)
  bytes[head.length] = type
  bytes.set(publicKey, head.length + 1)
  return new DataView(Uint8Array.from(sha256(bytes)).buffer).getUint32(0)
}

export const printKeyId = (id: number): string => id.toString(16).padStart(8, '0')

/** Throws LogError `key_invalid` for a name or public key that must not be used. */
export function createVerifierKey(name: string, type: SignatureType, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name)) throw new LogError('key_invalid', `not a key name: ${JSON.stringify(name)}`)
  if (!isUsablePublicKey(publicKey))
    throw new LogError('key_invalid', `the public key of ${name} is of small order or not canonical`)
  return { name, id: keyId(name, type, publicKey), type, publicKey }
}

export function printVkey({ name, id, type, publicKey }: VerifierKey): string {
  return `${name}+${printKeyId(id)}+${encodeBase64(Uint8Array.of(type, ...publicKey))}`
}

/** Reads exactly what `printVkey` prints. Throws LogError `key_invalid`. */
export function parseVkey(text: string): VerifierKey {
  const { name, idText, type, rest } = takeApart(text)
  if (type !== 1 && type !== 4)
    throw new LogError('key_invalid', `verifier key ${name}: signature type ${type} is not known here`)
  const key = createVerifierKey(name, type, rest)
  if (printKeyId(key.id) !== idText)
    throw new LogError('key_invalid', `verifier key ${name}: its id is ${printKeyId(key.id)}, not ${idText}`)
  return key
}

/** A signing key from its 32-byte seed. */
export async function createSigningKey(name: string, type: SignatureType, seed: Uint8Array): Promise<SigningKey> {
  const { publicKey, sign } = await ed25519FromSeed(seed)
  return { ...createVerifierKey(name, type, publicKey), sign }
}

const privateHead = 'PRIVATE+KEY+'

/** The form in which Go tools keep a private key: `PRIVATE+KEY+<name>+<id of the public key>+base64(type || seed)`. A secret. */
export function printPrivateKey({ name, id, type }: VerifierKey, seed: Uint8Array): string {
  return `${privateHead}${name}+${printKeyId(id)}+${encodeBase64(Uint8Array.of(type, ...seed))}`
}

/** Throws LogError `key_invalid`; the message never holds the key. */
export async function parsePrivateKey(text: string): Promise<SigningKey> {
  if (!text.startsWith(privateHead)) throw new LogError('key_invalid', 'not a private key')
  const { name, idText, type, rest } = takeApart(text.slice(privateHead.length))
  if ((type !== 1 && type !== 4) || rest.length !== 32)
    throw new LogError('key_invalid', `private key ${name} is not Ed25519`)
  const key = await createSigningKey(name, type, rest)
  if (printKeyId(key.id) !== idText)
    throw new LogError('key_invalid', `private key ${name}: its id is ${printKeyId(key.id)}, not ${idText}`)
  return key
}

function takeApart(text: string): { name: string; idText: string; type: number; rest: Uint8Array } {
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text)
  const [, name = '', idText = '', keyText = ''] = match ?? []
  const bytes = decodeBase64(keyText)
  const type = bytes?.[0]
  if (match === null || !isKeyName(name) || bytes === undefined || type === undefined) {
    throw new LogError('key_invalid', 'a key is <name>+<8 hex digits>+<base64>')
  }
  return { name, idText, type, rest: bytes.subarray(1) }
}
