import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import type { Scope } from './principal.ts'

/** Every statement on `sessions` and `session_ends`. Rows are only inserted. */

export type EndedWhy = 'signed_out' | 'replaced' | 'revoked'

export interface SessionRow {
  id: string
  org: string
  hash: Buffer
  issuer: string
  subject: string
  scopes: Scope[]
  repositories: string[] | null
  createdAt: Micros
  expiresAt: Micros
  endedAt: Micros | null
  why: EndedWhy | null
}

const columns = `s.id, s.org, s.hash, s.issuer, s.subject, s.scopes, s.repositories, s.created_at as "createdAt", s.expires_at as "expiresAt",
  e.ended_at as "endedAt", e.why from sessions s left join session_ends e on e.session_id = s.id`

export async function findSession(db: Queryable, id: string): Promise<SessionRow | undefined> {
  const text = `select ${columns} where s.id = $1`
  return (await db.query<SessionRow>({ name: 'find_session', text, values: [id] })).rows[0]
}

/** Newest first; those that ended before `since` are left out. */
export async function listSessions(db: Queryable, org: string, since: Micros): Promise<SessionRow[]> {
  const text = `select ${columns} where s.org = $1 and least(s.expires_at, e.ended_at) >= $2 order by s.created_at desc, s.id`
  return (await db.query<SessionRow>({ name: 'list_sessions', text, values: [org, since] })).rows
}

export async function insertSession(db: Queryable, row: Omit<SessionRow, 'endedAt' | 'why'>): Promise<void> {
  const { rowCount } = await db.query({
    name: 'insert_session',
    text: `insert into sessions (id, org, hash, issuer, subject, scopes, repositories, created_at, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id`,
    values: [row.id, row.org, row.hash, row.issuer, row.subject, row.scopes, row.repositories, row.createdAt, row.expiresAt], // oxfmt-ignore
  })
  if (rowCount !== 1) throw new Error(`session ${row.id} was not stored`)
}

/** False when there is no such session in the org, or it had ended or expired before. */
export async function insertSessionEnd(
  db: Queryable,
  org: string,
  id: string,
  why: EndedWhy,
  at: Micros,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'insert_session_end',
    text: `insert into session_ends (session_id, why, ended_at) select id, $3, $4 from sessions
           where org = $1 and id = $2 and expires_at > $4 on conflict do nothing returning session_id`,
    values: [org, id, why, at],
  })
  return rowCount === 1
}
