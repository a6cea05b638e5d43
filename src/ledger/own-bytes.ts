/**
 * The same bytes in memory of just their size, for what is kept. Small buffers lie in slabs of 64 KiB that they share, and what zlib gives is
 * the begin of its output buffer: one that stays keeps all of that.
 */
export function ownBytes(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= bytes.length + spare) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}

/** Not worth a copy. */
const spare = 256
