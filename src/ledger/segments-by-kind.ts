import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros, RecordKind } from '../record/record.ts'
import { testTypeOf } from './store.ts'

/** A stretch of consecutive records of one kind. */
export interface KindSpan {
  firstSeq: number
  count: number
  kind: RecordKind
}

/**
 * Where records of these kinds stand in [from, until), in order: segments hold one kind each, so whoever wants only the ends of runs need not
 * fetch what lies between them. Nothing is read of their payloads.
 */
export async function spansOfKinds(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  until: number,
  kinds: readonly RecordKind[],
  limit: number,
): Promise<KindSpan[]> {
  const { rows } = await db.query<KindSpan>({
    name: 'spans_of_kinds',
    text: `select first_seq as "firstSeq", count, kind from segments
           where ledger = $1 and test_type = $2 and first_seq >= $3 and first_seq < $4 and kind = any($5) order by first_seq limit $6`,
    values: [ledger, testTypeOf(ledger), from, until, kinds, limit],
    timeoutMs: 60_000,
  })
  return rows
}

/** The payload hashes that stand in the ids of these records: 16 hex digits each. What is not there is absent. */
export async function idHashesOf(db: Queryable, ledger: LedgerName, seqs: readonly number[]): Promise<Map<number, string>> {
  const { rows } = await db.query<{ seq: number; hash: string }>({
    name: 'id_hashes_of',
    text: `select w.seq, encode(substring(s.id_hashes from 8 * (w.seq - s.first_seq)::integer + 1 for 8), 'hex') as hash
           from unnest($3::bigint[]) as w(seq), lateral (
             select first_seq, id_hashes from segments
             where ledger = $1 and test_type = $2 and first_seq > w.seq - 1024 and first_seq <= w.seq and first_seq + count > w.seq limit 1) as s`,
    values: [ledger, testTypeOf(ledger), seqs],
  })
  return new Map(rows.map(({ seq, hash }) => [seq, hash]))
} // oxfmt-ignore

/** recorded_at of a record; undefined when it is not there. */
export async function timeOfRecord(db: Queryable, ledger: LedgerName, seq: number): Promise<Micros | undefined> {
  const { rows } = await db.query<{ at: Micros }>({
    name: 'time_of_record',
    text: `select first_time + ($3 - first_seq) as at from segments
           where ledger = $1 and test_type = $2 and first_seq > $3 - 1024 and first_seq <= $3 and first_seq + count > $3 limit 1`,
    values: [ledger, testTypeOf(ledger), seq],
  })
  return rows[0]?.at
}
