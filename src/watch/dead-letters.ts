import type { Database } from '../database/database.ts'
import type { Lane } from '../delivery/lane.ts'
import { endLetters } from '../delivery/letter-store.ts'
import { retryParked, type Said } from '../delivery/retry.ts'
import { type DeadLetter, type DeadLetterFilter, listDeadLetters, parkedKinds } from '../delivery/status.ts'
import { Problem } from '../record/problem.ts'
import { insertDifferences } from './comparison-store.ts'
import { orderMissing, type VisibleAfter } from './order-missing.ts'

/** What people decide about dead letters. Each decision is on record, with who and why, before it counts. */

export interface Decided {
  /** Records that are sent again, or letters that were disposed of. */
  decided: number
  /** Letters that were chosen and are left as they were: of a kind that cannot be sent again, or decided by somebody else. */
  left: number
}

export interface DecideDeps {
  db: Database
  visibleAfterMs: VisibleAfter
  /** Whether somebody would carry out an order there. */
  isServed: (lane: Lane) => boolean
  /** Called for each destination and page, before anything of it is changed; a rejection keeps it from being changed. */
  record: (destination: string, letters: number) => Promise<void>
}

const pageSize = 10_000

const isParked = ({ kind }: DeadLetter): boolean => parkedKinds.some((parked) => parked === kind)

const refusal = ({ destination, ledger }: Lane): Problem =>
  new Problem('request_invalid', `nothing of ${ledger} goes to ${destination} any more: nobody would send it again. Discard it, or select it again`) // oxfmt-ignore

/**
 * Throws Problem not_found where nothing is chosen, request_invalid for one by name that cannot be sent again. Of a lane that is not served
 * any more nothing leaves the list: its order would wait for ever.
 */
export async function retryDeadLetters(deps: DecideDeps, filter: DeadLetterFilter, by: Said): Promise<Decided> {
  const isChosenByKind = filter.letters !== undefined || filter.kind !== undefined
  return decide(
    deps,
    filter,
    by,
    async (lane, letters) => {
      const parked = letters.flatMap((letter) =>
        isParked(letter) && letter.try !== null ? [{ seq: letter.seq, try: letter.try }] : [],
      )
      const missing = letters.filter(({ kind }) => kind === 'missing').map(({ seq }) => seq)
      return (
        (await retryParked(deps.db, lane, parked, by)) +
        (await orderMissing(deps.db, lane, deps.visibleAfterMs, by, missing)).records
      )
    },
    (letters) => {
      const lost = filter.letters === undefined ? undefined : letters.find((letter) => !deps.isServed(letter))
      if (lost !== undefined) throw refusal(lost)
      const other = letters.find((letter) => !isParked(letter) && letter.kind !== 'missing')
      if (other === undefined || !isChosenByKind) return
      const detail = `what is ${other.kind} cannot be sent again (${other.letter}): put it right at the destination, or discard it`
      throw new Problem('request_invalid', detail)
    },
    deps.isServed,
  )
}

/** Throws Problem not_found where nothing is chosen. */
export async function discardDeadLetters(deps: DecideDeps, filter: DeadLetterFilter, by: Said): Promise<Decided> {
  return decide(
    deps,
    filter,
    by,
    async (lane, letters) => {
      const parked = letters.flatMap((letter) =>
        isParked(letter) && letter.try !== null ? [{ seq: letter.seq, try: letter.try }] : [],
      )
      const ended = await endLetters(deps.db, lane, parked, { how: 'discarded', ...by })
      const steps = letters.flatMap(({ kind, id, seq }) =>
        kind === 'missing' || kind === 'duplicated' || kind === 'altered' || kind === 'foreign'
          ? [{ kind, id, seq, state: 'discarded' as const, detail: by.reason }]
          : [],
      )
      return ended + (await insertDifferences(deps.db, lane, steps, by.byWhom, by.at))
    },
    () => undefined,
    () => true,
  )
}

/**
 * Page by page, lane by lane: a crash in between leaves part of it decided, and a repeat decides the rest. What is parked anew meanwhile is
 * not chosen: whoever decided did not know of it.
 */
async function decide(
  { db, record }: DecideDeps,
  filter: DeadLetterFilter,
  by: Said,
  take: (lane: Lane, letters: readonly DeadLetter[]) => Promise<number>,
  check: (letters: readonly DeadLetter[]) => void,
  isTaken: (lane: Lane) => boolean,
): Promise<Decided> {
  const total = { decided: 0, left: 0 }
  let untaken: Lane | undefined
  for (let after: DeadLetter | undefined; ;) {
    const page = await listDeadLetters(db, { ...filter, limit: pageSize, ...(after === undefined ? {} : { after }) })
    const letters = page.filter(({ at }) => at <= by.at)
    check(letters)
    const taken = letters.filter(isTaken)
    untaken ??= letters.find((letter) => !isTaken(letter))
    total.left += letters.length - taken.length
    for (const [destination, own] of Map.groupBy(taken, (letter) => letter.destination)) {
      await record(destination, own.length)
      for (const [ledger, ofLane] of Map.groupBy(own, (letter) => letter.ledger)) {
        const decided = await take({ destination, ledger }, ofLane)
        total.decided += decided
        total.left += ofLane.length - decided
      }
    }
    after = page.at(-1)
    if (page.length < pageSize || letters.length < page.length) break
  }
  if (total.decided === 0 && untaken !== undefined) throw refusal(untaken)
  if (total.decided + total.left === 0) throw new Problem('not_found', 'no dead letter is chosen by that')
  return total
}
