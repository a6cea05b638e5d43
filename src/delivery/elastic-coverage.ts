import type { StoredRecord } from '../ledger/read.ts'
import { blockSize, maxRecordBytes } from '../record/record.ts'
import { pairKinds } from '../record/run.ts'
import {
  type Body,
  copyExactly,
  makeRoom,
  put,
  putEscaped,
  putNumber,
  putSpan,
  readCheck,
  setNumber,
  setText,
  viewOf,
} from './body.ts'
import { type CoverageShape, type Piece, pieceOf, type Text, textOf } from './elastic-shape.ts'

/**
 * Coverage records are nearly all there are, and those of one part share most of their text: of each, only what differs from the shape
 * of its part is read and written, as bytes. A record that does not fit the shape byte for byte is left to the general way
 * (elastic-render.ts), which takes everything at five times the cost.
 */

const blobKey = pieceOf(',"blob":"')
const coveredKey = pieceOf(',"covered":')
const partialKey = pieceOf(',"partial":')
const missedKey = pieceOf(',"missed":')
/** In the order in which a record may have them. */
const pairKeys = pairKinds.map((kind) => pieceOf(`,"${kind}":{"found":`))
const windowKeys = [',"window":{"index":', ',"of":', ',"from":', ',"to":'].map(pieceOf)
const coveredSet = pieceOf(',"ranges":{"covered":"')
const partialSet = pieceOf('","partial":"')
const missedSet = pieceOf('","missed":"')
const escapedQuote = textOf('\\"')
const escapedEnd = textOf('\\"}}')
const executedKey = textOf(',"executed":')
const missedLines = textOf(',"missed_lines":[')
const partialLines = textOf(',"partial_lines":[')
const end = textOf('}}\n')

const quote = 0x22
const quotes = 0x2222
const comma = 0x2c
const dash = 0x2d
const closing = 0x7d

// The record in work, with quotes behind it and at the end, where every search stops. Used synchronously only.
const scratch = new Uint8Array(maxRecordBytes + 64).fill(quote)
const source = viewOf(scratch)

/** Takes the record into work; answers its bytes, until the next one is taken. */
export function takeRecord(record: StoredRecord): Uint8Array {
  const length = record.copyTo(scratch, 0)
  source.setInt16(length, quotes)
  return scratch.subarray(0, length)
}

/** Writes both lines of the record in work. False when it has another shape: then nothing is written. */
export function putCoverage(body: Body, shape: CoverageShape, seq: number, length: number, digest: string): boolean {
  if (seq >= shape.below || Math.floor(seq / blockSize) !== shape.block) return false

  // Each position is -1 as soon as something before it did not fit.
  const ordinal = past(shape.toOrdinal, shape.time + 27)
  const ordinalEnd = pastDigits(ordinal)
  const path = past(shape.toPath, ordinalEnd)
  const pathEnd = pastString(path)
  const blob = past(blobKey, pathEnd)
  const metric = blob < 0 ? pathEnd : pastHex(blob)
  const found = past(shape.toLines, metric)
  const covered = past(coveredKey, pastDigits(found))
  const partial = past(partialKey, pastDigits(covered))
  const linesEnd = pastDigits(past(missedKey, pastDigits(partial)))
  let artifact = pastBrace(linesEnd)
  for (const key of pairKeys) artifact = pastPair(key, artifact)
  const artifactEnd = past(shape.artifact, artifact)
  const ranges = pastWindow(artifactEnd)
  const coveredAt = past(coveredSet, ranges)
  const coveredEnd = pastSet(coveredAt)
  const partialAt = past(partialSet, coveredEnd)
  const partialEnd = pastSet(partialAt)
  const missedAt = past(missedSet, partialEnd)
  const missedEnd = pastSet(missedAt)
  if (missedEnd < 0 || missedEnd + 3 !== length || pastBrace(pastBrace(missedEnd + 1)) !== length) return false

  // A line of a set, at least two bytes with its comma, becomes at most ten times as long; everything else at most doubles.
  makeRoom(body, shape.length + 14 * length)
  putFront(body, shape, seq, digest)
  putSpan(body, source, ordinal, ordinalEnd)
  put(body, shape.toPath.escaped.bytes)
  putEscaped(body, source, path, pathEnd)
  if (blob >= 0) {
    putShort(body, blobKey.escaped)
    putSpan(body, source, blob, metric - 1)
    putShort(body, escapedQuote)
  }
  put(body, shape.toLines.escaped.bytes)
  putEscaped(body, source, found, artifact)
  put(body, shape.artifact.escaped.bytes)
  putEscaped(body, source, artifactEnd, ranges)
  putShort(body, coveredSet.escaped)
  putSpan(body, source, coveredAt, coveredEnd)
  putShort(body, partialSet.escaped)
  putSpan(body, source, partialAt, partialEnd)
  putShort(body, missedSet.escaped)
  putSpan(body, source, missedAt, missedEnd)
  putShort(body, escapedEnd)
  put(body, shape.toFile)
  putSpan(body, source, path, pathEnd - 1)
  put(body, shape.toCheck)
  putNumber(body, readCheck(digest))
  put(body, shape.toOwn)
  putSpan(body, source, ordinal, ordinalEnd)
  put(body, shape.toRest)
  putSpan(body, source, pathEnd, linesEnd)
  putShort(body, executedKey)
  putNumber(body, numberAt(covered) + numberAt(partial))
  putSpan(body, source, linesEnd, ranges)
  putLines(body, missedLines, missedAt, missedEnd)
  putLines(body, partialLines, partialAt, partialEnd)
  putShort(body, end)
  return true
}

/** All up to the ordinal: the shape's text, with the record's own id, seq, recorded_at and digest over it. */
function putFront(body: Body, shape: CoverageShape, seq: number, digest: string): void {
  const { view, at } = body
  const { ids, seqs, times, idLength, seqLength, time } = shape
  put(body, shape.front)
  copyExactly(view, at + ids[0], source, 7, idLength)
  copyExactly(view, at + ids[1], source, 7, idLength)
  copyExactly(view, at + ids[2], source, 7, idLength)
  setNumber(view, at + seqs[0], seq, seqLength)
  setNumber(view, at + seqs[1], seq, seqLength)
  copyExactly(view, at + times[0], source, time, 27)
  copyExactly(view, at + times[1], source, time, 27)
  setText(body, at + shape.digest, digest)
}

/** By words, which for so little is cheaper than a call. */
function putShort(body: Body, { bytes, view }: Text): void {
  putSpan(body, view, 0, bytes.length)
}

/** Behind the piece, when it stands at `at`. */
function past({ plain: { view, bytes } }: Piece, at: number): number {
  const { length } = bytes
  if (at < 0 || at + length > maxRecordBytes) return -1
  for (let i = 0; i < length - 4; i += 4) if (source.getInt32(at + i, true) !== view.getInt32(i, true)) return -1
  return source.getInt32(at + length - 4, true) === view.getInt32(length - 4, true) ? at + length : -1
}

function pastDigits(from: number): number {
  if (from < 0) return -1
  let at = from
  while (isDigit(source.getUint8(at))) at++
  return at > from ? at : -1
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39

/** Behind the closing quote of a string whose inside begins at `from`. */
function pastString(from: number): number {
  if (from < 0) return -1
  let at = from
  for (let byte = source.getUint8(at); byte !== quote; byte = source.getUint8(at)) at += byte === 0x5c ? 2 : 1
  return at + 1
}

/** Behind the closing quote of a string of hex digits. */
function pastHex(from: number): number {
  let at = from
  for (let byte = source.getUint8(at); isDigit(byte) || (byte >= 0x61 && byte <= 0x66); byte = source.getUint8(at)) at++
  return source.getUint8(at) === quote ? at + 1 : -1
}

const pastBrace = (at: number): number => (at >= 0 && source.getUint8(at) === closing ? at + 1 : -1)

/** Behind the member of found and covered; `at` itself when it is not there. */
function pastPair(key: Piece, at: number): number {
  const found = past(key, at)
  return found < 0 ? at : pastBrace(pastDigits(past(coveredKey, pastDigits(found))))
}

/** Only what a long file is cut into has one. */
function pastWindow(from: number): number {
  let at = from
  for (const key of windowKeys) {
    const number = past(key, at)
    if (number < 0 && key === windowKeys[0]) return from
    at = pastDigits(number)
  }
  return pastBrace(at)
}

/** Behind `1-5,9`; it may be empty. */
function pastSet(from: number): number {
  if (from < 0) return -1
  let at = from
  for (let byte = source.getUint8(at); isDigit(byte) || byte === comma || byte === dash; byte = source.getUint8(at))
    at++
  return at
}

function numberAt(from: number): number {
  let n = 0
  for (let at = from; ; at++) {
    const byte = source.getUint8(at)
    if (!isDigit(byte)) return n
    n = n * 10 + byte - 0x30
  }
}

const word = (text: string): number => Buffer.from(text, 'latin1').readInt32LE()
const gte = [word('{"gt'), word('e":0')] as const
const lte = [word(',"lt'), word('e":0')] as const

/** `6-8,18` as integer_range values: a term query for one line then finds the record. Nothing when there are none. */
function putLines(body: Body, key: Text, from: number, to: number): void {
  if (from === to) return
  putShort(body, key)
  const { view } = body
  let { at } = body
  let i = from
  while (i < to) {
    view.setInt32(at, gte[0], true)
    view.setInt32(at + 4, gte[1], true)
    at += 7
    const first = i
    for (; isDigit(source.getUint8(i)); i++) view.setUint8(at++, source.getUint8(i))
    let last = first
    if (source.getUint8(i) === dash) last = ++i
    view.setInt32(at, lte[0], true)
    view.setInt32(at + 4, lte[1], true)
    at += 7
    for (i = last; isDigit(source.getUint8(i)); i++) view.setUint8(at++, source.getUint8(i))
    view.setUint8(at++, closing)
    view.setUint8(at++, comma)
    i++
  }
  view.setUint8(at - 1, 0x5d) // ]
  body.at = at
}
