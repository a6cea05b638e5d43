import type { Decision, DecisionKind } from '../history/decision-store.ts'
import { decisionsByName, decisionsOfCommit } from '../history/decision-store.ts'
import { type FoundCommit, commitsWith, repositoriesNaming } from '../history/commit-index.ts'
import { fieldsOf } from '../history/read-records.ts'
import type { StoredRecord } from '../ledger/read.ts'
import { findSubmissions } from '../ledger/store.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, generationOf, ledgerKindOf, orgOf, parseRecordId } from '../record/record.ts'
import { type Fields, textOf } from './lineage-node.ts'
import type { LineageDeps } from './lineage-runs.ts'

/** What a name leads to: the commit whose lineage it is, and what of that was meant. */

export interface LineageAsk {
  kind: 'record' | 'run' | 'build' | 'commit' | 'deployment'
  id: string
  /** Needed only where several repositories have one of the name. */
  repository: string | undefined
  /** Whether the caller may see a repository; undefined: what belongs to none. What is not visible is not there. */
  isVisible: (repository: string | undefined) => boolean
}

export interface Sized {
  ledger: LedgerName
  size: number
}

export interface Start {
  /** Undefined for a record that belongs to no commit: of operations, or a contract. */
  commit: { repository: string; commit: string } | undefined
  repository: string | undefined
  /** Only this run, with the ledger that it is in. */
  run: { ledger: LedgerName; run: string } | undefined
  /** Only this build. */
  build: string | undefined
  record: StoredRecord | undefined
}

/** More of one name are not told apart one by one. */
const most = 20
const atOnce = 200

/** Throws Problem('not_found') for what is not there as of these sizes, and what is not visible. */
export async function findStart(deps: LineageDeps, sizes: readonly Sized[], ask: LineageAsk): Promise<Start> {
  switch (ask.kind) {
    case 'record':
      return startFromRecord(deps, sizes, ask)
    case 'run':
      return startFromRun(deps, sizes, ask)
    case 'commit':
      return startFromCommit(deps, sizes, ask)
    case 'build':
    case 'deployment':
      return startFromName(deps, sizes, ask, ask.kind)
  }
}

const missing = ({ kind, id }: LineageAsk): Problem => new Problem('not_found', `there is no ${kind} ${id} as of this`)
const blank: Start = { commit: undefined, repository: undefined, run: undefined, build: undefined, record: undefined }

async function startFromRecord(deps: LineageDeps, sizes: readonly Sized[], ask: LineageAsk): Promise<Start> {
  const parsed = parseRecordId(ask.id)
  if (parsed === undefined || parsed.seq >= sizeOf(sizes, parsed.ledger)) throw missing(ask)
  const record = await deps.reader.findRecord(ask.id)
  if (record === undefined) throw missing(ask)
  const fields = fieldsOf(record)
  const [repository, commit, run, build] = ['repository', 'commit', 'run', 'build'].map((name) => textOf(fields, name))
  if (!ask.isVisible(repository)) throw missing(ask)
  const start = { ...blank, repository, record }
  if (repository === undefined) return start
  const target = record.kind === 'disposition' ? targetOf(fields, ask) : undefined
  if (target !== undefined) {
    const about = await findStart(deps, sizes, target).catch(passOver)
    return about === undefined ? start : { ...about, record }
  }
  // These say of their run what it said; a refusal only says what was offered, and a line map leads to any commit.
  if (
    run !== undefined &&
    commit !== undefined &&
    ['run', 'coverage', 'part', 'seal', 'abandonment'].includes(record.kind)
  )
    // oxfmt-ignore
    return { ...start, run: { ledger: parsed.ledger, run }, commit: { repository, commit } }
  const ofRun = run === undefined ? undefined : await findRun(deps, sizes, run)
  if (ofRun !== undefined) return { ...start, run: ofRun, commit: await commitOf(deps, ofRun, repository) }
  return commit === undefined ? start : { ...start, commit: { repository, commit }, build }
}

/** What a disposition is about, where that stands in a lineage. */
function targetOf({ target, repository }: Fields, ask: LineageAsk): LineageAsk | undefined {
  const { kind, run, id, commit } = target as Record<string, string | undefined> // written from the shapes of record/changes.ts
  const about = { ...ask, repository: String(repository) }
  if (kind === 'run' && run !== undefined) return { ...about, kind, id: run }
  if (kind === 'gate' && id !== undefined) return { ...about, kind: 'record', id }
  if (kind === 'deployment' && id !== undefined) return { ...about, kind, id }
  return commit === undefined ? undefined : { ...about, kind: 'commit', id: commit }
}

/** People write about what is not here too. */
function passOver(error: unknown): undefined {
  if (error instanceof Problem && error.code === 'not_found') return undefined
  throw error
}

async function startFromRun(deps: LineageDeps, sizes: readonly Sized[], ask: LineageAsk): Promise<Start> {
  const run = await findRun(deps, sizes, ask.id)
  if (run === undefined) throw missing(ask)
  const { repository, commit } = await declarationOf(deps, run)
  if (!ask.isVisible(repository)) throw missing(ask)
  return { ...blank, repository, run, commit: { repository, commit } }
}

/** By its first digits too, where one commit begins with them. One that no run names is found where the repository is told. */
async function startFromCommit(deps: LineageDeps, sizes: readonly Sized[], ask: LineageAsk): Promise<Start> {
  const { repository, id, isVisible } = ask
  const found = await Promise.all(
    ofRuns(sizes).map(({ ledger, size }) =>
      collect((after: FoundCommit | undefined) => commitsWith(deps.db, ledger, size, id, { repository, after, limit: atOnce }), (one) => isVisible(one.repository))),
  ) // oxfmt-ignore
  const candidates = new Map(found.flat().map((one) => [`${one.repository}@${one.commit}`, one]))
  const [first, second] = candidates.values()
  if (second !== undefined) throw ambiguous(ask, [...candidates.keys()])
  if (first !== undefined) return { ...blank, repository: first.repository, commit: first }
  if (repository === undefined || !isVisible(repository)) throw missing(ask)
  for (const { ledger, size } of ofChanges(sizes))
    if ((await decisionsOfCommit(deps.db, ledger, size, repository, id)).length > 0)
      return { ...blank, repository, commit: { repository, commit: id } }
  for (const { ledger, size } of ofRuns(sizes)) {
    const [inventory] = await findSubmissions(deps.db, ledger, [`inventory:${repository}@${id}`], [])
    if (inventory !== undefined && inventory.firstSeq < size) return { ...blank, repository, commit: { repository, commit: id } } // oxfmt-ignore
  }
  throw missing(ask)
}

async function startFromName(
  deps: LineageDeps,
  sizes: readonly Sized[],
  ask: LineageAsk,
  kind: DecisionKind,
): Promise<Start> {
  const changes = ofChanges(sizes)
  const of = { kind, name: ask.id }
  const named =
    ask.repository === undefined
      ? await Promise.all(
          changes.map(({ ledger, size }) =>
            collect(
              (after: string | undefined) => repositoriesNaming(deps.db, ledger, size, of, { after, limit: atOnce }),
              ask.isVisible,
            ),
          ),
        )
      : [[ask.repository].filter(ask.isVisible)]
  const repositories = [...new Set(named.flat())].toSorted() // oxfmt-ignore
  const [repository, another] = repositories
  if (another !== undefined) throw ambiguous(ask, repositories)
  if (repository === undefined) throw missing(ask)
  const found = await Promise.all(
    changes.map(({ ledger, size }) => decisionsByName(deps.db, ledger, size, { repository, ...of })),
  )
  const decision: Decision | undefined = found.flat()[0]
  if (decision?.commit === undefined || decision.commit === null) throw missing(ask)
  return { ...blank, repository, commit: { repository, commit: decision.commit }, build: decision.build ?? undefined }
}

/** In order, page by page: a name may be in any number of repositories, and those that the caller sees may be the last of them. */
async function collect<T>(page: (after: T | undefined) => Promise<T[]>, isVisible: (one: T) => boolean): Promise<T[]> {
  const found: T[] = []
  for (let after: T | undefined; ;) {
    const rows = await page(after)
    found.push(...rows.filter(isVisible))
    after = rows.at(-1)
    if (rows.length < atOnce || found.length >= most) return found.slice(0, most)
  }
}

function ambiguous({ kind, id }: LineageAsk, candidates: readonly string[]): Problem {
  const named = candidates.slice(0, most).join(', ')
  return new Problem('request_invalid', `${kind} ${id} may be one of ${named}: say which, in full or by its repository`)
}

/** Where a run was declared: in whichever generation, one that was closed may have been left with it open. */
export async function findRun(
  { db }: LineageDeps,
  sizes: readonly Sized[],
  run: string,
): Promise<{ ledger: LedgerName; run: string } | undefined> {
  for (const { ledger, size } of ofRuns(sizes).toReversed()) {
    if (!run.endsWith(`.${ledgerKindOf(ledger)}`)) continue
    const [declared] = await findSubmissions(db, ledger, [`run:${run}`], [])
    if (declared !== undefined && declared.firstSeq < size) return { ledger, run }
  }
  return undefined
}

async function declarationOf(
  { db, reader }: LineageDeps,
  { ledger, run }: { ledger: LedgerName; run: string },
): Promise<{ repository: string; commit: string }> {
  const [declared] = await findSubmissions(db, ledger, [`run:${run}`], [])
  const [record] = declared === undefined ? [] : (await reader.readBatch(ledger, declared.firstSeq, { maxRecords: 1 })).records // oxfmt-ignore
  const fields = record === undefined ? {} : fieldsOf(record)
  const [repository, commit] = [textOf(fields, 'repository'), textOf(fields, 'commit')]
  if (repository === undefined || commit === undefined) throw new Error(`${ledger}: the record of ${run} names no commit`) // oxfmt-ignore
  return { repository, commit }
}

/** Of a run of the same repository: what a refused push said of a run is only what it said. */
async function commitOf(deps: LineageDeps, run: { ledger: LedgerName; run: string }, repository: string): Promise<Start['commit']> {
  const declared = await declarationOf(deps, run)
  return declared.repository === repository ? declared : undefined
} // oxfmt-ignore

/** 0 for a ledger of another org. Of `operations` no sizes are told: a record of it belongs to no commit, and says nothing that could change. */
export function sizeOf(sizes: readonly Sized[], ledger: LedgerName): number {
  const known = sizes.find((one) => one.ledger === ledger)
  if (known !== undefined) return known.size
  const [first] = sizes
  return ledgerKindOf(ledger) === 'operations' && first !== undefined && orgOf(first.ledger) === orgOf(ledger) ? Infinity : 0 // oxfmt-ignore
}

const isRuns = (ledger: LedgerName): boolean => ['unit', 'integration'].includes(ledgerKindOf(ledger))
export const ofRuns = (sizes: readonly Sized[]): Sized[] => sizes.filter(({ ledger }) => isRuns(ledger))
/** Oldest generation first. */
export const ofChanges = (sizes: readonly Sized[]): Sized[] =>
  sizes.filter(({ ledger }) => ledgerKindOf(ledger) === 'changes').toSorted((a, b) => generationOf(a.ledger) - generationOf(b.ledger)) // oxfmt-ignore
