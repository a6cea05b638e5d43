import { decodeBase64, encodeBase64 } from './base64.ts'
import { verifyEd25519 } from './ed25519.ts'
import { LogError } from './log-error.ts'
import { type ParsedStatement, parseStatement, preAuthEncoding, signStatement, statementKeyId } from './statement.ts'
import type { SigningKey, VerifierKey } from './vkey.ts'

/**
 * How a CI system without OIDC says who pushes: a DSSE envelope for each request, signed by the key of a producer, in the header
 * `Authorization: Statement <base64url of the envelope>`. It names the run, its repository and commit, the request and the digest of its body,
 * and a time at which it ends. Whoever takes one from the wire can only send that very request again.
 */

export const runStatementType = 'application/vnd.proofline.run-statement+json'

export interface RunStatement {
  schema: 'proofline.run-statement.v1'
  /** As `key producer create` named it. */
  producer: string
  run: string
  repository: string
  commit: string
  /** Method and target as they stand in the request line: `PUT /v1/runs/...?name=...`. */
  request: string
  /** Of the body, decompressed; of nothing where there is none. */
  sha256: string
  issued_at: string
  expires_at: string
}

/** The name of a producer's key; no ledger and no org has one like it. */
export const producerKeyName = (producer: string): string => `producer/${producer}`

export function producerOfKey({ name }: Pick<VerifierKey, 'name'>): string | undefined {
  return /^producer\/([0-9a-f]{16})$/.exec(name)?.[1]
}

const encoder = new TextEncoder()

/** The value of the header. */
export async function signRunStatement(statement: RunStatement, { sign, ...key }: SigningKey): Promise<string> {
  const payload = encoder.encode(JSON.stringify(statement))
  const envelope = await signStatement(runStatementType, payload, [
    { ...key, signStatement: (type, bytes) => sign(preAuthEncoding(type, bytes)) },
  ])
  return encodeBase64(encoder.encode(envelope))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/={1,2}$/, '')
}

const maxHeaderLength = 12_288

/** Takes the header apart without believing it. Throws LogError `malformed` for all but the one spelling. */
export function parseRunStatement(header: string): ParsedStatement & { keyid: string; signature: Uint8Array } {
  if (header.length > maxHeaderLength || !/^[A-Za-z0-9_-]+$/.test(header)) throw malformed('it is not base64url')
  const text = header.replaceAll('-', '+').replaceAll('_', '/')
  const bytes = decodeBase64(text.padEnd(Math.ceil(text.length / 4) * 4, '='))
  if (bytes === undefined) throw malformed('it is not base64url')
  const parsed = parseStatement(bytes)
  const [only, ...others] = parsed.signatures
  if (parsed.payloadType !== runStatementType) throw malformed('it is a statement of another type')
  if (only === undefined || others.length > 0) throw malformed('it has one signature')
  return { ...parsed, keyid: only.keyid, signature: only.sig }
}

/** Whether `key` signed it; the key's own id has to be named too, so that one envelope has one producer. */
export async function isSignedBy(parsed: ReturnType<typeof parseRunStatement>, key: VerifierKey): Promise<boolean> {
  if (parsed.keyid !== statementKeyId(key)) return false
  return verifyEd25519(key.publicKey, preAuthEncoding(parsed.payloadType, parsed.payload), parsed.signature)
}

const malformed = (what: string): LogError => new LogError('malformed', `not a run statement: ${what}`)
