import type { z } from 'zod'
import { issuedReport } from '../api/reports.ts'
import { type PeriodAnswer, periodAnswer, reportAnswer } from '../api/report-shapes.ts'
import { withQuery } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import { askedCommit } from './commit-name.ts'
import { findPlace } from './contract-place.ts'
import { periodCsv, periodMarkdown, printPeriod } from './print-period.ts'
import { printReport } from './print-report.ts'
import { cutLists, reportCsv } from './report-csv.ts'
import { reportMarkdown } from './report-markdown.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { ask } from './watch.ts'
import { count } from './count.ts'

export interface ReportCommand {
  build?: string
  deployment?: string
  from?: string
  to?: string
  ref?: string
  repository?: string
  files?: string
  asOf?: string
  csv?: boolean
  markdown?: boolean
  issue?: boolean
}

/** `proofline report [COMMIT]`. 3 when a required suite is missing: then the figures are less than what they will be. */
export async function report(
  named: string | undefined,
  options: ReportCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { csv, markdown } = options
  const query = await findSubject(named, options)
  if (options.issue === true) {
    // One that is asked with undefined members is asked without them: JSON leaves them out.
    const issued = await ask(issuedReport, {
      method: 'POST',
      path: '/v1/reports',
      body: query,
      signal,
      idleMs: issueMs,
    })
    terminal.print(issued, () => printIssued(issued))
    return 0
  }
  if (query.from !== undefined || query.to !== undefined) {
    const period = await askPeriod(query, terminal, signal)
    if (csv === true) await terminal.write(periodCsv(period))
    else if (markdown === true) await terminal.write(periodMarkdown(period))
    else terminal.print(period, () => printPeriod(period))
    return 0
  }
  const answer = await ask(reportAnswer, { method: 'GET', path: withQuery(route, { ...query }), signal })
  if (csv === true) {
    await terminal.write(reportCsv(answer))
    const cut = cutLists(answer)
    for (const line of cut) terminal.say(line)
    if (cut.length > 0) return 3
  } else if (markdown === true) await terminal.write(reportMarkdown(answer))
  else terminal.print(answer, () => printReport(answer))
  return answer.missing.length > 0 ? 3 : 0
}

const route = '/v1/reports/coverage'
/** A year's deployments are measured one by one. */
const issueMs = 600_000

const printIssued = ({ id, sha256, bytes, envelope_sha256: envelope, as_of: asOf, rules }: z.output<typeof issuedReport>): string =>
  [`issued as ${id}`, `report    ${sha256}  ${count(bytes, 'byte')}, as of ${asOf}, by ${rules}`, `envelope  ${envelope}`, `fetch either with GET /v1/reports/<digest>; proofline verify checks the saved envelope`].join('\n') // oxfmt-ignore

interface ReportQuery {
  repository: string
  commit: string | undefined
  build: string | undefined
  deployment: string | undefined
  from: string | undefined
  to: string | undefined
  ref: string | undefined
  files: string | undefined
  as_of: string | undefined
}

/** What the user said, else the commit of the checkout. */
export async function findSubject(named: string | undefined, options: ReportCommand): Promise<ReportQuery> {
  const { build, deployment, from, to, ref, repository, files, asOf } = options
  const isNamed = [named, build, deployment, from, to].some((one) => one !== undefined)
  const place = repository !== undefined && isNamed ? undefined : await findPlace(undefined, {})
  const commit = named === undefined ? (isNamed ? undefined : place?.commit) : await askedCommit(named)
  if (commit === undefined && !isNamed)
    throw new Problem('request_invalid', 'no commit is known here: name one, or say --build, --deployment or --from')
  return { repository: repository ?? place?.repository ?? '', commit, build, deployment, from, to, ref, files, as_of: asOf } // oxfmt-ignore
}

/** All of its deployments, page by page, each as of the same sizes. */
async function askPeriod(query: ReportQuery, terminal: Terminal, signal: AbortSignal): Promise<PeriodAnswer> {
  const page = (more: object) => ask(periodAnswer, { method: 'GET', path: withQuery(route, { ...query, ...more }), signal }) // oxfmt-ignore
  let whole = await page({})
  while (whole.next !== null) {
    terminal.progress(count(whole.deployments.length, 'deployment'))
    const { deployments, next } = await page({ after: whole.next, as_of: whole.as_of })
    whole = { ...whole, deployments: [...whole.deployments, ...deployments], next }
  }
  return whole
}
