import type { Queryable } from '../database/database.ts'
import type { LedgerName, RecordKind } from '../record/record.ts'
import { openRecords } from './open-segment.ts'
import type { LedgerReader, StoredRecord } from './read.ts'
import { type SegmentRow, segmentColumns, testTypeOf } from './store.ts'

/**
 * Records of some kinds in order of seq. A segment holds one kind, so what is not asked for is neither fetched nor decoded: of a run with
 * 2,000 files that is all but three records. Where the table has no segment (a month that was archived) everything is read and sifted.
 * The caller bounds `until` by what is published. Each record is checked against its leaf hash.
 */
export async function* readKinds(
  { db, reader }: { db: Queryable; reader: LedgerReader },
  ledger: LedgerName,
  from: number,
  until: number,
  kinds: ReadonlySet<RecordKind>,
): AsyncGenerator<StoredRecord> {
  for (let at = kinds.size === 0 ? until : from; at < until;) {
    const spans = await spansFrom(db, ledger, at, until)
    for (const { first, end, isWanted } of group(spans, at, until, kinds)) {
      if (isWanted === 'unknown') yield* sift(reader, ledger, first, end, kinds)
      else if (isWanted === 'yes') yield* readSegments(db, reader, ledger, first, end)
      at = end
    }
  }
}

/** Every record of [from, until), whatever its kind. */
export async function* readAll(
  reader: Pick<LedgerReader, 'readBatch'>,
  ledger: LedgerName,
  from: number,
  until: number,
): AsyncGenerator<StoredRecord> {
  for (let at = from; at < until;) {
    const batch = await reader.readBatch(ledger, at, { until })
    if (batch.next === at) throw new Error(`${ledger} ends at ${at}, before ${until}`)
    yield* batch.records
    at = batch.next
  }
}

async function* sift(
  reader: LedgerReader,
  ledger: LedgerName,
  from: number,
  until: number,
  kinds: ReadonlySet<RecordKind>,
): AsyncGenerator<StoredRecord> {
  for await (const record of readAll(reader, ledger, from, until)) if (kinds.has(record.kind)) yield record
}

interface Stretch {
  first: number
  end: number
  /** `unknown`: no segment is there. */
  isWanted: 'yes' | 'no' | 'unknown'
}

/** Neighbours that are treated alike, as one stretch; together they tile what `spans` reach. */
function group(spans: readonly SpanRow[], from: number, until: number, kinds: ReadonlySet<RecordKind>): Stretch[] {
  const stretches: Stretch[] = []
  let at = from
  const add = (end: number, isWanted: Stretch['isWanted']): void => {
    const last = stretches.at(-1)
    if (end <= at) return
    if (last?.isWanted === isWanted) last.end = end
    else stretches.push({ first: at, end, isWanted })
    at = end
  }
  for (const { firstSeq, count, kind } of spans) {
    add(Math.min(firstSeq, until), 'unknown')
    add(Math.min(firstSeq + count, until), kinds.has(kind) ? 'yes' : 'no')
  }
  if (spans.length < spansAtOnce) add(until, 'unknown')
  return stretches
}

const rowsAtOnce = 64

async function* readSegments(
  db: Queryable,
  reader: LedgerReader,
  ledger: LedgerName,
  from: number,
  until: number,
): AsyncGenerator<StoredRecord> {
  for (let at = from; at < until;) {
    const { rows } = await db.query<SegmentRow>({
      name: 'segments_between',
      text: `select ${segmentColumns} from segments where ledger = $1 and test_type = $2 and first_seq > $3 - 1024 and first_seq + count > $3
               and first_seq < $4 order by first_seq limit $5`,
      values: [ledger, testTypeOf(ledger), at, until, rowsAtOnce],
    })
    for (const row of rows) {
      const raw = await reader.unpack(ledger, row)
      yield* openRecords(ledger, row, raw, { from: at, until, maxBytes: Infinity, atLeastOne: true }, true)
      at = row.firstSeq + row.count
    }
    if (rows.length === 0) throw new Error(`${ledger}: segments at ${at} went while they were read`)
  }
}

interface SpanRow {
  firstSeq: number
  count: number
  kind: RecordKind
}

const spansAtOnce = 4_096

async function spansFrom(db: Queryable, ledger: LedgerName, from: number, until: number): Promise<SpanRow[]> {
  const { rows } = await db.query<SpanRow>({
    name: 'segment_spans',
    text: `select first_seq as "firstSeq", count, kind from segments where ledger = $1 and test_type = $2 and first_seq > $3 - 1024
             and first_seq + count > $3 and first_seq < $4 order by first_seq limit $5`,
    values: [ledger, testTypeOf(ledger), from, until, spansAtOnce],
  })
  return rows
}
