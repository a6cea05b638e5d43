import { EncryptJWT, jwtDecrypt } from 'jose'
import { z } from 'zod'
import { roleOf } from '../access/roles.ts'
import type { Role } from '../access/login-settings.ts'
import type { Sessions } from '../access/sessions.ts'
import type { SignIn } from '../access/sign-in.ts'
import { finishLogin, getMe, localPath, login, logout } from '../api/login.ts'
import { Problem } from '../record/problem.ts'
import { printTime } from '../record/record.ts'
import type { SessionDoor } from './credential.ts'
import type { Mount, Use } from './mount.ts'
import { printGoOn } from './page-html.ts'
import { isOwnRequest } from './session-cookie.ts'

/** Sign-in of people, as this service does it. */
export interface Login extends SessionDoor {
  issuer: string
  signIn: SignIn
  sessions: Sessions
  roles: readonly Role[]
  sessionHours: number
  /** 32 bytes that every node has: seals what a browser keeps during a sign-in. */
  sealKey: Uint8Array
  recordUse: (use: Use) => Promise<void>
}

const pendingS = 600
const pendingShape = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  return: localPath,
  /** The session that there was, which a request from the issuer does not bring. */
  before: z.string().optional(),
})
type Kept = z.output<typeof pendingShape>

export function mountLogin(mount: Mount, configured: Login | undefined): void {
  const get = (): Login => {
    if (configured === undefined) throw new Problem('not_found', 'nobody signs in here: login is not configured')
    return configured
  }

  mount(login, async ({ query, headers }) => {
    const { signIn, cookies, sealKey } = get()
    const { url, pending } = await signIn.begin()
    const before = cookies.read(headers, 'proofline')
    const sealed = await seal({ ...pending, return: query.return, before }, sealKey)
    return { status: 303, headers: { location: url, 'set-cookie': cookies.print('proofline-login', sealed, pendingS) } }
  })

  mount(finishLogin, async ({ query, headers }) => {
    const { signIn, sessions, cookies, roles, sealKey, sessionHours, recordUse } = get()
    const pending = await unseal(cookies.read(headers, 'proofline-login'), sealKey)
    const { subject, claims } = await signIn.finish(query, pending)
    const role = roleOf(roles, claims)
    if (role === undefined) throw new Problem('forbidden', 'you are known to the issuer, and have no role here')
    const prepared = sessions.prepare({ subject, role })
    // On record before anybody has the cookie. A crash in between leaves a record of a session that never was.
    const { id: session, scopes, repositories } = prepared.row
    const params = { session, scopes, ...(repositories === null ? {} : { repositories }) }
    await recordUse({ who: prepared.who, route: 'login', params, repository: undefined, records: 'before' })
    await sessions.store(prepared)
    if (pending.before !== undefined) await sessions.end(pending.before, 'replaced')
    return {
      type: 'text/html; charset=utf-8',
      headers: {
        'set-cookie': [
          cookies.print('proofline', prepared.cookie, Math.round(sessionHours * 3_600)),
          cookies.print('proofline-login', undefined, 0),
        ],
      },
      // By a page of ours and not by a redirect: what began at the issuer would go on without the new cookie.
      body: printGoOn(pending.return, 'You are signed in.'),
    }
  })

  mount(logout, async ({ headers }) => {
    const { sessions, cookies, ownOrigin } = get()
    if (!isOwnRequest('POST', headers, ownOrigin))
      throw new Problem('forbidden', 'only a page of this service ends its session')
    const cookie = cookies.read(headers, 'proofline')
    if (cookie !== undefined) await sessions.end(cookie, 'signed_out')
    return { status: 303, headers: { location: '/', 'set-cookie': cookies.print('proofline', undefined, 0) } }
  })

  mount(getMe, async ({ who: { id, org, method, scopes, repositories, expiresAt } }) => ({
    body: {
      id,
      org,
      method,
      scopes: [...scopes],
      repositories: repositories ?? null,
      expires_at: expiresAt === undefined ? null : printTime(expiresAt),
    },
  }))
}

/** The verifier is the browser's to keep and nobody's to read; what it says of where to go cannot be changed. */
function seal(pending: Kept, key: Uint8Array): Promise<string> {
  return new EncryptJWT({ ...pending })
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .setExpirationTime(`${pendingS}s`)
    .encrypt(key)
}

async function unseal(sealed: string | undefined, key: Uint8Array): Promise<Kept> {
  try {
    const { payload } = await jwtDecrypt(sealed ?? '', key, { contentEncryptionAlgorithms: ['A256GCM'] })
    return pendingShape.parse(payload)
  } catch (cause) {
    const why = 'this sign-in was not begun in this browser, or more than ten minutes ago: begin again'
    throw new Problem('unauthenticated', why, { cause })
  }
}
