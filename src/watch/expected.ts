import { hash } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import type { Sum } from '../delivery/destination.ts'
import { isSelected } from '../delivery/plan-cut.ts'
import type { DestinationSettings } from '../delivery/settings.ts'
import type { Reader } from '../ledger/read.ts'
import { blockSize, checkOf, type LedgerName } from '../record/record.ts'
import type { Expected, Span } from './compare.ts'
import { findBlockSums, insertBlockSum } from './comparison-store.ts'

/** What should be at a destination: the published records that its settings select, without those that are parked. */
export interface ExpectedSource {
  records(span: Span): AsyncIterable<Expected>
  sum(span: Span): Promise<Sum>
  /** By block; blocks in which nothing is expected are absent. */
  sumBlocks(span: Span): Promise<Map<number, Sum>>
}

export interface ExpectedDeps {
  db: Queryable
  reader: Reader
  ledger: LedgerName
  select: DestinationSettings['select']
  /** Seqs that may be there or not. */
  parked: ReadonlySet<number>
}

export function createExpected({ db, reader, ledger, select, parked }: ExpectedDeps): ExpectedSource {
  const selection = printSelection(select)

  async function* records({ first, last }: Span): AsyncGenerator<Expected> {
    for (let at = first; at <= last;) {
      const batch = await reader.readBatch(ledger, at, { until: last + 1, maxRecords: 10_000, maxBytes: 4 * 1_048_576 })
      if (batch.next === at) return
      for (const record of batch.records) {
        if (parked.has(record.seq) || !isSelected(record, select)) continue
        yield { id: record.id, seq: record.seq, check: checkOf(hash('sha256', record.bytes, 'hex')) }
      }
      at = batch.next
    }
  }

  async function sum(span: Span): Promise<Sum> {
    const total = { count: 0, checkSum: 0 }
    for await (const { check } of records(span)) {
      total.count++
      total.checkSum += check
    }
    return total
  }

  return {
    records,
    sum,
    async sumBlocks(span) {
      const parkedBlocks = new Set([...parked].map(blockOf))
      const [from, to] = [blockOf(span.first), blockOf(span.last)]
      const known = await findBlockSums(db, ledger, selection, from, to)
      const sums = new Map<number, Sum>()
      for (let block = from; block <= to; block++) {
        const whole = { first: block * blockSize, last: (block + 1) * blockSize - 1 }
        const part = { first: Math.max(span.first, whole.first), last: Math.min(span.last, whole.last) }
        // Only a closed block is remembered, whole and whatever is parked: it never changes again.
        const isClosed = part.first === whole.first && part.last === whole.last && !parkedBlocks.has(block)
        const remembered = isClosed ? known.get(block) : undefined
        const own = remembered ?? (await sum(part))
        if (isClosed && remembered === undefined) await insertBlockSum(db, ledger, selection, block, own)
        if (own.count > 0) sums.set(block, own)
      }
      return sums
    },
  }
}

export const blockOf = (seq: number): number => Math.floor(seq / blockSize)

/** Empty when every record of the ledger is selected. */
export function printSelection({ kinds, repositories }: DestinationSettings['select']): string {
  if (kinds === undefined && repositories === undefined) return ''
  return JSON.stringify([kinds?.toSorted() ?? null, repositories?.toSorted() ?? null])
}
