import type { Queryable } from '../database/database.ts'
import { type LedgerName, type Micros, type RecordKind, ledgerKindOf } from '../record/record.ts'

/** Every statement on heads, checkpoints, barriers, submissions, segments and tile_roots. Rows are only inserted; triggers refuse the rest. */

export interface HeadRow {
  base: number
  size: number
  root: Buffer
  lastTime: Micros
}

export interface SubmissionRow {
  key: string
  digest: Buffer
  firstSeq: number
  lastSeq: number
  firstTime: Micros
}

export interface SegmentRow {
  firstSeq: number
  count: number
  firstTime: Micros
  kind: RecordKind
  dictionarySeq: number | null
  depth: number
  rawBytes: number
  payloads: Buffer
  leafHashes: Buffer
  idHashes: Buffer
}

export function testTypeOf(ledger: LedgerName): 'unit' | 'integration' | 'other' {
  const kind = ledgerKindOf(ledger)
  return kind === 'unit' || kind === 'integration' ? kind : 'other'
}

/** The newest head and the database clock, read together; undefined head when the ledger has none. */
export async function readHead(
  db: Queryable,
  ledger: LedgerName,
): Promise<{ head: HeadRow | undefined; clock: Micros }> {
  const { rows } = await db.query<{ clock: number } & Partial<HeadRow>>({
    name: 'read_head',
    text: `select clock_micros() as clock, h.base, h.size, h.root, h."lastTime" from (select 1) as one left join lateral (
             select base, size, root, last_time as "lastTime" from heads where ledger = $1 order by base desc limit 1) as h on true`,
    values: [ledger],
  })
  const row = rows[0]
  if (row === undefined) throw new Error('the database answered no clock')
  const { clock, base, size, root, lastTime } = row
  if (base === undefined || base === null || size === undefined || root === undefined || lastTime === undefined)
    return { head: undefined, clock }
  return { head: { base, size, root, lastTime }, clock }
}

/** The head of exactly this size. */
export async function findHead(db: Queryable, ledger: LedgerName, size: number): Promise<HeadRow | undefined> {
  const { rows } = await db.query<HeadRow>({
    name: 'find_head',
    text: 'select base, size, root, last_time as "lastTime" from heads where ledger = $1 and size = $2',
    values: [ledger, size],
  })
  return rows[0]
}

/** Heads in order of size, from the one that extends `base` on. */
export async function headsFrom(db: Queryable, ledger: LedgerName, base: number, limit: number): Promise<HeadRow[]> {
  const { rows } = await db.query<HeadRow>({
    name: 'heads_from',
    text: 'select base, size, root, last_time as "lastTime" from heads where ledger = $1 and base >= $2 order by base limit $3',
    values: [ledger, base, limit],
  })
  return rows
}

/** Submissions with one of `keys`, and those of the slices and parts of `runs`. */
export async function findSubmissions(
  db: Queryable,
  ledger: LedgerName,
  keys: readonly string[],
  runs: readonly string[],
): Promise<SubmissionRow[]> {
  const { rows } = await db.query<SubmissionRow>({
    name: 'find_submissions',
    text: `select key, digest, first_seq as "firstSeq", last_seq as "lastSeq", first_time as "firstTime" from submissions
           where ledger = $1 and key = any($2)
           union all
           select s.key, s.digest, s.first_seq, s.last_seq, s.first_time from unnest($3::text[]) as r(run), lateral (
             select * from submissions where ledger = $1 and key > 'part:' || r.run || '/' and key < 'part:' || r.run || '0'
             union all
             select * from submissions where ledger = $1 and key > 'slice:' || r.run || '/' and key < 'slice:' || r.run || '0') as s`,
    values: [ledger, keys, runs],
  })
  return rows
}

/** Runs declared more than `ageMicros` ago that nothing ended, in order of their names, from the one behind `after` on. Looks at every run. */
export async function findOpenRuns(
  db: Queryable,
  ledger: LedgerName,
  ageMicros: number,
  after: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await db.query<{ run: string }>({
    name: 'find_open_runs',
    text: `select substr(r.key, 5) as run from submissions as r
           where r.ledger = $1 and r.key > 'run:' || $3 and r.key < 'run;' and r.first_time <= clock_micros() - $2
             and not exists (select from submissions as e where e.ledger = $1 and e.key = 'end:' || substr(r.key, 5))
           order by r.key limit $4`,
    values: [ledger, ageMicros, after, limit],
    timeoutMs: 60_000,
  })
  return rows.map(({ run }) => run)
}

export const segmentColumns = `first_seq as "firstSeq", count, first_time as "firstTime", kind, dictionary_seq as "dictionarySeq", depth, raw_bytes as "rawBytes",
  payloads, leaf_hashes as "leafHashes", id_hashes as "idHashes"`

/**
 * Segments that hold records from `from` on, in order: at most `limit`, and no more than it takes to reach `maxBytes` of payloads. A segment
 * has at most 1,024 records, which bounds the look back. What is not needed is not fetched: bytea travels as hex, and sixteen segments
 * for a batch that needs one cost three quarters of a forwarder's time.
 */
export async function segmentsFrom(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  limit: number,
  maxBytes = Number.MAX_SAFE_INTEGER,
): Promise<SegmentRow[]> {
  const { rows } = await db.query<SegmentRow>({
    name: 'segments_from',
    text: `select ${segmentColumns} from (
             select *, sum(wanted) over (order by first_seq) - wanted as before from (
               select *, raw_bytes::bigint * (first_seq + count - greatest(first_seq, $3)) / count as wanted
               from segments where ledger = $1 and test_type = $2 and first_seq > $3 - 1024 and first_seq + count > $3
               order by first_seq limit $4) as near) as counted
           where before < $5 order by first_seq`,
    values: [ledger, testTypeOf(ledger), from, limit, maxBytes],
  })
  return rows
}

export async function segmentAt(db: Queryable, ledger: LedgerName, firstSeq: number): Promise<SegmentRow | undefined> {
  const { rows } = await db.query<SegmentRow>({
    name: 'segment_at',
    text: `select ${segmentColumns} from segments where ledger = $1 and test_type = $2 and first_seq = $3`,
    values: [ledger, testTypeOf(ledger), firstSeq],
  })
  return rows[0]
}

/** Leaf hashes of the records [from, to), cut out of their segments over there: one piece a segment, in order, each with its place. */
export async function leafHashesBetween(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  to: number,
): Promise<{ first: number; hashes: Buffer }[]> {
  const { rows } = await db.query<{ first: number; hashes: Buffer }>({
    name: 'leaf_hashes_between',
    text: `select greatest(first_seq, $3::bigint) as first, substring(leaf_hashes from 32 * greatest(0, $3::bigint - first_seq)::integer + 1
                            for 32 * (least(first_seq + count, $4) - greatest(first_seq, $3))::integer) as hashes
           from segments
           where ledger = $1 and test_type = $2 and first_seq > $3 - 1024 and first_seq < $4 and first_seq + count > $3 order by first_seq`,
    values: [ledger, testTypeOf(ledger), from, to],
  })
  return rows
}

/** Newest segment of a chain, and the one with the index that its successor takes as dictionary. */
export async function chainSegments(
  db: Queryable,
  ledger: LedgerName,
  chain: bigint,
  maxAgeMicros: Micros,
): Promise<{ index: number; seq: number; depth: number }[]> {
  const { rows } = await db.query<{ index: number; seq: number; depth: number }>({
    name: 'chain_segments',
    text: `select chain_index as index, first_seq as seq, depth from segments where ledger = $1 and test_type = $2 and chain = $3
             and first_time >= (select clock_micros()) - $4
           order by chain_index desc, first_seq limit 64`,
    values: [ledger, testTypeOf(ledger), chain.toString(), maxAgeMicros],
  })
  return rows
}

export async function tileRootsBetween(
  db: Queryable,
  ledger: LedgerName,
  level: number,
  from: number,
  to: number,
): Promise<Buffer[]> {
  const { rows } = await db.query<{ root: Buffer }>({
    name: 'tile_roots_between',
    text: 'select root from tile_roots where ledger = $1 and level = $2 and index >= $3 and index < $4 order by index',
    values: [ledger, level, from, to],
  })
  return rows.map((row) => row.root)
}

/** Publishes a checkpoint unless a larger one is there; answers the largest size published before, -1 for none. */
export async function publishCheckpoint(
  db: Queryable,
  ledger: LedgerName,
  size: number,
  note: string,
): Promise<number> {
  const { rows } = await db.query<{ before: number }>({
    name: 'publish_checkpoint',
    text: 'select publish_checkpoint($1, $2, $3) as before',
    values: [ledger, size, note],
  })
  return rows[0]?.before ?? -1
}

export async function newestCheckpoint(
  db: Queryable,
  ledger: LedgerName,
): Promise<{ size: number; note: string } | undefined> {
  const { rows } = await db.query<{ size: number; note: string }>({
    name: 'newest_checkpoint',
    text: 'select size, note from checkpoints where ledger = $1 order by size desc limit 1',
    values: [ledger],
  })
  return rows[0]
}

/** The first checkpoint that covers `size` records: the one every receipt of such a record names. */
export async function checkpointCovering(
  db: Queryable,
  ledger: LedgerName,
  size: number,
): Promise<{ size: number; note: string } | undefined> {
  const { rows } = await db.query<{ size: number; note: string }>({
    name: 'checkpoint_covering',
    text: 'select size, note from checkpoints where ledger = $1 and size >= $2 order by size limit 1',
    values: [ledger, size],
  })
  return rows[0]
}

/** A clean commit after the heads that are visible now: whatever was visible before it is replicated once it returns. */
export async function insertBarrier(db: Queryable, ledger: LedgerName, node: string): Promise<void> {
  await db.query({
    name: 'insert_barrier',
    text: 'insert into barriers (ledger, node, n) select $1, $2, coalesce(max(n), -1) + 1 from barriers where ledger = $1 and node = $2',
    values: [ledger, node],
  })
}

/**
 * Base of the head whose append made the first record at or after `at`; undefined when there is none. Times only grow with seq, so it is
 * found by halving along the primary key: some twenty steps over millions of heads.
 */
export async function headReaching(db: Queryable, ledger: LedgerName, at: Micros): Promise<number | undefined> {
  let low = 0
  const end = (await readHead(db, ledger)).head?.size ?? 0
  let high = end
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const head = await headHolding(db, ledger, middle)
    if (head === undefined) return undefined
    if (head.lastTime < at) low = head.size
    else high = Math.min(middle, Math.max(head.base, 0))
  }
  return low < end ? low : undefined
}

/** The first segment at or behind `from` with a record at or after `at`: exact to the segment, the reader does the rest. */
export async function segmentReaching(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  at: Micros,
): Promise<{ firstSeq: number; count: number; firstTime: Micros } | undefined> {
  const { rows } = await db.query<{ firstSeq: number; count: number; firstTime: Micros }>({
    name: 'segment_reaching',
    text: `select first_seq as "firstSeq", count, first_time as "firstTime" from segments
           where ledger = $1 and test_type = $2 and first_seq >= $3 and first_time + count > $4 order by first_seq limit 1`,
    values: [ledger, testTypeOf(ledger), from, at],
  })
  return rows[0]
}

/** The head whose append made the record `seq`. */
async function headHolding(db: Queryable, ledger: LedgerName, seq: number): Promise<HeadRow | undefined> {
  const { rows } = await db.query<HeadRow>({
    name: 'head_holding',
    text: 'select base, size, root, last_time as "lastTime" from heads where ledger = $1 and base <= $2 order by base desc limit 1',
    values: [ledger, seq],
  })
  return rows[0]
}
