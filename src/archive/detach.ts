import type { Database } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import type { Micros } from '../record/record.ts'
import { type Day, addMonths, dayOf } from './calendar.ts'
import { type ArchivedLedger, readMonthAgain } from './read-again.ts'
import { recordRetention } from './retention-records.ts'
import {
  type Detached,
  type TestTypePart,
  attachedMonths,
  detachMonth,
  testTypeParts,
  unrecordedMonths,
} from './retention-store.ts'
import { readClock } from './store.ts'

/**
 * Months move from the tables to the archive, the oldest first, after the archive was read once more. The database itself demands that every
 * day of the month was archived and read back lately, and does the move in one transaction: a crash before it leaves the month in the tables,
 * after it the `detached` record is made by whoever looks next.
 */

/** Pure: the months that are over for `online` months, as far as the calendar goes. */
export function dueMonths(attached: readonly Day[], now: Micros, online: number): Day[] {
  return attached.filter((month) => addMonths(month, 1 + online) <= dayOf(now))
}

export interface DetachDeps {
  db: Database
  /** Who may let months go; default the service itself. */
  retiring?: Database | undefined
  operations: Book
  online: number
  /** Of the org, whose archive can be read here. */
  archived: readonly ArchivedLedger[]
}

export interface Moved extends Detached {
  testType: TestTypePart
  month: Day
}

/** Moves what is due; answers it. Rejects with the reason of the first month that cannot leave. */
export async function detachDueMonths(deps: DetachDeps, signal: AbortSignal): Promise<Moved[]> {
  const { db, operations, online, archived } = deps
  await recordDetached(deps)
  const now = await readClock(db)
  const moved: Moved[] = []
  for (const testType of testTypeParts) {
    for (const month of dueMonths(await attachedMonths(db, testType), now, online)) {
      if (signal.aborted) return moved
      const of = `${testType}/${month.slice(0, 7)}`
      const named = { act: 'detach', test_type: testType, month: month.slice(0, 7) }
      for (const ledger of archived) await readMonthAgain(ledger, testType, month, signal)
      await recordRetention(operations, `detaching:${of}`, { ...named, state: 'begun' })
      const told = await detachMonth(deps.retiring ?? db, testType, month)
      if (told?.ledgers.length === 0) await recordRetention(operations, `detached:${of}`, { ...named, state: 'done', ledgers: [] })
      else if (told !== undefined) moved.push({ ...told, testType, month })
      await recordDetached(deps)
    }
  }
  return moved
} // oxfmt-ignore

/** Also of months that left before a crash: everything follows from the rows. */
async function recordDetached({ db, operations }: DetachDeps): Promise<void> {
  for (const { testType, month, ledgers } of await unrecordedMonths(db, operations.ledger)) {
    const named = { act: 'detach', test_type: testType, month: month.slice(0, 7) }
    await recordRetention(operations, `detached:${testType}/${month.slice(0, 7)}`, { ...named, state: 'done', ledgers })
  }
}
