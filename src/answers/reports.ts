import type { LedgerName } from '../record/record.ts'
import { type PeriodAnswer, type PeriodQuestion, answerPeriod } from './period.ts'
import { type ReportAnswer, type ReportQuestion, answerReport } from './report.ts'
import type { SubjectDeps } from './subject.ts'

/** Coverage reports, over all generations of unit, integration and changes of one org, oldest first. */
export interface ReportAnswers {
  coverage(ledgers: readonly LedgerName[], question: ReportQuestion): Promise<ReportAnswer>
  period(ledgers: readonly LedgerName[], question: PeriodQuestion): Promise<PeriodAnswer>
}

export function createReportAnswers(deps: SubjectDeps): ReportAnswers {
  return {
    coverage: (ledgers, question) => answerReport(deps, ledgers, question),
    period: (ledgers, question) => answerPeriod(deps, ledgers, question),
  }
}
