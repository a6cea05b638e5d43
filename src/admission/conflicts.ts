import type { Queryable } from '../database/database.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { findSubmissions } from '../ledger/store.ts'
import { Problem } from '../record/problem.ts'
import { keys } from './run.ts'
import type { Offered } from './submissions.ts'

/**
 * A conflict as it goes on record and back to the caller: with the digests of both, which for a part are those of the reports themselves
 * (they can be looked up and compared), and with what to do when both are right.
 */
export interface Conflicts {
  /** Fills in what was offered and what stands there, and answers the problem that says both. Any other problem comes back as it is. */
  explain(problem: Problem, offered: Offered): Promise<Problem>
}

export function createConflicts(db: Queryable, reader: Pick<LedgerReader, 'payload'>): Conflicts {
  const seqOf = async ({ ledger }: Offered, key: string): Promise<number | undefined> =>
    (await findSubmissions(db, ledger, [key], []))[0]?.firstSeq

  const explainPart = async (offered: Offered, run: string): Promise<Problem> => {
    const { ledger, part = '', sha256 } = offered
    const seq = await seqOf(offered, keys.part(run, part))
    if (seq === undefined)
      return new Problem(
        'part_conflict',
        `${part} of ${run} was begun with other content, and is not recorded yet: repeat that upload to end it. ${twoJobs}`,
        { extra: { offered_sha256: sha256 } },
      )
    const { artifact_sha256 } = JSON.parse((await reader.payload(ledger, seq)).toString()) as {
      artifact_sha256: string
    } // written by partPayload
    offered.first = { sha256: artifact_sha256, seq }
    const differs =
      artifact_sha256 === sha256
        ? `the same bytes, ${sha256}, read with another format, strip or root`
        : `other bytes: those of sha256 ${artifact_sha256}, not of ${sha256}`
    return new Problem('part_conflict', `${part} of ${run} was recorded before with ${differs}. ${twoJobs}`, {
      extra: { first_sha256: artifact_sha256, offered_sha256: sha256, first_seq: seq },
    })
  }

  return {
    async explain(problem, offered) {
      const { run } = offered
      if (run === undefined) return problem
      if (problem.code === 'part_conflict') return explainPart(offered, run)
      if (problem.code !== 'run_conflict' && problem.code !== 'seal_conflict') return problem
      const { first_sha256, offered_sha256 } = problem.extra // by ledger/decide.ts
      if (typeof first_sha256 !== 'string' || typeof offered_sha256 !== 'string') return problem
      const isRun = problem.code === 'run_conflict'
      const seq = await seqOf(offered, isRun ? keys.run(run) : keys.end(run))
      offered.sha256 = offered_sha256
      delete offered.bytes
      if (seq !== undefined) offered.first = { sha256: first_sha256, seq }
      const what = isRun
        ? 'was declared before with other content'
        : 'was ended before with another outcome or other test totals'
      const todo = isRun
        ? 'Another attempt, or another job, is another run: give it a name of its own (--run NAME).'
        : 'The first end stands; what ran again is another run (--run NAME).'
      return new Problem(problem.code, `${run} ${what}: digest ${first_sha256}, not ${offered_sha256}. ${todo}`, {
        extra: { first_sha256, offered_sha256, ...(seq === undefined ? {} : { first_seq: seq }) },
      })
    },
  }
}

const twoJobs =
  'Two jobs that send one part each need a name for each: --part NAME (name=), or a run of its own: --run NAME. What is recorded stays.'
