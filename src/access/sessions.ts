import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import type { Role } from './login-settings.ts'
import type { Principal } from './principal.ts'
import { createRecent } from './recent.ts'
import * as store from './session-store.ts'

/**
 * Sessions of people who signed in. The cookie `<id>_<secret>` is a credential as a token is: the id finds, 32 random bytes prove, only
 * SHA-256 of the secret is kept, and it is made anew at each sign-in, never taken from the browser.
 */
export interface Sessions {
  /** Undefined for whatever is not the cookie of a session of this org, and of the issuer that people sign in at, that goes on. */
  find(cookie: string): Promise<Principal | undefined>
  /** Of a sign-in, before it has an effect: what it will be, and the cookie. */
  prepare(who: SignedIn): Prepared
  store(prepared: Prepared): Promise<void>
  /** Holds at once on this node and within `cacheMs` on the others. False when no session of that cookie went on. */
  end(cookie: string, why: 'signed_out' | 'replaced'): Promise<boolean>
}

export interface SignedIn {
  subject: string
  role: Role
}

export interface Prepared {
  cookie: string
  row: Omit<store.SessionRow, 'endedAt' | 'why'>
  who: Principal
}

export interface SessionOptions {
  org: string
  issuer: string
  hours: number
  now?: () => Date
  cacheMs?: number
}

export function createSessions(db: Queryable, options: SessionOptions): Sessions {
  const { org, issuer, hours, now = () => new Date(), cacheMs = 5_000 } = options
  const recent = createRecent((id) => store.findSession(db, id), cacheMs, now)

  const findRow = async (cookie: string): Promise<store.SessionRow | undefined> => {
    const [, id, secret] = /^([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/.exec(cookie) ?? []
    if (id === undefined || secret === undefined) return undefined
    const row = await recent.find(id)
    if (row === undefined || row.org !== org || row.issuer !== issuer || row.endedAt !== null) return undefined
    return timingSafeEqual(row.hash, hashOf(secret)) && row.expiresAt > now().getTime() * 1000 ? row : undefined
  }

  return {
    async find(cookie) {
      const row = await findRow(cookie)
      return row === undefined ? undefined : toPrincipal(row)
    },
    prepare({ subject, role }) {
      const id = randomBytes(8).toString('hex')
      const secret = randomBytes(32).toString('base64url')
      const createdAt = now().getTime() * 1000
      const row = {
        id,
        org,
        hash: hashOf(secret),
        issuer,
        // Some issuers make the address or a long name the subject.
        subject: subject.includes('@') || subject.length > 255 ? `sha256:${hashOf(subject).toString('hex')}` : subject,
        scopes: [...new Set(role.scopes)],
        repositories: role.repositories ?? null,
        createdAt,
        expiresAt: createdAt + Math.round(hours * 3_600_000_000),
      }
      return { cookie: `${id}_${secret}`, row, who: toPrincipal(row) }
    },
    async store({ row }) {
      await store.insertSession(db, row)
      recent.forget(row.id)
    },
    async end(cookie, why) {
      const row = await findRow(cookie)
      if (row === undefined) return false
      const ended = await store.insertSessionEnd(db, org, row.id, why, now().getTime() * 1000)
      recent.forget(row.id)
      return ended
    },
  }
}

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()

function toPrincipal({ org, issuer, subject, scopes, repositories, expiresAt }: Prepared['row']): Principal {
  return {
    org,
    id: `login:${issuer}#${subject}`,
    method: 'login',
    scopes: new Set(scopes),
    ...(repositories === null ? {} : { repositories }),
    identity: { issuer, subject, weak: [] },
    expiresAt,
  }
}
