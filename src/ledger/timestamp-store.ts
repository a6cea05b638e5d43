import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'

/** Every statement on timestamps. Rows are only inserted. */

export interface TimestampRow {
  size: number
  /** Address of the authority. */
  authority: string
  /** By the authority. */
  time: Micros
  /** RFC 3161 TimeStampToken, DER, over SHA-256 of the note of the checkpoint of this size as it stands in `checkpoints`. */
  token: Buffer
}

export async function insertTimestamp(
  db: Queryable,
  ledger: LedgerName,
  { size, authority, time, token }: Omit<TimestampRow, 'token'> & { token: Uint8Array },
): Promise<void> {
  await db.query({
    name: 'insert_timestamp',
    text: 'insert into timestamps (ledger, size, authority, time, token) values ($1, $2, $3, $4, $5) on conflict do nothing',
    values: [ledger, size, authority, time, Buffer.from(token)],
  })
}

/** In order of size and time, from `from` on, at most `limit`. */
export async function timestampsFrom(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  limit: number,
): Promise<TimestampRow[]> {
  const { rows } = await db.query<TimestampRow>({
    name: 'timestamps_from',
    text: `select size, authority, time, token from timestamps where ledger = $1 and size >= $2
           order by size, authority, time limit $3`,
    values: [ledger, from, limit],
  })
  return rows
}

/** The newest token of this authority, without it. */
export async function newestTimestamp(
  db: Queryable,
  ledger: LedgerName,
  authority: string,
): Promise<{ size: number; time: Micros } | undefined> {
  const { rows } = await db.query<{ size: number; time: Micros }>({
    name: 'newest_timestamp',
    text: 'select size, time from timestamps where ledger = $1 and authority = $2 order by size desc, time desc limit 1',
    values: [ledger, authority],
  })
  return rows[0]
}

/**
 * Of each authority the token that says most about the records before `end`: the first one over a checkpoint that covers them all, of `size`
 * records at most; else the last one before.
 */
export async function timestampsFor(
  db: Queryable,
  ledger: LedgerName,
  end: number,
  size: number,
): Promise<TimestampRow[]> {
  const { rows } = await db.query<TimestampRow>({
    name: 'timestamps_for',
    text: `select distinct on (authority) size, authority, time, token from timestamps where ledger = $1 and size <= $3
           order by authority, size >= $2 desc, case when size >= $2 then size else -size end, time`,
    values: [ledger, end, size],
  })
  return rows
}
