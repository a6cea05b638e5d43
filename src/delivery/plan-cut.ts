import type { RecordBatch, StoredRecord } from '../ledger/read.ts'
import { printTime } from '../record/record.ts'
import type { DestinationSettings } from './settings.ts'

/** A batch cut for one destination: what lies in one month, in groups of which each is one request. */
export interface CutPlan {
  base: number
  next: number
  /** First day of the month of recorded_at. */
  month: string
  groups: StoredRecord[][]
}

export function monthOf(at: number): string {
  return `${printTime(at).slice(0, 7)}-01`
}

/** Pure. Undefined for an empty batch. Records that `select` leaves out are passed by the cut and are in no attempt. */
export function planCut(
  batch: RecordBatch,
  select: DestinationSettings['select'],
  target: (record: StoredRecord) => string,
): CutPlan | undefined {
  const [first] = batch.records
  if (first === undefined) return undefined
  const month = monthOf(first.recordedAt)
  const monthEnd = nextMonth(first.recordedAt)
  const groups = new Map<string, StoredRecord[]>()
  let next = batch.next
  let group: StoredRecord[] = []
  let kind: string | undefined
  for (const record of batch.records) {
    if (record.recordedAt >= monthEnd) {
      next = record.seq
      break
    }
    if (!isSelected(record, select)) continue
    // Within a ledger and a month the target follows from the kind, which seldom changes.
    if (record.kind !== kind) {
      kind = record.kind
      const key = target(record)
      group = groups.get(key) ?? []
      groups.set(key, group)
    }
    group.push(record)
  }
  return { base: batch.first, next, month, groups: [...groups.values()] }
}

function nextMonth(at: number): number {
  const day = new Date(Math.floor(at / 1000))
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 1) * 1000
}

export function isSelected(record: StoredRecord, select: DestinationSettings['select']): boolean {
  const { kinds, repositories } = select
  // Heartbeats carry the heads of all ledgers: they go everywhere, whatever is selected.
  if (record.kind === 'heartbeat') return true
  if (kinds !== undefined && !kinds.includes(record.kind)) return false
  return repositories === undefined || repositories.some((repository) => names(record.bytes, repository))
}

/** Whether the record's `repository` member is this one; the text cannot occur inside a string, where its quotes would be escaped. */
function names(bytes: Uint8Array, repository: string): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(
    `,"repository":${JSON.stringify(repository)}`,
  )
}
