import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest'
import { browserFile, startBrowser } from '../support/browser.ts'
import { type Authority, createAuthority } from '../support/certificates.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { searchSecrets } from '../support/secrets.ts'
import { type RunningService, startServe, temporaryFolder } from '../support/service.ts'
import { type SignInIssuer, startSignInIssuer } from '../support/sign-in-issuer.ts'

/** Sign-in as a person has it: what Chromium keeps, sends, refuses and shows, at three sites, the service behind https. */

const own = 'https://proofline.test'

describe.skipIf(browserFile === undefined)('a person in Chromium (skipped where there is none)', () => {
  let database: TestDatabase
  let folder: { path: string; remove(): Promise<void> }
  let authority: Authority
  let issuer: SignInIssuer
  let service: RunningService
  let other: Server
  let browser: Browser
  let context: BrowserContext
  let page: Page
  /** What the browser's console said: refused styles, frames and forms, and everything else that went wrong. */
  let complaints: string[]

  beforeAll(async () => {
    database = await createTestDatabase()
    folder = await temporaryFolder('browser')
    authority = createAuthority()
    issuer = await startSignInIssuer()
    issuer.person = { sub: 'u-42', groups: ['operators'] }
    const { certFile, keyFile } = authority.issue('proofline.test')
    const config = join(folder.path, 'proofline.yaml')
    const { url, clientId: client_id, clientSecret: client_secret } = issuer
    const roles = [{ claim: 'groups', value: 'operators', scopes: ['feed', 'audit', 'operate'] }]
    const settings = {
      http: { public_url: own, tls: { certificate_file: certFile, key_file: keyFile } },
      login: { issuer: url, client_id, client_secret, roles },
    }
    await writeFile(config, JSON.stringify(settings))
    service = await startServe({
      dataDir: join(folder.path, 'data'),
      databaseUrl: database.url,
      args: ['--config', config],
    })
    other = createServer((_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(anotherSite)) // oxfmt-ignore
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    browser = await startBrowser({
      'proofline.test': Number(new URL(service.url).port),
      'other.test': (other.address() as AddressInfo).port,
    })
  })
  afterAll(async () => {
    await browser.close()
    service.signal('SIGTERM')
    await service.ended
    other.closeAllConnections()
    other.close()
    await issuer.close()
    authority.remove()
    await folder.remove()
    await database.drop()
  })

  beforeEach(async () => {
    context = await browser.newContext({ ignoreHTTPSErrors: true })
    page = await context.newPage()
    complaints = []
    page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
  })
  afterEach(async () => {
    searchSecrets('a page in the browser', await page.content())
    await context.close()
  })

  const by = () => page.getByText(`login:${issuer.url}#u-42`)
  const signIn = async (path = '/'): Promise<void> => {
    await page.goto(`${own}${path}`)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.waitForURL(`${own}${path}`)
  }

  it('signs in, is told who they are, and signs out; the back button shows what is so now', async () => {
    await signIn()
    await by().waitFor()
    expect(await page.textContent('form')).toContain('(feed, audit, operate)')
    const cookies = await context.cookies(own)
    expect(cookies).toMatchObject([{ name: '__Host-proofline', httpOnly: true, secure: true, sameSite: 'Strict' }])
    await page.reload()
    await by().waitFor()
    const sent = page.waitForRequest(`${own}/logout`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    // Browsers without Sec-Fetch-Site are believed by their Origin, which a page that sends no referrer would hide from itself.
    expect((await (await sent).allHeaders())['origin']).toBe(own)
    await page.getByRole('link', { name: 'Sign in' }).waitFor()
    expect(await context.cookies(own)).toEqual([])
    for (let back = 0; back < 3; back++) {
      await page.goBack()
      if (!page.url().startsWith(own)) break
      expect([page.url(), await by().count()]).toEqual([page.url(), 0])
    }
    expect(complaints).toEqual([])
  })

  it('comes back to the page that asked for a sign-in, with the session', async () => {
    await signIn('/v1/me')
    await page.getByText('"method":"login"').waitFor()
    await page.goBack()
    await page.goto(`${own}/`)
    await by().waitFor()
  })

  it('loses nothing and does nothing by what another site has their browser send', async () => {
    await signIn()
    await by().waitFor()
    const commanded = await commands()
    expect(commanded).toBeInstanceOf(Array)
    for (const form of ['#logout', '#archive']) {
      await page.goto('http://other.test/')
      const [response] = await Promise.all([
        page.waitForResponse((answer) => answer.url().startsWith(own) && answer.request().method() === 'POST'),
        page.click(`${form} button`),
      ])
      expect([form, response.status()]).toEqual([form, form === '#logout' ? 403 : 401])
      expect((await response.request().allHeaders())['cookie']).toBeUndefined()
    }
    await page.goto('http://other.test/')
    expect(await page.evaluate(`fetch('${own}/v1/me', { credentials: 'include' }).then(() => 'read', () => 'kept')`)).toBe('kept') // oxfmt-ignore
    expect(await page.evaluate(`document.querySelector('iframe').contentDocument === null`)).toBe(true)
    expect(complaints.join('\n')).toContain('frame-ancestors')
    // A link from a chat or a mail: the strict cookie comes with the second look.
    await page.click('a')
    await by().waitFor()
    expect(await commands()).toEqual(commanded)
  })

  /** What is on record as commanded, read with the session. */
  async function commands(): Promise<unknown> {
    await page.goto(`${own}/v1/feed/operations?after=-1&kind=command`)
    return (JSON.parse(await page.innerText('pre')) as { records?: unknown }).records
  }
})

const anotherSite = `<!doctype html><title>Another site</title>
<form id="logout" method="post" action="${own}/logout"><button>Win</button></form>
<form id="archive" method="post" action="${own}/v1/archive/run" enctype="text/plain"><input name='{"what":"archive","x":"' value='"}'><button>Win</button></form>
<a href="${own}/">See</a><iframe src="${own}/"></iframe>`
