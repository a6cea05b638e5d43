import { createServer, type RequestListener, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findIdentityToken } from '../../src/producer/identity-token.ts'

let server: Server
let url: string
let answer: RequestListener
let asked: string[]
let clock: number
beforeEach(async () => {
  asked = []
  clock = Date.parse('2026-11-23T05:00:00Z')
  server = createServer((request, response) => {
    asked.push(`${request.headers.authorization ?? 'nobody'} ${request.url ?? ''}`)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
})
afterEach(() => new Promise((resolve) => server.close(resolve)))

const audience = 'https://proofline.acme.example'
const find = (env: Record<string, string>) =>
  findIdentityToken({ env, audience, userAgent: 'proofline/0', now: () => new Date(clock) })
const github = () => ({
  GITHUB_ACTIONS: 'true',
  ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/token?api-version=2.0`,
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'secret',
})
/** Unsigned: whether a token is right is for the service to find out. */
const tokenUntil = (ms: number, n: number): string =>
  ['{}', JSON.stringify({ exp: ms / 1000, n }), ''].map((part) => Buffer.from(part).toString('base64url')).join('.')

describe('the token by which a CI system vouches for a job', () => {
  it('is asked for once for many requests, and again before it ends', async () => {
    answer = (_, response) => void response.end(JSON.stringify({ value: tokenUntil(clock + 300_000, asked.length) }))
    const token = find(github())
    const first = await Promise.all([token?.get(), token?.get(), token?.get()])
    expect(new Set(first).size).toBe(1)
    clock += 239_000
    expect(await token?.get()).toBe(first[0])
    expect(asked).toEqual([`Bearer secret /token?api-version=2.0&audience=${encodeURIComponent(audience)}`])
    clock += 2_000
    expect(await token?.get()).not.toBe(first[0])
    expect(asked).toHaveLength(2)
  })

  it.each<[string, RequestListener]>([
    ['an error', (_, response) => void response.writeHead(500).end('broken')],
    ['no JSON', (_, response) => void response.end('<html>')],
    ['no token', (_, response) => void response.end('{"count":0}')],
    [
      'another place, where the secret must not go',
      (_, response) => void response.writeHead(302, { location: `${url}/elsewhere` }).end(),
    ],
  ])('is unavailable while CI answers with %s, and asked for again', async (_, broken) => {
    answer = broken
    const token = find(github())
    await expect(token?.get()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('GitHub Actions gives no OIDC token') }) // oxfmt-ignore
    expect(asked).toHaveLength(1)
    answer = (_request, response) => void response.end(JSON.stringify({ value: 'a.b.c' }))
    expect(await token?.get()).toBe('a.b.c')
  })

  it('of CircleCI is the one in the environment where that is made out to the service', async () => {
    const own = ['{}', JSON.stringify({ aud: audience }), '']
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.')
    expect(await find({ CIRCLECI: 'true', CIRCLE_OIDC_TOKEN_V2: own })?.get()).toBe(own)
    const foreign = find({ CIRCLECI: 'true', CIRCLE_OIDC_TOKEN_V2: 'a.b.c', PATH: '/nowhere' })
    await expect(foreign?.get()).rejects.toMatchObject({ code: 'unavailable' })
  })

  it.each<[string, Record<string, string>]>([
    ['outside CI', {}],
    ['in a job without the permission, as those of forks are', { GITHUB_ACTIONS: 'true' }],
    ['where the variables are set to nothing', { GITHUB_ACTIONS: 'true', ACTIONS_ID_TOKEN_REQUEST_URL: '', ACTIONS_ID_TOKEN_REQUEST_TOKEN: '', PROOFLINE_ID_TOKEN: '' }],
    ['in a GitLab job without id_tokens', { GITLAB_CI: 'true' }],
    ['in a CircleCI job of a fork', { CIRCLECI: 'true' }],
    ['where variables of another CI system are left over', { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://x.example', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'y' }],
  ])('is not there %s', (_, env) => expect(find(env)).toBeUndefined()) // oxfmt-ignore
})
