import { answerDifference } from '../answers/difference.ts'
import type { GapsDeps } from '../answers/gaps.ts'
import { createHistoryAnswers } from '../answers/history.ts'
import { createInventories } from '../answers/inventories.ts'
import { answerLineage } from '../answers/lineage.ts'
import { createGapAnswers } from '../answers/repositories.ts'
import { createRunEvidences } from '../answers/run-evidence.ts'
import type { SubjectDeps } from '../answers/subject.ts'
import type { Database } from '../database/database.ts'
import { createHistories } from '../history/ledger-history.ts'
import { mountDifference } from '../http/difference.ts'
import { mountGaps } from '../http/gaps.ts'
import { mountHistory } from '../http/history.ts'
import { mountLineage } from '../http/lineage.ts'
import type { Mount } from '../http/mount.ts'
import type { Generations } from '../ledger/generations.ts'
import type { Objects } from '../objects/objects.ts'
import { historyDeps } from './histories.ts'
import type { LedgerReader } from '../ledger/read.ts'

/** What auditors and teams ask. All of it from the same history in memory. */

export interface QuestionDeps {
  db: Database
  reader: LedgerReader
  generations: Generations
  contracts: GapsDeps['contracts'] & { contractAt: SubjectDeps['contractAt'] }
  objects: Objects
}

/** What a gate decides by is what reports are made from. */
export function mountQuestions(
  mount: Mount,
  { db, reader, generations, contracts, objects }: QuestionDeps,
): SubjectDeps {
  const histories = createHistories(db)
  const changes = generations.now('changes')
  mountHistory(mount, createHistoryAnswers(db, reader, histories), generations)
  const subjects: SubjectDeps = {
    db,
    reader,
    histories,
    evidences: createRunEvidences(historyDeps(db, reader, objects)),
    inventories: createInventories(reader),
    contractAt: contracts.contractAt,
  }
  mountDifference(mount, (ledgers, question) => answerDifference(subjects, ledgers, question), generations)
  const ofLineage = { db, reader, generations, now: () => new Date() }
  mountLineage(mount, (ledgers, question) => answerLineage(ofLineage, ledgers, question), generations)
  mountGaps(mount, createGapAnswers({ db, reader, histories, contracts, changes }), generations)
  return subjects
}
