import { type IncomingMessage, createServer, type ServerResponse } from 'node:http'
import { type CryptoKey, type JWK, SignJWT, exportJWK, generateKeyPair } from 'jose'

/** An issuer of OIDC tokens as CI systems are: a real HTTP server with a discovery document and keys, and ways to misbehave. */
export interface FakeIssuer {
  url: string
  /** Requests for keys so far. */
  asked: () => number
  /** Signs with the newest key, valid for five minutes; `claims` win over what it fills in. */
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
  /** Another key; the old one is in the set no more. */
  rotate(): Promise<void>
  keys: () => JWK[]
  /** What it does instead of answering; undefined: it answers. */
  behave(how?: Misbehaviour): void
  close(): Promise<void>
}

export type Misbehaviour = 'down' | 'garbage' | 'empty' | 'redirect' | 'hang' | 'foreign' | 'symmetric'

/** What an issuer for people has beside that (sign-in-issuer.ts); false: not one of its paths. */
export type More = (request: IncomingMessage, response: ServerResponse) => boolean

export async function startIssuer(now: () => Date = () => new Date(), more: More = () => false): Promise<FakeIssuer> {
  let number = 0
  let asked = 0
  let how: Misbehaviour | undefined
  let signing: CryptoKey
  let published: JWK
  const rotate = async (): Promise<void> => {
    const pair = await generateKeyPair('RS256', { extractable: true })
    signing = pair.privateKey
    published = { ...(await exportJWK(pair.publicKey)), kid: `key-${++number}`, alg: 'RS256', use: 'sig' }
  }
  await rotate()

  const answer = (response: ServerResponse, document: unknown): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
  }
  const server = createServer((request, response) => {
    const isDiscovery = request.url?.endsWith('/.well-known/openid-configuration') === true
    if (!isDiscovery) asked += 1
    if (how === 'hang') return
    if (how === 'down') return void response.writeHead(503).end()
    if (how === 'garbage') return void response.writeHead(200).end('<html>proxy</html>')
    if (how === 'redirect') return void response.writeHead(302, { location: `${url}/elsewhere` }).end()
    const named = how === 'foreign' ? 'https://other.example' : url
    const endpoints = { authorization_endpoint: `${url}/authorize`, token_endpoint: `${url}/token` }
    if (isDiscovery) return answer(response, { issuer: named, jwks_uri: `${url}/keys`, ...endpoints })
    if (more(request, response)) return
    if (how === 'symmetric') return answer(response, { keys: [{ kty: 'oct', kid: published.kid, k: 'c2VjcmV0' }] })
    answer(response, { keys: how === 'empty' ? [] : [published] })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('it has no port')
  const url = `http://127.0.0.1:${address.port}`

  return {
    url,
    asked: () => asked,
    keys: () => [published],
    rotate,
    behave: (next) => (how = next),
    async sign(claims, header = {}) {
      const at = Math.floor(now().getTime() / 1000)
      const filled = { iss: url, iat: at, nbf: at, exp: at + 300, ...claims }
      const given = Object.fromEntries(Object.entries(filled).filter(([, value]) => value !== undefined))
      return new SignJWT(given)
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: published.kid ?? '', ...header })
        .sign(signing)
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
