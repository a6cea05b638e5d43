import type { Queryable } from '../database/database.ts'
import { type CutEnds, cutEnds, openAttempts, openOrderAttempts, type OpenRow } from './attempts.ts'
import type { Lane } from './lane.ts'
import { monthsBetween } from './open-attempt.ts'
import { latestWords, type Order, unfinishedOrders } from './order-store.ts'
import { latestPosition } from './places.ts'

/** A lane as the database has it. */
export interface LaneState {
  ends: CutEnds
  orders: Order[]
  /** The newest of what people said of which all is in here. */
  words: { orders: number; settlements: number }
  open: OpenRow[]
}

/**
 * Undefined when the lane has not begun. Read in this order: an attempt that is opened meanwhile belongs to a cut or a piece of an order
 * that is not in here yet, so whoever works from this and takes that on again finds it taken. And no order is in here that reaches behind
 * the cuts: it was given for less than what was cut by then.
 */
export async function readLane(db: Queryable, lane: Lane): Promise<LaneState | undefined> {
  const said = await latestWords(db, lane)
  const orders = await unfinishedOrders(db, lane)
  const words = { ...said, orders: Math.max(said.orders, ...orders.map(({ n }) => n)) }
  const ends = await cutEnds(db, lane)
  if (ends === undefined) return undefined
  const position = await latestPosition(db, lane)
  // One from before the first record was taken on has the month in which the lane began, and its records may be older.
  const openMonth = position === undefined || position.openFrom <= ends.start ? ends.firstMonth : position.openMonth
  const months = monthsBetween(openMonth ?? ends.lastMonth, ends.lastMonth)
  const open = [
    ...(await openAttempts(db, lane, months, position?.openFrom ?? 0)),
    ...(await openOrderAttempts(
      db,
      lane,
      orders.map(({ n }) => n),
    )),
  ]
  return { ends, orders, words, open }
}
