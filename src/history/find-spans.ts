import type { Queryable } from '../database/database.ts'
import { earliestSeq, hotFrom } from '../ledger/cold.ts'
import { type KindSpan, spansOfKinds } from '../ledger/segments-by-kind.ts'
import type { LedgerName, RecordKind } from '../record/record.ts'

const maxSpans = 512
/** Records read whole at a time: more than any inventory has. */
const maxCold = 50_000
/** A step may end between two spans. */
const maxJoined = 2_048

/**
 * Where the next step of a follower finds records of these kinds in [from, size), and where that search ended. What has left the tables is read
 * whole, from the archive; of the rest only segments that hold these kinds. What has expired is not there.
 */
export async function findSpans(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  size: number,
  kinds: readonly RecordKind[],
): Promise<{ spans: Span[]; end: number }> {
  const [hot, earliest] = await Promise.all([hotFrom(db, ledger), earliestSeq(db, ledger)])
  const begin = Math.max(from, Math.min(earliest, size))
  if (begin < hot) {
    const end = Math.min(hot, size, begin + maxCold)
    return { spans: [{ firstSeq: begin, count: end - begin }], end }
  }
  const spans = await spansOfKinds(db, ledger, begin, size, kinds, maxSpans)
  const last = spans.at(-1)
  return {
    spans: joinSpans(spans),
    end: spans.length < maxSpans || last === undefined ? size : last.firstSeq + last.count,
  }
}

type Span = Pick<KindSpan, 'firstSeq' | 'count'>

/** The seal of a run, the next one's inventory, its line maps and its declaration follow each other: each read by itself is two questions to the database. */
function joinSpans(spans: readonly Span[]): Span[] {
  const joined: Span[] = []
  for (const { firstSeq, count } of spans) {
    const last = joined.at(-1)
    if (last !== undefined && last.firstSeq + last.count === firstSeq && last.count + count <= maxJoined)
      last.count += count
    else joined.push({ firstSeq, count })
  }
  return joined
}
