import type { Book } from '../ledger/book.ts'
import { Problem, problems } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Conflicts } from './conflicts.ts'
import { type Offered, rejectionSubmission } from './submissions.ts'

export interface RefusalDeps {
  bookOf: (ledger: LedgerName) => Book
  conflicts: Conflicts
  log: Logger
}

/** Runs `work`; whatever it refuses becomes a rejection on record before the caller hears of it. */
export type RecordingRefusals = <T>(offered: Offered, work: () => Promise<T>) => Promise<T>

export function createRefusals({ bookOf, conflicts, log }: RefusalDeps): RecordingRefusals {
  return async (offered, work) => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Problem) || isPassing(error)) throw error
      const problem = await conflicts.explain(error, offered)
      await bookOf(offered.ledger).appender.submit([rejectionSubmission(offered, problem)])
      const { run, part, repository } = offered
      log.warn('submission.refused', { run, part, repository, code: problem.code, detail: problem.message })
      throw problem
    }
  }
}

/** Refusals that say "not now" are no judgement of what was offered: the same bytes may be taken later. Nor is a fault of ours. */
function isPassing({ code }: Problem): boolean {
  return (
    problems[code].status === 503 ||
    code === 'part_open' ||
    code === 'rate_limited' ||
    code === 'integrity' ||
    code === 'internal'
  )
}
