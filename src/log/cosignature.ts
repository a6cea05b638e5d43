/** C2SP tlog-cosignature, `cosignature/v1`: a witness says when it saw a checkpoint. 8 bytes of time, big-endian, then an Ed25519 signature. */

const timeBytes = 8
const encoder = new TextEncoder()

/** What is signed: a head line, the time in POSIX seconds, the whole note text. */
export function cosignatureMessage(time: number, text: string): Uint8Array {
  return encoder.encode(`cosignature/v1\ntime ${time}\n${text}`)
}

/** Puts the time in front of the signature, as it stands in a note's signature line. */
export function joinCosignature(time: number, signature: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(timeBytes + signature.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(time))
  bytes.set(signature, timeBytes)
  return bytes
}

/** Undefined unless it is 72 bytes with a time that can be counted with; a little-endian time, once in the wild, fails here or at the signature. */
export function splitCosignature(bytes: Uint8Array): { time: number; signature: Uint8Array } | undefined {
  if (bytes.length !== timeBytes + 64) return undefined
  const time = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0)
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) return undefined
  return { time: Number(time), signature: bytes.subarray(timeBytes) }
}
