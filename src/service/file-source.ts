import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../database/database.ts'
import type { FileSource } from '../evidence/sources.ts'
import { ledgersOfRuns } from './histories.ts'
import { mapsOf, measuredRuns } from '../history/measured-runs.ts'
import { readPosition } from '../history/projection-store.ts'
import { readIds } from '../ledger/read-ids.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'

const pauseMs = 200
/** How long a question waits for the history to come after the ledger. */
const waitMs = 10_000

/** What packs ask of the history. */
export function createFileSource(db: Queryable, reader: LedgerReader): FileSource {
  return {
    async reach(ledger, until) {
      if (ledgersOfRuns([ledger]).length === 0) return
      for (let waited = 0; ; waited += pauseMs) {
        const { next } = await readPosition(db, ledger)
        if (next >= until) return
        if (waited >= waitMs)
          throw new Problem(
            'unavailable',
            `the history of ${ledger} is at record ${next} of ${until}; repeating is safe`,
          )
        await sleep(pauseMs)
      }
    },
    runs: (ledger, repository, path, until) => measuredRuns(db, ledger, repository, path, until),
    maps: (ledger, repository, path, from, to) => mapsOf(db, ledger, repository, path, from, to),
    ids: (ledger, seqs) => readIds({ db, reader }, ledger, seqs),
  }
}
