import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Append } from './batch.ts'

/** The one way into a ledger: the SQL function `append`, which says what it refuses and why (migrations/0008_slim_heads.sql). */

/** The genesis head of a ledger; nothing happens when it is there. */
export async function insertGenesis(db: Queryable, ledger: LedgerName, root: Uint8Array): Promise<void> {
  await db.query({
    name: 'insert_genesis',
    text: `select append($1, -1, 0, $2, 0, 0, '1970-01-01', 'other', '{}', ''::bytea, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
                         '{}', '{}', '{}', '{}', ''::bytea, ''::bytea, ''::bytea, '{}', '{}', ''::bytea, null)`,
    values: [ledger, root],
  })
}

/** One append, one autocommit statement. Answers the database clock; undefined when the fence was lost and nothing was written. */
export async function insertAppend(db: Queryable, append: Append): Promise<Micros | undefined> {
  return call(db, 'append', append)
}

/**
 * The same for records that an older database lost, with the times that they were signed with. Only the owner may; the service cannot
 * (migrations/0016_recover.sql).
 */
export async function restoreAppend(owner: Queryable, append: Append): Promise<Micros | undefined> {
  return call(owner, 'restore_append', append)
}

async function call(db: Queryable, name: 'append' | 'restore_append', append: Append): Promise<Micros | undefined> {
  const { next, submissions, segments, tileRoots, seals } = append
  const join = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts)
  const { rows } = await db.query<{ clock: number | null }>({
    name,
    text: `select ${name}($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30) as clock`,
    values: [
      next.ledger,
      append.base,
      next.edge.size,
      join([next.root]),
      append.firstTime,
      next.lastTime,
      append.month,
      append.testType,
      submissions.map((s) => s.key),
      join(submissions.map((s) => s.digest)),
      submissions.map((s) => s.firstSeq),
      submissions.map((s) => s.lastSeq),
      submissions.map((s) => s.firstTime),
      segments.map((s) => s.firstSeq),
      segments.map((s) => s.segment.count),
      segments.map((s) => s.firstTime),
      segments.map((s) => s.segment.kind),
      segments.map((s) => s.segment.chain?.toString() ?? null),
      segments.map((s) => s.segment.chainIndex ?? null),
      segments.map((s) => s.segment.dictionarySeq ?? null),
      segments.map((s) => s.segment.depth),
      segments.map((s) => s.segment.rawBytes),
      segments.map((s) => s.segment.compressed.length),
      join(segments.map((s) => s.segment.compressed)),
      join(segments.map((s) => s.leafHashes)),
      join(segments.map((s) => s.segment.idHashes)),
      tileRoots.map((t) => t.level),
      tileRoots.map((t) => t.index),
      join(tileRoots.map((t) => t.root)),
      seals.length === 0 ? null : JSON.stringify(seals),
    ],
  })
  return rows[0]?.clock ?? undefined
}
