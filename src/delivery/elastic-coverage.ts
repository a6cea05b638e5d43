import type { StoredRecord } from '../ledger/read.ts'
import { blockSize, maxRecordBytes } from '../record/record.ts'
import { type Body, makeRoom, put, putEscaped, copyExactly, putNumber, putSpan, setDigest, viewOf } from './body.ts'
import { bytesOf, type CoverageShape, type Piece, pieceOf } from './elastic-shape.ts'

/**
 * Coverage records are nearly all there are, and those of one part share most of their text: of each, only what differs from the shape
 * of its part is read and written, as bytes. A record that does not fit the shape byte for byte is left to the general way
 * (elastic-render.ts), which takes everything at five times the cost.
 */

const blobKey = pieceOf(',"blob":"')
const coveredKey = pieceOf(',"covered":')
const partialKey = pieceOf(',"partial":')
const missedKey = pieceOf(',"missed":')
const branchesKey = pieceOf(',"branches":{"found":')
const functionsKey = pieceOf(',"functions":{"found":')
const windowKeys = [',"window":{"index":', ',"of":', ',"from":', ',"to":'].map(pieceOf)
const coveredSet = pieceOf(',"ranges":{"covered":"')
const partialSet = pieceOf('","partial":"')
const missedSet = pieceOf('","missed":"')
const executedKey = bytesOf(',"executed":')
const missedLines = bytesOf(',"missed_lines":[')
const partialLines = bytesOf(',"partial_lines":[')
const end = bytesOf('}}\n')

const quote = 0x22
const quotes = 0x2222
const comma = 0x2c
const dash = 0x2d
const closing = 0x7d

// The record in work, with quotes behind it at which every search ends. Used synchronously only.
const scratch = Buffer.alloc(maxRecordBytes + 64)
const source = viewOf(scratch)

/** Writes both lines of this record. False when it has another shape: then nothing is written. */
export function putCoverage(body: Body, shape: CoverageShape, record: StoredRecord, digest: string): boolean {
  const { bytes, id, seq } = record
  const { length } = bytes
  if (length > maxRecordBytes || id.length !== shape.idLength || Math.floor(seq / blockSize) !== shape.block)
    return false
  scratch.set(bytes)
  source.setInt16(length, quotes)

  // Each position is -1 as soon as something before it did not fit.
  const ordinal = past(shape.toOrdinal, shape.time + 27)
  const ordinalEnd = pastDigits(ordinal)
  const path = past(shape.toPath, ordinalEnd)
  const pathEnd = pastString(path)
  const blob = past(blobKey, pathEnd)
  const metric = blob < 0 ? pathEnd : pastString(blob)
  const found = past(shape.toLines, metric)
  const covered = past(coveredKey, pastDigits(found))
  const partial = past(partialKey, pastDigits(covered))
  const linesEnd = pastDigits(past(missedKey, pastDigits(partial)))
  const artifact = pastPair(functionsKey, pastPair(branchesKey, pastBrace(linesEnd)))
  const artifactEnd = past(shape.artifact, artifact)
  const ranges = pastWindow(artifactEnd)
  const partialAt = past(partialSet, pastSet(past(coveredSet, ranges)))
  const partialEnd = pastSet(partialAt)
  const missedAt = past(missedSet, partialEnd)
  const missedEnd = pastSet(missedAt)
  if (missedEnd < 0 || missedEnd + 3 !== length || pastBrace(pastBrace(missedEnd + 1)) !== length) return false

  // A line of a set, at least two bytes with its comma, becomes at most ten times as long; everything else at most doubles.
  makeRoom(body, shape.length + 14 * length)
  const check = putFront(body, shape, digest)
  putSpan(body, source, ordinal, ordinalEnd)
  put(body, shape.toPath.escaped)
  putEscaped(body, source, path, metric)
  put(body, shape.toLines.escaped)
  putEscaped(body, source, found, artifact)
  put(body, shape.artifact.escaped)
  putEscaped(body, source, artifactEnd, length)
  put(body, shape.toFile)
  putSpan(body, source, path, pathEnd - 1)
  put(body, shape.toCheck)
  putNumber(body, check)
  put(body, shape.toOwn)
  putSpan(body, source, ordinal, ordinalEnd)
  put(body, shape.toRest)
  putSpan(body, source, pathEnd, linesEnd)
  put(body, executedKey)
  putNumber(body, numberAt(covered) + numberAt(partial))
  putSpan(body, source, linesEnd, ranges)
  putLines(body, missedLines, missedAt, missedEnd)
  putLines(body, partialLines, partialAt, partialEnd)
  put(body, end)
  return true
}

/** All up to the ordinal: the shape's text, with the record's own id, seq, recorded_at and digest over it. Answers the check. */
function putFront(body: Body, shape: CoverageShape, digest: string): number {
  const { view, at } = body
  const { ids, seqs, times, idLength, seqLength, seq, time } = shape
  put(body, shape.front)
  copyExactly(view, at + ids[0], source, 7, idLength)
  copyExactly(view, at + ids[1], source, 7, idLength)
  copyExactly(view, at + ids[2], source, 7, idLength)
  for (let i = 0; i < seqLength; i++) {
    const digit = source.getUint8(seq + i)
    view.setUint8(at + seqs[0] + i, digit)
    view.setUint8(at + seqs[1] + i, digit)
  }
  copyExactly(view, at + times[0], source, time, 27)
  copyExactly(view, at + times[1], source, time, 27)
  return setDigest(body, at + shape.digest, digest)
}

/** Behind the piece, when it stands at `at`. */
function past({ view, bytes: { length } }: Piece, at: number): number {
  if (at < 0) return -1
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
function putLines(body: Body, key: Uint8Array, from: number, to: number): void {
  if (from === to) return
  put(body, key)
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
