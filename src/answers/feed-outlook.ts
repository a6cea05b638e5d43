import type { Published } from '../ledger/read.ts'
import { type Micros, maxRecordBytes } from '../record/record.ts'
import type { FeedQuestion, Start } from './feed-start.ts'

/** What can be said of a page without reading it, for who watches a feed: a HEAD costs two small queries, whatever the page would hold. */
export interface Outlook {
  published: number
  earliest: number
  /** Published records from the start on, those too that a filter would leave out; with the generations that follow. */
  waiting: number
  /** recorded_at of the newest published record; undefined while there is none. */
  lastTime: Micros | undefined
  /** Where the page would end; undefined where only reading tells, as under a filter or in a window. */
  next: number | undefined
  /** It would be a page of exactly `limit` records; false also where only reading tells. */
  isFull: boolean
  /** What the page would say; undefined where only reading tells. */
  hasMore: boolean | undefined
}

/** Pure. `later`: records of the generations behind the one that the page is of. */
export function outlookOf(
  query: FeedQuestion,
  start: Start,
  seen: { published: Published | undefined; earliest: number; isClosed: boolean; later: number; maxBytes: number },
): Outlook {
  const { published, earliest, isClosed, later, maxBytes } = seen
  const size = published?.size ?? 0
  const { from } = start
  const { limit, until, kinds, repository } = query
  const everything =
    kinds === undefined && repository === undefined && until === undefined && start.notBefore === undefined
  // So many records could be cut short by their bytes.
  const isSure = everything && limit * maxRecordBytes <= maxBytes
  const isFull = isSure && from + limit <= size
  return {
    published: size,
    earliest,
    waiting: Math.max(0, size - from) + later,
    lastTime: size === 0 ? undefined : published?.lastTime,
    next: isSure ? Math.min(size, from + limit) : undefined,
    isFull,
    hasMore: isSure ? isFull || isClosed : undefined,
  }
}
