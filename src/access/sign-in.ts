import { createHash, randomBytes } from 'node:crypto'
import { decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { Problem } from '../record/problem.ts'
import type { Claims } from './claims.ts'
import { type GetJson, addressIn, discover } from './fetch-keys.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import type { LoginSettings } from './login-settings.ts'

/**
 * Sign-in by the authorization code flow (OpenID Connect Core 1.0) with PKCE (RFC 7636), state and nonce. The code is worth nothing without
 * the verifier that the browser keeps sealed; the id token comes from the issuer itself, and is verified all the same.
 */
export interface SignIn {
  /** Where the browser is sent, and what it has to bring back with the answer. */
  begin(): Promise<{ url: string; pending: Pending }>
  /** Throws Problem `unauthenticated`, with why; `unavailable` when the issuer cannot be asked. */
  finish(returned: Returned, pending: Pending): Promise<{ subject: string; claims: Claims }>
  /** Since when, in milliseconds, and how the issuer refuses this client: until it takes it, nobody can sign in. */
  trouble(): { sinceMs: number; detail: string } | undefined
}

export interface Pending {
  state: string
  nonce: string
  verifier: string
}

export interface Returned {
  code?: string | undefined
  state?: string | undefined
  iss?: string | undefined
  error?: string | undefined
}

/** One POST of a form; rejects with an Error where the issuer did not answer, or with 5xx. */
export type AskToken = (
  url: string,
  headers: Record<string, string>,
  form: URLSearchParams,
) => Promise<{ status: number; answer: unknown }>

export interface SignInDeps {
  settings: Pick<LoginSettings, 'issuer' | 'client_id' | 'request_scopes' | 'algorithms' | 'leeway_s'>
  redirectUri: string
  /** Undefined for a client without one, which PKCE alone protects. */
  secret: () => Promise<string | undefined>
  keys: Pick<IssuerKeys, 'find'>
  get: GetJson
  post: AskToken
  /** Told what is only for the operator: addresses, certificates, what an issuer says of the client. */
  onTrouble: (detail: string) => void
  now?: () => Date
  nowMs?: () => number
}

const keepDiscoveryMs = 600_000
const keepRefusingMs = 3_600_000
const maxTokenLength = 65_536
/** It was made for this very answer. */
const maxTokenAgeS = 600

export function createSignIn(deps: SignInDeps): SignIn {
  const { settings, redirectUri, keys, get, post, now = () => new Date(), nowMs = () => performance.now() } = deps
  const { issuer, client_id: clientId } = settings
  let known: { atMs: number; document: ReturnType<typeof discover> } | undefined
  let refusing: { sinceMs: number; seenMs: number; detail: string } | undefined

  const unavailable = (error: unknown): never => {
    deps.onTrouble(error instanceof Error ? error.message : String(error))
    throw new Problem('unavailable', `${issuer} cannot be asked just now: try again`, { cause: error })
  }
  /** Whoever comes meanwhile waits with the first one: many browsers are one question to the issuer. */
  const readDiscovery = (): ReturnType<typeof discover> => {
    const atMs = now().getTime()
    if (known !== undefined && atMs - known.atMs < keepDiscoveryMs) return known.document
    const document = discover(issuer, get)
    known = { atMs, document }
    document.catch(() => (known = undefined)) // the next one asks again
    return document
  }

  const redeem = async (code: string, verifier: string): Promise<string> => {
    const document = await readDiscovery()
    const form = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier, client_id: clientId }) // oxfmt-ignore
    const secret = await deps.secret()
    const methods = document['token_endpoint_auth_methods_supported']
    const isBasic = !Array.isArray(methods) || methods.includes('client_secret_basic')
    if (secret !== undefined && !isBasic) form.set('client_secret', secret)
    const headers = secret !== undefined && isBasic ? { authorization: basicOf(clientId, secret) } : {}
    const { status, answer } = await post(addressIn(document, 'token_endpoint', issuer), headers, form)
    const { id_token: token, error } = typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {} // oxfmt-ignore
    if (status !== 200) {
      const why = sayError(error)
      if (ofClient.has(why))
        refusing = { sinceMs: refusing?.sinceMs ?? nowMs(), seenMs: nowMs(), detail: `status ${status}, ${why}` }
      else if (why === 'invalid_grant') refusing = undefined // it knew the client before it looked at the code
      // The code is the browser's affair; anything else is between the issuer and us.
      if (why !== 'invalid_grant') throw new Error(`it refuses this service with status ${status}: ${why}`)
      throw refused('the issuer takes this code no more')
    }
    refusing = undefined
    if (typeof token !== 'string' || token.length > maxTokenLength) throw new Error('it gave no id token, or one over 64 KiB') // oxfmt-ignore
    return token
  }

  const verify = async (token: string, nonce: string): Promise<{ subject: string; claims: Claims }> => {
    const { alg, kid } = readHeader(token)
    if (!settings.algorithms.some((one) => one === alg))
      throw refused(`its id token is signed with ${alg.slice(0, 20)}`)
    const found = await keys.find({ kid, alg })
    if (found.kind === 'unavailable') throw new Error(found.detail)
    if (found.kind === 'unknown') throw refused('its id token is signed with none of its keys')
    const { payload } = await jwtVerify(token, found.key, {
      algorithms: [...settings.algorithms],
      issuer,
      audience: clientId,
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
      clockTolerance: settings.leeway_s,
      currentDate: now(),
      maxTokenAge: maxTokenAgeS,
    }).catch((cause: unknown) => {
      if (cause instanceof errors.JOSEError) throw refused(`its id token: ${cause.message}`, cause)
      throw cause
    })
    const { aud, azp, nonce: said } = payload
    const isForOthers = Array.isArray(aud) && aud.length > 1
    if ((azp !== undefined || isForOthers) && azp !== clientId)
      throw refused('its id token was made for another client')
    if (said !== nonce) throw refused('its id token is of another sign-in')
    return { subject: subjectOf(payload), claims: payload }
  }

  return {
    async begin() {
      const pending = { state: random(), nonce: random(), verifier: random() }
      const document = await readDiscovery().catch(unavailable)
      const url = new URL(addressIn(document, 'authorization_endpoint', issuer))
      const parameters = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: settings.request_scopes.join(' '),
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: createHash('sha256').update(pending.verifier).digest('base64url'),
        code_challenge_method: 'S256',
      }
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
      return { url: url.href, pending }
    },

    async finish({ code, state, iss, error }, { state: wanted, nonce, verifier }) {
      if (state !== wanted) throw refused('the answer is to another sign-in')
      // RFC 9207: a code of one issuer is not taken to another.
      if (iss !== undefined && iss !== issuer) throw refused('the answer is of another issuer')
      if (error !== undefined) throw refused(`the issuer says ${sayError(error)}`)
      if (code === undefined) throw refused('the answer has no code')
      try {
        return await verify(await redeem(code, verifier), nonce)
      } catch (cause) {
        if (cause instanceof Problem) throw cause
        return unavailable(cause)
      }
    },

    trouble() {
      // Sign-ins may go to another node by now, which alone knows how they end.
      if (refusing !== undefined && nowMs() - refusing.seenMs > keepRefusingMs) refusing = undefined
      return refusing
    },
  }
}

/** RFC 6749 section 5.2: what no code of a browser brings about. */
const ofClient: ReadonlySet<string> = new Set(['invalid_client', 'unauthorized_client'])

const random = (): string => randomBytes(32).toString('base64url')

/** RFC 6749 section 2.3.1: both are form-encoded before they are joined. */
function basicOf(clientId: string, secret: string): string {
  const encode = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1)
  return `Basic ${Buffer.from(`${encode(clientId)}:${encode(secret)}`).toString('base64')}`
}

/** A text, as OpenID Connect Core has it: of anything else two people may be printed alike. */
function subjectOf({ sub }: Claims): string {
  if (typeof sub === 'string' && sub.trim() !== '' && !/[\p{Cc}\p{Cf}]/u.test(sub)) return sub
  throw refused('its id token names nobody')
}

function readHeader(token: string): { alg: string; kid: string } {
  try {
    const { alg, kid } = decodeProtectedHeader(token)
    if (typeof alg === 'string' && typeof kid === 'string') return { alg, kid }
  } catch (cause) {
    throw refused('its id token is none', cause)
  }
  throw refused('its id token names no algorithm or key')
}

/** An error code of OAuth; whatever else stands there is not shown. */
const sayError = (error: unknown): string =>
  typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) ? error : 'an error that it does not name'

function refused(why: string, cause?: unknown): Problem {
  return new Problem('unauthenticated', `you are not signed in: ${why}`, { cause })
}
