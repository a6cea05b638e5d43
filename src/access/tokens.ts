import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
import { type Micros, printTime } from '../record/record.ts'
import { type Principal, type Scope, scopes as allScopes, whyNoRepository } from './principal.ts'
import { createRecent } from './recent.ts'
import * as store from './token-store.ts'

/**
 * Bearer tokens `pl_<id>_<secret>`: the id finds, 32 random bytes prove. Only SHA-256 of the secret is kept. Several are valid at once, so
 * one can be replaced without a gap. A revocation holds at once on this node and within `cacheMs` on the others.
 */
export interface Tokens {
  /** The principal of an Authorization header; undefined for whatever is not a valid, current token. */
  authenticate(authorization: string | undefined): Promise<Principal | undefined>
  /** The token's text is in the answer and nowhere else, ever again. */
  create(wish: TokenWish): Promise<{ token: string; issued: IssuedToken }>
  list(org: string): Promise<IssuedToken[]>
  /** False when there is no such token in the org, or it was revoked before. */
  revoke(org: string, id: string): Promise<boolean>
}

export interface TokenWish {
  org: string
  label: string
  scopes: readonly Scope[]
  repositories?: readonly string[]
  /** Default 90; at most 400. */
  days?: number
}

export interface IssuedToken {
  id: string
  org: string
  label: string
  scopes: readonly Scope[]
  repositories?: readonly string[]
  createdAt: Micros
  expiresAt: Micros
  revokedAt?: Micros
}

export interface TokenOptions {
  now?: () => Date
  cacheMs?: number
}

const dayMicros = 86_400_000_000
const maxDays = 400

export function createTokens(db: Queryable, options: TokenOptions = {}): Tokens {
  const { now = () => new Date(), cacheMs = 5_000 } = options
  const recent = createRecent((id) => store.findToken(db, id), cacheMs, now)

  return {
    async authenticate(authorization) {
      const parsed = parseToken(/^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1])
      if (parsed === undefined) return undefined
      const row = await recent.find(parsed.id)
      if (row === undefined || row.revokedAt !== null) return undefined
      if (!timingSafeEqual(row.hash, hashSecret(parsed.secret))) return undefined
      return row.expiresAt > now().getTime() * 1000 ? toPrincipal(row) : undefined
    },

    async create(wish) {
      const { id, secret, token } = makeToken()
      const row = toRow(wish, id, secret, now())
      await store.insertToken(db, row)
      recent.forget(id)
      return { token, issued: toIssued({ ...row, revokedAt: null }) }
    },

    async list(org) {
      return (await store.listTokens(db, org)).map(toIssued)
    },

    async revoke(org, id) {
      const revoked = await store.insertRevocation(db, org, id, now().getTime() * 1000)
      recent.forget(id)
      return revoked
    },
  }
}

export function makeToken(): { id: string; secret: string; token: string } {
  const id = randomBytes(8).toString('hex')
  const secret = randomBytes(32).toString('base64url')
  return { id, secret, token: `pl_${id}_${secret}` }
}

/** Splits `pl_<16 hex>_<43 base64url>`; undefined for anything else. */
export function parseToken(text: string | undefined): { id: string; secret: string } | undefined {
  const match = /^pl_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/.exec(text ?? '')
  return match?.[1] === undefined || match[2] === undefined ? undefined : { id: match[1], secret: match[2] }
}

/** The row to store for a wish; throws Problem request_invalid that names what is wrong with it. */
export function toRow(wish: TokenWish, id: string, secret: string, now: Date): Omit<store.TokenRow, 'revokedAt'> {
  const days = wish.days ?? 90
  const refuse = (why: string): never => {
    throw new Problem('request_invalid', why)
  }
  if (!(days > 0 && days <= maxDays)) refuse(`a token lives more than 0 and at most ${maxDays} days`)
  if (wish.scopes.length === 0 || wish.scopes.some((scope) => !allScopes.includes(scope)))
    refuse(`scopes are one or more of ${allScopes.join(', ')}`)
  if (wish.repositories?.length === 0) refuse('a repository needs a name')
  for (const why of (wish.repositories ?? []).map(whyNoRepository)) if (why !== undefined) refuse(why)
  const createdAt = now.getTime() * 1000
  return {
    id,
    org: wish.org,
    label: wish.label,
    hash: hashSecret(secret),
    scopes: [...new Set(wish.scopes)],
    repositories: wish.repositories === undefined ? null : [...wish.repositories],
    createdAt,
    expiresAt: createdAt + Math.round(days * dayMicros),
  }
}

function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

function toPrincipal(row: store.TokenRow): Principal {
  const { org, id, repositories, expiresAt } = row
  const base = { org, id: `token:${id}`, method: 'token', scopes: new Set(row.scopes), expiresAt } as const
  if (repositories !== null) return { ...base, repositories }
  return { ...base, identity: { subject: base.id, weak: ['any_repository'] } }
}

export function toIssued(row: store.TokenRow): IssuedToken {
  const { id, org, label, scopes, repositories, createdAt, expiresAt, revokedAt } = row
  return {
    id,
    org,
    label,
    scopes,
    createdAt,
    expiresAt,
    ...(repositories === null ? {} : { repositories }),
    ...(revokedAt === null ? {} : { revokedAt }),
  }
}

/** What a record says of a token: which one, and what it may do. A label is somebody's words, and may be a name. */
export function describeToken({ id, scopes, repositories, expiresAt }: IssuedToken) {
  return { token: id, scopes, repositories, expires_at: printTime(expiresAt) }
}
