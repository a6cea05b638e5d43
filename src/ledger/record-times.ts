import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'

/** recorded_at of committed records of one ledger, by their seqs; one that is not recorded is not in the answer. Of heads alone, which are kept for ever. */
export async function recordTimes(
  db: Queryable,
  ledger: LedgerName,
  seqs: readonly number[],
): Promise<Map<number, Micros>> {
  const { rows } = await db.query<{ seq: number; at: Micros }>({
    name: 'record_times',
    text: `select s.seq, h.first_time + (s.seq - h.base) as at from unnest($2::bigint[]) as s(seq), lateral (
             select base, size, first_time from heads where ledger = $1 and base <= s.seq order by base desc limit 1) as h
           where s.seq < h.size`,
    values: [ledger, seqs],
  })
  return new Map(rows.map(({ seq, at }) => [seq, at]))
}
