import { maxRecordBytes, openRecord } from '../record/record.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { sha256Hex, sha256Into, sha256Meets } from '../record/sha256.ts'
import { printHash } from './differences.ts'
import { createHeaderReader, hasAt } from './header.ts'

/**
 * What one record's bytes say about themselves: header, id against payload hash, ledger. By bytes, without parsing the JSON; a part of
 * the records, chosen so that nobody can know which, is parsed whole.
 */

export interface CheckedRecord {
  /** 32 bytes, the hash over the record bytes as they are, whatever is wrong with them. */
  leafHash: Uint8Array
  /** Undefined when the bytes do not begin as a record of this ledger. */
  seq: number | undefined
  recordedAt: Micros
  /** The payload hash as far as it stands in the id: its first 52 bits, and the 12 after them. For finding doubles. */
  payloadHigh: number
  payloadLow: number
  fault: RecordFault | undefined
}

export interface RecordFault {
  kind: 'malformed' | 'id-mismatch'
  expected: string
  found: string
}

/**
 * A record whose header was made just now from what is stored beside its payload, so that it need not be read again: the facts are the
 * header. Every other check is the same.
 */
export interface PlacedRecord {
  /** 0x00 and the record's bytes, from the array's start: what its leaf is hashed from. Written over. */
  leaf: Uint8Array
  /** Of the 0x00 and the record. */
  leafLength: number
  headerLength: number
  seq: number
  recordedAt: Micros
  /** Its id's hash: the eight bytes of `ids` at `idAt`. */
  ids: Uint8Array
  idAt: number
}

export interface RecordChecker {
  /** The result is reused by the next call. */
  check(bytes: Uint8Array): CheckedRecord
  checkPlaced(record: PlacedRecord): CheckedRecord
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const newline = 0x0a
const schemaName = encoder.encode('"schema":"')
const kindName = encoder.encode('","kind":"')

/** `parseEvery` n: about one record in n is parsed whole; 1 parses all, 0 none. Which ones depends on `seed`, 32 bits. */
export function createRecordChecker(ledger: LedgerName, parseEvery: number, seed: number): RecordChecker {
  const headers = createHeaderReader(ledger)
  const ledgerMember = encoder.encode(`","ledger":"${ledger}"`)
  // One buffer for both hashes: 0x00 || record for the leaf; then the payload's brace is put over the header's last comma.
  let scratch = new Uint8Array(8_192)
  const result: CheckedRecord = {
    leafHash: new Uint8Array(32),
    seq: undefined,
    recordedAt: 0,
    payloadHigh: 0,
    payloadLow: 0,
    fault: undefined,
  }

  const fault = (kind: RecordFault['kind'], expected: string, found: string): RecordFault => ({ kind, expected, found })

  // What the last record's payload began with, up to the ledger's name: neighbours are of one kind.
  let opening = new Uint8Array(0)

  const namesLedger = (bytes: Uint8Array, payloadAt: number): boolean => {
    if (opening.length > 0 && hasAt(bytes, payloadAt, opening)) return true
    // All our schemas begin with schema, kind, ledger. What is ordered otherwise is parsed.
    if (!hasAt(bytes, payloadAt, schemaName)) return parsesAs(bytes, ledger)
    const schemaEnd = bytes.indexOf(0x22, payloadAt + schemaName.length)
    if (schemaEnd < 0 || !hasAt(bytes, schemaEnd, kindName)) return parsesAs(bytes, ledger)
    const kindEnd = bytes.indexOf(0x22, schemaEnd + kindName.length)
    if (kindEnd < 0 || !hasAt(bytes, kindEnd, ledgerMember)) return parsesAs(bytes, ledger)
    opening = bytes.slice(payloadAt, kindEnd + ledgerMember.length)
    return true
  }

  const findFault = (bytes: Uint8Array, leafHash: Uint8Array): RecordFault | undefined => {
    const header = headers.read(bytes)
    result.seq = header?.seq
    if (header === undefined) return fault('malformed', `a record of ${ledger}`, excerpt(bytes))
    result.recordedAt = header.recordedAt
    scratch[header.length] = 0x7b
    const payloadHash = sha256Hex(scratch.subarray(header.length, bytes.length + 1))
    result.payloadHigh = 0
    result.payloadLow = 0
    for (let i = 0; i < 16; i++) {
      const digit = payloadHash.charCodeAt(i)
      if (bytes[header.hashAt + i] !== digit) {
        const named = decoder.decode(bytes.subarray(header.hashAt, header.hashAt + 16))
        return fault('id-mismatch', `payload hash ${named}`, `payload hash ${payloadHash.slice(0, 16)}`)
      }
      const value = digit < 0x3a ? digit - 0x30 : digit - 0x57
      if (i < 13) result.payloadHigh = result.payloadHigh * 16 + value
      else result.payloadLow = result.payloadLow * 16 + value
    }
    return findFaultBehind(bytes, header.length, leafHash)
  }

  /** What can be wrong with a record whose header is right. */
  const findFaultBehind = (bytes: Uint8Array, payloadAt: number, leafHash: Uint8Array): RecordFault | undefined => {
    if (bytes.length > maxRecordBytes)
      return fault('malformed', `at most ${maxRecordBytes} bytes`, `${bytes.length} bytes`)
    if (bytes[bytes.length - 1] !== 0x7d) return fault('malformed', 'a JSON object', excerpt(bytes))
    if (!namesLedger(bytes, payloadAt)) return fault('malformed', `"ledger":"${ledger}" in the payload`, excerpt(bytes))
    if (parseEvery === 0) return undefined
    const lot = (leafHash[0] ?? 0) * 65_536 + (leafHash[1] ?? 0) * 256 + (leafHash[2] ?? 0)
    return ((lot ^ seed) >>> 0) % parseEvery === 0 ? parseWhole(bytes) : undefined
  }

  const findFaultPlaced = ({ leaf, leafLength, headerLength, ids, idAt }: PlacedRecord): RecordFault | undefined => {
    leaf[headerLength] = 0x7b // the payload's brace over the header's last comma
    const payload = leaf.subarray(headerLength, leafLength)
    if (!sha256Meets(payload, ids, idAt, 8)) {
      const [named, found] = [printHash(ids.subarray(idAt, idAt + 8)), sha256Hex(payload).slice(0, 16)]
      return fault('id-mismatch', `payload hash ${named}`, `payload hash ${found}`)
    }
    leaf[headerLength] = 0x2c
    let high = 0
    for (let i = 0; i < 6; i++) high = high * 256 + (ids[idAt + i] ?? 0)
    const last = ids[idAt + 6] ?? 0
    result.payloadHigh = high * 16 + (last >> 4)
    result.payloadLow = (last & 15) * 256 + (ids[idAt + 7] ?? 0)
    return findFaultBehind(leaf.subarray(1, leafLength), headerLength, result.leafHash)
  }

  return {
    check(bytes) {
      if (scratch.length < bytes.length + 1) scratch = new Uint8Array(2 * bytes.length)
      scratch[0] = 0
      scratch.set(bytes, 1)
      sha256Into(scratch.subarray(0, bytes.length + 1), result.leafHash, 0)
      result.fault = findFault(bytes, result.leafHash)
      return result
    },
    checkPlaced(record) {
      sha256Into(record.leaf.subarray(0, record.leafLength), result.leafHash, 0)
      result.seq = record.seq
      result.recordedAt = record.recordedAt
      result.fault = findFaultPlaced(record)
      return result
    },
  }
}

function parsesAs(bytes: Uint8Array, ledger: LedgerName): boolean {
  try {
    return openRecord(bytes).ledger === ledger
  } catch {
    return false
  }
}

function parseWhole(bytes: Uint8Array): RecordFault | undefined {
  try {
    openRecord(bytes)
    return bytes.includes(newline) ? { kind: 'malformed', expected: 'one line', found: 'a newline' } : undefined
  } catch (error) {
    return { kind: 'malformed', expected: 'a record', found: error instanceof Error ? error.message : String(error) }
  }
}

const excerpt = (bytes: Uint8Array): string => `${bytes.length} bytes: ${decoder.decode(bytes.subarray(0, 120))}`
