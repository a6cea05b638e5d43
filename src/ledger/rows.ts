import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { type ColdSource, earliestSeq, findDictionary, hotFrom } from './cold.ts'
import * as store from './store.ts'

/**
 * Stored rows of records, wherever they lie: in the tables, or in the archive once their month has left. A month leaves in one transaction
 * and only after its records were read back from the archive, so a reader that finds a row gone looks again where the tables begin now.
 */
export interface Rows {
  /** Rows that hold records from `from` on, in order; as store.segmentsFrom gives them. */
  from(ledger: LedgerName, from: number, limit: number, maxBytes?: number): Promise<store.SegmentRow[]>
  /** A segment by its first seq, for use as a dictionary. */
  at(ledger: LedgerName, firstSeq: number): Promise<store.SegmentRow | undefined>
  /** The first record at or after `at` that has not expired; undefined when there is none. */
  seqReaching(ledger: LedgerName, at: Micros): Promise<number | undefined>
}

const coldBytes = 1_048_576

export function createRows(db: Queryable, cold: ColdSource | undefined): Rows {
  /** As far as this process knows; only grows. */
  const begins = new Map<LedgerName, number>()

  const lookAgain = async (ledger: LedgerName): Promise<number> => {
    const begin = await hotFrom(db, ledger)
    begins.set(ledger, begin)
    return begin
  }
  const hotBegin = async (ledger: LedgerName): Promise<number> => begins.get(ledger) ?? lookAgain(ledger)

  const fromArchive = (ledger: LedgerName, from: number, maxBytes: number): Promise<store.SegmentRow[]> => {
    if (cold !== undefined) return cold.segmentsFrom(ledger, from, maxBytes)
    throw new Problem('unavailable', `${ledger}: record ${from} is in the archive, which is not open here`)
  }

  return {
    async from(ledger, from, limit, maxBytes = Number.MAX_SAFE_INTEGER) {
      if (from < (await hotBegin(ledger))) return fromArchive(ledger, from, maxBytes)
      const rows = await store.segmentsFrom(db, ledger, from, limit, maxBytes)
      const isThere = (rows[0]?.firstSeq ?? Infinity) <= from
      if (isThere || from >= (await lookAgain(ledger))) return rows
      return fromArchive(ledger, from, maxBytes)
    },

    at: async (ledger, firstSeq) =>
      (await store.segmentAt(db, ledger, firstSeq)) ?? (await findDictionary(db, ledger, firstSeq)),

    async seqReaching(ledger, at) {
      const low = await store.headReaching(db, ledger, at)
      if (low === undefined) return undefined
      const earliest = await earliestSeq(db, ledger)
      if (low < earliest) return earliest
      for (let from = low; from < (await lookAgain(ledger));) {
        for (const { firstSeq, count, firstTime } of await fromArchive(ledger, from, coldBytes)) {
          if (firstTime + count > at && firstSeq + count > low)
            return Math.max(low, firstSeq + Math.max(0, at - firstTime))
          from = firstSeq + count
        }
      }
      const found = await store.segmentReaching(db, ledger, low, at)
      return found === undefined ? undefined : found.firstSeq + Math.max(0, at - found.firstTime)
    },
  }
}
