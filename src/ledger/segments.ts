import { hash } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { LedgerName, RecordKind } from '../record/record.ts'
import { maxPayloadBytes } from '../record/record.ts'

/**
 * A segment is up to 1,024 consecutive payloads of one submission and one kind, joined by newlines and compressed. It is made before
 * there is a seq, in a worker thread. Its dictionary is an earlier segment of the same chain (repository, suite, part, number within the
 * part): consecutive runs of a suite are nearly equal (0.22 bytes a line state against 1.14 without, measured on a real year).
 */

export const maxSegmentRecords = 1_024
export const maxSegmentBytes = 1_048_576
/**
 * A small segment is compressed harder: on a real year of 56 KB a run that saves 7 % of the bytes for a quarter more time. On large ones
 * it would take seven times as long for 4 %.
 */
const level = 3
const smallLevel = 9
const smallBytes = 131_072
/** Room for the compressed bytes of nearly every segment at once: each further piece is a call, and all are copied together. */
const outputBytes = 65_536
/** A chain restarts in blocks of this many, so a segment is at most log2(64) dictionaries away from one that needs none. */
const chainBlock = 64

export interface PackedSegment {
  kind: RecordKind
  count: number
  rawBytes: number
  /** Payloads, each followed by a newline; what the leaf hashes are made from once there is a seq. */
  raw: Uint8Array
  /** First 8 bytes of SHA-256(payload), one after the other. */
  idHashes: Uint8Array
  compressed: Uint8Array
  chain: bigint | undefined
  chainIndex: number | undefined
  dictionarySeq: number | undefined
  depth: number
}

/** Where the next segment of a chain stands, and the segment that shall be its dictionary. */
export interface ChainLink {
  chain: bigint
  index: number
  dictionary: { seq: number; depth: number; raw: Uint8Array } | undefined
}

/** The chain of segment `number` of this part of this suite: 63 bits of a hash; a collision costs compression, nothing else. */
export function chainOf(ledger: LedgerName, repository: string, suite: string, part: string, number: number): bigint {
  const digest = hash('sha256', JSON.stringify([ledger, repository, suite, part, number]), 'buffer')
  return digest.readBigInt64BE(0)
}

/** Index of the segment that number `index` of a chain takes as its dictionary: itself minus its lowest set bit, within blocks of 64. */
export function dictionaryIndex(index: number): number | undefined {
  const within = index % chainBlock
  return within === 0 ? undefined : index - (within & -within)
}

/** Compresses payloads into one segment. Throws when a payload is too long or not on one line: those are our own mistakes. */
export function packSegment(kind: RecordKind, payloads: readonly Uint8Array[], link?: ChainLink): PackedSegment {
  if (payloads.length === 0 || payloads.length > maxSegmentRecords)
    throw new Error(`a segment of ${payloads.length} payloads`)
  let rawBytes = 0
  for (const payload of payloads) rawBytes += payload.length + 1
  const raw = Buffer.from(new SharedArrayBuffer(rawBytes))
  const idHashes = Buffer.from(new SharedArrayBuffer(payloads.length * 8))
  let at = 0
  for (const [i, payload] of payloads.entries()) {
    if (payload.length > maxPayloadBytes) throw new Error(`a payload of ${payload.length} bytes`)
    if (payload.includes(10)) throw new Error('a payload holds a newline')
    raw.set(payload, at)
    at += payload.length
    raw[at++] = 10
    const digest = hash('sha256', payload, 'latin1')
    for (let byte = 0; byte < 8; byte++) idHashes[i * 8 + byte] = digest.charCodeAt(byte)
  }
  // A dictionary much larger than what it helps to compress costs every reader more than it saves.
  const dictionary =
    link?.dictionary !== undefined && link.dictionary.raw.length <= 4 * rawBytes ? link.dictionary : undefined
  const compressed = zstdCompressSync(raw, {
    chunkSize: outputBytes,
    params: { [constants.ZSTD_c_compressionLevel]: rawBytes > smallBytes ? level : smallLevel },
    ...(dictionary === undefined ? {} : { dictionary: dictionary.raw }),
  })
  return {
    kind,
    count: payloads.length,
    rawBytes,
    raw,
    idHashes,
    compressed,
    chain: link?.chain,
    chainIndex: link?.index,
    dictionarySeq: dictionary?.seq,
    depth: dictionary === undefined ? 0 : dictionary.depth + 1,
  }
}

/** Cuts payloads into groups that fit a segment. */
export function* groupPayloads(payloads: Iterable<Uint8Array>): Generator<Uint8Array[]> {
  let group: Uint8Array[] = []
  let bytes = 0
  for (const payload of payloads) {
    if (group.length === maxSegmentRecords || (group.length > 0 && bytes + payload.length + 1 > maxSegmentBytes)) {
      yield group
      group = []
      bytes = 0
    }
    group.push(payload)
    bytes += payload.length + 1
  }
  if (group.length > 0) yield group
}

/** The raw payloads again. Throws when the stored bytes are damaged; `dictionary` is the raw content of the segment it was made with. */
export function unpackSegment(compressed: Uint8Array, rawBytes: number, dictionary: Uint8Array | undefined): Buffer {
  const raw = zstdDecompressSync(compressed, {
    maxOutputLength: rawBytes,
    chunkSize: Math.max(64, rawBytes + 1),
    ...(dictionary === undefined ? {} : { dictionary }),
  })
  if (raw.length !== rawBytes) throw new Error(`a segment of ${raw.length} bytes instead of ${rawBytes}`)
  return raw
}
