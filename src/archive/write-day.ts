import type { Database } from '../database/database.ts'
import type { LedgerReader, StoredRecord } from '../ledger/read.ts'
import * as ledgerStore from '../ledger/store.ts'
import type { Tree } from '../ledger/tree.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { verifyConsistency } from '../log/merkle-proof.ts'
import { type Edge, emptyEdge, equalHashes, rootOf } from '../log/merkle.ts'
import type { Objects, PutOptions } from '../objects/objects.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Signer } from '../signing/signer.ts'
import { dayKey, dayPayloadType, leavesFile, manifestDigest, manifestFile, printManifest, recordsFile } from '../verify/day-manifest.ts' // oxfmt-ignore
import type { DayManifest } from '../verify/day-manifest.ts'
import type { Day } from './calendar.ts'
import { readBack } from './read-back.ts'
import { storedManifest } from './stored-manifest.ts'
import { printRecords } from './records-file.ts'
import { type ColdDay, insertColdDay } from './store.ts'

/**
 * One closed day into the archive: records, leaf hashes, manifest, each stored once; then everything is read back and verified, and only
 * then the day counts. A crash anywhere leaves files that the next try finds: what is there stays, and has to hold the same records.
 */

export interface DayWriter {
  db: Database
  reader: LedgerReader
  tree: Tree
  objects: Objects
  signer: Pick<Signer, 'signStatement' | 'keys'>
  ledger: LedgerName
  origin: string
  /** How long nobody may delete the files of a day, where the storage can lock them. */
  lock: (day: Day) => PutOptions
}

export interface DayToWrite {
  day: Day
  /** Records [first, next). */
  first: number
  next: number
  /** Of the record before `first`; -1 for none. */
  lastTime: Micros
  previous: ColdDay | undefined
}

const leavesAtOnce = 16_384

export async function writeDay(deps: DayWriter, wanted: DayToWrite, signal: AbortSignal): Promise<ColdDay> {
  const { db, tree, objects, signer, ledger, origin, lock } = deps
  const { day, first, next, lastTime, previous } = wanted
  const before = await edgeAt(tree, first)
  const root = rootOf(await edgeAt(tree, next))
  if (previous !== undefined && !previous.root.equals(rootOf(before)))
    throw new Problem('integrity', `${ledger}: the root before ${day} is not that of the archived day before it`)
  await putFiles(deps, wanted, signal)
  const found = await readBack(
    objects,
    { ledger, day, origin, from: { ...before, lastTime }, size: next, root },
    signal,
  )
  const manifest: DayManifest = {
    ledger, day, origin, first, size: next, root,
    previous: previous?.manifest.toString('hex'),
    consistency: first > 0 && first < next ? await tree.consistency(first, next) : [],
    checkpoint: await checkpointOf(deps, next, root),
    files: found.files,
    frames: found.frames,
  } // oxfmt-ignore
  const payload = printManifest(manifest)
  const envelope = await signer.signStatement(dayPayloadType, payload)
  await objects.put(dayKey(ledger, day, manifestFile), [Buffer.from(envelope)], lock(day))
  const stored = await storedManifest(deps, manifest)

  const repositories = found.names.repositories()
  for (const run of found.names.runs()) {
    const repository = await repositoryOf(deps, run)
    if (repository !== undefined) repositories.add(repository)
  }
  const bytes = found.files.reduce((sum, file) => sum + file.bytes, stored.length)
  const cold: ColdDay = {
    day, first, next, lastTime: found.lastTime, bytes,
    root: Buffer.from(root),
    manifest: Buffer.from(manifestDigest(stored), 'hex'),
    repositories: [...repositories].toSorted(),
  } // oxfmt-ignore
  await insertColdDay(db, ledger, cold, [...found.names.artifacts()])
  return cold
}

/** Records and leaf hashes of a day, each stored once: what lies there stays. Answers those that were not there. */
export async function putFiles(
  deps: Pick<DayWriter, 'reader' | 'tree' | 'objects' | 'ledger' | 'lock'>,
  { day, first, next }: Pick<DayToWrite, 'day' | 'first' | 'next'>,
  signal: AbortSignal,
): Promise<string[]> {
  const { tree, objects, ledger, lock } = deps
  if (next === first) return []
  const records = printRecords(recordsBetween(deps, first, next, signal))
  const put = {
    [recordsFile]: await objects.put(dayKey(ledger, day, recordsFile), records, lock(day)),
    [leavesFile]: await objects.put(dayKey(ledger, day, leavesFile), leavesBetween(tree, first, next), lock(day)),
  }
  return Object.entries(put).flatMap(([file, stored]) => (stored === 'stored' ? [file] : []))
}

/** The tree of `size` records, which need not be the size of any head: days end within appends too. */
export async function edgeAt(tree: Tree, size: number): Promise<Edge> {
  return size === 0 ? emptyEdge : tree.edgeOf(size)
}

async function checkpointOf(
  { db, tree, ledger }: DayWriter,
  size: number,
  root: Uint8Array,
): Promise<DayManifest['checkpoint']> {
  const covering = await ledgerStore.checkpointCovering(db, ledger, size)
  if (covering === undefined) throw new Problem('unavailable', `${ledger}: no checkpoint covers ${size} records yet`)
  const consistency = size > 0 && size < covering.size ? await tree.consistency(size, covering.size) : []
  const signed = parseCheckpoint(covering.note.slice(0, covering.note.lastIndexOf('\n\n') + 1)).root
  const holds =
    size === covering.size
      ? equalHashes(root, signed)
      : verifyConsistency({ from: size, to: covering.size, proof: consistency, fromRoot: root, toRoot: signed })
  if (!holds) throw new Problem('integrity', `${ledger}: the tree of ${size} records does not lead to its checkpoint`)
  return { note: covering.note, consistency }
}

async function* recordsBetween(
  { reader, ledger }: Pick<DayWriter, 'reader' | 'ledger'>,
  first: number,
  next: number,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredRecord[]> {
  for (let at = first; at < next;) {
    signal.throwIfAborted()
    const batch = await reader.readBatch(ledger, at, { until: next, maxRecords: 1_024 })
    if (batch.next === at) throw new Problem('unavailable', `${ledger}: record ${at} is not published yet`)
    yield batch.records
    at = batch.next
  }
}

async function* leavesBetween(tree: Tree, first: number, next: number): AsyncGenerator<Uint8Array> {
  for (let at = first; at < next; at += leavesAtOnce) yield await tree.leafHashes(at, Math.min(next, at + leavesAtOnce))
}

/** A rejection may name a run and no repository. */
async function repositoryOf({ db, reader, ledger }: DayWriter, run: string): Promise<string | undefined> {
  const [declared] = await ledgerStore.findSubmissions(db, ledger, [`run:${run}`], [])
  if (declared === undefined) return undefined
  const fields = JSON.parse((await reader.payload(ledger, declared.firstSeq)).toString()) as { repository?: unknown }
  return typeof fields.repository === 'string' ? fields.repository : undefined
}
