import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'

/** Where versions of contracts stand in `changes`: every look-up goes by their keys, `contract:<repository>@<version>`. */

export interface VersionRow {
  repository: string
  version: number
  /** SHA-256 of the canonical contract: what is asserted under the key. */
  digest: Buffer
  firstSeq: number
}

interface Row extends Omit<VersionRow, 'version'> {
  version: string
}

export const contractKey = (repository: string, version: number): string => `contract:${repository}@${version}`

const toVersion = (row: Row): VersionRow => ({ ...row, version: Number(row.version) })

/**
 * The versions of some repositories, newest first, at most `limit` of each: those among the first `size` records, or those that are
 * published. A repository may itself have an `@` in its name, hence the look at the digits.
 */
export async function findVersions(
  db: Queryable,
  ledger: LedgerName,
  repositories: readonly string[],
  { size, before, limit }: { size?: number | undefined; before?: number | undefined; limit: number },
): Promise<VersionRow[]> {
  const { rows } = await db.query<Row>({
    name: 'find_contract_versions',
    text: `select r.repository, v.version, v.digest, v."firstSeq" from unnest($2::text[]) as r(repository), lateral (
             select substr(key, length('contract:' || r.repository || '@') + 1) as version, digest, first_seq as "firstSeq" from submissions
             where ledger = $1 and key > 'contract:' || r.repository || '@' and key < 'contract:' || r.repository || 'A'
               and substr(key, length('contract:' || r.repository || '@') + 1) ~ '^[0-9]+$'
               and last_seq < coalesce($3, (select max(size) from checkpoints where ledger = $1))
               and ($4::bigint is null or substr(key, length('contract:' || r.repository || '@') + 1)::bigint < $4)
             order by first_seq desc limit $5) as v`,
    values: [ledger, repositories, size ?? null, before ?? null, limit],
  })
  return rows.map(toVersion)
}

/** Published versions with this digest, newest first: the same contract may be registered by several repositories, and again. */
export async function findVersionsByDigest(db: Queryable, ledger: LedgerName, digest: Buffer): Promise<VersionRow[]> {
  const { rows } = await db.query<Row>({
    name: 'find_contract_by_digest',
    text: `select substring(key from '^contract:(.*)@[0-9]+$') as repository, substring(key from '[0-9]+$') as version, digest,
                  first_seq as "firstSeq" from submissions
           where ledger = $1 and key > 'contract:' and key < 'contract;' and digest = $2
             and last_seq < (select max(size) from checkpoints where ledger = $1)
           order by first_seq desc limit 100`,
    values: [ledger, digest],
  })
  return rows.map(toVersion)
}
