import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'

/** Every statement on vouching (how each witness and authority stands; derived) and witness_conflicts (insert-only). */

export type VoucherKind = 'witness' | 'authority'

export interface VouchingRow {
  ledger: LedgerName
  /** Of a witness `<name>+<id>` of its key, of an authority its address. */
  name: string
  askedAt: Micros
  /** Since when it failed at each asking; null while all is well. */
  failingSince: Micros | null
  detail: string
}

/** Who was asked and what came of it. `failure` undefined: all is well. */
export async function keepAsked(
  db: Queryable,
  ledger: LedgerName,
  kind: VoucherKind,
  { name, at, failure }: { name: string; at: Micros; failure: string | undefined },
): Promise<void> {
  await db.query({
    name: 'keep_asked',
    text: `insert into proofline_derived.vouching (ledger, kind, name, asked_at, failing_since, detail)
           values ($1, $2, $3, $4, case when $5::text is null then null else $4::bigint end, coalesce($5, ''))
           on conflict (ledger, kind, name) do update set asked_at = excluded.asked_at, detail = excluded.detail,
             failing_since = case when $5::text is null then null else coalesce(vouching.failing_since, excluded.failing_since) end`,
    values: [ledger, kind, name, at, failure?.slice(0, 512) ?? null],
    repeatable: true,
  })
}

export async function vouchingOf(
  db: Queryable,
  ledgers: readonly LedgerName[],
  kind: VoucherKind,
): Promise<VouchingRow[]> {
  const { rows } = await db.query<VouchingRow>({
    name: 'vouching_of',
    text: `select ledger, name, asked_at as "askedAt", failing_since as "failingSince", detail from proofline_derived.vouching
           where ledger = any($1) and kind = $2 order by ledger, name`,
    values: [ledgers, kind],
  })
  return rows
}

export interface Conflict {
  witness: string
  foundAt: Micros
  detail: string
  ours: string
  theirs: string
}

/** What it showed first since it began to fail is kept; the same found again says nothing new. */
export async function insertConflict(db: Queryable, ledger: LedgerName, conflict: Conflict): Promise<void> {
  const { witness, foundAt, detail, ours, theirs } = conflict
  await db.query({
    name: 'insert_witness_conflict',
    text: `insert into witness_conflicts (ledger, witness, found_at, detail, ours, theirs) select $1, $2, $3, $4, $5, $6
           where not exists (
             select from witness_conflicts as c where c.ledger = $1 and c.witness = $2 and c.theirs = $6 and c.found_at >= coalesce(
               (select failing_since from proofline_derived.vouching as v where v.ledger = $1 and v.kind = 'witness' and v.name = $2), $3))
           on conflict do nothing`,
    values: [ledger, witness, foundAt, detail, ours, theirs],
  })
}

/** The newest of each witness. */
export async function conflictsOf(
  db: Queryable,
  ledgers: readonly LedgerName[],
): Promise<(Conflict & { ledger: LedgerName })[]> {
  const { rows } = await db.query<Conflict & { ledger: LedgerName }>({
    name: 'witness_conflicts_of',
    text: `select distinct on (ledger, witness) ledger, witness, found_at as "foundAt", detail, ours, theirs from witness_conflicts
           where ledger = any($1) order by ledger, witness, found_at desc`,
    values: [ledgers],
  })
  return rows
}
