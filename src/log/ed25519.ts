/**
 * Ed25519 (RFC 8032) through WebCrypto, in browsers and Node alike. Public keys of small order and non-canonical encodings are refused
 * where a key enters: under such a key one signature verifies for any message (OpenSSL accepts them; reproduced).
 */

const curvePrime = 2n ** 255n - 19n
/** The y coordinates of the eight points whose order divides 8: 0 (order 4), 1, -1, and the two of order 8. */
const smallOrderY: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  curvePrime - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
])

/** Whether 32 bytes may stand as a public key: a canonical encoding, not of small order. */
export function isUsablePublicKey(key: Uint8Array): boolean {
  if (key.length !== 32) return false
  let y = 0n
  for (const byte of key.toReversed()) y = y * 256n + BigInt(byte)
  y &= 2n ** 255n - 1n // the highest bit is the sign of x
  return y < curvePrime && !smallOrderY.has(y)
}

/** False for anything malformed. */
export async function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (signature.length !== 64 || !isUsablePublicKey(publicKey)) return false
  const key = await crypto.subtle.importKey('raw', own(publicKey), 'Ed25519', false, ['verify'])
  return crypto.subtle.verify('Ed25519', key, own(signature), own(message))
}

export interface Ed25519Key {
  publicKey: Uint8Array
  /** 64 bytes; the same message always gives the same signature. */
  sign: (message: Uint8Array) => Promise<Uint8Array>
}

// RFC 8410: the fixed bytes of a PKCS #8 private key in front of the 32-byte seed.
const pkcs8Head = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]

/** The key pair of a 32-byte seed. The private part cannot be read back out of the result. */
export async function ed25519FromSeed(seed: Uint8Array): Promise<Ed25519Key> {
  if (seed.length !== 32) throw new RangeError('an Ed25519 seed is 32 bytes')
  const encoded = Uint8Array.from([...pkcs8Head, ...seed])
  const readable = await crypto.subtle.importKey('pkcs8', encoded, 'Ed25519', true, ['sign'])
  const { x = '' } = await crypto.subtle.exportKey('jwk', readable) // WebCrypto has no other way from a seed to its public key
  const publicKey = Uint8Array.from(atob(x.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
  const key = await crypto.subtle.importKey('pkcs8', encoded, 'Ed25519', false, ['sign'])
  return {
    publicKey,
    sign: async (message) => new Uint8Array(await crypto.subtle.sign('Ed25519', key, own(message))),
  }
}

/** WebCrypto takes no views of shared memory; this also keeps the message from changing while it is being signed. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes)
}
