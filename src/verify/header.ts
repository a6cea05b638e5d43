import { ledgerStem, parseTime } from '../record/record.ts'
import type { LedgerName, Micros } from '../record/record.ts'

/**
 * Reads the header of record bytes without decoding or parsing the whole record: what the audit of a whole ledger does a few hundred
 * thousand times a second. It takes exactly what `printHeader` of the record room prints, for one ledger.
 */

export interface Header {
  /** Position named by both the id and `seq`. */
  seq: number
  recordedAt: Micros
  /** Where the 16 hex digits of the payload hash stand in the id. */
  hashAt: number
  /** Length of the header: what follows is the payload without its opening brace. */
  length: number
}

export interface HeaderReader {
  /** Undefined for anything that is not the header of a record of this ledger. The result is reused by the next call. */
  read(bytes: Uint8Array): Header | undefined
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const timeLength = '2026-11-23T05:00:00.123456Z'.length
const minuteLength = '2026-11-23T05:00:'.length
const seqName = encoder.encode('","seq":')
const timeName = encoder.encode(',"recorded_at":"')
const end = encoder.encode('",')

export function createHeaderReader(ledger: LedgerName): HeaderReader {
  const idName = encoder.encode(`{"id":"${ledgerStem(ledger)}-`)
  const header: Header = { seq: 0, recordedAt: 0, hashAt: 0, length: 0 }
  // Neighbours share their minute, so the calendar is looked at once a minute of log time.
  const minute = new Uint8Array(minuteLength)
  let minuteStart: Micros | undefined

  const readTime = (bytes: Uint8Array, at: number): Micros | undefined => {
    if (minuteStart === undefined || !hasAt(bytes, at, minute)) {
      const text = decoder.decode(bytes.subarray(at, at + minuteLength))
      minuteStart = parseTime(`${text}00.000000Z`)
      if (minuteStart === undefined) return undefined
      minute.set(bytes.subarray(at, at + minuteLength))
    }
    const seconds = readDigits(bytes, at + minuteLength, 2)
    const micros = readDigits(bytes, at + minuteLength + 3, 6)
    const isWhole = bytes[at + minuteLength + 2] === 0x2e && bytes[at + timeLength - 1] === 0x5a
    return isWhole && seconds >= 0 && seconds < 60 && micros >= 0
      ? minuteStart + seconds * 1_000_000 + micros
      : undefined
  }

  return {
    read(bytes) {
      if (!hasAt(bytes, 0, idName)) return undefined
      let at = idName.length
      const idDigits = countDigits(bytes, at)
      const seq = readDigits(bytes, at, idDigits)
      if (idDigits === 0 || idDigits > 16 || (idDigits > 1 && bytes[at] === 0x30) || !Number.isSafeInteger(seq))
        return undefined
      header.hashAt = at + idDigits + 1
      if (bytes[header.hashAt - 1] !== 0x2d || !hasAt(bytes, header.hashAt + 16, seqName)) return undefined
      const seqAt = header.hashAt + 16 + seqName.length
      for (let i = 0; i < idDigits; i++) if (bytes[seqAt + i] !== bytes[at + i]) return undefined
      if (!hasAt(bytes, seqAt + idDigits, timeName)) return undefined
      at = seqAt + idDigits + timeName.length
      if (!hasAt(bytes, at + timeLength, end)) return undefined
      const recordedAt = readTime(bytes, at)
      if (recordedAt === undefined) return undefined
      header.seq = seq
      header.recordedAt = recordedAt
      header.length = at + timeLength + end.length
      return header
    },
  }
}

/** Whether `wanted` stands in `bytes` at `at`. */
export function hasAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false
  return true
}

/** -1 when one of them is no digit. */
function readDigits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const digit = (bytes[i] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

function countDigits(bytes: Uint8Array, at: number): number {
  let count = 0
  for (let byte = bytes[at] ?? 0; byte >= 0x30 && byte <= 0x39; byte = bytes[at + count] ?? 0) count++
  return count
}
