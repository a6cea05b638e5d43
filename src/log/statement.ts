import { decodeBase64, encodeBase64 } from './base64.ts'
import { verifyEd25519 } from './ed25519.ts'
import { LogError } from './log-error.ts'
import type { TrustedKey } from './trusted-key.ts'
import { printKeyId } from './vkey.ts'
import type { SigningKey, VerifierKey } from './vkey.ts'

/**
 * Whatever is signed and is no checkpoint stands in a DSSE envelope (secure-systems-lab/dsse v1), signed by the org's statement key. The
 * signed bytes begin with `DSSEv1`, which no checkpoint does, and the two kinds of key differ in name and type: neither can be made to say
 * what the other one says. An envelope has one accepted spelling, so that its digest names it.
 */

/** Bytes of payload. Both ends hold the whole of it. */
export const maxStatementBytes = 8 * 1_048_576
const maxSignatures = 16

/** Signs statements, and has no way to sign anything else: a note cannot be sealed with it. */
export interface StatementKey extends VerifierKey {
  /** Over the pre-authentication encoding of type and payload. */
  signStatement(payloadType: string, payload: Uint8Array): Promise<Uint8Array>
}

export interface Statement {
  payloadType: string
  payload: Uint8Array
}

export interface OpenedStatement extends Statement {
  /** Who signed it, of the keys that were given: at least one. */
  keys: TrustedKey[]
  /**
   * No key signed it that is still in use. A statement has no size to go by, so whoever stole the key later may have made it, unless its
   * digest stands in a record of operations below that key's `until`.
   */
  isRetired: boolean
}

export interface ParsedStatement extends Statement {
  signatures: { keyid: string; sig: Uint8Array }[]
}

/** Name of an org's statement key: `<public host>/<org>/statement`. No ledger can have this name. */
export const statementKeyName = (publicHost: string, org: string): string => `${publicHost}/${org}/statement`

export const isStatementKey = ({ name, type }: VerifierKey): boolean =>
  type === 1 && /^[^/]+\/[^/]+\/statement$/.test(name)

/** Throws LogError `key_invalid` for a key with another name than a statement key has: one of a log above all. */
export function toStatementKey({ sign, ...key }: SigningKey): StatementKey {
  if (!isStatementKey(key)) throw new LogError('key_invalid', `${key.name} is not a statement key`)
  return { ...key, signStatement: (payloadType, payload) => sign(preAuthEncoding(payloadType, payload)) }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** `DSSEv1 <bytes of type> <type> <bytes of payload> <payload>`. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = encoder.encode(payloadType)
  const head = encoder.encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `)
  const bytes = new Uint8Array(head.length + payload.length)
  bytes.set(head)
  bytes.set(payload, head.length)
  return bytes
}

/** `<name>+<key id>`: how an envelope names a key, and the beginning of its vkey. */
export const statementKeyId = ({ name, id }: VerifierKey): string => `${name}+${printKeyId(id)}`

/** The envelope, one line of JSON without a newline. Throws LogError `malformed` for what no reader would take. */
export async function signStatement(
  payloadType: string,
  payload: Uint8Array,
  keys: readonly StatementKey[],
): Promise<string> {
  const held = Uint8Array.from(payload) // what is signed is what is printed, whatever the caller does meanwhile
  assertStatement(payloadType, held.length, keys.length)
  const signatures = await Promise.all(
    keys.map(async (key) => ({ keyid: statementKeyId(key), sig: await key.signStatement(payloadType, held) })),
  )
  return printEnvelope({ payloadType, payload: held, signatures })
}

/** Takes an envelope apart without believing it. Throws LogError `malformed` for all but the one spelling that `signStatement` prints. */
export function parseStatement(envelope: string | Uint8Array): ParsedStatement {
  // Base64 is four thirds; then the names.
  if (envelope.length > maxStatementBytes * 1.4 + 65_536) throw malformed('it is too long')
  const text = typeof envelope === 'string' ? envelope : decode(envelope)
  const { payloadType, payload, signatures } = membersOf(parseJson(text))
  if (typeof payloadType !== 'string' || typeof payload !== 'string' || !Array.isArray(signatures))
    throw malformed('it has payloadType, payload and signatures')
  const bytes = decodeBase64(payload)
  if (bytes === undefined) throw malformed('its payload is not in canonical base64')
  assertStatement(payloadType, bytes.length, signatures.length)
  const parsed = { payloadType, payload: bytes, signatures: signatures.map(parseSignature) }
  // Order of the members, white space, escapes, doubled or further members: one rule for all of them.
  if (printEnvelope(parsed) !== text) throw malformed('it is not spelled as an envelope is')
  return parsed
}

/**
 * Verifies every signature that names one of `keys`, of which only statement keys count. Throws LogError: `malformed`; `bad_signature`
 * when a known key's signature fails (then nothing in it is believed); `no_trusted_signature`.
 */
export async function openStatement(
  envelope: string | Uint8Array,
  keys: readonly TrustedKey[],
): Promise<OpenedStatement> {
  const { payloadType, payload, signatures } = parseStatement(envelope)
  const message = preAuthEncoding(payloadType, payload)
  const verified = new Set<TrustedKey>()
  for (const { keyid, sig } of signatures) {
    const known = keys.filter((key) => isStatementKey(key) && statementKeyId(key) === keyid)
    // Ids are 32 bits: two keys may share name and id, and then either may have signed.
    let found: TrustedKey | undefined
    for (const key of known) if (await verifyEd25519(key.publicKey, message, sig)) found ??= key
    if (known.length > 0 && found === undefined) throw new LogError('bad_signature', `bad signature for key ${keyid}`)
    if (found !== undefined) verified.add(found)
  }
  if (verified.size === 0) {
    const names = signatures.map(({ keyid }) => keyid).join(', ')
    throw new LogError('no_trusted_signature', `no trusted signature: signed by ${names}`)
  }
  const isRetired = [...verified].every(({ until }) => until !== undefined)
  return { payloadType, payload, keys: [...verified], isRetired }
}

function printEnvelope({ payloadType, payload, signatures }: ParsedStatement): string {
  return JSON.stringify({
    payloadType,
    payload: encodeBase64(payload),
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: encodeBase64(sig) })),
  })
}

function assertStatement(payloadType: string, bytes: number, signatures: number): void {
  if (!/^[\x21-\x7e]{1,256}$/.test(payloadType)) throw malformed('its payloadType is neither a media type nor a URI')
  if (bytes > maxStatementBytes) throw malformed(`its payload is longer than ${maxStatementBytes} bytes`)
  if (signatures < 1 || signatures > maxSignatures) throw malformed(`it has 1 to ${maxSignatures} signatures`)
}

function parseSignature(value: unknown): ParsedStatement['signatures'][number] {
  const { keyid, sig } = membersOf(value)
  const bytes = typeof sig === 'string' ? decodeBase64(sig) : undefined
  if (typeof keyid !== 'string' || keyid.length > 512 || bytes?.length !== 64)
    throw malformed('a signature has keyid and sig, 64 bytes in base64')
  return { keyid, sig: bytes }
}

const malformed = (what: string): LogError => new LogError('malformed', `not a signed statement: ${what}`)

function membersOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('it is not an object')
  return { ...value }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new LogError('malformed', 'not a signed statement: it is not JSON', { cause })
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new LogError('malformed', 'not a signed statement: it is not UTF-8', { cause })
  }
}
