import { type Decision, deploymentsBetween } from '../history/decision-store.ts'
import { createRefRuns } from '../history/ref-runs.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, printTime } from '../record/record.ts'
import { type Measured, measure } from './measured.ts'
import { evidenceOf } from './period-evidence.ts'
import { printAsOf } from './position.ts'
import { compareMeasured } from './report-changes.ts'
import { assertKnown, printContract, printDeployment, printMissing, reportRules } from './report.ts'
import { type Question, type Subject, type SubjectDeps, askAsOf, openCommit, openSubject } from './subject.ts'
import { type WindowQuestion, momentOf, toWindow } from './window.ts'

/**
 * `GET /v1/reports/coverage` of a period of a ref: how it stood at the end beside how it stood at the beginning, what there is no evidence of, and
 * every deployment with its own figures. Nothing is averaged.
 */

export interface PeriodQuestion extends WindowQuestion {
  repository: string
  asOf?: string | undefined
  /** Id of a deployment: those behind it are listed. */
  after?: string | undefined
  /** How many deployments are listed. */
  most?: number | undefined
}

export type PeriodAnswer = Awaited<ReturnType<typeof answerPeriod>>

/** Deployments are measured one by one: so many take some seconds. */
const deploymentsAtOnce = 100

export async function answerPeriod(deps: SubjectDeps, ledgers: readonly LedgerName[], asked: PeriodQuestion) {
  return askAsOf(deps, ledgers, asked.repository, asked.asOf, async (question) => {
    assertKnown(question)
    const window = toWindow(asked, await momentOf(deps, question.resolved.ledgers), question.views)
    const end = await standingBefore(deps, question, window.ref, window.to)
    const start = await standingBefore(deps, question, window.ref, window.from)
    const { deployments, next } = await listDeployments(deps, question, window, asked)
    return {
      as_of: printAsOf(question.resolved.asOf),
      rules: reportRules,
      repository: asked.repository,
      ref: window.ref,
      from: printTime(window.from),
      to: printTime(window.to),
      contract: printContract(question),
      start: start === undefined ? null : printStanding(start),
      end: end === undefined ? null : printStanding(end),
      changed: start === undefined || end === undefined ? null : compareMeasured(start.measured, end.measured),
      ...evidenceOf(question, window),
      deployments,
      next,
    }
  })
}

interface Standing {
  subject: Subject
  measured: Measured
}

/** Of the newest commit of the ref of which a run counted before then. */
async function standingBefore(
  deps: SubjectDeps,
  question: Question,
  ref: string,
  before: number,
): Promise<Standing | undefined> {
  const { order } = createRefRuns(question.views, { ref, from: 0, to: before })
  const commit = order.commits.findLast((one) => !order.left.has(one))
  if (commit === undefined) return undefined
  const subject = await openCommit(deps, question, commit, { before, reason: 'after_period' })
  return { subject, measured: await measure(deps.evidences, subject) }
}

function printStanding({ subject, measured: { figures, notMeasured } }: Standing) {
  return {
    commit: subject.commit,
    ...printMissing(subject),
    figures: [...figures],
    not_measured: notMeasured?.length ?? null,
  }
}

/** Oldest first. */
async function listDeployments(
  deps: SubjectDeps,
  question: Question,
  window: { from: number; to: number },
  { after, most = deploymentsAtOnce }: Pick<PeriodQuestion, 'after' | 'most'>,
) {
  const all = await deploymentsWithin(deps, question, window)
  const begin = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1
  if (after !== undefined && begin === 0)
    throw new Problem(
      'request_invalid',
      `${after} is no deployment of this period as of this: after is the next of the page before`,
    )
  const page = all.slice(begin, begin + most)
  const deployments = []
  for (const deployment of page) deployments.push(await printRow(deps, question, deployment))
  return { deployments, next: begin + page.length < all.length ? (page.at(-1)?.id ?? null) : null }
}

async function deploymentsWithin(
  { db }: SubjectDeps,
  { changes, repository }: Question,
  window: { from: number; to: number },
): Promise<Decision[]> {
  const found = changes.map(({ ledger, size }) => deploymentsBetween(db, ledger, size, repository, window))
  return (await Promise.all(found)).flat()
}

/** Of what was executed before it was released. */
async function printRow(deps: SubjectDeps, question: Question, deployment: Decision) {
  const subject = await openSubject(deps, question, { deployment: deployment.name })
  const { figures } = await measure(deps.evidences, subject)
  const { decision } = JSON.parse(deployment.fields) as { decision?: string } // our own record
  return {
    ...printDeployment(deployment),
    decision: decision ?? 'none',
    ...printMissing(subject),
    figures: figures.map(({ definition, unit, integration, both, not_comparable }) => ({ definition, unit, integration, both, not_comparable })), // oxfmt-ignore
  }
}
