import type { Reader, StoredRecord } from '../ledger/read.ts'
import type { LedgerName } from '../record/record.ts'

/** Members of an attempt: first to last, without those whose bit is set (bit i of the map stands for first + i, lowest bit first). */
export interface MemberRange {
  first: number
  last: number
  leftOut: Buffer | undefined
}

/** `seqs` ascending and not empty. */
export function toRange(seqs: readonly number[]): MemberRange {
  const first = seqs[0]
  const last = seqs.at(-1)
  if (first === undefined || last === undefined) throw new Error('an attempt has members')
  const width = last - first + 1
  if (width === seqs.length) return { first, last, leftOut: undefined }
  const leftOut = Buffer.alloc(Math.ceil(width / 8), 0xff)
  for (const seq of seqs) {
    const i = seq - first
    leftOut[i >> 3] = (leftOut[i >> 3] ?? 0) & ~(1 << (i & 7))
  }
  return { first, last, leftOut }
}

/** `seq` not below first. */
export function hasMember({ first, leftOut }: Pick<MemberRange, 'first' | 'leftOut'>, seq: number): boolean {
  const i = seq - first
  return i >= 0 && (leftOut === undefined || ((leftOut[i >> 3] ?? 0xff) & (1 << (i & 7))) === 0)
}

export function membersOf(range: MemberRange): number[] {
  const seqs: number[] = []
  for (let seq = range.first; seq <= range.last; seq++) if (hasMember(range, seq)) seqs.push(seq)
  return seqs
}

/** The members' records, in order. Throws when one is missing: the ledger does not lose records. */
export async function readMembers(
  reader: Pick<Reader, 'readBatch'>,
  ledger: LedgerName,
  { first, last }: MemberRange,
  seqs: readonly number[],
): Promise<StoredRecord[]> {
  const bySeq = new Map<number, StoredRecord>()
  for (let at = first; at <= last;) {
    const batch = await reader.readBatch(ledger, at, { until: last + 1 })
    if (batch.next <= at) throw new Error(`${ledger} ends before ${last}`)
    for (const record of batch.records) bySeq.set(record.seq, record)
    at = batch.next
  }
  return seqs.map((seq) => {
    const record = bySeq.get(seq)
    if (record === undefined) throw new Error(`record ${seq} is no longer in ${ledger}`)
    return record
  })
}
