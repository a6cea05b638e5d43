import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import type { Lane } from './lane.ts'

/** Parked records as people deal with them, one lane at a time. Rows are only inserted; the key lets one end be written. */

export interface Letter {
  seq: number
  try: number
}

export interface ParkedLetter extends Letter {
  id: string
  kind: 'refused' | 'unresolved' | 'unproved'
  /** Of the attempt that it was parked with: when its last byte can have left, and what the next try would say of earlier ones. */
  deadline: Micros
  mark: number
}

/** Those of these, or all, that are still on the list; by seq and try. */
export async function openLetters(db: Queryable, lane: Lane, some?: readonly Letter[]): Promise<ParkedLetter[]> {
  const { rows } = await db.query<ParkedLetter>({
    name: 'open_letters',
    text: `select p.seq, p.try, p.id, p.kind, a.deadline, a.mark + (exists (
               select from outcomes o where o.ledger = a.ledger and o.destination = a.destination and o.month = a.month
                 and o.first_seq = a.first_seq and o.try = a.try and o.marks ~ '[ia]'))::integer as mark
           from parked p join attempts a on a.ledger = p.ledger and a.destination = p.destination and a.month = p.month
             and a.first_seq = p.first_seq and a.try = p.try
           where p.ledger = $1 and p.destination = $2
             and ($3::bigint[] is null or (p.seq, p.try) in (select * from unnest($3::bigint[], $4::integer[])))
             and not exists (select from parked_ends e where e.ledger = p.ledger and e.destination = p.destination and e.seq = p.seq and e.try = p.try)
           order by p.seq, p.try`,
    values: [lane.ledger, lane.destination, some?.map(({ seq }) => seq) ?? null, some?.map((row) => row.try) ?? null],
  })
  return rows
}

/** Takes them off the list; answers how many were on it. */
export async function endLetters(
  db: Queryable,
  lane: Lane,
  letters: readonly (Letter & { redelivery?: number | undefined })[],
  end: { how: 'found' | 'retried' | 'discarded'; reason: string; byWhom: string; at: Micros },
): Promise<number> {
  const { rowCount } = await db.query({
    name: 'end_letters',
    text: `insert into parked_ends (ledger, destination, seq, try, how, reason, by_whom, at, redelivery)
           select $1, $2, l.seq, l.try, $6, $7, $8, $9, l.redelivery from unnest($3::bigint[], $4::integer[], $5::bigint[]) as l(seq, try, redelivery)
           on conflict do nothing`,
    values: [
      lane.ledger, lane.destination, letters.map(({ seq }) => seq), letters.map((row) => row.try),
      letters.map(({ redelivery }) => redelivery ?? null), end.how, end.reason, end.byWhom, end.at,
    ], // oxfmt-ignore
  })
  return rowCount
}
