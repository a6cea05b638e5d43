import { createHash, randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { type FakeIssuer, startIssuer } from './issuer.ts'
import { alsoSecret, planted } from './secrets.ts'

/** An issuer that people sign in at: the authorization code flow with PKCE, held to by the issuer, and whoever is sent there is let in at once. */
export interface SignInIssuer extends FakeIssuer {
  clientId: string
  /** That it takes. */
  clientSecret: string
  /** Who signs in from now on, and what the id token says of them beside what the flow fills in; these win. */
  person: Record<string, unknown>
  /** Made instead of the id token, of its claims. */
  forge: ((claims: Record<string, unknown>) => Promise<string>) | undefined
  /** What the authorize endpoint sends the browser back with instead of a code. */
  refusal: string | undefined
  /** Requests to the token endpoint so far. */
  redeemed: () => number
}

interface Granted {
  redirectUri: string
  nonce: string
  challenge: string
}

export async function startSignInIssuer(): Promise<SignInIssuer> {
  const [clientId, clientSecret] = ['proofline', `a secret: of ours & ${planted('client-secret')}`]
  const granted = new Map<string, Granted>()
  let redeemed = 0

  const redeem = async (body: string, authorization: string | undefined): Promise<[number, object]> => {
    redeemed += 1
    const form = new URLSearchParams(body)
    const encode = (value: string): string => new URLSearchParams({ '': value }).toString().slice(1)
    const basic = Buffer.from(`${encode(clientId)}:${encode(issuer.clientSecret)}`).toString('base64')
    if (authorization !== `Basic ${basic}`) return [401, { error: 'invalid_client' }]
    const code = form.get('code') ?? ''
    const grant = granted.get(code)
    granted.delete(code) // a code is good for once
    const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url') // oxfmt-ignore
    if (grant === undefined || grant.redirectUri !== form.get('redirect_uri') || grant.challenge !== challenge)
      return [400, { error: 'invalid_grant' }]
    const claims = { aud: clientId, nonce: grant.nonce, ...issuer.person }
    return [200, { token_type: 'Bearer', access_token: 'unused', id_token: await (issuer.forge ?? issuer.sign)(claims) }] // oxfmt-ignore
  }

  const base = await startIssuer(undefined, (request, response) => {
    const url = new URL(request.url ?? '', base.url)
    if (url.pathname === '/authorize') {
      const asked = url.searchParams
      const back = new URL(asked.get('redirect_uri') ?? '')
      const right = asked.get('response_type') === 'code' && asked.get('client_id') === clientId && asked.get('code_challenge_method') === 'S256' && asked.get('scope')?.split(' ').includes('openid') // oxfmt-ignore
      back.searchParams.set('state', asked.get('state') ?? '')
      back.searchParams.set('iss', base.url)
      const code = randomBytes(8).toString('hex')
      alsoSecret(code)
      if (issuer.refusal !== undefined || right !== true)
        back.searchParams.set('error', issuer.refusal ?? 'invalid_request') // oxfmt-ignore
      else {
        back.searchParams.set('code', code)
        granted.set(code, { redirectUri: asked.get('redirect_uri') ?? '', nonce: asked.get('nonce') ?? '', challenge: asked.get('code_challenge') ?? '' }) // oxfmt-ignore
      }
      response.writeHead(302, { location: back.href }).end()
      return true
    }
    if (url.pathname === '/token' && request.method === 'POST') {
      void text(request)
        .then((body) => redeem(body, request.headers.authorization))
        .then(([status, answer]) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))) // oxfmt-ignore
      return true
    }
    return false
  })
  const issuer: SignInIssuer = Object.assign(base, {
    clientId,
    clientSecret,
    person: { sub: 'u-1' },
    forge: undefined,
    refusal: undefined,
    redeemed: () => redeemed,
  })
  return issuer
}
