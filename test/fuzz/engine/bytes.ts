const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export const toBytes = (input: string | Uint8Array): Uint8Array =>
  typeof input === 'string' ? encoder.encode(input) : Uint8Array.from(input)

/** Bytes as a parser of texts gets them. What is no UTF-8 becomes half of a surrogate pair: text in memory may hold that. */
export const toText = (bytes: Uint8Array): string => decoder.decode(bytes).replaceAll('\ufffd', '\ud800')

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** The same bytes in pieces of random length, each in memory of its own that is overwritten afterwards, as a socket's may be. */
export async function* inPieces(
  bytes: Uint8Array,
  random: (below: number) => number,
  isReused = true,
): AsyncGenerator<Uint8Array> {
  const longest = 1 + random(random(4) === 0 ? 4 : 400)
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random(longest)
    const piece = Uint8Array.from(bytes.subarray(at, at + size))
    yield piece
    if (isReused) piece.fill(0x58)
    at += size
  }
}

/** All at once. */
export async function* inOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield Uint8Array.from(bytes)
}
