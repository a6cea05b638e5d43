import { SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { insertSessionEnd, listSessions } from '../../src/access/session-store.ts'
import { readConfig } from '../../src/config.ts'
import type { Use } from '../../src/http/mount.ts'
import { type OpenLogin, openLogin } from '../../src/service/login.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { planted } from '../support/secrets.ts'
import type { Misbehaviour } from '../support/issuer.ts'
import { type SignInIssuer, startSignInIssuer } from '../support/sign-in-issuer.ts'
import { type Served, artifactDigest, serve } from './serve.ts'

/** Sign-in as a browser does it: real HTTP on both sides, real sessions in PostgreSQL. */

let test: TestDatabase
let issuer: SignInIssuer
let opened: OpenLogin
let served: Served
let uses: Use[]
let isStopped: boolean
const own = 'http://127.0.0.1:7357'

beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(() => test.drop())
beforeEach(() => start())
afterEach(() => stop())

async function start(
  settings = '',
  limits: Record<string, number> = {},
  publicUrl = own,
  how?: Misbehaviour,
): Promise<void> {
  issuer = await startSignInIssuer()
  issuer.behave(how)
  uses = []
  isStopped = false
  const config = readConfig(
    `http: {public_url: "${publicUrl}"}
login:
  issuer: ${issuer.url}
  client_id: ${issuer.clientId}
  client_secret: "${issuer.clientSecret}"
  timeout_ms: 500
  roles:
    - {claim: groups, value: operators, scopes: [feed, audit, operate]}
    - {claim: groups, value: readers, scopes: [feed]}
    - {claim: realm.roles, value: auditor, scopes: [audit], repositories: [github.com/acme/payments]}
${settings}`,
    {},
  )
  const recordUse = async (use: Use): Promise<void> => {
    if (isStopped) throw new Error('recording is stopped')
    uses.push(use)
  }
  opened = await openLogin(config, test.db, recordUse, silentLogger)
  served = await serve({ login: opened.login, settings: { public_url: publicUrl }, limits, recordUse })
}

async function stop(): Promise<void> {
  await served.close()
  await opened.close()
  await issuer.close()
}

/** Keeps cookies as a browser does, and goes nowhere by itself. */
function aBrowser() {
  const jar = new Map<string, string>()
  return {
    jar,
    async open(path: string, init: RequestInit = {}): Promise<Response> {
      const headers = new Headers({ accept: 'text/html,application/xhtml+xml', ...(init.headers as object) })
      // The issuer is another site: what is strict is not sent with what it began.
      const isFromIssuer = path.startsWith('/login/callback')
      const sent = [...jar].filter(([name]) => !isFromIssuer || !name.endsWith('proofline'))
      if (sent.length > 0) headers.set('cookie', sent.map(([name, value]) => `${name}=${value}`).join('; '))
      const answer = await fetch(`${served.url}${path}`, { ...init, headers, redirect: 'manual' })
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name = '', value = '', rest = ''] = /^([^=]+)=([^;]*);(.*)$/.exec(cookie) ?? []
        if (rest.includes('Max-Age=0')) jar.delete(name)
        else jar.set(name, value)
      }
      return answer
    },
    /** To the issuer and back: the path of the callback as the issuer has it. */
    async begin(returnTo = '/'): Promise<string> {
      const sent = await this.open(`/login?return=${encodeURIComponent(returnTo)}`)
      expect(sent.status).toBe(303)
      const back = await fetch(sent.headers.get('location') ?? '', { redirect: 'manual' })
      const { pathname, search } = new URL(back.headers.get('location') ?? '')
      return `${pathname}${search}`
    },
    async signIn(returnTo?: string): Promise<Response> {
      return this.open(await this.begin(returnTo))
    },
  }
}

const operator = { sub: 'u-7', groups: ['everybody', 'operators'], email: 'jane@acme.example', name: 'Jane' }

describe('sign-in', () => {
  it('makes a session with what the first role of the person gives, on record before anybody has the cookie', async () => {
    issuer.person = operator
    const browser = aBrowser()
    expect(await (await browser.open('/')).text()).toContain('href="/login"')
    const answer = await browser.signIn('/v1/status?a=b')
    expect(answer.status).toBe(200)
    expect(await answer.text()).toContain('content="0;url=/v1/status?a=b"')
    expect(answer.headers.get('content-security-policy')).toContain("form-action 'self'")
    const cookies = answer.headers.getSetCookie()
    expect(cookies[0]).toMatch(/^proofline=[0-9a-f]{16}_[\w-]{43}; Max-Age=28800; Path=\/; HttpOnly; SameSite=Strict$/)
    expect(cookies[1]).toMatch(/^proofline-login=; Max-Age=0/)
    const id = `login:${issuer.url}#u-7`
    const [session] = await listSessions(test.db, 'main', Date.now() * 1000)
    expect(uses).toMatchObject([{ who: { id, method: 'login' }, route: 'login', records: 'before', params: { session: session?.id, scopes: ['feed', 'audit', 'operate'] } }]) // oxfmt-ignore
    expect(session).toMatchObject({ issuer: issuer.url, subject: 'u-7' })
    const { rows } = await test.owner.query({ text: 'select s::text as row from proofline.sessions s' })
    expect(JSON.stringify([rows, uses])).not.toMatch(/jane/i)
    expect(JSON.stringify(rows)).not.toContain(browser.jar.get('proofline')?.slice(17))

    const me = await browser.open('/v1/me')
    expect(await me.json()).toMatchObject({ id, org: 'main', method: 'login', scopes: ['feed', 'audit', 'operate'], repositories: null }) // oxfmt-ignore
    expect((await browser.open(`/v1/artifacts/${artifactDigest}`)).status).toBe(200)
    expect(uses.at(-1)).toMatchObject({ who: { id }, route: 'getArtifact' })
    const page = await (await browser.open('/')).text()
    expect(page).toContain(id)
    expect(page).toContain('action="/logout"')
  })

  it('gives by a role bound to repositories no more than that, and by a member of a claim', async () => {
    issuer.person = { sub: 'u-8', realm: { roles: ['auditor'] } }
    const browser = aBrowser()
    await browser.signIn()
    expect(await (await browser.open('/v1/me')).json()).toMatchObject({ scopes: ['audit'], repositories: ['github.com/acme/payments'] }) // oxfmt-ignore
    expect((await browser.open('/v1/destinations')).status).toBe(403)
  })

  it('is refused with a page to whoever has no role, leaves nothing on record, and counts against the address', async () => {
    await stop()
    await start('', { refusals_per_minute: 2 })
    issuer.person = { sub: 'u-9', groups: ['everybody'], realm: 'auditor' }
    for (const status of [403, 403, 429]) {
      const browser = aBrowser()
      const path = status === 429 ? '/login/callback' : await browser.begin()
      const answer = await browser.open(path)
      expect(answer.status).toBe(status)
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(browser.jar.has('proofline')).toBe(false)
    }
    expect(uses).toEqual([])
  })

  it('does not happen while it cannot be recorded', async () => {
    issuer.person = operator
    isStopped = true
    const before = await listSessions(test.db, 'main', 0)
    const browser = aBrowser()
    expect((await browser.signIn()).status).toBe(500)
    expect(browser.jar.has('proofline')).toBe(false)
    expect(await listSessions(test.db, 'main', 0)).toEqual(before)
  })

  it('stores neither addresses nor long names as subjects', async () => {
    issuer.person = { ...operator, sub: 'jane@acme.example' }
    const browser = aBrowser()
    await browser.signIn()
    const { id } = (await (await browser.open('/v1/me')).json()) as { id: string }
    expect(id).toMatch(/#sha256:[0-9a-f]{64}$/)
  })

  it('by https has cookies that no neighbour can set, and takes no other', async () => {
    await stop()
    await start('', {}, 'https://proofline.acme.example')
    issuer.person = operator
    const browser = aBrowser()
    const answer = await browser.signIn()
    expect(answer.headers.getSetCookie()[0]).toMatch(
      /^__Host-proofline=.*; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    )
    expect((await browser.open('/v1/me')).status).toBe(200)
    browser.jar.set('proofline', browser.jar.get('__Host-proofline') ?? '')
    browser.jar.delete('__Host-proofline')
    expect((await browser.open('/v1/me')).status).toBe(401)
  })
})

describe('what a sign-in refuses', () => {
  const refuse = async (status: number, path: string, browser = aBrowser()): Promise<string> => {
    const answer = await browser.open(path)
    expect(answer.status).toBe(status)
    expect(browser.jar.has('proofline')).toBe(false)
    return answer.text()
  }
  beforeEach(() => void (issuer.person = operator))

  it('another state, an answer in another browser, a sealed cookie that was changed', async () => {
    const browser = aBrowser()
    const path = await browser.begin()
    expect(await refuse(401, path.replace(/state=[^&]*/, 'state=x'), browser)).toContain('another sign-in')
    expect(await refuse(401, path)).toContain('not begun in this browser')
    const sealed = browser.jar.get('proofline-login') ?? ''
    browser.jar.set('proofline-login', `${sealed.slice(0, -2)}AA`)
    expect(await refuse(401, path, browser)).toContain('not begun in this browser')
    expect(issuer.redeemed()).toBe(0)
  })

  it('a code that was used, one of another sign-in, and an answer of another issuer', async () => {
    const browser = aBrowser()
    const path = await browser.begin()
    const kept = new Map(browser.jar)
    expect((await browser.open(path)).status).toBe(200)
    const thief = aBrowser()
    for (const [name, value] of kept) thief.jar.set(name, value)
    expect(await refuse(401, path, thief)).toContain('takes this code no more')
    // Whoever slips somebody their own code has not the verifier that goes with it.
    const code = new URL(await aBrowser().begin(), own).searchParams.get('code')
    const victim = aBrowser()
    const mixed = (await victim.begin()).replace(/code=[^&]*/, `code=${code}`)
    expect(await refuse(401, mixed, victim)).toContain('takes this code no more')
    const other = aBrowser()
    const foreign = (await other.begin()).replace(/iss=[^&]*/, `iss=${encodeURIComponent('https://other.example')}`)
    expect(await refuse(401, foreign, other)).toContain('another issuer')
  })

  it.each<[string, object, string]>([
    ['another nonce', { nonce: 'x' }, 'of another sign-in'],
    ['no nonce', { nonce: undefined }, 'of another sign-in'],
    ['another audience', { aud: 'somebody' }, 'aud'],
    ['several audiences without azp', { aud: ['proofline', 'somebody'] }, 'another client'],
    ['azp of another client', { azp: 'somebody' }, 'another client'],
    ['another issuer', { iss: 'https://other.example' }, 'iss'],
    ['its end in the past', { exp: 1 }, 'exp'],
    ['its beginning an hour ago', { iat: Math.floor(Date.now() / 1000) - 3_600 }, 'iat'],
    ['no subject', { sub: undefined }, 'sub'],
    ...[{ id: 7 }, ['u-7'], 7, null, true, '', ' ', 'u-7\u0000', 'u-7\n', 'u\u202e7'].map((sub) => [`the subject ${JSON.stringify(sub)}`, { sub }, 'names nobody'] satisfies [string, object, string]), // oxfmt-ignore
  ])('an id token with %s', async (_what, claims, why) => {
    issuer.person = { ...operator, ...claims }
    const browser = aBrowser()
    expect(await refuse(401, await browser.begin(), browser)).toContain(why)
  })

  it('an id token that is unsigned, signed with the client secret, with another key, or of a key that is not known', async () => {
    const all = { ...operator, iss: issuer.url, iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 60 } // oxfmt-ignore
    const secret = new TextEncoder().encode(issuer.clientSecret.padEnd(32, '0'))
    const right = issuer.sign
    const foreign = await startSignInIssuer()
    for (const [forge, why] of [
      [async (claims: object) => new UnsecuredJWT({ ...claims, ...all }).encode(), 'algorithm'],
      [(claims: object) => new SignJWT({ ...claims, ...all }).setProtectedHeader({ alg: 'HS256', kid: 'key-1' }).sign(secret), 'signed with HS256'],
      [(claims: object) => foreign.sign({ ...claims, iss: issuer.url }), 'signature'],
      [(claims: Record<string, unknown>) => right(claims, { kid: 'key-9' }), 'none of its keys'],
      [async () => 'no token', 'its id token is none'],
    ] as const) {
      issuer.forge = forge
      const browser = aBrowser()
      expect(await refuse(401, await browser.begin(), browser)).toContain(why)
    } // oxfmt-ignore
    await foreign.close()
  })

  it('a return that leads elsewhere', async () => {
    for (const to of ['https://evil.example/', '//evil.example', '/\\evil.example', '\\\\evil.example', 'javascript:alert(1)', '/a b', '/a\nb', ''])
      expect([to, (await aBrowser().open(`/login?return=${encodeURIComponent(to)}`)).status]).toEqual([to, 400]) // oxfmt-ignore
    const page = await (await aBrowser().signIn('/"><script>alert(1)</script>')).text()
    expect(page).not.toContain('<script>')
  })

  it('what the issuer refuses, with its code and none of its words', async () => {
    issuer.refusal = 'access_denied'
    const browser = aBrowser()
    expect(await refuse(401, `${await browser.begin()}&error_description=call+0900-EVIL`, browser)).toMatch(
      /access_denied/,
    )
    issuer.refusal = '<b>Call 0900-EVIL</b>'
    expect(await refuse(401, await browser.begin(), browser)).not.toMatch(/0900/)
  })

  it('claims beyond any measure', async () => {
    issuer.person = { ...operator, groups: Array.from({ length: 20_000 }, (_, n) => `group-${n}`) }
    const browser = aBrowser()
    expect(await refuse(503, await browser.begin(), browser)).toContain('cannot be asked just now')
  })

  it('is told with 503 while the issuer is away, answers nonsense, or leads elsewhere, and works again afterwards', async () => {
    const browser = aBrowser()
    const path = await browser.begin()
    for (const how of ['down', 'garbage', 'redirect', 'hang'] as const) {
      issuer.behave(how)
      const page = await refuse(503, path, browser)
      expect(page).toContain('cannot be asked just now')
      expect(page).not.toContain('/token')
    }
    issuer.behave(undefined)
    expect((await browser.open(path)).status).toBe(200)
    await stop()
    await start()
    issuer.behave('foreign')
    expect((await aBrowser().open('/login')).status).toBe(503)
  })
})

it('is found out while nobody signs in that the issuer is away, and that it is back', async () => {
  await stop()
  await start('identity: {cooldown_ms: 1000}', {}, own, 'down')
  await expect.poll(() => opened.findings()).toMatchObject([{ code: 'issuer_unreachable', subject: `login ${issuer.url}`, detail: expect.stringMatching(/^no keys since 2.*503/) }]) // oxfmt-ignore
  issuer.behave()
  await expect.poll(() => opened.findings()).toEqual([])
})

it('is found out by the first sign-in that the issuer takes this client no more, and by the next that it does again', async () => {
  issuer.person = operator
  const secret = issuer.clientSecret
  issuer.clientSecret = planted('the-next-secret')
  const browser = aBrowser()
  expect((await browser.signIn()).status).toBe(503)
  expect(opened.findings()).toMatchObject([{ code: 'issuer_unreachable', detail: expect.stringMatching(/^it refuses this client since 2.*: status 401, invalid_client$/) }]) // oxfmt-ignore
  issuer.clientSecret = secret
  expect((await browser.signIn()).status).toBe(200)
  expect(opened.findings()).toEqual([])
})

describe('another site', () => {
  it('cannot have the browsers of an office lock its address out: who shows nothing guesses nothing', async () => {
    await stop()
    await start('', { refusals_per_minute: 2, open_requests_per_minute: 20 })
    issuer.person = operator
    // As its page sends them: without the cookies that belong here, and with those of others below the same domain.
    const crossSite = (path: string) => served.fetch(path, { headers: { 'sec-fetch-site': 'cross-site', cookie: 'other=1' } }) // oxfmt-ignore
    for (let n = 0; n < 4; n++)
      for (const path of ['/v1/status', '/login/callback?code=x&state=y']) expect((await crossSite(path)).status).toBe(401) // oxfmt-ignore
    expect((await served.fetch('/v1/status', { token: 'audit' })).status).toBe(200)
    const browser = aBrowser()
    expect((await browser.signIn()).status).toBe(200)
    for (const status of [401, 401, 429])
      expect((await served.fetch('/v1/status', { token: 'guess' })).status).toBe(status)
  })

  it('is bounded in that too, as all is that needs no credential', async () => {
    await stop()
    await start('', { open_requests_per_minute: 2 })
    const statuses = [401, 401, 429]
    for (const status of statuses) expect((await served.fetch('/v1/status')).status).toBe(status)
    expect((await served.fetch('/v1/status', { token: 'audit' })).status).toBe(200)
  })
})

describe('a session', () => {
  let browser: ReturnType<typeof aBrowser>
  beforeEach(async () => {
    issuer.person = operator
    browser = aBrowser()
    expect((await browser.signIn()).status).toBe(200)
  })
  const me = async (): Promise<number> => (await browser.open('/v1/me')).status
  const post = (headers: Record<string, string>) =>
    browser.open('/v1/destinations/siem/pause', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: '{"reason":"x"}' }) // oxfmt-ignore

  it('changes something only for a page of this service', async () => {
    for (const headers of [
      {},
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: own },
      { 'sec-fetch-site': 'none' },
      { origin: `${own}.evil.example` },
    ] as Record<string, string>[])
      // oxfmt-ignore
      expect([headers, (await post(headers)).status]).toEqual([headers, 403])
    expect(served.commands).toEqual([])
    expect((await post({ 'sec-fetch-site': 'same-origin' })).status).toBe(200)
    expect((await post({ origin: own })).status).toBe(200)
    expect(served.commands).toHaveLength(2)
    expect((await browser.open('/v1/me', { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403)
  })

  it('that may read the feed and not audit is on record for it all the same: it is a person', async () => {
    issuer.person = { sub: 'u-11', groups: ['readers'] }
    await browser.signIn()
    expect(await (await browser.open('/v1/me')).json()).toMatchObject({ scopes: ['feed'] })
    expect((await browser.open('/v1/feed/unit?cursor=earliest')).status).toBe(200)
    expect(uses.at(-1)).toMatchObject({ who: { id: `login:${issuer.url}#u-11` }, route: 'readFeed', records: 'summed' })
  })

  it('pulls the feed under no name: a link could have anybody who signs in move the place of a program', async () => {
    const feed = '/v1/feed/unit?cursor=earliest'
    expect((await browser.open(feed)).status).toBe(200)
    expect((await browser.open(`${feed}&consumer=splunk`)).status).toBe(403)
    expect((await browser.open(`${feed}&consumer=splunk`, { headers: { authorization: 'Bearer feed' } })).status).toBe(200) // oxfmt-ignore
  })

  it('of an issuer that nobody signs in at any more has ended', async () => {
    await restart('https://other.example')
    expect(await me()).toBe(401)
    await restart()
    expect(await me()).toBe(200)
  })

  it('is looked for once more where a link on another site led to the page', async () => {
    const asked = async (headers: Record<string, string>) => (await aBrowser().open('/', { headers })).text()
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' }
    expect(await asked(link)).toContain('content="0;url=/"')
    expect(await asked({ ...link, 'sec-fetch-site': 'same-origin' })).toContain('href="/login"')
    expect(await (await browser.open('/', { headers: link })).text()).toContain('action="/logout"')
  })

  it('goes behind a credential that is sent beside it', async () => {
    const answer = await browser.open('/v1/me', { headers: { authorization: 'Bearer audit' } })
    expect(await answer.json()).toMatchObject({ id: 'token:audit' })
    expect((await browser.open('/v1/me', { headers: { authorization: 'Bearer expired' } })).status).toBe(401)
  })

  it('ends when somebody signs out, which no other site can make happen', async () => {
    const cookie = browser.jar.get('proofline') ?? ''
    expect((await browser.open('/logout', { method: 'POST', headers: { origin: 'https://evil.example' } })).status).toBe(403) // oxfmt-ignore
    expect(await me()).toBe(200)
    const answer = await browser.open('/logout', { method: 'POST', headers: { origin: own } })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
    expect(browser.jar.has('proofline')).toBe(false)
    browser.jar.set('proofline', cookie)
    expect(await me()).toBe(401)
  })

  it('ends when it is revoked, when it is over, and when the same browser signs in anew', async () => {
    const first = browser.jar.get('proofline') ?? ''
    await browser.signIn()
    const second = browser.jar.get('proofline') ?? ''
    expect(second).not.toBe(first)
    browser.jar.set('proofline', first)
    expect(await me()).toBe(401)
    browser.jar.set('proofline', second)
    expect(await me()).toBe(200)
    expect(await insertSessionEnd(test.db, 'other', second.slice(0, 16), 'revoked', Date.now() * 1000)).toBe(false)
    expect(await insertSessionEnd(test.db, 'main', second.slice(0, 16), 'revoked', Date.now() * 1000)).toBe(true)
    expect(await insertSessionEnd(test.db, 'main', second.slice(0, 16), 'revoked', Date.now() * 1000)).toBe(false)
    await restart()
    expect(await me()).toBe(401)
    await browser.signIn()
    await restart()
    expect(await me()).toBe(200)
    await test.owner.query({ text: 'alter table proofline.sessions disable trigger write_once_row' })
    await test.owner.query({ text: 'update proofline.sessions set created_at = 1, expires_at = 2' })
    await test.owner.query({ text: 'alter table proofline.sessions enable always trigger write_once_row' })
    await restart()
    expect(await me()).toBe(401)
  })

  it('is never what somebody put into the browser', async () => {
    const planted = `${'0'.repeat(16)}_${'A'.repeat(43)}`
    const victim = aBrowser()
    victim.jar.set('proofline', planted)
    await victim.signIn()
    expect(victim.jar.get('proofline')).not.toBe(planted)
    for (const cookie of [planted, 'x', '', `${browser.jar.get('proofline')}x`, browser.jar.get('proofline')?.replace(/_.*/, `_${'A'.repeat(43)}`) ?? '']) {
      browser.jar.set('proofline', cookie)
      expect([cookie, await me()]).toEqual([cookie, 401])
    } // oxfmt-ignore
  })

  it('that has ended is told to a browser with a page that leads to the sign-in and back, to a program as a problem', async () => {
    browser.jar.set('proofline', `${'0'.repeat(16)}_${'A'.repeat(43)}`)
    const page = await (await browser.open('/v1/status?x=1')).text()
    expect(page).toContain(`href="/login?return=${encodeURIComponent('/v1/status?x=1')}"`)
    const told = await browser.open('/v1/status', { headers: { accept: 'application/json' } })
    expect(told.headers.get('content-type')).toBe('application/problem+json')
    expect(await told.json()).toMatchObject({ code: 'unauthenticated', detail: 'the session has ended: sign in again' })
  })

  /** The same service without what it remembers. */
  async function restart(of = issuer.url): Promise<void> {
    const { login } = opened
    await served.close()
    const config = readConfig(`http: {public_url: "${own}"}\nlogin: {issuer: "${of}", client_id: ${issuer.clientId}, client_secret: "${issuer.clientSecret}", roles: [{claim: groups, value: operators, scopes: [audit]}]}`, {}) // oxfmt-ignore
    const again = await openLogin(config, test.db, async () => {}, silentLogger)
    await opened.close()
    opened = again
    expect(login?.ownOrigin).toBe(own)
    served = await serve({ login: again.login, settings: { public_url: own } })
  }
})
