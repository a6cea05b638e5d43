import type { StoredRecord } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, RecordKind } from '../record/record.ts'
import { cutCoverage } from './coverage-text.ts'
import { findSpans } from './find-spans.ts'
import type { HistoryMemory } from './memory.ts'
import { gatherRun, pathId, toBytes } from './project-run.ts'
import { fieldsAt, fieldsOf, readSpan } from './read-records.ts'
import { type CountingPart, type RunReadDeps, readParts } from './read-run.ts'
import {
  baseOf,
  inventoryBaseOf,
  newOfCommit,
  rememberCommit,
  rememberInventory,
  rememberRun,
} from './repository-memory.ts'
import { type PartLayout, type Rows, countRows, noRows } from './rows.ts'

/** What the records from a position on add to the history. Reads; writes nothing but the memory. */

export interface Step {
  rows: Rows
  next: number
}

export type StepDeps = RunReadDeps & { ledger: LedgerName; memory: HistoryMemory; signal: AbortSignal }

/** What the history is made of: coverage and parts are read where a seal says that they count. */
const kinds: readonly RecordKind[] = ['run', 'inventory', 'linemap', 'seal', 'abandonment', 'rejection']
const maxRows = 20_000

/** Ends at a record behind which everything is whole, `size` at most. */
export async function planStep(deps: StepDeps, from: number, size: number): Promise<Step> {
  const { db, reader, ledger, signal } = deps
  const rows = noRows()
  const { spans, end } = await findSpans(db, ledger, from, size, kinds)
  let next = from
  const list: ListWindows = { files: [], hunks: [], first: -1 }
  for (const { firstSeq, count } of spans) {
    for await (const record of readSpan(reader, ledger, firstSeq, Math.min(firstSeq + count, size) - 1)) {
      if (kinds.includes(record.kind)) await planRecord(deps, rows, record, list)
      // Windows of one inventory or map may lie in several segments: between them a step cannot end.
      if (list.first < 0) next = record.seq + 1
    }
    if (list.first < 0 && (countRows(rows) > maxRows || signal.aborted)) return { rows, next }
  }
  return { rows, next: list.first < 0 ? end : next }
}

/** Windows of the list that is being read. */
interface ListWindows {
  files: [path: string, blob: string][]
  hunks: string[]
  /** Seq of the first; -1 between lists. */
  first: number
}

async function planRecord(deps: StepDeps, rows: Rows, record: StoredRecord, list: ListWindows): Promise<void> {
  const { kind, seq } = record
  const fields = fieldsOf(record)
  if (typeof fields['repository'] !== 'string') return // a refusal of what did not even say its repository
  const memory = await deps.memory.repository(fields['repository'], rows)
  if (kind === 'run') return planRunRecord(memory, rows, record, fields)
  if (kind === 'rejection') return planRejection(memory, rows, record, fields)
  if (kind === 'seal' || kind === 'abandonment') return planEnd(deps, memory, rows, record, fields)
  if (list.first < 0) list.first = seq
  const window = fields['window'] as { index: number; of: number } | undefined // absent from a map of one record
  const isLast = window === undefined || window.index === window.of - 1
  if (kind === 'inventory') list.files.push(...(fields['files'] as [string, string][]))
  else if (fields['hunks'] !== '') list.hunks.push(String(fields['hunks']))
  if (!isLast) return
  if (kind === 'inventory') await planInventory(deps, memory, rows, { seq, fields, files: list.files })
  else planMap(memory, rows, seq, fields, list.hunks.join(' '))
  Object.assign(list, { files: [], hunks: [], first: -1 })
}

type Memory = Awaited<ReturnType<HistoryMemory['repository']>>
type Fields = Readonly<Record<string, unknown>>

function planRejection(memory: Memory, rows: Rows, { seq, recordedAt }: StoredRecord, fields: Fields): void {
  const text = (name: string): string | null => (typeof fields[name] === 'string' ? fields[name] : null)
  const row = { run: text('run'), commit: text('commit'), reason: String(fields['reason']) }
  rows.rejections.push({ repository: memory.id, seq, recordedAt, ...row })
}

function planRunRecord(memory: Memory, rows: Rows, { seq, recordedAt }: StoredRecord, fields: Fields): void {
  const commit = String(fields['commit'])
  const [run, suite] = [String(fields['run']), String(fields['suite'])]
  const ref = typeof fields['ref'] === 'string' ? fields['ref'] : ''
  rows.declared.push({ repository: memory.id, seq, run, suite, ref, commit: Buffer.from(commit, 'hex'), recordedAt })
  const [firstParents, parents] = [listOf(fields['first_parents']), listOf(fields['parents'])]
  const committedAt = typeof fields['committed_at'] === 'string' ? fields['committed_at'] : undefined
  const told = firstParents.length > 0 ? firstParents : parents.slice(0, 1)
  const news = newOfCommit(memory, commit, committedAt, told.filter((id) => id.length === commit.length))
  if (news === undefined) return
  rememberCommit(memory, commit, news.committedAt, news.parents)
  const bytes = Buffer.from(news.parents.join(''), 'hex')
  rows.commits.push({ repository: memory.id, seq, commit: Buffer.from(commit, 'hex'), committedAt: news.committedAt ?? null, parents: bytes })
} // oxfmt-ignore

/** A list of a `run` record, which may be cut to its first entries. */
function listOf(value: unknown): string[] {
  const list: unknown = Array.isArray(value) ? value : (value as { first?: unknown } | undefined)?.first
  return Array.isArray(list) ? list.filter((entry) => typeof entry === 'string') : []
}

async function planInventory(
  deps: StepDeps,
  memory: Memory,
  rows: Rows,
  { seq, fields, files }: { seq: number; fields: Fields; files: readonly [string, string][] },
): Promise<void> {
  const commit = String(fields['commit'])
  const base = inventoryBaseOf(memory, commit)
  const before = await deps.memory.inventoryState(memory, base)
  const state = new Map<number, string>()
  const add = (path: number, blob: string | undefined): void =>
    void rows.blobs.push({ repository: memory.id, path, seq, blob: toBytes(blob) })
  for (const [path, blob] of files) {
    const id = pathId(memory, Buffer.from(JSON.stringify(path)).toString('latin1'), rows)
    const known = before.get(id)
    state.set(id, known === blob ? known : blob)
    if (known !== blob) add(id, blob)
  }
  for (const id of before.keys()) if (!state.has(id)) add(id, undefined)
  rows.inventories.push({ repository: memory.id, seq, commit: Buffer.from(commit, 'hex'), base })
  rememberInventory(memory, seq, commit, base)
  deps.memory.rememberInventoryState(memory, seq, state)
}

function planMap(memory: Memory, rows: Rows, seq: number, fields: Fields, hunks: string): void {
  const from = fields['from'] as { path: string; blob: string } // written by record/line-map.ts
  const idOf = (path: string): number => pathId(memory, Buffer.from(JSON.stringify(path)).toString('latin1'), rows)
  rows.maps.push({
    repository: memory.id,
    path: idOf(String(fields['path'])),
    seq,
    fromPath: idOf(from.path),
    fromBlob: Buffer.from(from.blob, 'hex'),
    blob: Buffer.from(String(fields['blob']), 'hex'),
    hunks,
  })
}

async function planEnd(deps: StepDeps, memory: Memory, rows: Rows, { seq, recordedAt }: StoredRecord, fields: Fields): Promise<void> {
  const { reader, ledger } = deps
  const [run, suite, commit] = [String(fields['run']), String(fields['suite']), String(fields['commit'])]
  const ref = typeof fields['ref'] === 'string' ? fields['ref'] : ''
  const reasons = fields['admitted'] === true ? [] : (fields['reasons'] as string[])
  const parts = reasons.length > 0 ? 'gone' : await readCounting(deps, ledger, run, fields)
  if (parts === 'gone' && reasons.length === 0) reasons.push('evidence_gone')
  const production = typeof fields['production_digest'] === 'string' ? fields['production_digest'] : undefined
  const row = {
    repository: memory.id,
    seq,
    run,
    suite,
    ref,
    commit: Buffer.from(commit, 'hex'),
    recordedAt,
    reasons: reasons.join(','),
    production: toBytes(production),
  }
  if (parts === 'gone') return void rows.runs.push({ ...row, base: -1, parts: null })
  const counting = { seq, suite, ref, commit }
  const base = baseOf(memory, counting)
  const gathering = gatherRun(memory, await deps.memory.runState(memory, base), rows)
  const layouts: PartLayout[] = []
  for (const { metric, definition, ranges } of parts) {
    if (metric !== 'line') continue // mutants say nothing about what was executed
    await readPart(reader, ledger, ranges, gathering.add)
    layouts.push([gathering.endPart(), definition, ...ranges.flat()])
  }
  deps.memory.rememberRunState(memory, seq, gathering.finish(seq))
  rememberRun(memory, counting, base)
  rows.runs.push({ ...row, base, parts: JSON.stringify(layouts) })
} // oxfmt-ignore

/** What counts of a run; 'gone' where its first records have expired, or a list that says what counts. */
async function readCounting(deps: StepDeps, ledger: LedgerName, run: string, seal: Fields): Promise<CountingPart[] | 'gone'> {
  try {
    const { parts, unreadable } = await readParts(deps, ledger, run, seal)
    for (const { ranges } of parts) for (const [first] of ranges.slice(0, 1)) await fieldsAt(deps.reader, ledger, first)
    return unreadable ? 'gone' : parts
  } catch (error) {
    if (error instanceof Problem && error.code === 'expired') return 'gone'
    throw error
  }
} // oxfmt-ignore

/** Records are copied to the same place one after the other: only their texts are kept. */
const record = Buffer.alloc(8_192)

async function readPart(
  reader: RunReadDeps['reader'],
  ledger: LedgerName,
  ranges: CountingPart['ranges'],
  add: (text: ReturnType<typeof cutCoverage>) => void,
): Promise<void> {
  for (const [first, last] of ranges)
    for await (const stored of readSpan(reader, ledger, first, last))
      add(cutCoverage(record.subarray(0, stored.copyTo(record, 0))))
}
