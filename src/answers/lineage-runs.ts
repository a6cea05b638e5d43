import type { Queryable } from '../database/database.ts'
import { fieldsOf } from '../history/read-records.ts'
import { checkpointsCovering } from '../ledger/checkpoint-store.ts'
import type { LedgerReader, StoredRecord } from '../ledger/read.ts'
import { type RecordPlace, readSeqs } from '../ledger/read-seqs.ts'
import { type SubmissionRow, findSubmissions } from '../ledger/store.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { parseNote } from '../log/note.ts'
import { type LedgerName, printTime } from '../record/record.ts'
import { type Fields, type LineageNode, cut, pick, withChildren } from './lineage-node.ts'

/** A run in a lineage: its own records, found by their keys and read through the checked reader. */

export interface LineageDeps {
  db: Queryable
  reader: LedgerReader
}

export interface TracedRun {
  ledger: LedgerName
  run: string
  /** Of the `run` record, which says who declared it, for which commit, build and stage. */
  declared: StoredRecord
  fields: Fields
  /** The seal, or the abandonment; undefined while there is none. */
  end: StoredRecord | undefined
  node: LineageNode
}

/** What of a run is shown: without this all of its parts, else the one that a record belongs to. */
export interface PartFocus {
  /** Undefined for a record that belongs to no part. */
  part: string | undefined
}

const maxParts = 20

/** Runs of one ledger, by name, as they stood below `size`; those that were not declared there are absent. In the order given. */
export async function traceRuns(
  deps: LineageDeps,
  ledger: LedgerName,
  size: number,
  runs: readonly string[],
  focus?: PartFocus,
): Promise<TracedRun[]> {
  if (runs.length === 0) return []
  const keys = runs.flatMap((run) => [`run:${run}`, `end:${run}`])
  const found = (await findSubmissions(deps.db, ledger, keys, runs)).filter(({ firstSeq }) => firstSeq < size)
  const byKey = new Map(found.map((row) => [row.key, row]))
  const known = runs.filter((run) => byKey.has(`run:${run}`))
  const ofRun = known.map((run) => {
    const prefix = `part:${run}/`
    const all = found.filter(({ key }) => key.startsWith(prefix)).toSorted((a, b) => a.firstSeq - b.firstSeq)
    const asked = focus === undefined ? all : all.filter(({ key }) => key === prefix + (focus.part ?? ''))
    return { run, prefix, declared: byKey.get(`run:${run}`), end: byKey.get(`end:${run}`), all, ...cut(asked, maxParts) }
  })
  const places = ofRun.flatMap(({ declared, end, shown }) => [declared, end, ...shown]).filter((row) => row !== undefined)
  const [records, checkpoints] = await Promise.all([
    readSeqs(deps, ledger, places.map(toPlace)),
    checkpointsCovering(deps.db, ledger, ofRun.map(({ declared, end }) => (end ?? declared)?.lastSeq ?? 0)),
  ])
  return ofRun.map(({ run, prefix, declared, end, all, shown }, i) => {
    const [declaredRecord, endRecord] = [recordAt(records, declared), end && recordAt(records, end)]
    const parts = shown.map((row) => partNode(row.key.slice(prefix.length), recordAt(records, row)))
    const node = runNode(ledger, run, declaredRecord, endRecord)
    const note = checkpoints[i]
    const children = note === undefined ? parts : [...parts, checkpointNode(ledger, note)]
    return {
      ledger, run, declared: declaredRecord, fields: fieldsOf(declaredRecord), end: endRecord,
      node: withChildren(node, children, { parts: all.length - shown.length }),
    }
  })
} // oxfmt-ignore

const toPlace = ({ firstSeq: seq, firstTime: recordedAt }: SubmissionRow): RecordPlace => ({ seq, recordedAt })

function recordAt(records: ReadonlyMap<number, StoredRecord>, row: SubmissionRow | undefined): StoredRecord {
  const record = row && records.get(row.firstSeq)
  if (record === undefined) throw new Error(`the record of ${row?.key ?? 'a run'} is not in the ledger`)
  return record
}

const declaredFacts = [
  'stage',
  'environment',
  'ci',
  'url',
  'change',
  'committed_at',
  'occurred_at',
  'backfilled',
  'late',
]
const endFacts = ['outcome', 'tests', 'contract', 'contract_version', 'contract_default', 'configuration', 'production_digest', 'earlier', 'root'] // oxfmt-ignore

function runNode(ledger: LedgerName, run: string, declared: StoredRecord, end: StoredRecord | undefined): LineageNode {
  const told = fieldsOf(declared)
  const ended = end === undefined ? {} : fieldsOf(end)
  return {
    kind: 'run', id: run, ledger, ...pick(told, ['suite', 'test_type', 'ref', 'build', 'build_seq', 'by', ...declaredFacts]),
    declared_at: printTime(declared.recordedAt),
    ended_at: end === undefined ? null : printTime(end.recordedAt),
    state: stateOf(end, ended),
    reasons: end === undefined ? ['unsealed'] : ended['reasons'],
    ...pick(ended, endFacts),
    records: [declared.id, ...(end === undefined ? [] : [end.id])],
  } // oxfmt-ignore
}

function stateOf(end: StoredRecord | undefined, ended: Fields): string {
  if (end === undefined) return 'open'
  if (end.kind === 'abandonment') return 'abandoned'
  return ended['admitted'] === true ? 'counts' : 'does not count'
}

const partFacts = ['artifact_sha256', 'bytes', 'format', 'metric', 'definition', 'tool', 'shard', 'files']

function partNode(part: string, record: StoredRecord): LineageNode {
  const fields = fieldsOf(record)
  const { recomputed } = (fields['totals'] ?? {}) as { recomputed?: { lines?: unknown } } // written by admission/part-record.ts
  return {
    kind: 'part', id: part, ...pick(fields, partFacts),
    ...(recomputed?.lines === undefined ? {} : { lines: recomputed.lines }),
    spans: fields['ranges'] ?? [],
    ...pick(fields, ['ranges_digest']),
    records: [record.id],
  } // oxfmt-ignore
}

export function checkpointNode(ledger: LedgerName, note: string): LineageNode {
  const { origin, size, root } = parseCheckpoint(parseNote(note).text)
  return { kind: 'checkpoint', id: `${ledger}@${size}`, origin, size, root: Buffer.from(root).toString('base64') }
}

const recordFacts = [
  'repository',
  'commit',
  'run',
  'part',
  'path',
  'blob',
  'metric',
  'definition',
  'window',
  'lines',
  'mutants',
  'reason',
  'sha256',
]

/** The record that was asked for, by itself. */
export function recordNode(record: StoredRecord): LineageNode {
  const { ledger, seq, id, kind, recordedAt } = record
  const place = { ledger, seq, recorded_at: printTime(recordedAt) }
  return { kind: 'record', id, record_kind: kind, ...place, ...pick(fieldsOf(record), recordFacts), records: [id] }
}
