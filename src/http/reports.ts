import { type Principal, may } from '../access/principal.ts'
import type { PeriodAnswer, ReportAnswer } from '../api/report-shapes.ts'
import { type ReportQuery, coverageReport, getReport, issueReport } from '../api/reports.ts'
import type { ReportAnswers } from '../answers/reports.ts'
import type { FoundReport } from '../decisions/issued.ts'
import type { Issued } from '../decisions/reports.ts'
import type { Generations } from '../ledger/generations.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, toLedgerName } from '../record/record.ts'
import { toAnswer } from './decisions.ts'
import type { Mount } from './mount.ts'

/** `/v1/reports`. */
export interface ReportDeps {
  answers: ReportAnswers
  issue: (who: Principal, query: IssueQuery) => Promise<Issued>
  /** By the digest of the bytes. */
  find: (sha256: string) => Promise<FoundReport | undefined>
  generations: Pick<Generations, 'chain'>
}

export type IssueQuery = Omit<ReportQuery, 'after'>

export function mountReports(mount: Mount, { answers, issue, find, generations }: ReportDeps): void {
  mount(coverageReport, async ({ who, query }) => {
    demandVisible(who, query.repository)
    return { body: await answerOf({ answers, generations }, who, query) }
  })

  mount(issueReport, async ({ who, body }) => {
    demandVisible(who, body.repository)
    const { created, report } = await issue(who, body)
    return { status: created ? 201 : 200, body: toAnswer(report) }
  })

  mount(getReport, async ({ who, params: { sha256 }, headers }) => {
    const found = await find(sha256)
    // What is not there and what this caller may not see look the same.
    if (found === undefined || !may(who, 'audit', { repository: found.repository }))
      throw new Problem('not_found', `no record names a report ${sha256}`)
    const { repository: about, type, bytes } = found
    const caching = { etag: `"${sha256}"`, 'cache-control': 'private, max-age=31536000, immutable' }
    if (headers['if-none-match'] === caching.etag) return { status: 304, headers: caching, about }
    return { type, headers: caching, body: bytes, about }
  })
}

/** What a question is answered with: `most` deployments of a period. */
export async function answerOf(
  { answers, generations }: Pick<ReportDeps, 'answers' | 'generations'>,
  who: Pick<Principal, 'org'>,
  { as_of: asOf, ...rest }: ReportQuery,
  most?: number,
): Promise<ReportAnswer | PeriodAnswer> {
  const ledgers = reportLedgers(who, generations)
  const { commit, build, deployment, files, ...period } = rest
  const { repository, from, to, ref, after } = period
  const isPeriod = from !== undefined || to !== undefined
  const named = [commit, build, deployment, from ?? to].filter((name) => name !== undefined)
  if (named.length !== 1 || (!isPeriod && (ref ?? after) !== undefined))
    throw new Problem('request_invalid', 'name one of commit, build and deployment, or a period by from and to')
  if (isPeriod) return answers.period(ledgers, { ...period, asOf, most })
  return answers.coverage(ledgers, { repository, commit, build, deployment, files, asOf })
}

/** Those that a report is computed from: all generations of unit, integration and changes. */
export function reportLedgers({ org }: Pick<Principal, 'org'>, generations: Pick<Generations, 'chain'>): LedgerName[] {
  return (['unit', 'integration', 'changes'] as const).flatMap((kind) => generations.chain(toLedgerName(`${org}/${kind}`))) // oxfmt-ignore
}

function demandVisible(who: Principal, repository: string): void {
  if (!may(who, 'audit', { repository }))
    throw new Problem('forbidden', `this credential may not see the reports of ${repository}`)
}
