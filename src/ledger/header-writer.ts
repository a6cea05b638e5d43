import { type LedgerName, type Micros, ledgerStem, printTime } from '../record/record.ts'

/**
 * Headers of consecutive records, written over each other: from one record to the next only the last digits of seq and time change, and
 * the hash of the id. Printing each anew costs four times as much, which is half of what it takes to serve a record.
 */
export interface HeaderWriter {
  /** Header of the record at `seq` and `time`, whose id's hash are the 8 bytes of `ids` at `idAt`. The same array each time. */
  write(seq: number, time: Micros, ids: Uint8Array, idAt: number): Uint8Array
  /** How long the header of this seq is. */
  length(seq: number): number
}

const hexDigits = Buffer.from('0123456789abcdef')
const encoder = new TextEncoder()

export function createHeaderWriter(ledger: LedgerName): HeaderWriter {
  const idName = `{"id":"${ledgerStem(ledger)}-`
  let bytes = new Uint8Array(0)
  let [seqAt, hashAt, seqAgainAt, microsAt] = [0, 0, 0, 0]
  let lastSeq = -1
  let lastTime = -1

  const print = (seq: number, time: Micros): void => {
    const digits = String(seq)
    bytes = encoder.encode(`${idName}${digits}-0123456789abcdef","seq":${digits},"recorded_at":"${printTime(time)}",`)
    seqAt = idName.length
    hashAt = seqAt + digits.length + 1
    seqAgainAt = hashAt + 16 + '","seq":'.length
    microsAt = bytes.length - '123456Z",'.length
  }

  /** Adds one to the decimal digits that end before `end`; false when all of them, from `start` on, were nines. */
  const increment = (start: number, end: number): boolean => {
    for (let at = end - 1; at >= start; at--) {
      const digit = bytes[at] ?? 0
      if (digit < 0x39) {
        bytes[at] = digit + 1
        return true
      }
      bytes[at] = 0x30
    }
    return false
  }

  /** Of all seqs with as many digits. */
  let known = { from: 0, below: 0, length: 0 }
  const fixed = `${idName}-0123456789abcdef","seq":,"recorded_at":"${printTime(0)}",`.length

  return {
    length(seq) {
      if (seq < known.from || seq >= known.below) {
        const digits = String(seq).length
        known = { from: digits === 1 ? 0 : 10 ** (digits - 1), below: 10 ** digits, length: fixed + 2 * digits }
      }
      return known.length
    },
    write(seq, time, ids, idAt) {
      const follows = seq === lastSeq + 1 && time === lastTime + 1
      const isWritten =
        follows &&
        increment(seqAt, hashAt - 1) &&
        increment(seqAgainAt, seqAgainAt + hashAt - 1 - seqAt) &&
        increment(microsAt, microsAt + 6)
      if (!isWritten) print(seq, time)
      lastSeq = seq
      lastTime = time
      for (let i = 0, at = hashAt; i < 8; i++) {
        const byte = ids[idAt + i] ?? 0
        bytes[at++] = hexDigits[byte >> 4] ?? 0
        bytes[at++] = hexDigits[byte & 15] ?? 0
      }
      return bytes
    },
  }
}
