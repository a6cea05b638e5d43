import type { Generations } from '../ledger/generations.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, type RecordKind, printTime } from '../record/record.ts'
import type { CursorBinding, Cursors } from './position.ts'

/** Where a request of the feed begins: in which generation of the ledger, and at which seq of it. */

export interface FeedQuestion {
  /** Any of its generations, without `generation` of `after` the current one. */
  ledger: LedgerName
  cursor?: string | undefined
  after?: number | undefined
  /** Of which generation `after` is a seq. */
  generation?: number | undefined
  /** First and last bound of recorded_at, half-open. Without a cursor or `after`, `since` is the start. */
  since?: Micros | undefined
  until?: Micros | undefined
  limit: number
  waitMs: number
  kinds?: readonly RecordKind[] | undefined
  repository?: string | undefined
  /** The name that the caller gives itself, and its credential. */
  consumer?: { name: string; by: string } | undefined
}

export interface Start {
  /** The generation that the page is of. */
  ledger: LedgerName
  from: number
  binding: CursorBinding
  /** Whether the request names the place itself; `earliest` and `latest` mean another place later. */
  fixed: boolean
  /** Records before this time are left out: a start by time may lie ahead of what is published. */
  notBefore?: Micros
}

export interface StartDeps {
  reader: Pick<Reader, 'published' | 'seqAt'>
  cursors: Cursors
  /** First seq that can still be read. */
  earliest: (ledger: LedgerName) => Promise<number>
  generations: Pick<Generations, 'chain' | 'find' | 'closing'>
}

interface Place {
  ledger: LedgerName
  from: number
}

/** Throws Problem start_required, cursor_invalid, cursor_expired. */
export function createStarts({
  reader,
  cursors,
  earliest,
  generations,
}: StartDeps): (query: FeedQuestion) => Promise<Start> {
  /** Where a generation that was closed has been read to its end, the next one begins: nothing twice, and nothing that is left out. */
  const onwards = (ledger: LedgerName, from: number): Place => {
    const closed = generations.closing(ledger)
    return closed === undefined || from < closed.size ? { ledger, from } : onwards(closed.next, 0)
  }

  /** A cursor names its generation itself. */
  const placeOfCursor = (query: FeedQuestion, cursor: string): Place => {
    const [current = query.ledger, ...earlier] = generations.chain(query.ledger).toReversed()
    for (const ledger of earlier) {
      const from = cursors.find(bindingOf(query, ledger), cursor)
      if (from !== undefined) return { ledger, from }
    }
    return { ledger: current, from: cursors.parse(bindingOf(query, current), cursor) }
  }

  const placeOfTime = async (chain: readonly LedgerName[], since: Micros): Promise<Place | undefined> => {
    for (const ledger of chain) {
      const from = Math.max(await earliest(ledger), await reader.seqAt(ledger, since))
      const closed = generations.closing(ledger)
      if (closed === undefined || from < closed.size) return { ledger, from }
    }
    return undefined
  }

  const placeOf = async (
    query: FeedQuestion,
  ): Promise<(Place & { fixed: boolean; notBefore?: Micros }) | undefined> => {
    const { ledger, cursor, after, since, generation } = query
    const chain = generations.chain(ledger)
    const [first = ledger, current = ledger] = [chain[0], chain.at(-1)]
    if (cursor === 'earliest') return { ledger: first, from: await earliest(first), fixed: false }
    if (cursor === 'latest')
      return { ledger: current, from: (await reader.published(current))?.size ?? 0, fixed: false }
    if (cursor !== undefined) return { ...placeOfCursor(query, cursor), fixed: true }
    if (after !== undefined) {
      const named = generations.find(ledger, generation)
      if (named === undefined) throw new Problem('not_found', `${ledger} has no generation ${generation}`)
      return { ledger: named, from: after + 1, fixed: true }
    }
    const place = since === undefined ? undefined : await placeOfTime(chain, since)
    return place === undefined || since === undefined ? undefined : { ...place, fixed: true, notBefore: since }
  }

  return async (query) => {
    if (query.cursor !== undefined && query.after !== undefined) {
      throw new Problem('request_invalid', 'cursor and after are two starts: name one')
    }
    const place = await placeOf(query)
    if (place === undefined) {
      throw new Problem(
        'start_required',
        'say where to begin: cursor=earliest, cursor=latest, a cursor, after= or since=',
      )
    }
    const { fixed, notBefore } = place
    const { ledger, from } = onwards(place.ledger, place.from)
    const binding = bindingOf(query, ledger)
    const first = await earliest(ledger)
    if (from < first) {
      const lost = first - from
      const extra = { earliest: first, earliest_cursor: cursors.print(binding, first), lost }
      throw new Problem(
        'cursor_expired',
        `${lost} records from ${from} on can no longer be read here; the first one is ${first}`,
        { extra },
      )
    }
    // Who begins there would pass over whatever is recorded until then, and never hear of it.
    const size = (await reader.published(ledger))?.size ?? 0
    if (from > size)
      throw new Problem('request_invalid', `the start lies at ${from}, beyond the ${size} records that are published`)
    return { ledger, from, binding, fixed, ...(notBefore === undefined ? {} : { notBefore }) }
  }
}

function bindingOf({ kinds, repository, until }: FeedQuestion, ledger: LedgerName): CursorBinding {
  return {
    ledger,
    ...(kinds === undefined ? {} : { kinds }),
    ...(repository === undefined ? {} : { repository }),
    ...(until === undefined ? {} : { until: printTime(until) }),
  }
}
