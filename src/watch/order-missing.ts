import type { Database } from '../database/database.ts'
import type { Lane } from '../delivery/lane.ts'
import { insertOrders, lockOrders, type NewOrder, type Order, ordersSince, toOrders } from '../delivery/order-store.ts'
import { hasMember } from '../delivery/range.ts'
import type { Said } from '../delivery/retry.ts'
import type { Micros } from '../record/record.ts'
import { comparedAt, findDifferences, findUnlisted, type StandingDifference, type UnlistedAt } from './comparison-store.ts' // oxfmt-ignore
import { seqsOfRuns } from './unlisted.ts'

/** From what comparisons found missing to orders to send it again. */

/** How long a destination may take to show a record; by its name. */
export type VisibleAfter = (destination: string) => number

export interface Ordered {
  orders: (NewOrder & { n: number })[]
  records: number
  /** Missing as well, and more than a comparison notes: for the next one, when these are there. */
  left: number
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
  if (some?.length === 0) return { orders: [], records: 0, left: 0 }
  return db.transaction(async (tx) => {
    await lockOrders(tx, lane)
    const wanted = some === undefined ? undefined : new Set(some)
    const standing = (await findDifferences(tx, lane)).filter(({ seq }) => wanted?.has(seq) ?? true)
    const seenAt = await comparedAt(tx, lane)
    const visibleAfter = visibleAfterMs(lane.destination) * 1000
    // Earlier ones were seen; each may have 128 KiB of what it leaves out.
    const orders = await ordersSince(tx, lane, seenAt - visibleAfter)
    const unlisted = some === undefined ? await findUnlisted(tx, lane) : undefined
    const seqs = toSend(standing, orders, seenAt, visibleAfter, unlisted)
    const planned = toOrders(seqs, 'missing', undefined)
    const numbers = await insertOrders(tx, lane, planned, by)
    const numbered = planned.map((order, i) => ({ ...order, n: numbers[i] ?? 0 }))
    return { orders: numbered, records: seqs.length, left: unlisted?.beyond ?? 0 }
  })
}

/** Pure. `seenAt`: when the destination was last compared and answered. `unlisted`: what else it missed then. */
export function toSend(
  standing: readonly Pick<StandingDifference, 'kind' | 'state' | 'seq' | 'at'>[],
  orders: readonly Order[],
  seenAt: Micros,
  visibleAfter: Micros,
  unlisted?: Pick<UnlistedAt, 'at' | 'runs'>,
): number[] {
  /** Those whose records no comparison at `at` could have seen. */
  const underWay = (at: Micros): readonly Order[] =>
    orders.filter(({ endedAt }) => endedAt === undefined || endedAt + visibleAfter > Math.max(at, seenAt))
  const isOf = (some: readonly Order[], seq: number): boolean =>
    some.some((order) => seq < order.end && hasMember(order, seq))
  const seqs = new Set<number>()
  const missing = standing.filter(({ kind, seq }) => kind === 'missing' && seq >= 0)
  for (const { seq, at, state } of missing) if (state === 'found' && !isOf(underWay(at), seq)) seqs.add(seq)
  if (unlisted !== undefined) {
    const discarded = new Set(missing.flatMap(({ state, seq }) => (state === 'discarded' ? [seq] : [])))
    const orderedSince = underWay(unlisted.at)
    for (const seq of seqsOfRuns(unlisted)) if (!discarded.has(seq) && !isOf(orderedSince, seq)) seqs.add(seq)
  }
  return [...seqs].toSorted((a, b) => a - b)
}
