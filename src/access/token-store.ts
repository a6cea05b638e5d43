import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import type { Scope } from './principal.ts'

/** Every statement on `tokens`, `token_revocations` and `service_secrets`. Rows are only inserted. */

export interface TokenRow {
  id: string
  org: string
  label: string
  hash: Buffer
  scopes: Scope[]
  repositories: string[] | null
  createdAt: Micros
  expiresAt: Micros
  revokedAt: Micros | null
}

const columns = `t.id, t.org, t.label, t.hash, t.scopes, t.repositories, t.created_at as "createdAt", t.expires_at as "expiresAt",
  r.revoked_at as "revokedAt" from tokens t left join token_revocations r on r.token_id = t.id`

export async function findToken(db: Queryable, id: string): Promise<TokenRow | undefined> {
  const { rows } = await db.query<TokenRow>({
    name: 'find_token',
    text: `select ${columns} where t.id = $1`,
    values: [id],
  })
  return rows[0]
}

export async function listTokens(db: Queryable, org: string): Promise<TokenRow[]> {
  const text = `select ${columns} where t.org = $1 order by t.created_at, t.id`
  return (await db.query<TokenRow>({ name: 'list_tokens', text, values: [org] })).rows
}

export async function insertToken(db: Queryable, row: Omit<TokenRow, 'revokedAt'>): Promise<void> {
  const { rowCount } = await db.query({
    name: 'insert_token',
    text: `insert into tokens (id, org, label, hash, scopes, repositories, created_at, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8) returning id`,
    values: [row.id, row.org, row.label, row.hash, row.scopes, row.repositories, row.createdAt, row.expiresAt],
  })
  if (rowCount !== 1) throw new Error(`token ${row.id} was not stored`)
}

/** False when there is no such token in the org, or it was revoked before. */
export async function insertRevocation(db: Queryable, org: string, id: string, at: Micros): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'insert_token_revocation',
    text: `insert into token_revocations (token_id, revoked_at) select id, $3 from tokens where org = $1 and id = $2
           on conflict do nothing returning token_id`,
    values: [org, id, at],
  })
  return rowCount === 1
}

/** The first secret offered under a name stands; every node gets that one. */
export async function keepSecret(db: Queryable, name: string, offered: Buffer): Promise<Buffer> {
  const insert = 'insert into service_secrets (name, secret) values ($1, $2) on conflict do nothing'
  await db.query({ name: 'insert_service_secret', text: insert, values: [name, offered] })
  const select = 'select secret from service_secrets where name = $1'
  const { rows } = await db.query<{ secret: Buffer }>({ name: 'find_service_secret', text: select, values: [name] })
  if (rows[0] === undefined) throw new Error(`the secret ${name} was not stored`)
  return rows[0].secret
}
