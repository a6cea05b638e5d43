import type { Database } from '../database/database.ts'
import { isDecision, newestDecisions, overridesOf } from '../history/decision-pages.ts'
import { type Decision, decidedRepositories } from '../history/decision-store.ts'
import { viewOf } from '../history/file-facts.ts'
import type { Histories } from '../history/ledger-history.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, ledgerKindOf, parseRecordId } from '../record/record.ts'
import { answerStill, toMicros } from './as-of.ts'
import { type ShownDisposition, dispositionsBySubject, toDisposed } from './dispositions.ts'
import type { Inventories, Inventory } from './inventories.ts'
import type { AskedLedgers } from './gaps.ts'
import { type ResolvedMoment, resolveMoment } from './moment.ts'
import { printAsOf } from './position.ts'

/** Lists of what stands in `changes`, newest first, as of sizes: gates with their overrides, deployments, dispositions. */

export const listRules = 'decisions@1'

export interface ListQuestion {
  /** Undefined: of all that `isVisible` lets through. */
  repository?: string | undefined
  /** Undefined: all are. */
  isVisible: ((repository: string) => boolean) | undefined
  /** A day or a time of recorded_at; half-open. */
  from?: string | undefined
  to?: string | undefined
  asOf?: string | undefined
  /** Id of the last record of the page before. */
  before?: string | undefined
  limit: number
  commit?: string | undefined
  build?: string | undefined
  environment?: string | undefined
  /** Of a gate, or the decision of a deployment. */
  verdict?: string | undefined
  /** Of a disposition's target. */
  kind?: string | undefined
}

export interface ListDeps {
  db: Database
  reader: Pick<Reader, 'published' | 'seqAt' | 'readBatch'>
  histories: Histories
  inventories: Inventories
}

interface Sizes {
  ledgers: readonly { ledger: LedgerName; size: number; generation: number }[]
  changes: readonly { ledger: LedgerName; size: number }[]
  moment: Micros
}

type Row = Readonly<Record<string, unknown>>

export async function listDecisions(
  deps: ListDeps,
  { history, operations }: AskedLedgers,
  kind: 'gate' | 'deployment' | 'disposition',
  question: ListQuestion,
) {
  return answerStill(
    deps.db,
    () => resolveMoment(deps, history, operations, question.asOf),
    (resolved) => listAsOf(deps, resolved, kind, question),
  )
}

async function listAsOf(
  deps: ListDeps,
  resolved: ResolvedMoment,
  kind: 'gate' | 'deployment' | 'disposition',
  question: ListQuestion,
) {
  const changes = resolved.ledgers.filter(({ ledger }) => ledgerKindOf(ledger) === 'changes')
  const sizes: Sizes = { ledgers: resolved.ledgers, changes, moment: resolved.moment }
  const found = await findNewest(deps, changes, kind, question)
  const page = found.slice(0, question.limit)
  const rows = kind === 'disposition' ? await showDispositions(deps, sizes, page, question) : await showDecisions(deps, sizes, kind, page)
  return { as_of: printAsOf(resolved.asOf), rules: listRules, rows, has_more: found.length > page.length }
} // oxfmt-ignore

/** One more than the page shows, where there are more. */
async function findNewest(deps: ListDeps, changes: Sizes['changes'], kind: 'gate' | 'deployment' | 'disposition', question: ListQuestion): Promise<Decision[]> {
  const { db, reader } = deps
  const { build, environment, verdict, limit } = question
  const [from, to] = [timeOf(question.from, 'from'), timeOf(question.to, 'to')]
  const start = await findBegin(db, changes, question.before)
  const found: Decision[] = []
  let isBefore = start === undefined
  for (const { ledger, size } of changes.toReversed()) {
    isBefore ||= start?.ledger === ledger
    if (!isBefore || found.length > limit) continue
    // Times of a ledger ascend, so a time is a seq.
    const seqOf = async (time: Micros | undefined) => (time === undefined ? undefined : reader.seqAt(ledger, time))
    const [first, end] = await Promise.all([seqOf(from), seqOf(to)])
    found.push(...await newestDecisions(db, ledger, {
      kind, build, environment, verdict,
      repositories: await repositoriesOf(db, { ledger, size }, question),
      from: first ?? 0,
      before: Math.min(size, end ?? size, start?.ledger === ledger ? start.seq : size),
      limit: limit + 1 - found.length,
      // Of a disposition it says only where its file is looked at.
      commit: kind === 'disposition' ? undefined : question.commit,
      target: question.kind,
    }))
  }
  return found
} // oxfmt-ignore

/** Undefined: all there are. A commit or a build is looked for in each, which has an index. */
async function repositoriesOf(
  db: Database,
  { ledger, size }: Sizes['changes'][number],
  { repository, isVisible, commit, build }: ListQuestion,
): Promise<readonly string[] | undefined> {
  if (repository !== undefined) return isVisible === undefined || isVisible(repository) ? [repository] : []
  if (isVisible === undefined && (commit ?? build) === undefined) return undefined
  const decided = await decidedRepositories(db, ledger, size)
  return isVisible === undefined ? decided : decided.filter(isVisible)
}

/** A page begins behind a record that is there as of the same sizes; behind any other nothing could be said to follow. */
async function findBegin(db: Database, changes: Sizes['changes'], before: string | undefined) {
  if (before === undefined) return undefined
  const start = parseRecordId(before)
  const size = changes.find(({ ledger }) => ledger === start?.ledger)?.size ?? 0
  if (start === undefined || start.seq >= size || !(await isDecision(db, start.ledger, start.seq, before)))
    throw new Problem('request_invalid', `before is the id of the last record of the page before; ${before} is none as of this`)
  return start
} // oxfmt-ignore

function timeOf(text: string | undefined, name: string): Micros | undefined {
  const micros = text === undefined ? undefined : toMicros(text)
  if (text !== undefined && micros === undefined)
    throw new Problem('request_invalid', `${name} is a day or an RFC 3339 time with an offset`)
  return micros
}

/** Gates and deployments with what stands beside them. */
async function showDecisions(
  { db }: ListDeps,
  { changes, moment }: Sizes,
  kind: 'gate' | 'deployment',
  page: readonly Decision[],
): Promise<Row[]> {
  const subjectOf = ({ id, name }: Decision): string => `${kind}:${kind === 'gate' ? id : name}`
  const noted = new Map<string, ReadonlyMap<string, ShownDisposition[]>>()
  for (const [repository, own] of Map.groupBy(page, (one) => one.repository))
    noted.set(repository, await dispositionsBySubject(db, changes, { repository, subjects: own.map(subjectOf), moment }))
  const overrides = kind === 'gate' ? await newestOverrides(db, changes, page.map(({ id }) => id)) : undefined
  return page.map((decision) => {
    const dispositions = noted.get(decision.repository)?.get(subjectOf(decision)) ?? []
    return { ...toRow(decision), ...(overrides === undefined ? {} : { override: overrides.get(decision.id) ?? null }), dispositions }
  })
} // oxfmt-ignore

async function newestOverrides(db: Database, changes: Sizes['changes'], gates: readonly string[]): Promise<Map<string, Row>> {
  const found = new Map<string, Row>()
  // Oldest generation first, so that what comes later replaces what came before.
  for (const { ledger, size } of changes)
    for (const decision of await overridesOf(db, ledger, size, gates)) found.set(decision.name, toRow(decision))
  return found
} // oxfmt-ignore

/** Whether a note on lines or a file still holds can be told for a commit only: by the blob that the file has there. */
async function showDispositions(
  { histories, inventories }: ListDeps,
  { ledgers, moment }: Sizes,
  page: readonly Decision[],
  { commit, repository }: ListQuestion,
): Promise<Row[]> {
  const files = commit === undefined || repository === undefined ? undefined : await filesAt(repository, commit)
  return page.map((decision) => {
    const { shown } = toDisposed(decision, moment, files && ((path) => files.files.get(path)))
    return { ...toRow(decision), lapsed: shown.lapsed ?? null }
  })

  async function filesAt(of: string, at: string): Promise<Inventory | undefined> {
    const views = await Promise.all(
      ledgers.map(async ({ ledger, generation, size }) => {
        const history = ledgerKindOf(ledger) === 'changes' ? undefined : await histories.open(ledger, of, generation, size)
        return history === undefined ? [] : [viewOf(history, size)]
      }),
    )
    return inventories.of(views.flat(), at)
  }
} // oxfmt-ignore

/** The record, without what every one of its kind has alike. */
function toRow({ fields }: Decision): Row {
  const { schema: _schema, kind: _kind, ledger: _ledger, ...row } = JSON.parse(fields) as Row
  return row
}
