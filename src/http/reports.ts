import { type Principal, may } from '../access/principal.ts'
import type { ReportAnswers } from '../answers/reports.ts'
import type { PeriodAnswer, ReportAnswer } from '../api/report-shapes.ts'
import { coverageReport } from '../api/reports.ts'
import type { Generations } from '../ledger/generations.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, toLedgerName } from '../record/record.ts'
import type { Mount } from './mount.ts'

/** `/v1/reports`. */
export function mountReports(mount: Mount, answers: ReportAnswers, generations: Pick<Generations, 'chain'>): void {
  mount(coverageReport, async ({ who, query: { as_of: asOf, ...rest } }) => {
    demandVisible(who, rest.repository)
    const ledgers = reportLedgers(who, generations)
    const { commit, build, deployment, files, ...period } = rest
    const { repository, from, to, ref, after } = period
    const isPeriod = from !== undefined || to !== undefined
    const named = [commit, build, deployment, from ?? to].filter((name) => name !== undefined)
    if (named.length !== 1 || (!isPeriod && (ref ?? after) !== undefined))
      throw new Problem('request_invalid', 'name one of commit, build and deployment, or a period by from and to')
    if (isPeriod) {
      const body = await answers.period(ledgers, { ...period, asOf })
      return { body: body satisfies PeriodAnswer }
    }
    const body = await answers.coverage(ledgers, { repository, commit, build, deployment, files, asOf })
    return { body: body satisfies ReportAnswer }
  })
}

/** Those that a report is computed from: all generations of unit, integration and changes. */
export function reportLedgers({ org }: Pick<Principal, 'org'>, generations: Pick<Generations, 'chain'>): LedgerName[] {
  return (['unit', 'integration', 'changes'] as const).flatMap((kind) => generations.chain(toLedgerName(`${org}/${kind}`))) // oxfmt-ignore
}

function demandVisible(who: Principal, repository: string): void {
  if (!may(who, 'audit', { repository }))
    throw new Problem('forbidden', `this credential may not see the reports of ${repository}`)
}
