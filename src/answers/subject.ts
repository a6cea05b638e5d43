import type { Contract } from '../contract/form.ts'
import type { Database } from '../database/database.ts'
import { type Decision, type DecisionKind, decisionsByName } from '../history/decision-store.ts'
import { type AsOfLedger, viewOf } from '../history/file-facts.ts'
import type { Histories } from '../history/ledger-history.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, ledgerKindOf } from '../record/record.ts'
import { type ResolvedAsOf, isStill, resolveAsOf } from './as-of.ts'
import { type CommitRuns, type CutOff, runsOfCommit, sameProduction } from './commit-runs.ts'
import type { Inventories, Inventory } from './inventories.ts'
import { type IsProduction, openProduction } from './production-files.ts'
import type { RunEvidences } from './run-evidence.ts'

/** What a question about a commit is asked of: sizes of ledgers, the contract that held, and the runs that count below them. */

export interface SubjectDeps {
  db: Database
  reader: Pick<Reader, 'published' | 'seqAt' | 'readBatch'>
  histories: Histories
  evidences: RunEvidences
  inventories: Inventories
  /** By the first `size` records of the generation of `changes` that is recorded in. */
  contractAt: (repository: string, size: number) => Promise<HeldContract>
}

/** The repository's own, and the default that it inherits from. */
export interface HeldContract {
  own: { contract: string; contract_version: number } | undefined
  org: { contract: string; contract_version: number } | undefined
  effective: Contract | undefined
}

export interface Question {
  repository: string
  resolved: ResolvedAsOf
  /** Of the ledgers of runs that know the repository. */
  views: readonly AsOfLedger[]
  /** Generations of `changes`, oldest first, as far as they count. */
  changes: readonly { ledger: LedgerName; size: number }[]
  contract: HeldContract
}

/** How often a question is read again when the history was rebuilt under it. */
const maxTries = 5

/** `ledgers`: all generations of unit, integration and changes, oldest first. `answer` may be called again. */
export async function askAsOf<T>(
  deps: SubjectDeps,
  ledgers: readonly LedgerName[],
  repository: string,
  asOf: string | undefined,
  answer: (question: Question) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const resolved = await resolveAsOf(deps, ledgers, asOf)
    const found = await answer(await openQuestion(deps, resolved, repository))
    if (await isStill(deps.db, resolved)) return found
    if (tries === maxTries) throw new Problem('history_behind', 'the history is being rebuilt')
  }
}

async function openQuestion(
  { histories, contractAt }: SubjectDeps,
  resolved: ResolvedAsOf,
  repository: string,
): Promise<Question> {
  const isChanges = ({ ledger }: { ledger: LedgerName }): boolean => ledgerKindOf(ledger) === 'changes'
  const changes = resolved.ledgers.filter(isChanges)
  const opened = await Promise.all(
    resolved.ledgers.map(async ({ ledger, generation, size }): Promise<AsOfLedger[]> => {
      if (isChanges({ ledger })) return []
      const history = await histories.open(ledger, repository, generation, size)
      return history === undefined ? [] : [viewOf(history, size)]
    }),
  )
  const contract = await contractAt(repository, changes.at(-1)?.size ?? 0)
  return { repository, resolved, views: opened.flat(), changes, contract }
}

export interface SubjectNames {
  commit?: string | undefined
  build?: string | undefined
  deployment?: string | undefined
}

export interface Subject {
  commit: string
  /** The `build` record that names the commit, where the question names a build or the deployment does. */
  build: Decision | undefined
  deployment: Decision | undefined
  /** Of the commit itself. */
  own: CommitRuns
  /** What is answered from: its own, or those of a commit with the same production files. */
  runs: CommitRuns
  answeredFrom: { commit: string; production_digest: string } | undefined
  /** Of the commit that is answered from. */
  inventory: Inventory | undefined
  isProduction: IsProduction | undefined
}

export async function openSubject(deps: SubjectDeps, question: Question, names: SubjectNames): Promise<Subject> {
  const { deployment, build, commit } = await resolveNames(deps, question, names)
  const cut = deployment && ({ before: deployment.recordedAt, reason: 'after_deployment' } as const)
  return { ...(await openCommit(deps, question, commit, cut)), build, deployment }
}

/** A commit by itself; of what was recorded since `cut` nothing counts, also of a commit with the same production files. */
export async function openCommit(
  deps: SubjectDeps,
  question: Question,
  commit: string,
  cut: CutOff | undefined,
): Promise<Subject> {
  const { effective } = question.contract
  const own = runsOfCommit(question.views, commit, effective, cut)
  const same = await answerFromSame(deps, question, own, cut)
  const runs = same?.runs ?? own
  const inventory = await deps.inventories.of(question.views, runs.commit)
  return {
    commit,
    build: undefined,
    deployment: undefined,
    own,
    runs,
    answeredFrom: same && { commit: same.runs.commit, production_digest: same.digest },
    inventory,
    isProduction: await openProduction(effective, inventory),
  }
}

async function resolveNames(deps: SubjectDeps, question: Question, { commit, build, deployment }: SubjectNames) {
  if (deployment !== undefined) {
    const found = await findDecision(deps, question, 'deployment', deployment)
    const of = found.build === null ? undefined : await findDecision(deps, question, 'build', found.build)
    return { deployment: found, build: of, commit: commitOf(found) ?? commitOf(of) ?? '' }
  }
  if (build !== undefined) {
    const found = await findDecision(deps, question, 'build', build)
    return { deployment: undefined, build: found, commit: commitOf(found) ?? '' }
  }
  return { deployment: undefined, build: undefined, commit: findCommit(question, commit ?? '') }
}

const commitOf = (decision: Decision | undefined): string | undefined => decision?.commit ?? undefined

/** The newest of this name: a build has one, and so has a deployment. */
async function findDecision(
  { db }: SubjectDeps,
  { changes, repository }: Question,
  kind: DecisionKind,
  name: string,
): Promise<Decision> {
  for (const { ledger, size } of changes.toReversed()) {
    const found = (await decisionsByName(db, ledger, size, { repository, kind, name }))[0]
    if (found !== undefined) return found
  }
  throw new Problem('not_found', `there is no ${kind} ${name} of ${repository} as of this`)
}

const wholeId = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/** A whole id is taken as it is, known or not; the beginning of one has to be that of one commit. */
export function findCommit({ views, repository }: Pick<Question, 'views' | 'repository'>, text: string): string {
  if (wholeId.test(text)) return text
  if (!/^[0-9a-f]{7,63}$/.test(text))
    throw new Problem('request_invalid', 'a commit is named by its id, or by at least 7 of its hex digits')
  const found = new Set<string>()
  for (const { history, size } of views)
    for (const list of [history.runs, history.declared, history.inventories])
      for (const { seq, commit } of list) {
        if (seq >= size) break
        if (commit.startsWith(text)) found.add(commit)
      }
  const [only, ...others] = [...found].sort()
  if (only === undefined) throw new Problem('not_found', `no commit of ${repository} begins with ${text}`)
  if (others.length > 0)
    throw new Problem('request_invalid', `${found.size} commits begin with ${text}: ${only}, ${others[0]} ...`)
  return only
}

/** Where the commit's own evidence is not complete, that of a commit with the same production files stands in for it. */
async function answerFromSame(
  { inventories }: SubjectDeps,
  { views, contract: { effective } }: Question,
  own: CommitRuns,
  cut: CutOff | undefined,
): Promise<{ runs: CommitRuns; digest: string } | undefined> {
  const isEnough = effective?.suites === undefined ? own.counted.length > 0 : own.complete
  if (isEnough) return undefined
  const digest = await productionOf(inventories, views, own.commit, effective)
  if (digest === undefined) return undefined
  for (const commit of sameProduction(views, own.commit, digest, effective, cut?.before ?? Infinity))
    // Digests of runs were made by the contract of their day: the one that holds now may call other files production.
    if ((await productionOf(inventories, views, commit, effective)) === digest)
      return { runs: runsOfCommit(views, commit, effective, cut), digest }
  return undefined
}

/** By the inventory where the contract names production files; else as its runs have it, where they agree. */
async function productionOf(
  inventories: Inventories,
  views: readonly AsOfLedger[],
  commit: string,
  contract: Contract | undefined,
): Promise<string | undefined> {
  if (contract?.production !== undefined) {
    const inventory = await inventories.of(views, commit)
    if (inventory !== undefined) return (await inventory.production(contract))?.digest
  }
  const digests = new Set<string>()
  for (const { history, runs } of views)
    for (const { commit: of, production } of history.runs.slice(0, runs))
      if (of === commit && production !== undefined) digests.add(production)
  const [digest, ...others] = digests
  return others.length === 0 ? digest : undefined
}
