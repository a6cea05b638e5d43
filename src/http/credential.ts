import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Principal } from '../access/principal.ts'
import { Problem } from '../record/problem.ts'
import { type Cookies, isOwnRequest } from './session-cookie.ts'

/** Sessions, as requests bring them. */
export interface SessionDoor {
  cookies: Cookies
  /** Of the address that browsers know this service by. */
  ownOrigin: string
  find(cookie: string): Promise<Principal | undefined>
}

/** Whether there is nothing that could be guessed: neither a credential nor a sign-in under way. A page of another site can send no more. */
export function showsNothing(headers: IncomingHttpHeaders, cookies: Cookies | undefined): boolean {
  const names = ['proofline', 'proofline-login'] as const
  return headers.authorization === undefined && names.every((name) => cookies?.read(headers, name) === undefined)
}

/** Throws Problem unauthenticated, and forbidden for a cookie that another site had the browser send. An Authorization header goes first. */
export async function identify(
  { method = 'GET', headers, headersDistinct }: Pick<IncomingMessage, 'method' | 'headers' | 'headersDistinct'>,
  authenticate: (authorization: string | undefined) => Promise<Principal | undefined>,
  sessions: SessionDoor | undefined,
): Promise<Principal> {
  const { authorization } = headers
  // Of two, node takes the first one, and a proxy in front perhaps the second.
  if ((headersDistinct['authorization']?.length ?? 0) > 1)
    throw new Problem('unauthenticated', 'there is more than one Authorization header')
  const cookie = authorization === undefined ? sessions?.cookies.read(headers, 'proofline') : undefined
  if (sessions !== undefined && cookie !== undefined) {
    const who = await sessions.find(cookie)
    if (who === undefined) throw new Problem('unauthenticated', 'the session has ended: sign in again')
    if (!isOwnRequest(method, headers, sessions.ownOrigin))
      throw new Problem('forbidden', 'a session is taken from pages of this service only, not from another site')
    return who
  }
  const who = await authenticate(authorization)
  if (who !== undefined) return who
  const unknown = 'the token is unknown, expired or revoked'
  throw new Problem('unauthenticated', authorization === undefined ? 'send Authorization: Bearer <token>' : unknown)
}
