/**
 * Strict RFC 4648 section 4 base64: standard alphabet, padded, and only the one canonical text per byte string. Lenient decoders take
 * white space, the URL alphabet and stray trailing bits, which would give one proof several spellings.
 */

const pieceBytes = 12_288

/** The bytes, or undefined for anything but their one canonical spelling. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  let binary: string
  try {
    binary = atob(text)
  } catch {
    return undefined // for example `A===`
  }
  // Alphabet and padding are right; what is left to be spelled in two ways are the stray bits of the last four characters.
  const tail = binary.length % 3 === 0 ? '' : binary.slice(-(binary.length % 3))
  if (tail !== '' && btoa(tail) !== text.slice(-4)) return undefined
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

export function encodeBase64(bytes: Uint8Array): string {
  let text = ''
  // In pieces whose length is a multiple of three: adding a character at a time takes three times as long over megabytes.
  for (let at = 0; at < bytes.length; at += pieceBytes)
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + pieceBytes)))
  return text
}

/** A SHA-256 hash as it stands in checkpoints and proofs: 32 bytes, or undefined. */
export function decodeHash(text: string): Uint8Array | undefined {
  const bytes = text.length === 44 ? decodeBase64(text) : undefined
  return bytes?.length === 32 ? bytes : undefined
}
