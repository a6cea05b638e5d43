import type { Database } from '../database/database.ts'
import type { Lane } from '../delivery/lane.ts'
import { insertOrders, lockOrders, type NewOrder, type Order, ordersSince, toOrders } from '../delivery/order-store.ts'
import { hasMember } from '../delivery/range.ts'
import type { Said } from '../delivery/retry.ts'
import type { Micros } from '../record/record.ts'
import { comparedAt, findDifferences, type StandingDifference } from './comparison-store.ts'

/** From what comparisons found missing to orders to send it again. */

/** How long a destination may take to show a record; by its name. */
export type VisibleAfter = (destination: string) => number

export interface Ordered {
  orders: (NewOrder & { n: number })[]
  records: number
}

/**
 * Orders what is missing, or these seqs of it. Not what an order is sending just now, nor what was sent since the last comparison could
 * have seen it: that would make copies. A crash leaves all of it or nothing.
 */
export async function orderMissing(
  db: Database,
  lane: Lane,
  visibleAfterMs: VisibleAfter,
  by: Said,
  some?: readonly number[],
): Promise<Ordered> {
  if (some?.length === 0) return { orders: [], records: 0 }
  return db.transaction(async (tx) => {
    await lockOrders(tx, lane)
    const wanted = some === undefined ? undefined : new Set(some)
    const standing = (await findDifferences(tx, lane)).filter(({ seq }) => wanted?.has(seq) ?? true)
    const seenAt = await comparedAt(tx, lane)
    const visibleAfter = visibleAfterMs(lane.destination) * 1000
    // Earlier ones were seen; each may have 128 KiB of what it leaves out.
    const orders = await ordersSince(tx, lane, seenAt - visibleAfter)
    const seqs = toSend(standing, orders, seenAt, visibleAfter)
    const planned = toOrders(seqs, 'missing', undefined)
    const numbers = await insertOrders(tx, lane, planned, by)
    return { orders: planned.flatMap((order, i) => ({ ...order, n: numbers[i] ?? 0 })), records: seqs.length }
  })
}

/** Pure. `seenAt`: when the destination was last compared and answered. */
export function toSend(
  standing: readonly Pick<StandingDifference, 'kind' | 'state' | 'seq' | 'at'>[],
  orders: readonly Order[],
  seenAt: Micros,
  visibleAfter: Micros,
): number[] {
  const seqs = standing.flatMap(({ kind, state, seq, at }) => {
    if (kind !== 'missing' || state !== 'found' || seq < 0) return []
    const isUnderWay = orders.some(
      (order) =>
        seq < order.end &&
        hasMember(order, seq) &&
        (order.endedAt === undefined || order.endedAt + visibleAfter > Math.max(at, seenAt)),
    )
    return isUnderWay ? [] : [seq]
  })
  return [...new Set(seqs)].toSorted((a, b) => a - b)
}
