import type { Database } from '../database/database.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { type Edge, createEdge, emptyEdge, hashBytes, perfectSubtrees } from '../log/merkle.ts'
import { type Artifacts, type Objects, createArtifacts } from '../objects/objects.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { createAudit } from '../verify/audit.ts'
import type { Difference } from '../verify/differences.ts'
import { auditRows } from './audit-database.ts'
import { auditWindow, expectWindow } from './audit-window.ts'
import type { LedgerReader } from './read.ts'
import { createStoredSegments } from './stored-segments.ts'
import * as store from './store.ts'
import { createTree } from './tree.ts'

/**
 * One stretch of a scrub: some ten thousand records between two heads, read anew from where they are stored and audited against everything
 * that is claimed about them, and the artifacts that their part records name. What a pass cannot see alone: payloads that were recorded
 * twice, whose table would grow with the ledger; `proofline verify --database` looks for those.
 */

export interface ScrubDeps {
  db: Database
  reader: LedgerReader
  objects: Objects
  ledger: LedgerName
  origin: string
  vkeys: readonly TrustedKey[]
  signal: AbortSignal
}

export interface Stretch {
  /** Where the next one begins; undefined when the signal came first. */
  next: number | undefined
  /** This one ends at the newest head. */
  isLast: boolean
  differences: Difference[]
  differenceCount: number
  records: number
  /** Decoded, of artifacts. */
  bytes: number
}

export async function scrubStretch(deps: ScrubDeps, from: number): Promise<Stretch> {
  const { db, reader, ledger, origin, vkeys, signal } = deps
  const end = (await store.readHead(db, ledger)).head?.size ?? 0
  const { start, fault } = await startAt(deps, Math.min(from, end))
  const audit = createAudit({ ledger, origin, vkeys, from: start, findDoubles: false })
  if (fault !== undefined) audit.differ('root-mismatch', 0, `hashes that lead to the head of ${start.size} records`, fault, start.size - 1) // oxfmt-ignore
  const none = { next: undefined, isLast: false, differences: [], differenceCount: 0, records: 0, bytes: 0 }
  const window = await expectWindow(db, ledger, audit, start.size, end)
  const named = new Map<string, number>()
  if (window !== undefined) {
    const segments = createStoredSegments(reader, ledger, window.from)
    await auditWindow({ db, ledger, audit, segments, signal, onSegment: (row, raw) => collectArtifacts(named, row, raw) }, window) // oxfmt-ignore
  } else if (!signal.aborted) {
    if (start.size < end) audit.differ('row-mismatch', start.size, `a head that extends ${start.size} records`, 'none', end - 1) // oxfmt-ignore
    await auditRows(db, ledger, audit, end)
  }
  let bytes = 0
  const artifacts = createArtifacts(deps.objects)
  for (const [sha256, seq] of named) {
    if (signal.aborted) return none
    const read = await readArtifact(artifacts, sha256)
    bytes += read.bytes
    if (read.fault !== undefined) audit.differ('artifact-mismatch', seq, `artifact ${sha256}`, read.fault)
  }
  if (signal.aborted) return none
  const { differences, differenceCount } = audit.finish()
  const next = window?.to ?? end
  return { next, isLast: window === undefined, differences, differenceCount, records: next - start.size, bytes }
} // oxfmt-ignore

interface Start {
  start: Edge & { lastTime: Micros }
  /** Why the tree before it cannot be had; the records behind it are checked one by one all the same. */
  fault: string | undefined
}

/** The tree to go on from: that of a head, folded anew out of the hashes that are stored. */
async function startAt({ db, reader, ledger }: ScrubDeps, size: number): Promise<Start> {
  if (size === 0) return { start: { ...emptyEdge, lastTime: -1 }, fault: undefined }
  const head = await store.findHead(db, ledger, size)
  const lastTime = head?.lastTime ?? -1
  try {
    if (head === undefined) throw new Problem('integrity', `there is no head of ${size} records`)
    return { start: { ...(await createTree(db, ledger, reader).edge(size, head.root)), lastTime }, fault: undefined }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const unknown = perfectSubtrees(0, size).map(() => new Uint8Array(hashBytes))
    return { start: { ...createEdge(size, unknown), lastTime }, fault: error.message }
  }
}

const artifactName = /"artifact_sha256":"([0-9a-f]{64})"/g

function collectArtifacts(named: Map<string, number>, { kind, firstSeq }: store.SegmentRow, raw: Buffer): void {
  if (kind !== 'part') return // coverage records name the artifact of their part again
  for (const [, sha256 = ''] of raw.toString('latin1').matchAll(artifactName)) named.set(sha256, firstSeq)
}

/** Reads it to its end, which checks its digest. */
async function readArtifact(artifacts: Artifacts, sha256: string): Promise<{ bytes: number; fault: string | undefined }> {
  let bytes = 0
  try {
    const stream = await artifacts.open(sha256)
    if (stream === undefined) return { bytes, fault: 'nothing' }
    for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length
    return { bytes, fault: undefined }
  } catch (error) {
    if (error instanceof Problem && error.code === 'integrity') return { bytes, fault: error.message }
    throw error
  }
} // oxfmt-ignore
