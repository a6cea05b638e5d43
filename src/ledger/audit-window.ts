import { setImmediate as breathe } from 'node:timers/promises'
import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Audit } from '../verify/audit.ts'
import { checkpointsBetween, tileRowsBetween } from './audit-store.ts'
import { hotFrom, leafPiecesBetween } from './cold.ts'
import { createHeaderWriter } from './header-writer.ts'
import { kindAt } from './open-segment.ts'
import * as store from './store.ts'
import type { StoredSegments } from './stored-segments.ts'

/**
 * A stretch of a ledger as its tables have it, told to an audit: what is claimed about the stretch (heads, checkpoints, tile roots), then its
 * records. Nothing is repaired and nothing is skipped: a row that is missing is told like one that is wrong.
 */

export interface Window {
  /** Sizes: the records [from, to), `to` being that of a head. */
  from: number
  to: number
  /** Times of the heads in it, by size. */
  lastTimes: Map<number, Micros>
}

const windowRecords = 32_768
const headsAtOnce = 4_096
const checkpointsAtOnce = 1_000
const checkedAtOnce = 16

/** Tells the heads that follow on size `from`, about 32,768 records of them, and what else is claimed about their records. Undefined at the end. */
export async function expectWindow(
  db: Queryable,
  ledger: LedgerName,
  audit: Audit,
  from: number,
  end: number,
): Promise<Window | undefined> {
  const lastTimes = new Map<number, Micros>()
  let to = from
  for (const head of await store.headsFrom(db, ledger, from === 0 ? -1 : from, headsAtOnce)) {
    if (head.size > end || (to > from && head.size - from > windowRecords)) break
    const wanted = head.base < 0 ? -1 : to
    if (head.base !== wanted) audit.differ('row-mismatch', to, `a head that extends ${to} records`, `the next one extends ${head.base}`, Math.max(to, head.base - 1)) // oxfmt-ignore
    audit.expectHead(head.size, head.root)
    lastTimes.set(head.size, head.lastTime)
    to = head.size
  }
  if (to === from) return undefined
  await expectCheckpoints(db, ledger, audit, from === 0 ? -1 : from, to)
  for (let level = 1; level <= 8; level++) {
    const span = 256 ** level
    const [first, past] = [Math.floor(from / span), Math.floor(to / span)]
    if (past === 0) break
    await expectTileRows(db, ledger, audit, level, first, past)
  }
  return { from, to, lastTimes }
}

async function expectCheckpoints(db: Queryable, ledger: LedgerName, audit: Audit, from: number, to: number): Promise<void> {
  for (let after = from; ;) {
    const rows = await checkpointsBetween(db, ledger, after, to, checkpointsAtOnce)
    for (let at = 0; at < rows.length; at += checkedAtOnce) {
      await Promise.all(
        rows.slice(at, at + checkedAtOnce).map(async ({ size, note }) => {
          const [, named = ''] = note.split('\n', 2)
          if (named !== String(size)) return audit.differ('row-mismatch', Math.max(0, size - 1), `a checkpoint of ${size} records`, `one of ${named}`) // oxfmt-ignore
          await audit.expectCheckpoint(note)
        }),
      )
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < checkpointsAtOnce) return
    after = last.size
  }
} // oxfmt-ignore

async function expectTileRows(db: Queryable, ledger: LedgerName, audit: Audit, level: number, first: number, past: number): Promise<void> {
  const span = 256 ** level
  const roots = new Map((await tileRowsBetween(db, ledger, level, first, past)).map(({ index, root }) => [index, root]))
  for (let index = first; index < past; index++) {
    const root = roots.get(index)
    if (root !== undefined) audit.expectSubtrees(level, index, root)
    else audit.differ('tile-mismatch', index * span, `entry ${index} of tile level ${level}`, 'nothing', (index + 1) * span - 1) // oxfmt-ignore
  }
} // oxfmt-ignore

export interface AuditedLedger {
  db: Queryable
  ledger: LedgerName
  audit: Audit
  segments: StoredSegments
  signal: AbortSignal
  /** Sees each segment that could be decompressed. */
  onSegment?: (row: store.SegmentRow, raw: Buffer) => void
}

/** Feeds the window's records. What cannot be decompressed counts as missing: its leaf hashes stand in for it, so that the rest is still proved. */
export async function auditWindow(
  { db, ledger, audit, segments, signal, onSegment }: AuditedLedger,
  { to, lastTimes }: Window,
): Promise<void> {
  while (!signal.aborted) {
    let row: store.SegmentRow | undefined
    try {
      row = await segments.next(to)
    } catch (error) {
      if (!(error instanceof Problem) || (error.code !== 'integrity' && error.code !== 'expired')) throw error
      segments.seek(await passArchived(db, ledger, audit, to, error))
      continue
    }
    if (row === undefined) return
    const end = row.firstSeq + row.count
    if (end > audit.next()) audit.expectLeafHashes(row.firstSeq, row.leafHashes)
    const raw = await segments.unpack(row).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      audit.differ('row-mismatch', row.firstSeq, `a segment of ${row.count} records`, why, end - 1)
      return undefined
    })
    if (raw !== undefined) {
      addSegment(ledger, audit, row, raw)
      onSegment?.(row, raw)
    }
    const claimed = lastTimes.get(end)
    if (claimed !== undefined && claimed !== row.firstTime + row.count - 1) audit.differ('row-mismatch', end - 1, `a head of ${end} records at ${row.firstTime + row.count - 1} us`, `${claimed} us`) // oxfmt-ignore
    await breathe() // a segment takes some milliseconds, and a service has others to answer
  }
} // oxfmt-ignore

/**
 * Steps over archived records that cannot be read: gone because their retention passed, which is no difference, or lost. Their leaf hashes
 * never leave the database, so what follows is proved all the same. Answers where to go on.
 */
async function passArchived(db: Queryable, ledger: LedgerName, audit: Audit, to: number, problem: Problem): Promise<number> {
  const from = audit.next()
  const { earliest, next } = (problem.extra ?? {}) as { earliest?: number; next?: number }
  const isExpired = problem.code === 'expired' && earliest !== undefined && earliest > from
  const past = Math.min(to, isExpired ? earliest : Math.max(from + 1, next ?? (await hotFrom(db, ledger))))
  for (const { first, hashes } of await leafPiecesBetween(db, ledger, from, past)) {
    const skipped = Math.max(0, from - first) * 32
    audit.expectLeafHashes(first + skipped / 32, hashes.subarray(skipped))
  }
  if (!isExpired) audit.differ('row-mismatch', from, 'records in the archive', problem.message, past - 1)
  audit.pass(past, isExpired ? 'expired' : 'missing')
  return past
} // oxfmt-ignore

/** 0x00 and the longest record that is still hashed whole. */
let leaf = new Uint8Array(16_384)

function addSegment(ledger: LedgerName, audit: Audit, row: store.SegmentRow, raw: Buffer): void {
  const headers = createHeaderWriter(ledger)
  const placed = { leaf, leafLength: 0, headerLength: 0, seq: 0, recordedAt: 0, ids: row.idHashes, idAt: 0 }
  const kind = kindAt(raw, 0)
  if (kind !== row.kind) audit.differ('row-mismatch', row.firstSeq, `records of kind ${row.kind}`, `kind ${kind}`)
  let start = 0
  for (let i = 0; i < row.count; i++) {
    const found = raw.indexOf(10, start)
    if (found < 0) return // what follows is missing, and told by the audit
    const header = headers.write(row.firstSeq + i, row.firstTime + i, row.idHashes, i * 8)
    const length = 1 + header.length + Math.max(0, found - start - 1)
    if (leaf.length < length) leaf = placed.leaf = new Uint8Array(2 * length)
    leaf[0] = 0
    leaf.set(header, 1)
    raw.copy(leaf, 1 + header.length, start + 1, found)
    placed.leafLength = length
    placed.headerLength = header.length
    placed.seq = row.firstSeq + i
    placed.recordedAt = row.firstTime + i
    placed.idAt = i * 8
    audit.addPlaced(placed)
    start = found + 1
  }
}
