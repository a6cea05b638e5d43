import type { Database } from '../database/database.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { cutEnds } from './attempts.ts'
import type { Lane } from './lane.ts'
import { insertOrders, lockOrders, type NewOrder } from './order-store.ts'
import type { Said } from './retry.ts'

/** An order to send a stretch of a ledger again, whatever is there. */

export interface Stretch {
  first: number
  /** Excluded. */
  end: number
}

/** `from` and `to` are seqs, both included, or times: recorded at `from` or later, and before `to`. Throws Problem request_invalid. */
export async function readStretch(
  reader: Pick<Reader, 'seqAt' | 'published' | 'earliest'>,
  ledger: LedgerName,
  from: string,
  to: string,
): Promise<Stretch> {
  const first = await placeOf(reader, ledger, from, 0)
  const end = await placeOf(reader, ledger, to, 1)
  const earliest = await reader.earliest(ledger)
  if (first < earliest)
    throw new Problem(
      'expired',
      `records before ${earliest} of ${ledger} were deleted when their retention had passed`,
      { extra: { earliest } },
    )
  if (end <= first) throw new Problem('request_invalid', `there is no record of ${ledger} from ${from} to ${to}`)
  return { first, end }
}

async function placeOf(
  reader: Pick<Reader, 'seqAt'>,
  ledger: LedgerName,
  text: string,
  behind: 0 | 1,
): Promise<number> {
  if (/^\d{1,15}$/.test(text)) return Number(text) + behind
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at))
    throw new Problem('request_invalid', `${text} is neither a seq nor a time like 2026-11-23T05:00:00Z`)
  return reader.seqAt(ledger, at * 1000)
}

/** As far as the lane has come: what lies behind that is sent anyway. */
export async function orderStretch(
  db: Database,
  lane: Lane,
  { first, end }: Stretch,
  by: Said,
): Promise<NewOrder & { n: number }> {
  const ends = await cutEnds(db, lane)
  const next = ends?.next ?? 0
  if (next <= first)
    throw new Problem(
      'request_invalid',
      `${lane.ledger} is at ${next} in ${lane.destination}: ${first} is sent for the first time yet`,
    )
  const order = { first, end: Math.min(end, next), leftOut: undefined, why: 'range' as const, mark: undefined }
  const [n] = await db.transaction(async (tx) => {
    await lockOrders(tx, lane)
    return insertOrders(tx, lane, [order], by)
  })
  return { ...order, n: n ?? 0 }
}
