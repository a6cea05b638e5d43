import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'

/** Every statement on `producers` and `producer_revocations`. Rows are only inserted. */

export interface ProducerRow {
  id: string
  org: string
  label: string
  publicKey: Buffer
  repositories: string[]
  createdAt: Micros
  expiresAt: Micros
  revokedAt: Micros | null
}

const columns = `p.id, p.org, p.label, p.public_key as "publicKey", p.repositories, p.created_at as "createdAt", p.expires_at as "expiresAt",
  r.revoked_at as "revokedAt" from producers p left join producer_revocations r on r.producer_id = p.id`

export async function findProducer(db: Queryable, id: string): Promise<ProducerRow | undefined> {
  const text = `select ${columns} where p.id = $1`
  return (await db.query<ProducerRow>({ name: 'find_producer', text, values: [id] })).rows[0]
}

export async function listProducers(db: Queryable, org: string): Promise<ProducerRow[]> {
  const text = `select ${columns} where p.org = $1 order by p.created_at, p.id`
  return (await db.query<ProducerRow>({ name: 'list_producers', text, values: [org] })).rows
}

export async function insertProducer(db: Queryable, row: Omit<ProducerRow, 'revokedAt'>): Promise<void> {
  const { rowCount } = await db.query({
    name: 'insert_producer',
    text: `insert into producers (id, org, label, public_key, repositories, created_at, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7) returning id`,
    values: [row.id, row.org, row.label, row.publicKey, row.repositories, row.createdAt, row.expiresAt],
  })
  if (rowCount !== 1) throw new Error(`producer ${row.id} was not stored`)
}

/** False when there is no such producer in the org, or its key was revoked before. */
export async function insertProducerRevocation(db: Queryable, org: string, id: string, at: Micros): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'insert_producer_revocation',
    text: `insert into producer_revocations (producer_id, revoked_at) select id, $3 from producers where org = $1 and id = $2
           on conflict do nothing returning producer_id`,
    values: [org, id, at],
  })
  return rowCount === 1
}
