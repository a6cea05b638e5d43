import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
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
    for (const { first, end, isThere, wanted } of group(spans, at, until, kinds)) {
      if (isThere) yield* readSegments(db, reader, ledger, { first, end, wanted }, kinds)
      else yield* sift(reader, ledger, first, end, kinds)
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
  /** Whether the table has its segments. */
  isThere: boolean
  /** How many of its records are of the kinds that are asked for, where they are there. */
  wanted: number
}

/** What `spans` reach, as few stretches as may be. */
function group(spans: readonly SpanRow[], from: number, until: number, kinds: ReadonlySet<RecordKind>): Stretch[] {
  const stretches: Stretch[] = []
  let at = from
  const add = (end: number, isThere: boolean, isWanted: boolean): void => {
    const last = stretches.at(-1)
    if (end <= at) return
    const wanted = isWanted ? end - at : 0
    if (last?.isThere === isThere) Object.assign(last, { end, wanted: last.wanted + wanted })
    else stretches.push({ first: at, end, isThere, wanted })
    at = end
  }
  for (const { firstSeq, count, kind } of spans) {
    add(Math.min(firstSeq, until), false, false)
    add(Math.min(firstSeq + count, until), true, kinds.has(kind))
  }
  if (spans.length < spansAtOnce) add(until, false, false)
  return stretches
}

const rowsAtOnce = 64

/** Segments of these kinds; those of others are passed over where they lie. */
async function* readSegments(
  db: Queryable,
  reader: LedgerReader,
  ledger: LedgerName,
  { first, end: until, wanted }: Pick<Stretch, 'first' | 'end' | 'wanted'>,
  kinds: ReadonlySet<RecordKind>,
): AsyncGenerator<StoredRecord> {
  let found = 0
  for (let at = first; at < until && found < wanted;) {
    const { rows } = await db.query<SegmentRow>({
      name: 'segments_of_kinds',
      text: `select ${segmentColumns} from segments where ledger = $1 and test_type = $2 and first_seq > $3 - 1024 and first_seq + count > $3
               and first_seq < $4 and kind = any($5) order by first_seq limit $6`,
      values: [ledger, testTypeOf(ledger), at, until, [...kinds], rowsAtOnce],
    })
    for (const row of rows) {
      const raw = await reader.unpack(ledger, row)
      const records = openRecords(ledger, row, raw, { from: at, until, maxBytes: Infinity, atLeastOne: true }, true)
      found += records.length
      yield* records
      at = row.firstSeq + row.count
    }
    if (rows.length < rowsAtOnce) break
  }
  // A month that went to the archive meanwhile: whoever asks again finds it there.
  if (found !== wanted)
    throw new Problem('unavailable', `${ledger}: ${wanted - found} records before ${until} went while they were read`)
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
