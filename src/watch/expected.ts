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

  async function* selected(span: Span): AsyncGenerator<Expected> {
    for (let at = span.first; at <= span.last;) {
      const until = span.last + 1
      const batch = await reader.readBatch(ledger, at, { until, maxRecords: 10_000, maxBytes: 4 * 1_048_576 })
      if (batch.next === at) return
      for (const record of batch.records) {
        if (!isSelected(record, select)) continue
        yield { id: record.id, seq: record.seq, check: checkOf(hash('sha256', record.bytes, 'hex')) }
      }
      at = batch.next
    }
  }

  async function* records(span: Span): AsyncGenerator<Expected> {
    for await (const record of selected(span)) if (!parked.has(record.seq)) yield record
  }

  const sum = (span: Span): Promise<Sum> => sumOf(records(span))

  /** Only a closed block is remembered, whole and whatever is parked: it never changes again. */
  async function remember(block: number, whole: Span): Promise<Sum> {
    const own = await sumOf(selected(whole))
    await insertBlockSum(db, ledger, selection, block, own)
    return own
  }

  return {
    records,
    sum,
    async sumBlocks(span) {
      const parkedBlocks = Map.groupBy(
        [...parked].toSorted((a, b) => a - b),
        blockOf,
      )
      const [from, to] = [blockOf(span.first), blockOf(span.last)]
      const known = await findBlockSums(db, ledger, selection, from, to)
      const sums = new Map<number, Sum>()
      for (let block = from; block <= to; block++) {
        const whole = { first: block * blockSize, last: (block + 1) * blockSize - 1 }
        const part = { first: Math.max(span.first, whole.first), last: Math.min(span.last, whole.last) }
        const isClosed = part.first === whole.first && part.last === whole.last
        const own = isClosed ? { ...(known.get(block) ?? (await remember(block, whole))) } : await sum(part)
        // A record may stay parked, or be disposed of, for ever: it alone is read each time, not its block.
        for (const run of isClosed ? runsOf(parkedBlocks.get(block) ?? []) : []) {
          for await (const { seq, check } of selected(run)) {
            if (!parked.has(seq)) continue
            own.count--
            own.checkSum -= check
          }
        }
        if (own.count > 0) sums.set(block, own)
      }
      return sums
    },
  }
}

async function sumOf(records: AsyncIterable<Expected>): Promise<Sum> {
  const total = { count: 0, checkSum: 0 }
  for await (const { check } of records) {
    total.count++
    total.checkSum += check
  }
  return total
}

/** Seqs that lie nearer to each other are read at once: they are stored together. */
const nearby = 128

/** Spans with all of these seqs, ascending, and little else. */
function runsOf(seqs: readonly number[]): Span[] {
  const runs: Span[] = []
  for (const seq of seqs) {
    const run = runs.at(-1)
    if (run === undefined || seq - run.last > nearby) runs.push({ first: seq, last: seq })
    else run.last = seq
  }
  return runs
}

export const blockOf = (seq: number): number => Math.floor(seq / blockSize)

/** Empty when every record of the ledger is selected. */
export function printSelection({ kinds, repositories }: DestinationSettings['select']): string {
  if (kinds === undefined && repositories === undefined) return ''
  return JSON.stringify([kinds?.toSorted() ?? null, repositories?.toSorted() ?? null])
}
