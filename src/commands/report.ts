import { reportAnswer } from '../api/report-shapes.ts'
import { withQuery } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import { findPlace } from './contract-place.ts'
import { printReport } from './print-report.ts'
import { reportCsv } from './report-csv.ts'
import { reportMarkdown } from './report-markdown.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { ask } from './watch.ts'

export interface ReportCommand {
  build?: string
  deployment?: string
  repository?: string
  files?: string
  asOf?: string
  csv?: boolean
  markdown?: boolean
}

/** `proofline report [COMMIT]`. 3 when a required suite is missing: then the figures are less than what they will be. */
export async function report(
  named: string | undefined,
  { build, deployment, repository: of, files, asOf, csv, markdown }: ReportCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const place = of !== undefined && (named ?? build ?? deployment) !== undefined ? undefined : await findPlace(undefined, {}) // oxfmt-ignore
  const repository = of ?? place?.repository ?? ''
  const commit = named ?? (build === undefined && deployment === undefined ? place?.commit : undefined)
  if (commit === undefined && build === undefined && deployment === undefined)
    throw new Problem('request_invalid', 'no commit is known here: name one, or say --build or --deployment')
  const path = withQuery('/v1/reports/coverage', { repository, commit, build, deployment, files, as_of: asOf })
  const answer = await ask(reportAnswer, { method: 'GET', path, signal })
  if (csv === true) await terminal.write(reportCsv(answer))
  else if (markdown === true) await terminal.write(reportMarkdown(answer))
  else terminal.print(answer, () => printReport(answer))
  return answer.missing.length > 0 ? 3 : 0
}
