import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'

/** Every statement on cosignatures. Rows are only inserted. */

export interface CosignatureRow {
  size: number
  /** `<name>+<id>` of the witness's key. */
  witness: string
  /** POSIX seconds, by the witness's clock. */
  time: number
  /** As it stands in a note, with its newline. */
  line: string
}

/** One that is there already stays: the same witness signs the same at the same second. */
export async function insertCosignature(db: Queryable, ledger: LedgerName, row: CosignatureRow): Promise<void> {
  await db.query({
    name: 'insert_cosignature',
    text: 'insert into cosignatures (ledger, size, witness, time, line) values ($1, $2, $3, $4, $5) on conflict do nothing',
    values: [ledger, row.size, row.witness, row.time, row.line],
  })
}

/** All of one checkpoint, those of the same witness in order of time. */
export async function cosignaturesAt(db: Queryable, ledger: LedgerName, size: number): Promise<CosignatureRow[]> {
  const { rows } = await db.query<CosignatureRow>({
    name: 'cosignatures_at',
    text: 'select size, witness, time, line from cosignatures where ledger = $1 and size = $2 order by witness, time',
    values: [ledger, size],
  })
  return rows
}

/** Of each witness and size the newest few: more than one, so that a row which proves to be no cosignature hides none that is. */
const newestOf = (sizes: string): string =>
  `select size, witness, time, line from (
     select *, row_number() over (partition by size, witness order by time desc) as n from cosignatures
     where ledger = $1 and size in (${sizes})) as each where n <= 4`

/** The newest of each witness for the `limit` largest sizes in [`from`, `below`) that anybody cosigned; largest first. */
export async function cosignaturesBelow(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  below: number,
  limit: number,
): Promise<CosignatureRow[]> {
  const { rows } = await db.query<CosignatureRow>({
    name: 'cosignatures_below',
    text: `${newestOf('select distinct size from cosignatures where ledger = $1 and size >= $2 and size < $3 order by size desc limit $4')}
           order by size desc, witness, time desc`,
    values: [ledger, from, below, limit],
  })
  return rows
}

/** The same for the `limit` smallest sizes from `from` on; smallest first. */
export async function cosignaturesFrom(
  db: Queryable,
  ledger: LedgerName,
  from: number,
  limit: number,
): Promise<CosignatureRow[]> {
  const { rows } = await db.query<CosignatureRow>({
    name: 'cosignatures_from',
    text: `${newestOf('select distinct size from cosignatures where ledger = $1 and size >= $2 order by size limit $3')}
           order by size, witness, time desc`,
    values: [ledger, from, limit],
  })
  return rows
}

/** The largest size that each witness cosigned, and when it did so last. */
export async function newestCosignatures(
  db: Queryable,
  ledger: LedgerName,
): Promise<{ witness: string; size: number; time: number }[]> {
  const { rows } = await db.query<{ witness: string; size: number; time: number }>({
    name: 'newest_cosignatures',
    text: `with recursive each as (
             (select witness, size, time from cosignatures where ledger = $1 order by witness, size desc, time desc limit 1)
             union all
             select next.* from each, lateral (
               select witness, size, time from cosignatures where ledger = $1 and witness > each.witness
               order by witness, size desc, time desc limit 1) as next)
           select witness, size, time from each`,
    values: [ledger],
  })
  return rows
}
