import type { Queryable } from '../database/database.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import type { LedgerName } from '../record/record.ts'
import { type Audit, type AuditResult, createAudit } from '../verify/audit.ts'
import { findStraySegments, findSubmissionFaults, lastSubmitted } from './audit-store.ts'
import { auditWindow, expectWindow } from './audit-window.ts'
import type { LedgerReader } from './read.ts'
import { createStoredSegments } from './stored-segments.ts'
import * as store from './store.ts'

export interface AuditDatabase {
  db: Queryable
  reader: Pick<LedgerReader, 'rowsFrom' | 'rowAt'>
  ledger: LedgerName
  origin: string
  vkeys: readonly TrustedKey[]
  signal: AbortSignal
}

/** A service may record while its database is audited: what was recorded meanwhile is looked at in so many more rounds. */
const rounds = 3
const rowsTold = 1_000

/**
 * All of one ledger as it is stored, in the tables and in the archive: every record against its leaf hash, every head, every checkpoint with its signature, every tile root,
 * and that the submissions tile the ledger. Reads the tables themselves and repairs nothing: what cannot be decompressed or is missing is a
 * difference like any other. Memory is flat but for the table in which payloads are found that were recorded twice.
 */
export async function auditDatabase({
  db,
  reader,
  ledger,
  origin,
  vkeys,
  signal,
}: AuditDatabase): Promise<AuditResult> {
  const audit = createAudit({ ledger, origin, vkeys })
  const segments = createStoredSegments(reader, ledger)
  // Windows begin behind it: an empty log is signed too.
  const first = await store.checkpointCovering(db, ledger, 0)
  if (first?.size === 0) await audit.expectCheckpoint(first.note)
  let at = 0
  for (let round = 0; round < rounds && !signal.aborted; round++) {
    const end = (await store.readHead(db, ledger)).head?.size ?? 0
    for (;;) {
      const window = await expectWindow(db, ledger, audit, at, end)
      if (window === undefined || signal.aborted) break
      await auditWindow({ db, ledger, audit, segments, signal }, window)
      at = window.to
    }
    if (((await store.newestCheckpoint(db, ledger))?.size ?? 0) <= at) break
  }
  // An empty ledger has no window, and a signed head all the same.
  const empty = at === 0 ? await store.newestCheckpoint(db, ledger) : undefined
  if (empty?.size === 0) await audit.expectCheckpoint(empty.note)
  if (!signal.aborted) await auditRows(db, ledger, audit, at)
  return audit.finish()
}

/** What can be asked of the tables without the records: one statement each, however large the ledger is. */
export async function auditRows(db: Queryable, ledger: LedgerName, audit: Pick<Audit, 'differ'>, size: number): Promise<void> {
  if (size === 0) {
    const newest = await store.newestCheckpoint(db, ledger)
    if (newest !== undefined && newest.size > 0) audit.differ('row-mismatch', 0, `${newest.size} records, as a checkpoint says`, 'no head') // oxfmt-ignore
  }
  for (const { key, firstSeq, lastSeq, firstTime, before, segmentTime } of await findSubmissionFaults(db, ledger, size, rowsTold)) {
    if (firstSeq !== before + 1) audit.differ('row-mismatch', Math.min(firstSeq, before + 1), `a submission that begins at ${before + 1}`, `${key} from ${firstSeq} to ${lastSeq}`) // oxfmt-ignore
    else if (segmentTime === null) audit.differ('row-mismatch', firstSeq, `a segment that begins with ${key}`, 'none')
    else if (segmentTime !== firstTime) audit.differ('row-mismatch', firstSeq, `${key} at ${segmentTime} us`, `${firstTime} us`) // oxfmt-ignore
  }
  const last = await lastSubmitted(db, ledger, size)
  if (last !== size - 1) audit.differ('row-mismatch', Math.min(last + 1, size), `submissions of ${size} records`, `they end at ${last}`) // oxfmt-ignore
  for (const { firstSeq, count, month, before, newest } of await findStraySegments(db, ledger, rowsTold)) {
    const end = firstSeq + count
    if (end > newest) audit.differ('row-mismatch', firstSeq, `${newest} records, as the newest head says`, `a segment of ${firstSeq} to ${end - 1}`) // oxfmt-ignore
    else if (firstSeq < before) audit.differ('row-mismatch', firstSeq, `a segment that begins at ${before}`, `one more of ${firstSeq} to ${end - 1}`) // oxfmt-ignore
    else audit.differ('row-mismatch', firstSeq, 'a segment in the month of its time', `in ${month}`, end - 1)
  }
} // oxfmt-ignore
