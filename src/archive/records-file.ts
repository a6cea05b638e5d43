import { hash } from 'node:crypto'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import type { StoredRecord } from '../ledger/read.ts'
import { type FrameSize, findFrame, printSeekTable } from '../verify/zstd-frames.ts'

/**
 * Records, one a line, in zstd frames of at most 1,024 records or 1 MiB, with a seek table behind them. Where frames are cut follows from
 * the records alone, so that two nodes, or a second try after a crash, make the same bytes.
 */

export const maxFrameRecords = 1_024
export const maxFrameBytes = 1_048_576
const level = 9

const compress = promisify<Uint8Array, object, Buffer>(zstdCompress)

/** Off this thread: a frame takes some ten milliseconds. */
function compressFrame(raw: Uint8Array): Promise<Buffer> {
  return compress(raw, { params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 } })
}

export async function* printRecords(batches: AsyncIterable<readonly StoredRecord[]>): AsyncGenerator<Uint8Array> {
  const sizes: FrameSize[] = []
  let held = Buffer.alloc(maxFrameBytes)
  let records = 0
  let bytes = 0
  const cut = async (): Promise<Uint8Array> => {
    const frame = await compressFrame(held.subarray(0, bytes))
    sizes.push({ compressed: frame.length, decompressed: bytes })
    held = Buffer.alloc(maxFrameBytes)
    records = 0
    bytes = 0
    return frame
  }
  for await (const batch of batches) {
    for (const record of batch) {
      if (records === maxFrameRecords || bytes + record.size + 1 > maxFrameBytes) yield await cut()
      bytes += record.copyTo(held, bytes)
      held[bytes++] = 10
      records++
    }
  }
  if (records > 0) yield await cut()
  yield printSeekTable(sizes)
}

export interface FileFacts {
  bytes: number
  sha256: string
}

/** Passes bytes on and tells at the end what they were. */
export function measured(bytes: AsyncIterable<Uint8Array>): { bytes: AsyncIterable<Uint8Array>; facts(): FileFacts } {
  const digest = createHash('sha256')
  let length = 0
  let sha256: string | undefined
  async function* passing(): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      digest.update(chunk)
      length += chunk.length
      yield chunk
    }
  }
  return { bytes: passing(), facts: () => ({ bytes: length, sha256: (sha256 ??= digest.digest('hex')) }) }
}

/** The frames of a file as they lie in it, the seek table left out. Throws when it ends within one, or has other bytes between. */
export async function* splitFrames(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0)
  let wanted = 0
  for await (const chunk of bytes) {
    held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk])
    if (held.length < wanted) continue
    for (;;) {
      const found = findFrame(held)
      if (found === undefined) {
        wanted = held.length * 2 // not looked at again with every chunk
        break
      }
      wanted = 0
      if (!found.isSkippable) yield held.subarray(0, found.length)
      held = held.subarray(found.length)
      if (held.length === 0) break
    }
  }
  while (held.length > 0) {
    const found = findFrame(held)
    if (found === undefined) throw new Error('the file ends within a zstd frame')
    if (!found.isSkippable) yield held.subarray(0, found.length)
    held = held.subarray(found.length)
  }
}

export const sha256Of = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex')
