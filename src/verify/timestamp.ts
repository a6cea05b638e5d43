import { decodeBase64 } from '../log/base64.ts'
import { LogError } from '../log/log-error.ts'
import { equalHashes } from '../log/merkle.ts'
import { sha256 } from '../record/sha256.ts'

/**
 * RFC 3161 time-stamps over the bytes of a checkpoint's note: who else says when it was there. Made for verifying offline, years later: the
 * authority's certificate has to have been valid at the time that the token names. pkijs is an optional dependency and loaded at the first
 * use; it verifies CMS signature, imprint and chain. What it leaves out is checked here: the one purpose of the certificate (RFC 3161 2.3),
 * that the signature names it (RFC 5816), the algorithms, and that nothing follows the token.
 */

export interface Timestamp {
  /** The authority's, in milliseconds since 1970. */
  timeMs: number
  /** Hex, as in the token; unique at the authority. */
  serial: string
  /** OID of the policy under which it was given. */
  policy: string
  /** Hex; undefined when the token names none. */
  nonce: string | undefined
  /** Subject of the certificate that signed it. */
  signer: string
}

const oids = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  sha256: '2.16.840.1.101.3.4.2.1',
  extendedKeyUsage: '2.5.29.37',
  timeStamping: '1.3.6.1.5.5.7.3.8',
} as const
const digests: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
}

/** A request for these bytes, with a nonce (hex) that the token has to repeat. */
export async function createTimestampRequest(note: Uint8Array): Promise<{ request: Uint8Array; nonce: string }> {
  const { pkijs, asn1js } = await load()
  const nonce = crypto.getRandomValues(new Uint8Array(16))
  nonce[0] = ((nonce[0] ?? 0) & 0x3f) | 0x40 // positive, and of one length
  const request = new pkijs.TimeStampReq({
    version: 1,
    messageImprint: new pkijs.MessageImprint({
      hashAlgorithm: new pkijs.AlgorithmIdentifier({ algorithmId: oids.sha256, algorithmParams: new asn1js.Null() }),
      hashedMessage: new asn1js.OctetString({ valueHex: own(sha256(note)) }),
    }),
    nonce: new asn1js.Integer({ valueHex: own(nonce) }),
    certReq: true,
  })
  return { request: new Uint8Array(request.toSchema().toBER()), nonce: toHex(nonce) }
}

/** The token in an authority's reply, byte for byte, not yet verified. Throws LogError `malformed`, with the authority's reason for a refusal. */
export async function readTimestampReply(reply: Uint8Array): Promise<Uint8Array> {
  const { pkijs, asn1js } = await load()
  const parsed = parse('the reply', () => decode(asn1js, reply))
  const response = parse('the reply', () => new pkijs.TimeStampResp({ schema: parsed }))
  const { status, statusStrings = [] } = response.status
  if (status !== pkijs.PKIStatus.granted && status !== pkijs.PKIStatus.grantedWithMods) {
    const why = statusStrings.map((text) => text.valueBlock.value).join('; ').slice(0, 200) // oxfmt-ignore
    throw new LogError('malformed', `the authority refuses: status ${status}${why === '' ? '' : `, ${why}`}`)
  }
  const token = parsed instanceof asn1js.Sequence ? parsed.valueBlock.value[1] : undefined
  if (token === undefined) throw new LogError('malformed', 'the reply holds no token')
  return Uint8Array.from(token.valueBeforeDecodeView)
}

/**
 * What the token says about exactly these bytes. `caPem` holds the certificates that are trusted, one or more. Throws LogError: `malformed`,
 * `bad_signature`, `no_trusted_signature` when no chain leads from the signer to `caPem`, `origin_mismatch` when it is about other bytes.
 */
export async function verifyTimestamp(token: Uint8Array, note: Uint8Array, caPem: string): Promise<Timestamp> {
  const { pkijs, asn1js } = await load()
  const what = 'the token'
  const content = parse(what, () => new pkijs.ContentInfo({ schema: decode(asn1js, token) }))
  if (content.contentType !== oids.signedData) throw new LogError('malformed', `${what} is no signed data`)
  const signed = parse(what, () => new pkijs.SignedData({ schema: content.content }))
  const { eContent, eContentType } = signed.encapContentInfo
  if (eContentType !== oids.tstInfo || eContent === undefined || signed.signerInfos.length !== 1)
    throw new LogError('malformed', `${what} is no time-stamp with one signature`)
  const info = parse(what, () => new pkijs.TSTInfo({ schema: decode(asn1js, new Uint8Array(eContent.getValue())) }))
  const { hashAlgorithm, hashedMessage } = info.messageImprint
  if (hashAlgorithm.algorithmId !== oids.sha256) throw new LogError('malformed', `${what} is not over SHA-256`)
  if (!equalHashes(hashedMessage.valueBlock.valueHexView, sha256(note)))
    throw new LogError('origin_mismatch', `${what} is about other bytes than this checkpoint`)

  const trustedCerts = readCertificates(caPem).map((der) =>
    parse('the certificates that are trusted', () => new pkijs.Certificate({ schema: decode(asn1js, der) })),
  )
  const verdict = await signed
    .verify({ signer: 0, data: own(note).buffer, trustedCerts, checkChain: true, extendedMode: true })
    .catch((error: unknown) => {
      if (!(error instanceof pkijs.SignedDataVerifyError)) throw error
      throw new LogError(error.code === 5 ? 'no_trusted_signature' : 'bad_signature', `${what}: ${error.message}`)
    })
  const certificate = verdict.signerCertificate
  if (verdict.signatureVerified !== true || certificate == null)
    throw new LogError('bad_signature', `the signature of ${what} does not verify`)
  const { signedAttrs, digestAlgorithm } = signed.signerInfos[0] ?? {}
  if (digests[digestAlgorithm?.algorithmId ?? ''] === undefined)
    throw new LogError('bad_signature', `${what} is signed over a digest that is not trusted here`)

  const purpose = certificate.extensions?.find(({ extnID }) => extnID === oids.extendedKeyUsage)
  const purposes: unknown = purpose?.parsedValue
  const isForTime = purposes instanceof pkijs.ExtKeyUsage && purposes.keyPurposes.join() === oids.timeStamping
  if (purpose?.critical !== true || !isForTime)
    throw new LogError('no_trusted_signature', `the certificate that signed ${what} is not for time-stamping alone`)

  const values = (type: string): readonly unknown[] =>
    signedAttrs?.attributes.find((attribute) => attribute.type === type)?.values ?? []
  const [contentType] = values(oids.contentType)
  if (!(contentType instanceof asn1js.ObjectIdentifier) || contentType.valueBlock.toString() !== oids.tstInfo)
    throw new LogError('bad_signature', `${what} is signed as something else`)
  const der = new Uint8Array(certificate.toSchema().toBER())
  const isNamed = await namesCertificate(
    asn1js,
    values(oids.signingCertificateV2)[0] ?? values(oids.signingCertificate)[0],
    der,
  )
  if (!isNamed) throw new LogError('bad_signature', `the signature of ${what} does not name its certificate`)
  return {
    timeMs: info.genTime.getTime(),
    serial: toHex(info.serialNumber.valueBlock.valueHexView),
    policy: info.policy,
    nonce: info.nonce === undefined ? undefined : toHex(info.nonce.valueBlock.valueHexView),
    signer: certificate.subject.typesAndValues.map(({ value }) => value.valueBlock.value).join(', '),
  }
}

type Asn1 = typeof import('asn1js')

async function load(): Promise<{ pkijs: typeof import('pkijs'); asn1js: Asn1 }> {
  try {
    const [pkijs, asn1js] = await Promise.all([import('pkijs'), import('asn1js')])
    return { pkijs, asn1js }
  } catch (cause) {
    throw new Error('time-stamps need the packages pkijs and asn1js: npm install pkijs asn1js', { cause })
  }
}

/** SigningCertificate (SHA-1, RFC 2634) or SigningCertificateV2 (RFC 5035): its first entry is the hash of the signer's certificate. */
async function namesCertificate(asn1js: Asn1, attribute: unknown, der: Uint8Array): Promise<boolean> {
  const inner = (value: unknown, at: number): unknown =>
    value instanceof asn1js.Sequence ? value.valueBlock.value[at] : undefined
  const entry = inner(inner(attribute, 0), 0)
  const first = inner(entry, 0)
  const algorithm = inner(first, 0)
  const named = algorithm instanceof asn1js.ObjectIdentifier ? digests[algorithm.valueBlock.toString()] : undefined
  const hashed = first instanceof asn1js.OctetString ? first : inner(entry, 1)
  if (!(hashed instanceof asn1js.OctetString)) return false
  const { valueHexView: expected } = hashed.valueBlock
  const name = first === hashed ? (expected.length === 20 ? 'SHA-1' : 'SHA-256') : named
  return name !== undefined && equalHashes(new Uint8Array(await crypto.subtle.digest(name, own(der))), expected)
}

/** One value, and nothing behind it. */
function decode(asn1js: Asn1, bytes: Uint8Array): import('asn1js').AsnType {
  const { offset, result } = asn1js.fromBER(own(bytes).buffer)
  if (offset !== bytes.length) throw new Error('it is cut off, or something follows it')
  return result
}

function parse<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new LogError('malformed', `${what} is malformed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }) // oxfmt-ignore
  }
}

function readCertificates(pem: string): Uint8Array[] {
  const found = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)]
  const certificates = found.map(([, text = '']) => decodeBase64(text.replaceAll(/\s/g, '')))
  if (certificates.length === 0 || certificates.includes(undefined))
    throw new LogError('key_invalid', 'there is no certificate to trust, or one that is not PEM')
  return certificates.filter((one) => one !== undefined)
}

const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** A copy over a buffer of its own: pkijs takes whole buffers. */
const own = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes)
