import { newestDecisions } from '../history/decision-pages.ts'
import type { Decision } from '../history/decision-store.ts'
import type { LedgerHistory, RunFacts } from '../history/ledger-history.ts'
import { counts, knownCommits } from '../history/ref-runs.ts'
import { type FirstParents, ancestorsOf } from '../history/repository-memory.ts'
import { parseRecordId } from '../record/record.ts'
import type { Question, Subject, SubjectDeps } from './subject.ts'

/** What a report is compared with: the commit before, or the deployment before in the same environment. */
export type Previous =
  | { why: 'first_parent'; commit: string }
  | { why: 'previous_deployment'; commit: string; deployment: string }

export async function findPrevious(deps: SubjectDeps, question: Question, subject: Subject): Promise<Previous | undefined> {
  if (subject.deployment !== undefined) return previousDeployment(deps, question, subject.deployment)
  const commit = nearestMeasured(question, subject.commit)
  return commit === undefined ? undefined : { why: 'first_parent', commit }
} // oxfmt-ignore

/** The nearest first-parent ancestor of which a run counts (one of those that are wanted), as far as runs told of the ancestry. */
export function nearestMeasured(
  { views }: Pick<Question, 'views'>,
  commit: string,
  isWanted: (run: RunFacts) => boolean = () => true,
): string | undefined {
  const measured = new Set<string>()
  for (const { history, runs } of views)
    for (const facts of history.runs.slice(0, runs)) if (counts(facts) && isWanted(facts)) measured.add(facts.commit)
  for (const ancestor of ancestorsOf(firstParentsOf(views), commit)) if (measured.has(ancestor)) return ancestor
  return undefined
}

/** Along first parents, as far as runs told of them. */
export function isAncestor({ views }: Pick<Question, 'views'>, ancestor: string, commit: string): boolean {
  for (const one of ancestorsOf(firstParentsOf(views), commit)) if (one === ancestor) return true
  return false
}

/** As of these counts, for the question that is asked next. */
const told = new WeakMap<LedgerHistory, { views: Question['views']; firstParents: FirstParents }>()

function firstParentsOf(views: Question['views']): FirstParents {
  const [first] = views
  if (first === undefined) return new Map()
  const known = told.get(first.history)
  const isSame =
    known?.views.length === views.length &&
    views.every(({ history, commits }, i) => known.views[i]?.history === history && known.views[i].commits === commits)
  if (known !== undefined && isSame) return known.firstParents
  const { firstParents } = knownCommits(views)
  told.set(first.history, { views, firstParents })
  return firstParents
}

async function previousDeployment(
  { db }: SubjectDeps,
  { changes, repository }: Question,
  { seq, environment, id }: Decision,
): Promise<Previous | undefined> {
  let isBefore = false
  for (const { ledger, size } of changes.toReversed()) {
    // Those of later generations come after it; of its own what stands before it.
    const own = parseRecordId(id)?.ledger === ledger
    isBefore ||= own
    if (!isBefore) continue
    const [found] = await newestDecisions(db, ledger, {
      kind: 'deployment', repositories: [repository], environment: environment ?? undefined, from: 0, before: own ? seq : size, limit: 1,
    }) // oxfmt-ignore
    if (found !== undefined)
      return found.commit === null ? undefined : { why: 'previous_deployment', commit: found.commit, deployment: found.name } // oxfmt-ignore
  }
  return undefined
}
