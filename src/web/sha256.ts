/**
 * SHA-256 (FIPS 180-4) for the page: stands in for record/sha256.ts, which imports node:, when the pure rooms run in a browser. WebCrypto has
 * one too, but answers by a promise, and the tree of a log is folded by thousands of hashes of 65 bytes.
 */

/** First 32 bits of the fractions of the cube roots of the first 64 primes, and of the square roots of the first eight. */
const [roundConstants, initialState] = constants()
const schedule = new Uint32Array(64)
const state = new Uint32Array(8)

/** SHA-256 of `bytes`: 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const digest = new Uint8Array(32)
  sha256Into(bytes, digest, 0)
  return digest
}

/** The same, written to `to` from `at` on. `bytes` may be a part of `to`. */
export function sha256Into(bytes: Uint8Array, to: Uint8Array, at: number): void {
  state.set(initialState)
  const whole = bytes.length - (bytes.length % 64)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let block = 0; block < whole; block += 64) compress(view, block)
  // What is left, a one bit, zeroes, and the length in bits as 64 bits: one block or two.
  const tail = new DataView(new ArrayBuffer(bytes.length - whole < 56 ? 64 : 128))
  for (let i = whole; i < bytes.length; i++) tail.setUint8(i - whole, view.getUint8(i))
  tail.setUint8(bytes.length - whole, 0x80)
  tail.setBigUint64(tail.byteLength - 8, BigInt(bytes.length) * 8n)
  for (let block = 0; block < tail.byteLength; block += 64) compress(tail, block)
  for (const [i, word] of state.entries())
    for (let byte = 0; byte < 4; byte++) to[at + 4 * i + byte] = word >>> (24 - 8 * byte)
}

/** Whether the first `length` bytes of the hash stand in `wanted` at `at`. */
export function sha256Meets(bytes: Uint8Array, wanted: Uint8Array, at: number, length: number): boolean {
  return sha256(bytes)
    .subarray(0, length)
    .every((byte, i) => wanted[at + i] === byte)
}

/** The same as 64 lower-case hex digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return Array.from(sha256(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const word = (words: Uint32Array, i: number): number => words[i] ?? 0 // every index here lies within
const turn = (x: number, by: number): number => (x >>> by) | (x << (32 - by))

function compress(block: DataView, at: number): void {
  const w = schedule
  for (let i = 0; i < 16; i++) w[i] = block.getUint32(at + 4 * i)
  for (let i = 16; i < 64; i++) {
    const [a, b] = [word(w, i - 15), word(w, i - 2)]
    const [s0, s1] = [turn(a, 7) ^ turn(a, 18) ^ (a >>> 3), turn(b, 17) ^ turn(b, 19) ^ (b >>> 10)]
    w[i] = word(w, i - 16) + s0 + word(w, i - 7) + s1
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i++) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)
    const first = (h + s1 + ((e & f) ^ (~e & g)) + word(roundConstants, i) + word(w, i)) | 0
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = (first + second) | 0
  }
  for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = word(state, i) + value
}

/** Computed with integers, since a table of 72 numbers cannot be read for a wrong digit: floor(root(prime) * 2^32) mod 2^32. */
function constants(): [Uint32Array, Uint32Array] {
  const primes: bigint[] = []
  for (let n = 2n; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0n)) primes.push(n)
  const fraction = (prime: bigint, power: bigint): number => {
    const wanted = prime << (32n * power)
    let root = 0n
    for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) if ((root + bit) ** power <= wanted) root += bit
    return Number(root & 0xffff_ffffn)
  }
  return [Uint32Array.from(primes, (prime) => fraction(prime, 3n)), Uint32Array.from(primes.slice(0, 8), (prime) => fraction(prime, 2n))] // oxfmt-ignore
}
