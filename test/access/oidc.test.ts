import { createHash } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { identitySettings } from '../../src/access/identity-settings.ts'
import { createIssuerKeys } from '../../src/access/issuer-keys.ts'
import { type OidcVerifier, createOidcVerifier } from '../../src/access/oidc.ts'
import { byOf, jobOf } from '../../src/admission/identity.ts'
import { Problem } from '../../src/record/problem.ts'
import { type FakeIssuer, startIssuer } from '../support/issuer.ts'
import { audience, github, gitlab, sha } from './job-claims.ts'

const at = new Date('2026-11-23T05:00:00Z')
let issuer: FakeIssuer
let verifier: OidcVerifier
beforeAll(async () => {
  issuer = await startIssuer(() => at)
  const { issuers } = identitySettings.parse({
    audience,
    issuers: [
      {
        provider: 'github',
        issuer: issuer.url,
        host: 'github.com',
        rules: [{ owner_id: '65', repositories: ['github.com/acme/*'] }],
      },
    ],
  })
  const keys = createIssuerKeys({
    fetch: async () => ({ keys: issuer.keys() }),
    cooldownMs: 60_000,
    refreshMs: 600_000,
    keepMs: 3_600_000,
    nowMs: () => 0,
  })
  verifier = createOidcVerifier({
    org: 'main',
    issuers: issuers.map((settings) => ({ settings, audience, keys })),
    now: () => at,
  })
})
afterAll(() => issuer.close())

const seconds = Math.floor(at.getTime() / 1000)
const token = (claims: object = {}, header: Record<string, unknown> = {}): Promise<string> =>
  issuer.sign({ ...github, iss: issuer.url, ...claims }, header)
async function refusal(text: string): Promise<string> {
  const refused = await verifier.verify(text).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(refused instanceof Problem)) throw new Error('it was taken')
  return `${refused.code}: ${refused.message}`
}

describe('a token of a CI job', () => {
  it('is taken as a job that may push for its repository and run, and nothing else', async () => {
    const who = await verifier.verify(await token())
    expect(who).toMatchObject({
      org: 'main',
      id: 'oidc:github:48201573:github.7351001',
      method: 'oidc',
      scopes: new Set(['push']),
      repositories: ['github.com/acme/payments'],
      bound: { runs: ['github.7351001'], repositoryId: '48201573', commit: sha, ref: { exact: 'refs/heads/main' } },
    })
    expect(byOf(who)).toEqual({
      method: 'oidc',
      issuer: issuer.url,
      subject: 'repo:acme/payments:ref:refs/heads/main',
      actor_id: '12',
    })
    expect(jobOf(who)).toMatchObject({ job: '55501' })
  })

  it('is on record by ids and digests, with the key that was believed, and without names', async () => {
    const text = await token({ sub: 'repo:acme/payments:actor:octocat' })
    const { identity } = await verifier.verify(text)
    expect(identity?.subject).toBe('repo:acme/payments:actor:[person]')
    expect(identity?.verified).toEqual({
      repository_id: '48201573', owner_id: '65', run: 'github.7351001', job: '55501', commit: sha, ref: 'refs/heads/main', event: 'push',
      workflow: 'acme/payments/.github/workflows/ci.yml', kid: issuer.keys()[0]?.kid,
      key: createHash('sha256').update(identity?.key ?? '').digest('hex'), token: createHash('sha256').update('example-id').digest('hex'),
    }) // oxfmt-ignore
    const recorded = JSON.stringify(identity)
    for (const secret of ['octocat', ...text.split('.').slice(1)]) expect(recorded).not.toContain(secret)
    expect(JSON.parse(Buffer.from(identity?.key ?? '').toString())).toMatchObject({ kty: 'RSA', e: 'AQAB' })
  })

  it('says what is weak about it', async () => {
    expect((await verifier.verify(await token({ runner_environment: 'self-hosted' }))).identity?.weak).toEqual([
      'self_hosted',
    ])
    expect((await verifier.verify(await token({ sha: undefined }))).identity?.weak).toEqual(['commit_unverified'])
  })

  it.each<[string, () => Promise<string>, string]>([
    ['of another issuer', () => token({ iss: 'https://token.actions.githubusercontent.com' }), 'unauthenticated: .*nobody trusts its issuer'],
    ['of an issuer that is spelled otherwise', () => token({ iss: `${issuer.url}/` }), 'nobody trusts its issuer'],
    ['for another audience', () => token({ aud: 'https://github.com/acme' }), 'made out to'],
    ['for several audiences', () => token({ aud: [audience, 'https://other.example'] }), 'made out to'],
    ['for no audience', () => token({ aud: undefined }), 'claim aud'],
    ['that has expired', () => token({ exp: seconds - 31 }), 'has expired'],
    ['that never expires', () => token({ exp: undefined }), 'claim exp'],
    ['that is not valid yet', () => token({ nbf: seconds + 31 }), 'claim nbf'],
    ['from the future', () => token({ iat: seconds + 31 }), 'claim iat'],
    ['that is days old and still valid', () => token({ iat: seconds - 86_500, exp: seconds + 300 }), 'has expired'],
    ['without a subject', () => token({ sub: undefined }), 'claim sub'],
    ...[7, null, ['x'], { x: 1 }, ''].map((sub): [string, () => Promise<string>, string] => [`with the subject ${JSON.stringify(sub)}`, () => token({ sub }), 'claim sub']),
    ['with an id that is a number', () => token({ jti: 7 }), 'claim jti'],
    ['of an issuer in a list', () => token({ iss: [issuer.url] }), 'names no algorithm, key or issuer'],
    ['without a key id', () => token({}, { kid: undefined }), 'names no algorithm, key or issuer'],
    ['of an unknown key', () => token({}, { kid: 'other' }), 'has no key of that name'],
    ['of another repository', () => token({ repository: 'evil/payments' }), 'forbidden: .*none of its repositories'],
    ['on pull_request_target', () => token({ event_name: 'pull_request_target' }), 'forbidden: .*pull_request_target'],
    ['signed with a secret that is the public key', async () => {
      const secret = new TextEncoder().encode(JSON.stringify(issuer.keys()[0]))
      return new SignJWT({ ...github, iss: issuer.url, exp: seconds + 300, iat: seconds }).setProtectedHeader({ alg: 'HS256', kid: issuer.keys()[0]?.kid ?? '' }).sign(secret)
    }, 'algorithm HS256 is not taken'],
    ['without a signature', async () => {
      const [, payload] = (await token()).split('.')
      return `${Buffer.from(JSON.stringify({ alg: 'none', kid: 'key-1' })).toString('base64url')}.${payload}.`
    }, 'algorithm none is not taken'],
    ['whose claims were changed', async () => {
      const [head, , signature] = (await token()).split('.')
      return `${head}.${Buffer.from(JSON.stringify({ ...github, iss: issuer.url, run_id: '1', exp: seconds + 300, iat: seconds })).toString('base64url')}.${signature}`
    }, 'signature is not right'],
    ['that is none', async () => 'a.b.c', 'no token of a CI job'],
    ['that is too long', async () => token({ filler: 'x'.repeat(16_384) }), 'too long'],
    ['of another provider under this issuer', () => token({ ...gitlab, iss: issuer.url, repository: undefined, repository_owner_id: undefined, run_id: undefined }), 'forbidden'],
  ])('case 34: is refused: one %s', async (_, make, reason) => {
    expect(await refusal(await make())).toMatch(new RegExp(reason))
  }) // oxfmt-ignore

  it('may be off by the leeway', async () => {
    expect(
      (await verifier.verify(await token({ exp: seconds - 29, nbf: seconds + 29, iat: seconds + 29 }))).method,
    ).toBe('oidc')
  })
})
