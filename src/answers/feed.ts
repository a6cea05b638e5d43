import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Published, Reader, RecordBatch, StoredRecord } from '../ledger/read.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { type Outlook, outlookOf } from './feed-outlook.ts'
import { type FeedQuestion, type Start, type StartDeps, createStarts } from './feed-start.ts'

/**
 * One page of a ledger for who pulls. Only published records, ascending seq only, never a start that was not asked for. A page with exactly
 * `limit` records never changes; any other (the end, the end of the window, the budget of time or bytes) is *short* and tells how far the
 * ledger is. Every page has a next cursor.
 */
export interface Feed {
  /** Where a request starts and what it is bound to; nothing is read yet. Throws Problem start_required, cursor_invalid, cursor_expired. */
  resolve(query: FeedQuestion): Promise<Start>
  /** What is known of that page without reading it. */
  outlook(query: FeedQuestion, start: Start): Promise<Outlook>
  /** `signal` ends a long poll early: the answer is then the empty page. */
  readPage(query: FeedQuestion, start: Start, signal: AbortSignal): Promise<Page>
}

export interface Page {
  records: readonly StoredRecord[]
  nextCursor: string
  next: number
  /** Undefined for a page of exactly `limit` records. */
  short?: {
    hasMore: boolean
    published: number
    earliest: number
    checkpoint: string | undefined
    until: Micros | undefined
  }
}

export interface FeedDeps extends StartDeps {
  reader: Reader
  budget?: Partial<Budget>
  /** Told of every request for a page under a name, before it is read. */
  saw?: (ledger: LedgerName, consumer: string, next: number, by: string) => void
}

/** A page that would take longer, or more, is cut short: a poller with a timeout of its own must always get ahead. */
export interface Budget {
  workMs: number
  bytes: number
}

/** Read at a time: large enough that a query is worth it, small enough that opening them holds the thread for some ten milliseconds. */
const batchRecords = 4_096
const batchBytes = 4 * 1_048_576

export function createFeed(deps: FeedDeps): Feed {
  const { reader, cursors, earliest, generations, saw } = deps
  const budget: Budget = { workMs: 5_000, bytes: 32 * 1_048_576, ...deps.budget }
  const begin = createStarts(deps)

  return {
    async resolve(query) {
      const start = await begin(query)
      const { consumer } = query
      if (consumer !== undefined) saw?.(start.ledger, consumer.name, start.from, consumer.by)
      return start
    },

    async outlook(query, start) {
      const { ledger } = start
      const [published, first, later] = await Promise.all([
        reader.published(ledger),
        earliest(ledger),
        recordsBehind(reader, generations, ledger),
      ])
      const isClosed = generations.closing(ledger) !== undefined
      return outlookOf(query, start, { published, earliest: first, isClosed, later, maxBytes: budget.bytes })
    },

    async readPage(query, start, signal) {
      const { limit, until } = query
      const { ledger } = start
      const isClosed = generations.closing(ledger) !== undefined
      const wanted = filterOf(query, start.notBefore)
      const everything = query.kinds === undefined && query.repository === undefined
      const stopAt = performance.now() + budget.workMs
      const records: StoredRecord[] = []
      let next = start.from
      let bytes = 0

      /** Takes what fits; answers whether the page is done with (full, out of budget, or past the window). */
      const take = (batch: RecordBatch): 'more' | 'done' | 'window' => {
        for (const record of batch.records) {
          if (until !== undefined && record.recordedAt >= until) {
            next = record.seq
            return 'window'
          }
          if (!wanted(record)) continue
          records.push(record)
          bytes += record.size
          next = record.seq + 1
          if (records.length === limit || bytes >= budget.bytes) return 'done'
        }
        next = batch.next
        return 'more'
      }

      let state: 'more' | 'done' | 'window' = 'more'
      let published = await reader.published(ledger)
      const size = published?.size ?? 0
      while (state === 'more' && next < size && performance.now() < stopAt) {
        const maxRecords = everything ? Math.min(batchRecords, limit - records.length) : batchRecords
        state = take(await reader.readBatch(ledger, next, { maxRecords, maxBytes: batchBytes, until: size }))
        await nextTurn()
      }
      if (state === 'more' && records.length === 0 && query.waitMs > 0 && next >= size && !isClosed) {
        const waiting = AbortSignal.any([signal, AbortSignal.timeout(query.waitMs)])
        for await (const batch of reader.tail(ledger, next, waiting, {
          maxRecords: batchRecords,
          maxBytes: batchBytes,
        })) {
          state = take(batch)
          if (state !== 'more' || records.length > 0) break
        }
        published = await reader.published(ledger)
      }

      const page = { records, next, nextCursor: cursors.print(start.binding, next) }
      if (records.length === limit) return page
      const covered = published?.size ?? 0
      const short = {
        // Behind the end of a generation that was closed there is the next one.
        hasMore: state !== 'window' && (next < covered || isClosed),
        published: covered,
        earliest: await earliest(ledger),
        checkpoint: published?.note,
        until: effectiveEnd(until, published, state),
      }
      return { ...page, short }
    },
  }
}

/** Published records of the generations that follow one which was closed. */
async function recordsBehind(
  reader: Pick<Reader, 'published'>,
  generations: FeedDeps['generations'],
  ledger: LedgerName,
): Promise<number> {
  const closed = generations.closing(ledger)
  if (closed === undefined) return 0
  const size = (await reader.published(closed.next))?.size ?? 0
  return size + (await recordsBehind(reader, generations, closed.next))
}

/** Records before this are all there, for good; a window that reaches further is shown only as far. */
function effectiveEnd(
  until: Micros | undefined,
  published: Published | undefined,
  state: 'more' | 'done' | 'window',
): Micros | undefined {
  if (until === undefined || state === 'window') return until
  return Math.min(until, published === undefined || published.size === 0 ? 0 : published.lastTime + 1)
}

function filterOf({ kinds, repository }: FeedQuestion, notBefore = 0): (record: StoredRecord) => boolean {
  const kindSet = kinds === undefined ? undefined : new Set(kinds)
  const leftOut = (record: StoredRecord): boolean =>
    record.recordedAt < notBefore || (kindSet !== undefined && !kindSet.has(record.kind))
  if (repository === undefined) return (record) => !leftOut(record)
  // The bytes tell at once that most records are not it; those that might are parsed, since the member could stand in an inner object.
  const needle = Buffer.from(`"repository":${JSON.stringify(repository)}`)
  return (record) => {
    if (leftOut(record)) return false
    const { bytes: own } = record
    const bytes = Buffer.from(own.buffer, own.byteOffset, own.length)
    return (
      bytes.includes(needle) && (JSON.parse(bytes.toString()) as { repository?: unknown }).repository === repository
    )
  }
}
