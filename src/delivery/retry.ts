import type { Database, Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import type { Lane } from './lane.ts'
import { endLetters, type Letter, openLetters, type ParkedLetter } from './letter-store.ts'
import { insertOrders, lockOrders, type NewOrder, toOrders } from './order-store.ts'

/** From parked records to orders. */

export interface Said {
  reason: string
  byWhom: string
  at: Micros
}

/**
 * Takes parked records off the list and orders them to be sent again, both in one transaction: a crash leaves both or neither. What left
 * the list meanwhile is left out. Answers how many records are sent again.
 */
export async function retryParked(db: Database, lane: Lane, letters: readonly Letter[], by: Said): Promise<number> {
  if (letters.length === 0) return 0
  const work = async (tx: Queryable): Promise<number> => {
    await lockOrders(tx, lane)
    const plan = planRetry(await openLetters(tx, lane, letters))
    const numbers = await insertOrders(
      tx,
      lane,
      plan.map(({ order }) => order),
      by,
    )
    const ends = plan.flatMap(({ letters: own }, i) => own.map((letter) => ({ ...letter, redelivery: numbers[i] })))
    // A comparison may find one just now; then nothing of this is written, and the next round sees it.
    if ((await endLetters(tx, lane, ends, { how: 'retried', ...by })) !== ends.length) throw new Overtaken()
    return new Set(ends.map(({ seq }) => seq)).size
  }
  for (let round = 1; ; round++) {
    try {
      return await db.transaction(work)
    } catch (error) {
      if (!(error instanceof Overtaken) || round === 5) throw error
    }
  }
}

class Overtaken extends Error {
  override readonly name = 'Overtaken'
}

/**
 * Pure. Records that were refused were stored nowhere: they go again with the mark they had. Where nobody knows, the copy says that it may
 * be one. A record may be parked by several tries: it is sent once, and its strongest mark counts.
 */
export function planRetry(letters: readonly ParkedLetter[]): { order: NewOrder; letters: Letter[] }[] {
  const bySeq = Map.groupBy(letters, ({ seq }) => seq)
  const markOf = (own: readonly ParkedLetter[]): number | undefined =>
    own.every(({ kind }) => kind === 'refused') ? Math.max(...own.map(({ mark }) => mark)) : undefined
  const byMark = Map.groupBy([...bySeq], ([, own]) => markOf(own))
  return [...byMark].flatMap(([mark, group]) => {
    const seqs = group.map(([seq]) => seq).toSorted((a, b) => a - b)
    return toOrders(seqs, 'retry', mark).map((order) => ({
      order,
      letters: group.flatMap(([seq, own]) => (seq >= order.first && seq < order.end ? own : [])),
    }))
  })
}
