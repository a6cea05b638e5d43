import { z } from 'zod'
import { recording } from './decisions.ts'
import { noBody, nothing, route, scopes } from './route.ts'
import { time } from './shapes.ts'

/** Sign-in of people at the issuer that `login` names, and who a credential is (docs/access.md). */

const open = { scope: [], open: 'always', records: 'no', params: nothing, body: noBody } as const
const page = (what: string) => ({ status: 200, what, content: { 'text/html': z.string() } }) as const

/** A path of this service. What begins with two slashes, or has a backslash, is another host to a browser. */
export const localPath = z
  .string()
  .max(512)
  .regex(/^\/(?!\/)[\x21-\x5b\x5d-\x7e]*$/, 'is no path of this service')

const parameter = (max: number) => z.string().min(1).max(max).optional()

export const login = route({
  ...open,
  method: 'GET',
  name: 'login',
  path: '/login',
  summary: 'Send the browser to the issuer to sign in',
  query: z.strictObject({ return: localPath.default('/').describe('where to go afterwards') }),
  answers: [{ status: 303, what: 'To the issuer' }],
  problems: ['unauthenticated', 'not_found'],
})

export const finishLogin = route({
  ...open,
  method: 'GET',
  name: 'finishLogin',
  path: '/login/callback',
  summary: 'Where the issuer sends the browser back; answers with the cookie of a session',
  // Issuers add members of their own, which mean nothing here.
  query: z.object({
    code: parameter(4_096),
    state: parameter(512),
    iss: parameter(512),
    error: parameter(512),
  }),
  answers: [page('A page that goes on to where the sign-in began')],
  problems: ['unauthenticated', 'forbidden', 'not_found', ...recording],
})

export const logout = route({
  ...open,
  method: 'POST',
  name: 'logout',
  path: '/logout',
  summary: 'End the session of the cookie',
  query: nothing,
  answers: [{ status: 303, what: 'To the page' }],
  problems: ['unauthenticated', 'forbidden', 'not_found'],
})

export const me = z.object({
  id: z.string().describe('as it stands on record'),
  org: z.string(),
  method: z.enum(['token', 'oidc', 'statement', 'login']),
  scopes: z.array(z.enum(scopes)),
  repositories: z.array(z.string()).nullable().describe('null: all of the org'),
  expires_at: time.nullable().describe('null where the credential does not tell'),
})

export const getMe = route({
  method: 'GET',
  scope: scopes,
  open: 'never',
  records: 'no',
  name: 'getMe',
  path: '/v1/me',
  summary: 'Who the caller is here, and what that may do',
  params: nothing,
  query: nothing,
  body: noBody,
  answers: [{ status: 200, what: 'The caller', content: { 'application/json': me } }],
  problems: [],
})

export const loginRoutes = [login, finishLogin, logout, getMe]
