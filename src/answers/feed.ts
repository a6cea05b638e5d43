import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Published, Reader, RecordBatch, StoredRecord } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, type RecordKind, printTime } from '../record/record.ts'
import { type Consumer, createConsumers } from './consumers.ts'
import type { CursorBinding, Cursors } from './position.ts'

/**
 * One page of a ledger for who pulls. Only published records, ascending seq only, never a start that was not asked for. A page with exactly
 * `limit` records never changes; any other (the end, the end of the window, the budget of time or bytes) is *short* and tells how far the
 * ledger is. Every page has a next cursor.
 */
export interface Feed {
  /** Where a request starts and what it is bound to; nothing is read yet. Throws Problem start_required, cursor_invalid, cursor_expired. */
  resolve(query: FeedQuestion): Promise<Start>
  /** `signal` ends a long poll early: the answer is then the empty page. */
  readPage(query: FeedQuestion, start: Start, signal: AbortSignal): Promise<Page>
  consumers(org: string): Consumer[]
}

export interface FeedQuestion {
  ledger: LedgerName
  cursor?: string | undefined
  after?: number | undefined
  /** First and last bound of recorded_at, half-open. Without a cursor or `after`, `since` is the start. */
  since?: Micros | undefined
  until?: Micros | undefined
  limit: number
  waitMs: number
  kinds?: readonly RecordKind[] | undefined
  repository?: string | undefined
  consumer?: string | undefined
}

export interface Start {
  from: number
  binding: CursorBinding
  /** Whether the request names the place itself; `earliest` and `latest` mean another place later. */
  fixed: boolean
  /** Records before this time are left out: a start by time may lie ahead of what is published. */
  notBefore?: Micros
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

export interface FeedDeps {
  reader: Reader
  cursors: Cursors
  /** First seq that can still be read. */
  earliest: (ledger: LedgerName) => Promise<number>
  now?: () => Date
  budget?: Partial<Budget>
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
  const { reader, cursors, earliest, now = () => new Date() } = deps
  const budget: Budget = { workMs: 5_000, bytes: 32 * 1_048_576, ...deps.budget }
  const consumers = createConsumers(now)

  const begin = async (query: FeedQuestion): Promise<Start> => {
    const { ledger, cursor, after, since } = query
    const binding = bindingOf(query)
    if (cursor !== undefined && after !== undefined) {
      throw new Problem('request_invalid', 'cursor and after are two starts: name one')
    }
    const first = await earliest(ledger)
    if (cursor === 'earliest') return { from: first, binding, fixed: false }
    if (cursor === 'latest') return { from: (await reader.published(ledger))?.size ?? 0, binding, fixed: false }
    const from = cursor !== undefined ? cursors.parse(binding, cursor) : after !== undefined ? after + 1 : undefined
    if (from !== undefined && from < first) {
      const lost = first - from
      const extra = { earliest: first, earliest_cursor: cursors.print(binding, first), lost }
      throw new Problem(
        'cursor_expired',
        `${lost} records from ${from} on can no longer be read here; the first one is ${first}`,
        { extra },
      )
    }
    if (from !== undefined) {
      // Who begins there would pass over whatever is recorded until then, and never hear of it.
      const size = (await reader.published(ledger))?.size ?? 0
      if (from > size)
        throw new Problem('request_invalid', `the start lies at ${from}, beyond the ${size} records that are published`)
      return { from, binding, fixed: true }
    }
    if (since === undefined) {
      throw new Problem(
        'start_required',
        'say where to begin: cursor=earliest, cursor=latest, a cursor, after= or since=',
      )
    }
    return { from: Math.max(first, await reader.seqAt(ledger, since)), binding, fixed: true, notBefore: since }
  }

  return {
    consumers: (org) => consumers.list(org),

    async resolve(query) {
      const start = await begin(query)
      if (query.consumer !== undefined) consumers.saw(query.ledger, query.consumer, start.from)
      return start
    },

    async readPage(query, start, signal) {
      const { ledger, limit, until } = query
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
      if (state === 'more' && records.length === 0 && query.waitMs > 0 && next >= size) {
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
        hasMore: state !== 'window' && next < covered,
        published: covered,
        earliest: await earliest(ledger),
        checkpoint: published?.note,
        until: effectiveEnd(until, published, state),
      }
      return { ...page, short }
    },
  }
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

function bindingOf({ ledger, kinds, repository, until }: FeedQuestion): CursorBinding {
  return {
    ledger,
    ...(kinds === undefined ? {} : { kinds }),
    ...(repository === undefined ? {} : { repository }),
    ...(until === undefined ? {} : { until: printTime(until) }),
  }
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
