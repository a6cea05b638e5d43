import type { Database } from '../database/database.ts'
import { dayMicros, dayOf } from '../history/evidence-days.ts'
import { type AsOfLedger, type FileFacts, readFileFacts, viewOf } from '../history/file-facts.ts'
import { type Versions, createVersions } from '../history/follow-line.ts'
import type { Histories } from '../history/ledger-history.ts'
import type { Anchor } from '../history/resolve-line.ts'
import { type LedgerView, type RefRuns, type Window, counts, createRefRuns } from '../history/ref-runs.ts'
import { type Timeline, createTimeline } from '../history/timeline.ts'
import type { Reader } from '../ledger/read.ts'
import { timeOfRecord } from '../ledger/segments-by-kind.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { type ResolvedAsOf, isStill, resolveAsOf, toMicros } from './as-of.ts'

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

/** How often a question is read again when the history was rebuilt under it. */
const maxTries = 5
/** Of large repositories: some MB each. */
const maxRefs = 16

export async function openFile(deps: HistoryDeps, ledgers: readonly LedgerName[], question: FileQuestion): Promise<OpenedFile> {
  for (let tries = 1; ; tries++) {
    const resolved = await resolveAsOf(deps, ledgers, question.asOf)
    const opened = await openAsOf(deps, resolved, question)
    if (await isStill(deps.db, resolved)) return opened
    if (tries === maxTries) throw new Problem('history_behind', 'the history is being rebuilt')
  }
} // oxfmt-ignore

async function openAsOf({ db, reader, histories, refs }: HistoryDeps, resolved: ResolvedAsOf, question: FileQuestion): Promise<OpenedFile> {
  const { repository, path } = question
  const [opened, times] = await Promise.all([
    Promise.all(
      resolved.ledgers.map(async ({ ledger, generation, size }): Promise<AsOfLedger[]> => {
        const history = await histories.open(ledger, repository, generation, size)
        // Also where no run ended: its inventories and line maps hold for the other one's.
        return history === undefined ? [] : [viewOf(history, size)]
      }),
    ),
    Promise.all(resolved.ledgers.map(async ({ ledger, size }) => (size === 0 ? 0 : ((await timeOfRecord(db, ledger, size - 1)) ?? (await reader.readBatch(ledger, size - 1, { maxRecords: 1 })).records[0]?.recordedAt)))),
  ])
  const known = opened.flat()
  if (known.every(({ runs }) => runs === 0))
    throw new Problem('not_found', `no run of ${repository} has ended`)
  const window = toWindow(question, Math.max(...times.map((time) => time ?? 0)), known)
  const facts = await readFileFacts(db, known, path)
  // Runs of a ledger are only added, so their counts say which; a history that was rebuilt has another generation.
  const key = JSON.stringify([repository, window, resolved.ledgers.map(({ ledger, generation }) => [ledger, generation]), known.map(({ history, runs, inventories, commits }) => [history.ledger, runs, inventories, commits])])
  const ref = refs.get(key) ?? createRefRuns(known, window)
  refs.delete(key)
  refs.set(key, ref)
  if (refs.size > maxRefs) refs.delete(refs.keys().next().value ?? '')
  const timeline = createTimeline(facts, ref)
  return { resolved, views: known, ref, facts, timeline, versions: createVersions(facts.maps), anchor: findAnchor(facts, timeline, ref, question) }
} // oxfmt-ignore

/** Every default comes from what the question is asked as of: the end of its last day, and a year before. */
function toWindow({ ref, from, to }: FileQuestion, last: number, ledgers: readonly AsOfLedger[]): Window {
  const end = to === undefined ? (dayOf(last) + 1) * dayMicros : toTime(to, 'to')
  const start = from === undefined ? yearBefore(end) : toTime(from, 'from')
  if (start >= end) throw new Problem('request_invalid', 'from has to be before to')
  return { ref: ref ?? commonRef(ledgers), from: start, to: end }
}

function toTime(text: string, name: string): number {
  const micros = toMicros(text)
  if (micros === undefined) throw new Problem('request_invalid', `${name} is a day or an RFC 3339 time with an offset`)
  return micros
}

function yearBefore(micros: number): number {
  const date = new Date(micros / 1000)
  date.setUTCFullYear(date.getUTCFullYear() - 1)
  return date.getTime() * 1000
}

const usualRefs = ['refs/heads/main', 'refs/heads/master', 'refs/heads/trunk']

/** The usual main branch where runs of it count, else the ref of most of them. */
function commonRef(ledgers: readonly AsOfLedger[]): string {
  const runs = new Map<string, number>()
  for (const { history, runs: count } of ledgers)
    for (const run of history.runs.slice(0, count)) if (counts(run)) runs.set(run.ref, (runs.get(run.ref) ?? 0) + 1)
  const usual = usualRefs.find((ref) => runs.has(ref))
  const most = [...runs].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0]?.[0]
  return usual ?? most ?? usualRefs[0] ?? ''
}

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
