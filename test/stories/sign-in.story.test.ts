import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { createTestDatabase } from '../support/database.ts'
import { type RunningService, anLcov, ask, cleanEnvironment, pushRun, readLedger, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore
import { planted, searchSecrets } from '../support/secrets.ts'
import { type SignInIssuer, startSignInIssuer } from '../support/sign-in-issuer.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
})

const cookieOf = (answer: Response, name: string): string =>
  answer.headers.getSetCookie().find((one) => one.startsWith(`${name}=`))?.split(';')[0] ?? '' // oxfmt-ignore

/** As a browser: to the issuer and back; the cookie of the session. */
async function signIn(service: RunningService): Promise<{ cookie: string; callback: string }> {
  const begun = await fetch(`${service.url}/login`, { redirect: 'manual' })
  const back = await fetch(begun.headers.get('location') ?? '', { redirect: 'manual' })
  const { pathname, search } = new URL(back.headers.get('location') ?? '')
  const headers = { cookie: cookieOf(begun, 'proofline-login') }
  const ended = await fetch(`${service.url}${pathname}${search}`, { headers })
  expect(ended.status).toBe(200)
  return { cookie: cookieOf(ended, 'proofline'), callback: search }
}

it('an auditor signs in, reads, and is on record for it; an operator ends the session', async () => {
  const test = await createTestDatabase()
  cleanups.push(() => test.drop())
  const folder = await temporaryFolder('sign-in')
  cleanups.push(folder.remove)
  const issuer: SignInIssuer = await startSignInIssuer()
  cleanups.push(() => issuer.close())
  issuer.person = { sub: 'u-42', groups: ['auditors'], email: 'jane@acme.example' }
  const config = join(folder.path, 'proofline.yaml')
  await writeFile(join(folder.path, 'client-secret.key'), `${issuer.clientSecret}\n`)
  await writeFile(
    config,
    `http: {public_url: 'http://127.0.0.1:7357'}
login:
  issuer: ${issuer.url}
  client_id: ${issuer.clientId}
  client_secret_file: ${join(folder.path, 'client-secret.key')}
  roles: [{claim: groups, value: auditors, scopes: [feed, audit]}]
watch: {alerts_every_ms: 1000}
`,
  )
  const args = ['--config', config]
  const service = await startServe({ dataDir: folder.path, databaseUrl: test.url, args })
  cleanups.push(async () => {
    service.signal('SIGTERM')
    await service.ended
  })
  const cli = (...more: string[]) => runCli([...more, '--data-dir', folder.path, ...args], { env: cleanEnvironment(folder.path, { DATABASE_URL: test.url }) }) // oxfmt-ignore
  const { body } = await pushRun(service, 'local.1.api.unit', anLcov(1))
  const { artifact_sha256: digest } = body['part'] as { artifact_sha256: string }

  const { cookie, callback } = await signIn(service)
  const by = `login:${issuer.url}#u-42`
  const get = (path: string) => fetch(`${service.url}${path}`, { headers: { cookie } })
  expect(await (await get('/v1/me')).json()).toMatchObject({ id: by, scopes: ['feed', 'audit'] })
  expect((await get(`/v1/artifacts/${digest}`)).status).toBe(200)
  const post = { method: 'POST', headers: { cookie, origin: 'http://127.0.0.1:7357', 'content-type': 'application/json' } } // oxfmt-ignore
  expect((await fetch(`${service.url}/v1/archive/run`, { ...post, body: '{"what":"archive"}' })).status).toBe(403)
  expect(await (await get('/')).text()).toContain(by)
  const access = await readLedger(service, 'operations', 'access')
  const [session = ''] = /[0-9a-f]{16}/.exec(cookie) ?? []
  expect(access.filter((one) => one['by'] === by)).toMatchObject([
    { route: 'login', method: 'login', params: { session, scopes: ['feed', 'audit'] } },
    { route: 'getArtifact', method: 'login', params: { sha256: digest } },
  ])

  const listed = await cli('session', 'list')
  expect(listed.stdout).toMatch(new RegExp(`^${session} +u-42 +feed,audit +all .* valid *$`, 'm'))
  expect(await cli('session', 'revoke', session)).toMatchObject({ code: 0, stdout: `${session} is revoked\n` })
  expect(await cli('session', 'revoke', session)).toMatchObject({ code: 1, stdout: `no session ${session} goes on\n` })
  for (let tries = 0; (await get('/v1/me')).status !== 401; tries++) {
    expect(tries, 'a revocation holds within the time that rows are kept').toBeLessThan(200)
    await new Promise((done) => setTimeout(done, 100))
  }
  expect((await cli('session', 'list')).stdout).not.toContain(session)
  expect(JSON.parse((await cli('session', 'list', '--all', '--json')).stdout)).toMatchObject({ sessions: [{ id: session, state: 'revoked' }] }) // oxfmt-ignore
  for (let tries = 0; ; tries++) {
    const commands = await readLedger(service, 'operations', 'command')
    if (commands.some(({ command, session: of }) => command === 'session.revoke' && of === session)) break
    expect(tries, 'the revocation goes on record').toBeLessThan(200)
    await new Promise((done) => setTimeout(done, 100))
  }

  // The issuer refuses this service: a page for the browser, the reason for the operator, the secret and the code for nobody.
  await writeFile(join(folder.path, 'client-secret.key'), `${planted('another-client-secret')}\n`)
  const begun = await fetch(`${service.url}/login`, { redirect: 'manual' })
  const back = new URL((await fetch(begun.headers.get('location') ?? '', { redirect: 'manual' })).headers.get('location') ?? '') // oxfmt-ignore
  const headers = { cookie: cookieOf(begun, 'proofline-login'), accept: 'text/html' }
  const refused = await fetch(`${service.url}${back.pathname}${back.search}`, { headers })
  expect(refused.status).toBe(503)
  const page = await refused.text()
  searchSecrets('the page', page)
  expect(page).toContain('cannot be asked just now')
  expect(service.log()).toContain('invalid_client')
  await expect
    .poll(async () => (await ask(service, '/v1/alerts')).text)
    .toContain(`issuer_unreachable:login ${issuer.url}`)
  const written = `${service.log()}${page}${JSON.stringify(await readLedger(service, 'operations'))}`
  const told = [issuer.clientSecret, planted('another-client-secret'), back.searchParams.get('code'), new URLSearchParams(callback).get('code'), cookie.slice(-43), 'jane'] // oxfmt-ignore
  for (const secret of told) expect(written).not.toContain(secret)
})
