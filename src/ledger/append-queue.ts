import { Problem } from '../record/problem.ts'
import type { Recorded } from './appender.ts'
import { maxBatchBytes, maxBatchRecords } from './batch.ts'
import type { Submission } from './decide.ts'

/** A group that waits for its append. */
export interface Waiting {
  group: readonly Submission[]
  records: number
  bytes: number
  /** An append with this group had an unknown outcome: finding it recorded then means that it was ours. */
  attempted: boolean
  resolve: (recorded: Recorded[]) => void
  reject: (error: unknown) => void
}

/** Groups in the order they came, bounded by payload bytes: beyond that the client is told to come back. */
export interface AppendQueue {
  isEmpty(): boolean
  /** Throws Problem use_parts for what no append can hold, overloaded when too much waits. */
  add(group: readonly Submission[], settle: Pick<Waiting, 'resolve' | 'reject'>): void
  /** As many groups as one append holds, at least one where any waits. */
  takeBatch(): Waiting[]
  /** In front again, for the next try. */
  putBack(batch: readonly Waiting[]): void
}

/** Payloads that wait for the append of one ledger. */
export const maxWaitingBytes = 128 * 1_048_576

export function createAppendQueue(): AppendQueue {
  const queue: Waiting[] = []
  let waitingBytes = 0
  return {
    isEmpty: () => queue.length === 0,
    add(group, { resolve, reject }) {
      let records = 0
      let bytes = 0
      for (const { segments } of group) {
        if (typeof segments === 'function') records++
        else {
          for (const segment of segments) {
            records += segment.count
            bytes += segment.rawBytes
          }
        }
      }
      if (records > maxBatchRecords || bytes > maxBatchBytes)
        throw new Problem('use_parts', 'more than one append can hold')
      if (waitingBytes + bytes > maxWaitingBytes) throw new Problem('overloaded', 'too many records are waiting')
      queue.push({ group, records, bytes, attempted: false, resolve, reject })
      waitingBytes += bytes
    },
    takeBatch() {
      const batch: Waiting[] = []
      let records = 0
      let bytes = 0
      for (let next = queue[0]; next !== undefined; next = queue[0]) {
        if (batch.length > 0 && (records + next.records > maxBatchRecords || bytes + next.bytes > maxBatchBytes)) break
        batch.push(next)
        queue.shift()
        records += next.records
        bytes += next.bytes
        waitingBytes -= next.bytes
      }
      return batch
    },
    putBack(batch) {
      queue.unshift(...batch)
      for (const { bytes } of batch) waitingBytes += bytes
    },
  }
}
