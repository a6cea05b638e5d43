import type { Decision } from '../history/decision-store.ts'
import { knowsRepository } from '../history/file-facts.ts'
import { compareRuns } from '../history/order-commits.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, printTime, testTypes } from '../record/record.ts'
import type { CountedRun } from './commit-runs.ts'
import { type Measured, measure } from './measured.ts'
import { findPrevious } from './previous.ts'
import { printAsOf } from './position.ts'
import { readIds } from './record-places.ts'
import { compareMeasured } from './report-changes.ts'
import { fileLists, mutationOf, otherFigures } from './report-files.ts'
import { notesOnFiles } from './report-notes.ts'
import type { RunEvidence } from './run-evidence.ts'
import { type Question, type Subject, type SubjectDeps, type SubjectNames, askAsOf, openSubject } from './subject.ts'

/** `GET /v1/reports/coverage` of one commit: what all counting runs executed together, and all that speaks against the number. */

export const reportRules = 'report@1'

export interface ReportQuestion extends SubjectNames {
  repository: string
  asOf?: string | undefined
  /** Only these files are listed, by the beginning of their paths; sums are of all. */
  files?: string | undefined
}

export type ReportAnswer = Awaited<ReturnType<typeof answerReport>>

export async function answerReport(deps: SubjectDeps, ledgers: readonly LedgerName[], asked: ReportQuestion) {
  return askAsOf(deps, ledgers, asked.repository, asked.asOf, async (question) => {
    assertKnown(question)
    const subject = await openSubject(deps, question, asked)
    return makeReport(deps, question, subject, asked.files)
  })
}

/** Of a repository that nothing is known of as of these sizes there is no report, rather than one of nothing. */
export function assertKnown({ views, contract, repository }: Question): void {
  if (!views.some(knowsRepository) && contract.own === undefined)
    throw new Problem('not_found', `nothing of ${repository} is recorded as of this`)
}

/** The report of a subject that is open: the gate records its digest, so it is made in one place. */
export async function makeReport(deps: SubjectDeps, question: Question, subject: Subject, prefix?: string) {
  const measured = await measure(deps.evidences, subject)
  const { repository, resolved } = question
  const { own, runs, inventory, isProduction } = subject
  return {
    as_of: printAsOf(resolved.asOf),
    rules: reportRules,
    repository,
    subject: printSubject(subject),
    contract: printContract(question),
    production: isProduction === undefined ? ('all_measured_files' as const) : ('contract' as const),
    ...printMissing(subject),
    ...(await printRuns(deps, subject, measured.runs)),
    figures: [...measured.figures],
    not_production: otherFigures(measured.other),
    mutation: mutationOf(measured.runs),
    inventory: inventory === undefined ? null : { files: inventory.files.size, production_files: isProduction === undefined ? null : measured.production.length + (measured.notMeasured?.length ?? 0) },
    changed: await printChanges(deps, question, subject, measured),
    ...fileLists(measured, prefix),
    dispositions: await notesOnFiles(deps, question, subject, measured, prefix),
    ...(own === runs ? {} : { own: { left_out: own.leftOut.length, missing: own.missing.map(({ testType, suite }) => `${testType}/${suite}`) } }),
  }
} // oxfmt-ignore

/** What speaks against the figures of a subject; without a contract that names suites nothing can be missing, and nothing is complete. */
export function printMissing({ runs, answeredFrom }: Subject) {
  return {
    complete: runs.complete,
    ...(runs.reason === undefined ? {} : { reason: runs.reason }),
    missing: runs.missing.map(({ testType, suite, owner, reasons }) => ({ test_type: testType, suite, owner: owner ?? null, reasons: [...reasons] })),
    answered_from: answeredFrom ?? null,
  }
} // oxfmt-ignore

function printSubject({ commit, build, deployment }: Subject) {
  return {
    commit,
    ...(build === undefined ? {} : { build: { build: build.name, id: build.id } }),
    ...(deployment === undefined ? {} : { deployment: printDeployment(deployment) }),
  }
}

export function printDeployment({ name, environment, build, commit, recordedAt, id }: Decision) {
  return { deployment: name, environment, build, commit, recorded_at: printTime(recordedAt), id }
}

export function printContract({ contract: { own, org, effective } }: Question) {
  const held = own ?? org
  if (held === undefined) return null
  return {
    contract: held.contract,
    version: held.contract_version,
    from: own === undefined ? ('org' as const) : ('repository' as const),
    mode: effective?.mode ?? 'enforce',
  }
}

/** By test type, suite and name: in whatever order they came. */
function byName(a: Named, b: Named): number {
  const [x, y] = [a, b].map(({ testType, suite }) => `${testTypes.indexOf(testType)} ${suite}`) as [string, string]
  return x < y ? -1 : x > y ? 1 : compareRuns(a.run, b.run)
}
type Named = Pick<CountedRun, 'testType'> & { suite: string; run: string }

async function printRuns(deps: SubjectDeps, { own, runs, build }: Subject, evidence: readonly RunEvidence[]) {
  const { leftOut, refused } = own
  const idsOf = new Map<LedgerName, (seq: number) => string>()
  for (const [ledger, some] of Map.groupBy([...runs.counted.map(({ ledger, facts: { seq } }) => ({ ledger, seq })), ...leftOut, ...refused], (one) => one.ledger))
    idsOf.set(ledger, await readIds(deps, ledger, some.map(({ seq }) => seq)))
  const idOf = (ledger: LedgerName, seq: number): string => idsOf.get(ledger)?.(seq) ?? ''
  const counted = runs.counted.map(({ ledger, testType, facts }, i) => ({ ledger, testType, ...facts, seal: evidence[i]?.seal ?? {} }))
  const buildOf = (seal: RunEvidence['seal']): string | null => (typeof seal['build'] === 'string' ? seal['build'] : null)
  return {
    runs: counted.toSorted(byName).map(({ ledger, testType, suite, run, commit, ref, recordedAt, seq, seal }) => ({
      test_type: testType, suite, run, commit, ref: ref === '' ? null : ref, build: buildOf(seal), recorded_at: printTime(recordedAt), seal: idOf(ledger, seq),
    })),
    ...(build === undefined ? {} : { of_build: counted.filter(({ seal }) => buildOf(seal) === build.name).length }),
    left_out: leftOut.toSorted(byName).map(({ ledger, testType, suite, run, recordedAt, seq, reasons }) => ({
      test_type: testType, suite, run, recorded_at: printTime(recordedAt), id: idOf(ledger, seq), reasons: [...reasons],
    })),
    refused: refused.map(({ ledger, testType, seq, recordedAt, run, reason }) => ({
      test_type: testType, run: run ?? null, recorded_at: printTime(recordedAt), id: idOf(ledger, seq), reason,
    })),
  }
} // oxfmt-ignore

async function printChanges(deps: SubjectDeps, question: Question, subject: Subject, now: Measured) {
  const previous = await findPrevious(deps, question, subject)
  if (previous === undefined) return null
  const names = previous.why === 'first_parent' ? { commit: previous.commit } : { deployment: previous.deployment }
  const before = await measure(deps.evidences, await openSubject(deps, question, names))
  return { against: previous, ...compareMeasured(before, now) }
}
