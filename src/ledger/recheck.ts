import { setImmediate as breathe } from 'node:timers/promises'
import { type Edge, appendLeaves, equalHashes } from '../log/merkle.ts'
import { Problem } from '../record/problem.ts'
import { sha256Meets } from '../record/sha256.ts'
import type { Append, PlacedSegment } from './batch.ts'
import { createHeaderWriter } from './header-writer.ts'
import { unpackSegment } from './segments.ts'

/**
 * The second look at an append, before anything of it is stored: its compressed bytes are decompressed with the dictionary that readers
 * will take, and every id, every leaf and the root are computed again from what comes out. A bit that flipped in memory since the first
 * time (one leaf hash, signed, was the end of the log Yeti 2022), a dictionary that is another one than is recorded, a mistake in packing:
 * none of that is ever stored or signed. Throws Problem('internal'): who repeats gets everything made anew.
 */
export async function recheck(
  { segments, next }: Pick<Append, 'segments' | 'next'>,
  before: Edge,
  rawAt: (firstSeq: number) => Promise<Uint8Array>,
): Promise<void> {
  const { ledger, edge, root } = next
  const headers = createHeaderWriter(ledger)
  for (const placed of segments) {
    const { compressed, rawBytes, dictionarySeq, count } = placed.segment
    const dictionary = dictionarySeq === undefined ? undefined : await rawAt(dictionarySeq)
    const bad = firstBad(placed, unpack(compressed, rawBytes, dictionary), headers)
    if (bad !== undefined) throw damaged(`record ${bad} of ${ledger} hashes to something else when it is hashed again`)
    if (count > 256) await breathe()
  }
  const again = appendLeaves(before, Buffer.concat(segments.map(({ leafHashes }) => leafHashes)))
  if (again.size !== edge.size || !equalHashes(again.root, root))
    throw damaged(`${ledger} has another root at ${edge.size} records when it is computed again`)
}

const damaged = (what: string): Problem =>
  new Problem('internal', `${what}: memory or packing is at fault; nothing was stored, repeating is safe`)

/** Nothing when it cannot be decompressed. */
function unpack(...segment: Parameters<typeof unpackSegment>): Buffer {
  try {
    return unpackSegment(...segment)
  } catch {
    return Buffer.alloc(0)
  }
}

// Room for 0x00 and a record; used synchronously only.
const scratch = Buffer.alloc(8_192)

/** Seq of the first record whose id or leaf is not what its bytes hash to. */
function firstBad(
  { firstSeq, firstTime, segment, leafHashes }: PlacedSegment,
  raw: Buffer,
  headers: ReturnType<typeof createHeaderWriter>,
): number | undefined {
  const { count, idHashes } = segment
  let start = 0
  for (let i = 0; i < count; i++) {
    const end = raw.indexOf(10, start)
    if (end < 0 || !sha256Meets(raw.subarray(start, end), idHashes, i * 8, 8)) return firstSeq + i
    const header = headers.write(firstSeq + i, firstTime + i, idHashes, i * 8)
    scratch.set(header, 1)
    const length = 1 + header.length + raw.copy(scratch, 1 + header.length, start + 1, end)
    if (!sha256Meets(scratch.subarray(0, length), leafHashes, i * 32, 32)) return firstSeq + i
    start = end + 1
  }
  return start === raw.length ? undefined : firstSeq + count
}
