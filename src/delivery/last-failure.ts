import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import type { Lane } from './lane.ts'

/** Why what is open was not taken when it was tried last. */
export interface LaneFailure {
  at: Micros
  /** With phase and address where no answer came. */
  reason: string
  address: string | null
  /** Of a connection that failed: resolve, connect, tls, write or read. */
  phase: string | null
}

/** Of so many of the oldest: a lane that is failing tries one at a time. */
const looked = 16

/**
 * The newest failed answer about these attempts, whichever try of them got it. A later try begins at the first seq of an earlier one, so this
 * is found by key, also while the next try is on its way and has no outcome yet.
 */
export async function lastFailure(
  db: Queryable,
  lane: Lane,
  open: readonly { month: string; first: number }[],
): Promise<LaneFailure | undefined> {
  const oldest = open.slice(0, looked)
  if (oldest.length === 0) return undefined
  const { rows } = await db.query<LaneFailure>({
    name: 'last_failure',
    text: `select o.at, o.reason, o.answer ->> 'address' as address, o.answer ->> 'phase' as phase
           from unnest($3::date[], $4::bigint[]) as a(month, first_seq) join outcomes o on o.ledger = $1 and o.destination = $2
             and o.month = a.month and o.first_seq = a.first_seq and o.source = 'answer' and o.reason is not null
           order by o.at desc limit 1`,
    values: [lane.ledger, lane.destination, oldest.map(({ month }) => month), oldest.map(({ first }) => first)],
  })
  return rows[0]
}
