import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { readClock } from './store.ts'

/** What is done by the calendar is done by a clock that somebody else agrees with, and nothing is deleted by one that has just been set. */

const apartMicros = 60_000_000
const dayMicros = 86_400_000_000

/** Throws Problem('clock_step') when the database and this machine are more than a minute apart: one of them is wrong about what day it is. */
export async function assertClocksAgree(db: Queryable, now: () => Date): Promise<void> {
  const apart = (await readClock(db)) - now().getTime() * 1000
  if (Math.abs(apart) <= apartMicros) return
  const [seconds, way] = [Math.round(Math.abs(apart) / 1e6), apart > 0 ? 'ahead of' : 'behind']
  throw new Problem('clock_step', `the database clock is ${seconds} s ${way} that of this machine: nothing is archived or moved`)
} // oxfmt-ignore

/** Pure: whether time went by as days do, given when days were archived lately. Database and service on one machine agree on any clock, so that is looked at too. */
export function ranForADay(verifiedAt: readonly Micros[], clock: Micros): boolean {
  return verifiedAt.some((at) => at <= clock - 0.8 * dayMicros && at >= clock - 8 * dayMicros)
}

/** Throws Problem('clock_step') unless a day of `operations`, which has records every day, was archived within the last week and not just now. */
export async function assertRanForADay(db: Queryable, operations: LedgerName): Promise<void> {
  const { rows } = await db.query<{ at: Micros }>({
    name: 'archived_lately',
    text: 'select verified_at as at from cold_days where ledger = $1 order by day desc limit 16',
    values: [operations],
  })
  if (ranForADay(rows.map(({ at }) => at), await readClock(db))) return
  throw new Problem('clock_step', 'no day was archived within the week before the last: the service was away or its clock was set; nothing is deleted before it ran for a day')
} // oxfmt-ignore
