import type { Database } from '../database/database.ts'
import { type Decision, type DecisionKind, decidedRepositories, decisionsBetween, decisionsByName } from '../history/decision-store.ts' // oxfmt-ignore
import { viewOf } from '../history/file-facts.ts'
import type { Histories } from '../history/ledger-history.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, ledgerKindOf, parseRecordId } from '../record/record.ts'
import { toMicros } from './as-of.ts'
import { dispositionsBySubject, toDisposed } from './dispositions.ts'
import type { Inventories, Inventory } from './inventories.ts'
import type { AskedLedgers } from './gaps.ts'
import { resolveMoment } from './moment.ts'
import { printAsOf } from './position.ts'

/** Lists of what stands in `changes`, newest first, as of sizes: gates with their overrides, deployments, dispositions. */

export const listRules = 'decisions@1'

export interface ListQuestion {
  /** Undefined: of all that `isVisible` lets through. */
  repository?: string | undefined
  isVisible: (repository: string) => boolean
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
  const resolved = await resolveMoment(deps, history, operations, question.asOf)
  const changes = resolved.ledgers.filter(({ ledger }) => ledgerKindOf(ledger) === 'changes')
  const sizes: Sizes = { ledgers: resolved.ledgers, changes, moment: resolved.moment }
  const found: Decision[] = []
  for await (const decision of newestFirst(deps, changes, kind, question)) {
    if (!isAskedFor(decision, question)) continue
    found.push(decision)
    if (found.length > question.limit) break
  }
  const page = found.slice(0, question.limit)
  const rows = kind === 'disposition' ? await showDispositions(deps, sizes, page, question) : await showDecisions(deps, sizes, kind, page)
  return { as_of: printAsOf(resolved.asOf), rules: listRules, rows, has_more: found.length > page.length }
} // oxfmt-ignore

const pageSize = 200

async function* newestFirst(
  { db }: ListDeps,
  changes: Sizes['changes'],
  kind: DecisionKind,
  { repository, isVisible, from, to, before }: ListQuestion,
): AsyncGenerator<Decision> {
  const start = before === undefined ? undefined : parseRecordId(before)
  if (before !== undefined && start === undefined) throw new Problem('request_invalid', 'before is the id of a record')
  const window = { kind, from: timeOf(from, 'from') ?? 0, to: timeOf(to, 'to') ?? Number.MAX_SAFE_INTEGER, limit: pageSize } // oxfmt-ignore
  let isBefore = start === undefined
  for (const { ledger, size } of changes.toReversed()) {
    isBefore ||= start?.ledger === ledger
    if (!isBefore) continue
    const visible = repository === undefined ? (await decidedRepositories(db, ledger, size)).filter(isVisible) : [repository] // oxfmt-ignore
    for (let end = start?.ledger === ledger ? Math.min(size, start.seq) : size; ;) {
      const page = await decisionsBetween(db, ledger, visible, { ...window, before: end })
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < pageSize) break
      end = last.seq
    }
  }
}

function timeOf(text: string | undefined, name: string): Micros | undefined {
  const micros = text === undefined ? undefined : toMicros(text)
  if (text !== undefined && micros === undefined)
    throw new Problem('request_invalid', `${name} is a day or an RFC 3339 time with an offset`)
  return micros
}

function isAskedFor(decision: Decision, { commit, build, environment, verdict, kind }: ListQuestion): boolean {
  if (commit !== undefined && decision.kind !== 'disposition' && decision.commit?.startsWith(commit) !== true) return false // oxfmt-ignore
  if (build !== undefined && decision.build !== build) return false
  if (environment !== undefined && decision.environment !== environment) return false
  if (kind !== undefined && decision.name !== kind) return false
  const fields = JSON.parse(decision.fields) as Row // a record
  if (decision.kind === 'gate' && fields['overrides'] !== undefined) return false // shown beside what it overrides
  return verdict === undefined || (fields['verdict'] ?? fields['decision']) === verdict
}

/** Gates and deployments with what stands beside them. */
async function showDecisions(
  { db }: ListDeps,
  { changes, moment }: Sizes,
  kind: 'gate' | 'deployment',
  page: readonly Decision[],
): Promise<Row[]> {
  const disposed = new Map<string, Awaited<ReturnType<typeof dispositionsBySubject>>>()
  const rows: Row[] = []
  for (const decision of page) {
    const { repository, name, id } = decision
    const known = disposed.get(repository) ?? (await dispositionsBySubject(db, changes, { repository, kind, moment }))
    disposed.set(repository, known)
    const dispositions = known.get(`${kind}:${kind === 'gate' ? id : name}`) ?? []
    rows.push({ ...toRow(decision), ...(kind === 'gate' ? { override: await overrideOf(db, changes, decision) } : {}), dispositions }) // oxfmt-ignore
  }
  return rows
}

async function overrideOf(db: Database, changes: Sizes['changes'], { repository, id }: Decision): Promise<Row | null> {
  for (const { ledger, size } of changes.toReversed()) {
    const found = (await decisionsByName(db, ledger, size, { repository, kind: 'gate', name: id })).at(-1)
    if (found !== undefined) return toRow(found)
  }
  return null
}

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
