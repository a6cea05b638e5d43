import type { GapsDeps } from '../answers/gaps.ts'
import { createHistoryAnswers } from '../answers/history.ts'
import { createGapAnswers } from '../answers/repositories.ts'
import type { Database } from '../database/database.ts'
import { createHistories } from '../history/ledger-history.ts'
import { mountGaps } from '../http/gaps.ts'
import { mountHistory } from '../http/history.ts'
import type { Mount } from '../http/mount.ts'
import type { Generations } from '../ledger/generations.ts'
import type { Reader } from '../ledger/read.ts'

/** What auditors and teams ask. All of it from the same history in memory. */

export interface QuestionDeps {
  db: Database
  reader: Reader
  generations: Generations
  contracts: GapsDeps['contracts']
}

export function mountQuestions(mount: Mount, { db, reader, generations, contracts }: QuestionDeps): void {
  const histories = createHistories(db)
  const changes = generations.now('changes')
  mountHistory(mount, createHistoryAnswers(db, reader, histories), generations)
  mountGaps(mount, createGapAnswers({ db, reader, histories, contracts, changes }), generations)
}
