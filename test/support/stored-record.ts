import type { StoredRecord } from '../../src/ledger/read.ts'

/** A record as the reader answers it, over bytes that a test made. */
export function storedRecord(made: Omit<StoredRecord, 'size' | 'copyTo'>): StoredRecord {
  const { bytes } = made
  return {
    ...made,
    size: bytes.length,
    copyTo(target, at) {
      target.set(bytes, at)
      return bytes.length
    },
  }
}
