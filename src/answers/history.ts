import type { Database } from '../database/database.ts'
import { type Histories, createHistories } from '../history/ledger-history.ts'
import type { RefRuns } from '../history/ref-runs.ts'
import type { LedgerName } from '../record/record.ts'
import { type FilesAnswer, type FilesQuestion, answerFiles } from './files.ts'
import { type LinesAnswer, type LinesQuestion, answerLines } from './lines.ts'
import type { HistoryDeps } from './open-file.ts'

/** Questions about lines and files, over ledgers of runs of one org. */
export interface HistoryAnswers {
  lines(ledgers: readonly LedgerName[], question: LinesQuestion): Promise<LinesAnswer>
  files(ledgers: readonly LedgerName[], question: FilesQuestion): Promise<FilesAnswer>
}

export function createHistoryAnswers(
  db: Database,
  reader: HistoryDeps['reader'],
  histories: Histories = createHistories(db),
): HistoryAnswers {
  const deps = { db, reader, histories, refs: new Map<string, RefRuns>() }
  return {
    lines: (ledgers, question) => answerLines(deps, ledgers, question),
    files: (ledgers, question) => answerFiles(deps, ledgers, question),
  }
}
