import type { Queryable } from '../database/database.ts'
import type { Generations } from '../ledger/generations.ts'
import { findSubmissions } from '../ledger/store.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { keys } from './run.ts'

/**
 * A run that was declared in a ledger which was closed with a loss belongs there for good: one run in two ledgers would count twice. What was
 * ended there stands; what was open there cannot be ended any more, and is pushed anew as another run. Runs that are lost are not known here
 * and are taken as new ones.
 */
export function createClosedRuns(
  db: Queryable,
  generations: Pick<Generations, 'chain'>,
): (ledger: LedgerName, run: string) => Promise<void> {
  return async (ledger, run) => {
    for (const closed of generations.chain(ledger)) {
      if (closed === ledger) return
      const found = await findSubmissions(db, closed, [keys.run(run), keys.end(run)], [])
      if (!found.some(({ key }) => key === keys.run(run))) continue
      const isEnded = found.some(({ key }) => key === keys.end(run))
      const todo = isEnded
        ? `It was ended there, and stands: what ran again is another run, --run NAME.`
        : `It was open, and cannot be ended there any more: push it as another run, with another attempt behind it (~2) or --run NAME.`
      throw new Problem('ledger_closed', `${run} was declared in ${closed}, which is closed with a loss; ${ledger} is recorded in now. ${todo}`) // oxfmt-ignore
    }
  }
}
