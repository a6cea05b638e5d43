/**
 * Where zstd frames end (RFC 8878 section 3.1), without decoding them, and the seek table of the zstd seekable format: a skippable frame
 * at the end of a file that lists the sizes of the frames before it. Any zstd program decodes such a file as if it were not there.
 */

const magic = 0xfd2fb528
const skippableMagic = 0x184d2a50 // to 0x184d2a5f
const seekTableMagic = 0x184d2a5e
const seekableMagic = 0x8f92eab1

export interface FrameSize {
  compressed: number
  decompressed: number
}

export interface FoundFrame {
  /** Bytes of the whole frame. */
  length: number
  /** Carries no data of the file. */
  isSkippable: boolean
}

/** The frame that `bytes` begin with; undefined when more bytes are needed to tell. Throws for what begins no frame. */
export function findFrame(bytes: Uint8Array): FoundFrame | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 8) return undefined
  const word = view.getUint32(0, true)
  if ((word & 0xfffffff0) >>> 0 === skippableMagic) {
    const length = 8 + view.getUint32(4, true)
    return bytes.length < length ? undefined : { length, isSkippable: true }
  }
  if (word !== magic) throw new Error('no zstd frame begins here')
  const descriptor = bytes[4] ?? 0
  const isSingle = (descriptor & 0x20) !== 0
  const contentSize = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  const dictionaryId = [0, 1, 2, 4][descriptor & 3] ?? 0
  const checksum = (descriptor & 4) === 0 ? 0 : 4
  for (let at = 5 + (isSingle ? 0 : 1) + dictionaryId + contentSize; ;) {
    if (bytes.length < at + 3) return undefined
    const header = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)
    const kind = (header >> 1) & 3
    if (kind === 3) throw new Error('a zstd block of the reserved type')
    at += 3 + (kind === 1 ? 1 : header >> 3) // a repeated byte is stored once
    if ((header & 1) === 0) continue
    return bytes.length < at + checksum ? undefined : { length: at + checksum, isSkippable: false }
  }
}

export function printSeekTable(frames: readonly FrameSize[]): Uint8Array {
  const bytes = new Uint8Array(8 + frames.length * 8 + 9)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, seekTableMagic, true)
  view.setUint32(4, bytes.length - 8, true)
  for (const [i, { compressed, decompressed }] of frames.entries()) {
    view.setUint32(8 + i * 8, compressed, true)
    view.setUint32(12 + i * 8, decompressed, true)
  }
  view.setUint32(bytes.length - 9, frames.length, true)
  bytes[bytes.length - 5] = 0 // no checksums: every frame has its own
  view.setUint32(bytes.length - 4, seekableMagic, true)
  return bytes
}
