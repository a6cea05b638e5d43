import type { Database } from '../database/database.ts'
import { type AsOfLedger, type FileFacts, readFileFacts, viewOf } from '../history/file-facts.ts'
import { type Versions, createVersions } from '../history/follow-line.ts'
import { dispositionsOnFiles } from '../history/decision-pages.ts'
import type { Decision } from '../history/decision-store.ts'
import type { Histories } from '../history/ledger-history.ts'
import type { Anchor } from '../history/resolve-line.ts'
import { type LedgerView, type RefRuns, createRefRuns } from '../history/ref-runs.ts'
import { type Timeline, createTimeline } from '../history/timeline.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, ledgerKindOf } from '../record/record.ts'
import { type ResolvedAsOf, answerStill, resolveAsOf } from './as-of.ts'
import { parseAsOf } from './position.ts'
import { momentOf, toWindow } from './window.ts'

/** What every question about a file begins with: sizes, ref, window, the runs in their order, and the version that line numbers are of. */

export interface FileQuestion {
  repository: string
  path: string
  ref?: string | undefined
  /** Days or times of recorded_at, half-open. */
  from?: string | undefined
  to?: string | undefined
  /** The commit whose line numbers are meant. */
  at?: string | undefined
  asOf?: string | undefined
}

export interface OpenedFile {
  resolved: ResolvedAsOf
  /** What people said of the file under any of its names; nothing where as_of names no `changes`. */
  notes: readonly Decision[]
  /** The time as of which a note holds or has lapsed. */
  notedUntil: Micros
  /** Of the ledgers that know the repository; everything else counts by their indexes. */
  views: readonly LedgerView[]
  ref: RefRuns
  facts: FileFacts
  timeline: Timeline
  versions: Versions
  anchor: Anchor & { commit: string; blob: string | undefined }
}

export interface HistoryDeps {
  db: Database
  reader: Pick<Reader, 'published' | 'seqAt' | 'readBatch'>
  histories: Histories
  /** What was computed of a ref, by what it was computed from. */
  refs: Map<string, RefRuns>
}

/** Of large repositories: some MB each. */
const maxRefs = 16

/**
 * `ledgers` are those of runs, and behind them those of `changes`. An as_of that names no changes (as answers before notes were shown printed
 * them) is asked of runs alone.
 */
export async function openFile(deps: HistoryDeps, ledgers: readonly LedgerName[], question: FileQuestion): Promise<OpenedFile> {
  const named = question.asOf === undefined ? undefined : parseAsOf(question.asOf)
  const asked = named !== undefined && named.changes === undefined ? ledgers.filter((ledger) => !isOfChanges(ledger)) : ledgers // oxfmt-ignore
  return answerStill(deps.db, () => resolveAsOf(deps, asked, question.asOf), (resolved) => openAsOf(deps, resolved, question))
} // oxfmt-ignore

const isOfChanges = (ledger: LedgerName): boolean => ledgerKindOf(ledger) === 'changes'

async function openAsOf({ db, reader, histories, refs }: HistoryDeps, resolved: ResolvedAsOf, question: FileQuestion): Promise<OpenedFile> {
  const { repository, path } = question
  const { changes = [], runs = [] } = Object.groupBy(resolved.ledgers, ({ ledger }) => (isOfChanges(ledger) ? 'changes' : 'runs'))
  const [opened, moment, notedUntil] = await Promise.all([
    Promise.all(
      runs.map(async ({ ledger, generation, size }): Promise<AsOfLedger[]> => {
        const history = await histories.open(ledger, repository, generation, size)
        // Also where no run ended: its inventories and line maps hold for the other one's.
        return history === undefined ? [] : [viewOf(history, size)]
      }),
    ),
    momentOf({ db, reader }, runs),
    momentOf({ db, reader }, resolved.ledgers),
  ])
  const known = opened.flat()
  if (known.every(({ runs: ended }) => ended === 0))
    throw new Problem('not_found', `no run of ${repository} has ended`)
  const window = toWindow(question, moment, known)
  const facts = await readFileFacts(db, known, path)
  const noted = await Promise.all(changes.map(({ ledger, size }) => dispositionsOnFiles(db, ledger, size, repository, facts.paths)))
  // Runs of a ledger are only added, so their counts say which; a history that was rebuilt has another generation.
  const key = JSON.stringify([repository, window, runs.map(({ ledger, generation }) => [ledger, generation]), known.map(({ history, runs: counted, inventories, commits }) => [history.ledger, counted, inventories, commits])])
  const ref = refs.get(key) ?? createRefRuns(known, window)
  refs.delete(key)
  refs.set(key, ref)
  if (refs.size > maxRefs) refs.delete(refs.keys().next().value ?? '')
  const timeline = createTimeline(facts, ref)
  return { resolved, notes: noted.flat(), notedUntil, views: known, ref, facts, timeline, versions: createVersions(facts.maps), anchor: findAnchor(facts, timeline, ref, question) }
} // oxfmt-ignore

/** The newest commit of the ref that has the file, unless one is named. */
function findAnchor(
  { paths }: FileFacts,
  { stretches, stretchOf }: Timeline,
  { order, window: { ref } }: RefRuns,
  { repository, at, path: asked }: FileQuestion,
): OpenedFile['anchor'] {
  const has = (commit: string, i: number): boolean => {
    const kind = stretches[stretchOf[i] ?? -1]?.[0]?.kind
    return (at === undefined ? !order.left.has(commit) : commit === at) && (kind === 'blob' || kind === 'file')
  }
  const index = order.commits.findLastIndex(has)
  const commit = order.commits[index]
  if (commit === undefined) throw new Problem('not_found', whyNoAnchor(order.commits, { repository, at, path: asked }, ref))
  const stretch = stretchOf[index] ?? 0
  const presence = stretches[stretch]?.[paths.indexOf(asked)]
  return { stretch, path: 0, commit, blob: presence?.kind === 'blob' ? presence.blob : undefined }
} // oxfmt-ignore

function whyNoAnchor(
  commits: readonly string[],
  { repository, at, path }: Pick<FileQuestion, 'repository' | 'at' | 'path'>,
  ref: string,
): string {
  const where = ref === '' ? 'without a ref' : `on ${ref}`
  if (commits.length === 0) return `no run of ${repository} ${where} counts in this time`
  if (at === undefined) return `no commit of ${repository} ${where} has ${path} that a run in this time counts for`
  if (!commits.includes(at)) return `no run ${where} that counts in this time is of the commit ${at}`
  return `the commit ${at} has no ${path}`
}
