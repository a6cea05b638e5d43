/**
 * Names that are only compared within one line or one file (text ids of branches, functions) are kept as integers made from their bytes. Not for
 * anything an enemy gains by: a collision merges two branches of his own line.
 */

export interface Fingerprint {
  a: number
  b: number
}

/** Two times 32 bits of `bytes[from, to)`, in one pass. The answer is valid until the next call. */
export function fingerprint(bytes: Uint8Array, from: number, to: number): Readonly<Fingerprint> {
  let a = 0x2545f491 ^ (to - from)
  let b = 0x1f83d9ab
  for (let i = from; i < to; i += 1) {
    const byte = bytes[i] as number // i < to <= length
    a = Math.imul(a ^ byte, 0x5bd1e995)
    b = ((b << 5) - b + byte) ^ (b >>> 23)
  }
  last.a = mix(a, b, 0, 0)
  last.b = mix(b, a, 1, 0)
  return last
}

const last: Fingerprint = { a: 0, b: 0 }

/** 32 bits of a text. */
export function hashText(text: string): number {
  let h = text.length
  for (let i = 0; i < text.length; i += 1) h = (Math.imul(h, 31) + text.charCodeAt(i)) | 0
  return h
}

/** The same of ASCII. */
export function hashAscii(bytes: Uint8Array, from: number, to: number): number {
  let h = to - from
  for (let i = from; i < to; i += 1) h = (Math.imul(h, 31) + (bytes[i] as number)) | 0 // i < to <= length
  return h
}

/** 32 bits of a few integers. */
export function mix(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a ^ 0x1b873593, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 15) ^ b, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13) ^ c, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 16) ^ d, 0x27d4eb2f)
  return h ^ (h >>> 15)
}
