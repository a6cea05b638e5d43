import { createHash } from 'node:crypto'
import {
  calculateJwkThumbprint,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWK,
  type JWTPayload,
  jwtVerify,
} from 'jose'
import type { Weakness } from '../record/identity.ts'
import { Problem } from '../record/problem.ts'
import { type JobFacts, readClaims } from './claims.ts'
import type { IssuerSettings } from './identity-settings.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import type { Identity, Principal } from './principal.ts'
import { matchTrust, type Trusted } from './trust.ts'

/**
 * Tokens of CI jobs: who made it out (exactly one of the issuers), for whom (exactly this audience), with which key, and then whether the trust
 * policy takes that job. Cheap checks come first: a token of nobody we know costs no signature, and one with an unknown key no request within
 * the cooldown. The same token may be shown again, by its job for each request and by a thief: it speaks of one run at one commit only, and
 * the same content again is answered with the first receipt, so there is nothing to be had by a replay.
 */
export interface OidcVerifier {
  /** Throws Problem `unauthenticated`, `forbidden` when no rule takes the job, `unavailable` when the issuer's keys cannot be had. */
  verify(token: string): Promise<Principal>
}

export interface TrustedIssuer {
  settings: IssuerSettings
  audience: string
  keys: IssuerKeys
}

export interface OidcOptions {
  org: string
  issuers: readonly TrustedIssuer[]
  now?: () => Date
}

const maxTokenBytes = 16_384

export function createOidcVerifier({ org, issuers, now = () => new Date() }: OidcOptions): OidcVerifier {
  const byIssuer = new Map(issuers.map((one) => [one.settings.issuer, one]))

  return {
    async verify(token) {
      const { alg, kid, iss } = readUnverified(token)
      const trusted = byIssuer.get(iss)
      if (trusted === undefined) throw unauthenticated('nobody trusts its issuer')
      const { settings, audience, keys } = trusted
      if (!settings.algorithms.some((one) => one === alg))
        throw unauthenticated(`its algorithm ${alg} is not taken from ${iss}`)
      const found = await keys.find({ kid, alg })
      if (found.kind === 'unavailable')
        // Nobody has shown who they are yet: addresses and certificates are told by the log and the alert.
        throw new Problem('unavailable', `the keys of ${iss} cannot be had just now`, {
          extra: { retry_after: 30 },
        })
      if (found.kind === 'unknown') throw unauthenticated(`${iss} has no key of that name`)
      const options = {
        algorithms: [...settings.algorithms],
        issuer: settings.issuer,
        requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
        clockTolerance: settings.leeway_s,
        currentDate: now(),
        maxTokenAge: maxAgeS, // also refuses a token from the future
      }
      const { payload: claims } = await jwtVerify(token, found.key, options).catch((cause: unknown) => {
        if (cause instanceof errors.JOSEError) throw unauthenticated(sayWhy(cause), cause)
        throw cause
      })
      const { aud, sub, jti } = claims as Record<string, unknown> // signed, and of any type all the same
      if (typeof sub !== 'string' || sub === '') throw unauthenticated('its claim sub is missing or wrong')
      if (jti !== undefined && typeof jti !== 'string') throw unauthenticated('its claim jti is missing or wrong')
      const only = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
      // With several audiences each of the others could show it here.
      if (only !== audience)
        throw unauthenticated(`it is made out to ${JSON.stringify(aud).slice(0, 200)}, not to ${audience} alone`)
      const facts = readClaims(settings, claims)
      const match = matchTrust(settings.rules, claims, facts)
      if (match.kind === 'refused')
        throw new Problem('forbidden', `the trust policy does not take this job: ${match.reason}`)
      return toPrincipal(org, settings, claims, facts, match, found.jwk, kid)
    },
  }
}

const maxAgeS = 86_400

/** What is read before anything is believed: just enough to find the key. */
function readUnverified(token: string): { alg: string; kid: string; iss: string } {
  if (token.length > maxTokenBytes) throw unauthenticated('it is too long')
  try {
    const { alg, kid } = decodeProtectedHeader(token)
    const { iss } = decodeJwt(token)
    if (typeof alg === 'string' && typeof kid === 'string' && kid.length <= 256 && typeof iss === 'string')
      return { alg, kid, iss }
  } catch {
    throw unauthenticated('it is no token of a CI job')
  }
  throw unauthenticated('it names no algorithm, key or issuer')
}

async function toPrincipal(
  org: string,
  issuer: IssuerSettings,
  claims: JWTPayload,
  facts: JobFacts,
  { rule, repository, bound }: Extract<Trusted, { kind: 'trusted' }>,
  jwk: JWK,
  kid: string,
): Promise<Principal> {
  const weak: Weakness[] = []
  if (bound.commit === undefined) weak.push('commit_unverified')
  if (bound.ref?.exact === undefined) weak.push('ref_unverified')
  if (facts.isSelfHosted) weak.push('self_hosted')
  const subject = withoutPeople(claims)
  const { repositoryId, ownerId, actorId } = facts
  const identity: Identity = {
    issuer: issuer.issuer,
    subject: subject.length <= 256 ? subject : `sha256:${sha256(subject)}`,
    ...(actorId === undefined ? {} : { actorId }),
    weak,
    verified: {
      ...whatIsThere({
        repository_id: repositoryId,
        owner_id: ownerId,
        run: facts.runs[0],
        job: facts.job,
        commit: facts.commit,
        ref: facts.ref?.exact,
        event: facts.event,
        workflow: facts.workflow,
        environment: facts.environment,
      }),
      kid,
      key: Buffer.from(await calculateJwkThumbprint(jwk), 'base64url').toString('hex'),
      // Names the token without being one: it is a credential until it ends.
      ...(claims.jti === undefined ? {} : { token: sha256(claims.jti) }),
    },
    key: canonicalKey(jwk),
  }
  const about = [issuer.name, repositoryId ?? repository, facts.runs[0]].join(':')
  return {
    org: rule.org ?? org,
    id: `oidc:${about}`,
    method: 'oidc',
    scopes: new Set(['push']),
    repositories: [repository],
    identity,
    bound,
  }
}

/** Claims that name a person. Where the subject was made of them, it goes without. */
const personal = [
  'actor',
  'triggering_actor',
  'user_login',
  'user_email',
  'email',
  'name',
  'preferred_username',
] as const

function withoutPeople(claims: JWTPayload): string {
  const names = new Set(
    personal.map((claim) => claims[claim]).filter((value) => typeof value === 'string' && value !== ''),
  )
  const parts = (claims.sub ?? '').split(':')
  return parts.map((part, i) => (names.has(part) && i > 0 ? '[person]' : part)).join(':')
}

/** The members that RFC 7638 hashes, in its order: SHA-256 of these bytes is the thumbprint. */
function canonicalKey({ kty, crv, e, n, x, y }: JWK): Uint8Array {
  const members = kty === 'RSA' ? { e, kty, n } : kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x }
  return Buffer.from(JSON.stringify(members))
}

function whatIsThere(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.fromEntries(
    given.map(([name, value]) => [name, value.length <= 256 ? value : `sha256:${sha256(value)}`]),
  )
}

const sha256 = (value: string): string => createHash('sha256').update(value).digest('hex')

function sayWhy(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'it has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `its claim ${error.claim} is missing or wrong`
  return 'its signature is not right'
}

function unauthenticated(reason: string, cause?: unknown): Problem {
  return new Problem('unauthenticated', `the token of the CI job is not taken: ${reason}`, { cause })
}
