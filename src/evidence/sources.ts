import type { Readable } from 'node:stream'
import type { StoredRecord } from '../ledger/read.ts'
import type { Node } from '../log/merkle.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, RecordKind } from '../record/record.ts'
import type { PackRecord } from '../verify/pack-account.ts'

/** Where a pack takes its bytes from. Nothing here is believed by whoever verifies the pack. */
export interface PackSources {
  org: string
  ledgers: readonly LedgerName[]
  originOf: (ledger: LedgerName) => string
  /** Records of these kinds within [from, until), in order of seq; each is checked against its leaf hash. */
  records: (
    ledger: LedgerName,
    from: number,
    until: number,
    kinds: ReadonlySet<RecordKind>,
  ) => AsyncIterable<StoredRecord>
  /** Smallest published seq whose recorded_at is at or after `at`. */
  seqAt: (ledger: LedgerName, at: number) => Promise<number>
  checkpoints: CheckpointSource
  files: FileSource
  /** Hashes of perfect subtrees. */
  nodes: (ledger: LedgerName, wanted: readonly Node[]) => Promise<Uint8Array[]>
  /** Seqs of the `part` records of a run. */
  partSeqs: (ledger: LedgerName, run: string) => Promise<number[]>
  openArtifact: (sha256: string) => Promise<Readable | undefined>
  signStatement: (payloadType: string, payload: Uint8Array) => Promise<string>
  /** The tlog-policy text in force: whose signatures and cosignatures count. */
  policy: () => Promise<string>
  /** RFC 3161 tokens over notes of checkpoints of `size` records at most, one of each authority: the first that covers `end`, else the last. */
  timestamps: (ledger: LedgerName, end: number, size: number) => Promise<Stamp[]>
}

export interface Stamp {
  size: number
  /** As it was stamped: with the log's own signature only. */
  note: string
  token: Uint8Array
}

/** What is known of files without a look into records: derived, so everything that comes from here is checked by the records it names. */
export interface FileSource {
  /** Resolves when all before `until` is known; rejects with Problem `unavailable` when that takes long. */
  reach(ledger: LedgerName, until: number): Promise<void>
  /** Runs of the repository that ended before `until`, in that order; those with the same `same` say the same of the file. */
  runs(ledger: LedgerName, repository: string, path: string, until: number): Promise<FileRun[]>
  /** Seqs of line maps from or to the path. */
  maps(ledger: LedgerName, repository: string, path: string, from: number, to: number): Promise<number[]>
  /** Ids of records, by seq. */
  ids(ledger: LedgerName, seqs: readonly number[]): Promise<Map<number, string>>
}

export interface FileRun {
  seq: number
  run: string
  suite: string
  ref: string
  commit: string
  counted: boolean
  /** The file's coverage records in the parts that count. */
  records: number[]
  same: number
}

/** Signed notes, with the cosignatures that there are. */
export interface CheckpointSource {
  isWitnessed: boolean
  newest(ledger: LedgerName): Promise<{ size: number; note: string } | undefined>
  /** The smallest at or after this size; of a log with a quorum the smallest that has it. */
  atOrAfter(ledger: LedgerName, size: number): Promise<{ size: number; note: string } | undefined>
}

const decoder = new TextDecoder()

export interface ReadRecord extends PackRecord {
  bytes: Uint8Array
}

export function openStored(record: StoredRecord): ReadRecord {
  const { bytes } = record
  const fields = JSON.parse(decoder.decode(bytes)) as Record<string, unknown> // our own record, checked against its leaf
  return {
    seq: record.seq,
    id: record.id,
    kind: record.kind,
    recorded_at: String(fields['recorded_at']),
    fields,
    bytes,
  }
}

export const everyKind: ReadonlySet<RecordKind> = new Set<RecordKind>(['run', 'inventory', 'part', 'coverage', 'linemap', 'comparison', 'seal', 'abandonment', 'rejection', 'build', 'contract', 'gate', 'deployment', 'disposition', 'report', 'command', 'access', 'key', 'configuration', 'alert', 'heartbeat', 'reconciliation', 'retention', 'hold', 'loss']) // oxfmt-ignore

/** The record at one seq. */
export async function readOne(sources: PackSources, ledger: LedgerName, seq: number): Promise<ReadRecord> {
  for await (const record of sources.records(ledger, seq, seq + 1, everyKind)) return openStored(record)
  throw new Error(`${ledger} has no record ${seq}`)
}

/** Undefined for one whose retention has passed: the rest of the pack stands without it, and whoever verifies it is told. */
export async function readUnlessExpired(
  sources: PackSources,
  ledger: LedgerName,
  seq: number,
): Promise<ReadRecord | undefined> {
  return readOne(sources, ledger, seq).catch((error: unknown) => {
    if (error instanceof Problem && error.code === 'expired') return undefined
    throw error
  })
}
