import { setImmediate as breathe } from 'node:timers/promises'
import type { Database } from '../database/database.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { type AuditResult, createAudit } from '../verify/audit.ts'
import { createHeaderWriter } from './header-writer.ts'
import type { LedgerReader } from './read.ts'
import * as store from './store.ts'

export interface AuditDatabase {
  db: Database
  reader: LedgerReader
  ledger: LedgerName
  origin: string
  vkeys: readonly TrustedKey[]
  signal: AbortSignal
}

const segmentsAtOnce = 32
const headsAtOnce = 10_000

/**
 * Every record of one ledger as it is stored, against its leaf hash, all heads and the newest checkpoint, and against the tile roots. Reads
 * the tables themselves and repairs nothing: what cannot be decompressed or is missing is a difference like any other.
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
  const newest = await store.newestCheckpoint(db, ledger)
  if (newest !== undefined) await audit.expectCheckpoint(newest.note)
  for (let base = -1; ;) {
    const heads = await store.headsFrom(db, ledger, base, headsAtOnce)
    for (const head of heads) audit.expectHead(head.size, head.root)
    const last = heads.at(-1)
    if (last === undefined || heads.length < headsAtOnce) break
    base = last.base + 1
  }
  const end = (await store.readHead(db, ledger)).head?.size ?? 0
  for (let level = 1; level <= 8; level++) {
    const entries = Math.floor(end / 256 ** level)
    for (let index = 0; index * 256 < entries; index++) {
      const width = Math.min(256, entries - index * 256)
      const roots = await store.tileRootsBetween(db, ledger, level, index * 256, index * 256 + width)
      if (roots.length === width) audit.expectTile({ level, index, width }, Buffer.concat(roots))
    }
  }
  const scratch = Buffer.alloc(8_192)
  const headers = createHeaderWriter(ledger)
  for (let at = 0; at < end && !signal.aborted;) {
    const rows = await reader.rowsFrom(ledger, at, segmentsAtOnce)
    if (rows.length === 0) break
    for (const row of rows) {
      audit.expectLeafHashes(row.firstSeq, row.leafHashes)
      const raw = await reader.unpack(ledger, row).catch((error: unknown) => {
        if (error instanceof Problem) return Buffer.alloc(0)
        throw error
      })
      let start = 0
      for (let i = 0; i < row.count; i++) {
        const found = raw.indexOf(10, start)
        const stop = found < 0 ? start : found
        const header = headers.write(row.firstSeq + i, row.firstTime + i, row.idHashes, i * 8)
        scratch.set(header)
        const length = header.length + raw.copy(scratch, header.length, start + 1, stop)
        audit.add(scratch.subarray(0, length), row.firstSeq + i)
        start = stop + 1
      }
      at = row.firstSeq + row.count
    }
    await breathe()
  }
  return audit.finish()
}
