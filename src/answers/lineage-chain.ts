import { dispositionsAbout, dispositionsOnFiles } from '../history/decision-pages.ts'
import { type Decision, decisionsOfBuild, decisionsOfCommit } from '../history/decision-store.ts'
import { declaredOfCommit } from '../history/commit-index.ts'
import { fieldsOf } from '../history/read-records.ts'
import { checkpointsCovering } from '../ledger/checkpoint-store.ts'
import type { Generations } from '../ledger/generations.ts'
import type { StoredRecord } from '../ledger/read.ts'
import { type Micros, ledgerKindOf, testTypes } from '../record/record.ts'
import { type Fields, type LineageNode, textOf, withChildren } from './lineage-node.ts'
import {
  type LineageDeps,
  type PartFocus,
  type TracedRun,
  checkpointNode,
  recordNode,
  traceRuns,
} from './lineage-runs.ts'
import { type Sized, type Start, ofChanges, ofRuns } from './lineage-start.ts'
import { type Decided, growCommit, placeAsked, withNotes } from './lineage-tree.ts'
import { momentOf } from './window.ts'

/** Reads what a chain is grown from, as of sizes. */

export type ChainDeps = LineageDeps & { generations: Pick<Generations, 'closing'> }

/** Of one test type; the newest. */
const maxRuns = 25

/** `told`: the records that are shown by name, of which it may be asked where they went. `focus`: which part of a run, where not all are meant. */
export async function traceChain(
  deps: ChainDeps,
  sizes: readonly Sized[],
  start: Start,
  focus: PartFocus | undefined = start.record === undefined || start.run === undefined
    ? undefined
    : partFocus(start.record),
): Promise<{ chain: LineageNode[]; told: StoredRecord[] }> {
  const { commit, record } = start
  if (commit === undefined) return record === undefined ? { chain: [], told: [] } : { chain: [await askedNode(deps, record)], told: [record] } // oxfmt-ignore
  const [asked, { runs, leftOut }, decisions] = await Promise.all([
    record === undefined ? undefined : askedNode(deps, record),
    findRuns(deps, sizes, commit, start.run, focus),
    findDecisions(deps, sizes, commit, start.build),
  ])
  const notes = await findNotes(deps, sizes, commit.repository, {
    subjects: [...runs.map(({ run }) => `run:${run}`), ...decisions.flatMap(subjectOf)],
    paths: typeof asked?.['path'] === 'string' ? [asked['path']] : [],
  })
  const moment = notes.length === 0 ? 0 : await momentOf(deps, sizes)
  const build = start.build ?? (start.run === undefined ? undefined : textOf(runs[0]?.fields ?? {}, 'build'))
  const decided = [...decisions, ...notes].map((one) => toDecided(deps.generations, sizes, one))
  const grown = growCommit({ ...commit, runs, runsLeftOut: leftOut, decisions: decided, build, moment })
  const told = record === undefined ? runs.map(({ end, declared }) => end ?? declared) : [record]
  return { chain: [asked === undefined ? grown : placeAsked(grown, noteFile(asked, decided, moment))], told }
}

/** Notes on the file that a record is about, and on lines of it; those that were made of another content of it have lapsed. */
function noteFile(asked: LineageNode, decided: readonly Decided[], moment: Micros): LineageNode {
  const { path, blob } = asked
  const dispositions = decided.filter(({ kind }) => kind === 'disposition')
  const notes = { dispositions, moment, ...(typeof blob === 'string' ? { blobOf: () => blob } : {}) }
  return typeof path === 'string' ? withNotes(asked, notes, [`file:${path}`]) : asked
}

/** The record with the checkpoint that signs it. */
async function askedNode({ db }: LineageDeps, record: StoredRecord): Promise<LineageNode> {
  const [note] = await checkpointsCovering(db, record.ledger, [record.seq])
  return withChildren(recordNode(record), note === undefined ? [] : [checkpointNode(record.ledger, note)])
}

/** Undefined for what is no part of a run's content: then all parts of the run are shown. */
function partFocus(record: StoredRecord): PartFocus | undefined {
  if (!['coverage', 'part', 'rejection', 'linemap'].includes(record.kind)) return undefined
  return { part: textOf(fieldsOf(record), 'part') }
}

/** Unit before integration, oldest first. */
async function findRuns(
  deps: LineageDeps,
  sizes: readonly Sized[],
  commit: { repository: string; commit: string },
  only: Start['run'],
  focus: PartFocus | undefined,
): Promise<{ runs: TracedRun[]; leftOut: number }> {
  const traced = await Promise.all(
    ofRuns(sizes).map(async ({ ledger, size }) => {
      const declared = declaredOfCommit(deps.db, ledger, size, commit, only === undefined ? maxRuns : 1)
      const wanted =
        only === undefined
          ? (await declared).runs.map(({ run }) => run).toReversed()
          : only.ledger === ledger
            ? [only.run]
            : []
      const [{ count }, runs] = await Promise.all([declared, traceRuns(deps, ledger, size, wanted, focus)])
      return { ledger, runs, leftOut: count - wanted.length }
    }),
  )
  const inOrder = testTypes.flatMap((type) => traced.filter(({ ledger }) => ledgerKindOf(ledger) === type))
  return { runs: inOrder.flatMap(({ runs }) => runs), leftOut: inOrder.reduce((sum, one) => sum + one.leftOut, 0) }
}

async function findDecisions(
  { db }: LineageDeps,
  sizes: readonly Sized[],
  { repository, commit }: { repository: string; commit: string },
  build: string | undefined,
): Promise<Decision[]> {
  const found = await Promise.all(
    ofChanges(sizes).map(async ({ ledger, size }) => {
      const [ofCommit, ofBuild] = await Promise.all([
        decisionsOfCommit(db, ledger, size, repository, commit),
        build === undefined ? [] : decisionsOfBuild(db, ledger, size, repository, build),
      ])
      const all = new Map([...ofCommit, ...ofBuild].map((one) => [one.id, one]))
      return [...all.values()].toSorted((a, b) => a.seq - b.seq)
    }),
  )
  return found.flat().filter(({ kind }) => ['build', 'gate', 'deployment'].includes(kind))
}

/** As dispositions name it. */
const subjectOf = ({ kind, id, name }: Decision): string[] =>
  kind === 'gate' ? [`gate:${id}`] : kind === 'deployment' ? [`deployment:${name}`] : []

/** On what the chain shows, and on the file of the record that was asked for. */
async function findNotes(
  { db }: LineageDeps,
  sizes: readonly Sized[],
  repository: string,
  { subjects, paths }: { subjects: readonly string[]; paths: readonly string[] },
): Promise<Decision[]> {
  const found = await Promise.all(
    ofChanges(sizes).map(({ ledger, size }) =>
      Promise.all([
        dispositionsAbout(db, ledger, size, repository, subjects),
        paths.length === 0 ? [] : dispositionsOnFiles(db, ledger, size, repository, paths),
      ]),
    ),
  )
  return found.flat(2)
}

function toDecided(
  { closing }: Pick<Generations, 'closing'>,
  sizes: readonly Sized[],
  { kind, id, name, build, recordedAt, fields, seq }: Decision,
): Decided {
  const parsed = JSON.parse(fields) as Fields // the record, as decision-store.ts keeps it
  const ledger = parsed['ledger']
  let before = 0
  for (const one of ofChanges(sizes)) {
    if (one.ledger === ledger) break
    before += closing(one.ledger)?.signedSize ?? 0
  }
  return { kind, id, name, build, recordedAt, fields: parsed, buildSeq: kind === 'build' ? before + seq : undefined }
}
