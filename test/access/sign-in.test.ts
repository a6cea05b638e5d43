import { expect, it } from 'vitest'
import { createSignIn } from '../../src/access/sign-in.ts'

it('asks the issuer once for however many sign-ins begin meanwhile, and again after it failed', async () => {
  const issuer = 'https://sso.example'
  const asked: PromiseWithResolvers<unknown>[] = []
  const signIn = createSignIn({
    settings: { issuer, client_id: 'proofline', request_scopes: ['openid'], algorithms: ['RS256'], leeway_s: 0 },
    redirectUri: 'https://proofline.example/login/callback',
    secret: async () => undefined,
    keys: { find: async () => ({ kind: 'unknown' }) },
    get: () => {
      const one = Promise.withResolvers<unknown>()
      asked.push(one)
      return one.promise
    },
    post: async () => ({ status: 500, answer: undefined }),
    onTrouble: () => {},
  })
  const begun = Promise.allSettled([signIn.begin(), signIn.begin(), signIn.begin()])
  expect(asked.length).toBe(1)
  asked[0]?.reject(new Error('it is away'))
  expect((await begun).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  const again = Promise.all([signIn.begin(), signIn.begin()])
  expect(asked.length).toBe(2)
  asked[1]?.resolve({ issuer, authorization_endpoint: `${issuer}/authorize` })
  const urls = (await again).map(({ url }) => new URL(url))
  expect(new Set(urls.map(({ searchParams }) => searchParams.get('state'))).size).toBe(2)
  await signIn.begin()
  expect(asked.length).toBe(2)
})

it('is refused from when the issuer does not know the client until it does, or has not been seen to for an hour', async () => {
  const issuer = 'https://sso.example'
  let [now, error] = [0, 'invalid_client']
  const signIn = createSignIn({
    settings: { issuer, client_id: 'proofline', request_scopes: ['openid'], algorithms: ['RS256'], leeway_s: 0 },
    redirectUri: 'https://proofline.example/login/callback',
    secret: async () => undefined,
    keys: { find: async () => ({ kind: 'unknown' }) },
    get: async () => ({ issuer, token_endpoint: `${issuer}/token` }),
    post: async () => ({ status: 400, answer: { error } }),
    onTrouble: () => {},
    nowMs: () => now,
  })
  const pending = { state: 's', nonce: 'n', verifier: 'v' }
  const finish = () => signIn.finish({ code: 'c', state: 's' }, pending).catch(() => undefined)
  const refuse = async (): Promise<void> => {
    error = 'invalid_client'
    await finish()
  }
  expect(signIn.trouble()).toBeUndefined()
  await refuse()
  now = 3_000_000
  await refuse()
  now = 6_000_000
  expect(signIn.trouble()).toMatchObject({ sinceMs: 0, detail: 'status 400, invalid_client' })
  error = 'invalid_request'
  await finish()
  expect(signIn.trouble()).toBeDefined()
  error = 'invalid_grant'
  await finish()
  expect(signIn.trouble()).toBeUndefined()
  await refuse()
  now += 3_600_001
  expect(signIn.trouble()).toBeUndefined()
})
