import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort } from '../conformance/free-port.ts'
import { type Authority, createAuthority } from '../support/certificates.ts'
import {
  type RunningService,
  cleanEnvironment,
  endOf,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

let authority: Authority
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let service: RunningService
let shown: { cert: string; key: string }
beforeAll(async () => {
  authority = createAuthority()
  folder = await temporaryFolder('transport')
  shown = { cert: join(folder.path, 'tls.crt'), key: join(folder.path, 'tls.key') }
  put(authority.issue('localhost'))
  service = await startServe({ dataDir: folder.path, env: tls() })
})
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await folder.remove()
  authority.remove()
})

const put = ({ certFile, keyFile }: { certFile: string; keyFile: string }): void => {
  copyFileSync(keyFile, shown.key)
  copyFileSync(certFile, shown.cert)
}
/** Looked at by nobody but on SIGHUP. */
const tls = (): Record<string, string> => ({
  PROOFLINE_HTTP_TLS_CERTIFICATE_FILE: shown.cert,
  PROOFLINE_HTTP_TLS_KEY_FILE: shown.key,
  PROOFLINE_HTTP_TLS_CLIENT_CA_FILE: authority.caFile,
  PROOFLINE_HTTP_TLS_RELOAD_MS: '3600000',
})
const portOf = (url: string): number => Number(new URL(url).port)

async function serial(): Promise<string> {
  const mine = authority.issue('client')
  const socket = connect({
    port: portOf(service.url),
    host: '127.0.0.1',
    servername: 'localhost',
    ca: authority.ca,
    cert: mine.cert,
    key: mine.key,
  })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

it('the command line shows its client certificate, and is not let in without one', async () => {
  const mine = authority.issue('runner')
  const env = (more: Record<string, string>) =>
    cleanEnvironment(folder.path, {
      PROOFLINE_URL: service.url,
      PROOFLINE_TOKEN: service.token,
      NODE_EXTRA_CA_CERTS: authority.caFile,
      ...more,
    })
  const files = { PROOFLINE_CLIENT_CERTIFICATE_FILE: mine.certFile, PROOFLINE_CLIENT_KEY_FILE: mine.keyFile }
  const status = await runCli(['status', '--json'], { env: env(files) })
  expect([status.code, status.stderr]).toEqual([0, ''])
  expect(JSON.parse(status.stdout)).toMatchObject({ org: 'main' })

  const without = await runCli(['status'], { env: env({}) })
  expect(without.code).toBe(4)
  expect(without.stderr).toContain('cannot reach')
  const half = await runCli(['status'], { env: env({ PROOFLINE_CLIENT_KEY_FILE: mine.keyFile }) })
  expect([half.code, half.stderr]).toEqual([2, expect.stringContaining('go together')])
  const gone = await runCli(['status'], { env: env({ ...files, PROOFLINE_CLIENT_KEY_FILE: '/nowhere' }) })
  expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining('the client certificate cannot be read')])
})

it('SIGHUP shows a new certificate, and ends nothing', async () => {
  const before = await serial()
  put(authority.issue('localhost'))
  expect(await serial()).toBe(before)
  service.signal('SIGHUP')
  await expect.poll(serial, { timeout: 30_000 }).not.toBe(before)
  expect(service.log()).toContain('certificate.loaded')

  const now = await serial()
  writeFileSync(shown.key, 'half a k')
  service.signal('SIGHUP')
  await expect.poll(() => service.log(), { timeout: 30_000 }).toContain('certificate.unread')
  expect(await serial()).toBe(now)
})

const haproxy = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy'].find((path) => existsSync(path))
if (haproxy === undefined) console.log('skipped: haproxy is not installed here')

it.runIf(haproxy !== undefined)(
  'behind HAProxy as docs/transport.md sets it up, callers are told apart and links lead back through it',
  async () => {
    const inside = await temporaryFolder('behind')
    const behind = await startServe({
      dataDir: inside.path,
      env: { PROOFLINE_HTTP_TRUSTED_PROXIES: '127.0.0.1', PROOFLINE_HTTP_LIMITS_REFUSALS_PER_MINUTE: '3' },
    })
    const port = await freePort()
    const { cert, key } = authority.issue('localhost')
    writeFileSync(join(inside.path, 'proofline.pem'), Buffer.concat([cert, key]))
    const written = readFileSync(join(import.meta.dirname, '../../docs/transport.md'), 'utf8')
    const block = /HAProxy [^]*?\n\n((?: {4}.*\n)+)/.exec(written)?.[1] ?? ''
    const config = block
      .replaceAll(/^ {4}/gm, '')
      .replace(':443', `127.0.0.1:${port}`)
      .replace('/etc/haproxy/proofline.pem', join(inside.path, 'proofline.pem'))
      .replace('127.0.0.1:7357', new URL(behind.url).host)
    expect(config).toContain('http-request del-header X-Forwarded-For')
    const file = join(inside.path, 'haproxy.cfg')
    writeFileSync(file, config)
    execFileSync(haproxy!, ['-c', '-f', file], { stdio: 'pipe' })
    const proxy = spawn(haproxy!, ['-db', '-f', file], { stdio: 'ignore' })
    const proxyEnded = endOf(proxy)
    try {
      /** From an address of this machine, as if it were another caller. */
      const ask = (
        path: string,
        token: string | undefined,
        localAddress: string,
        headers: Record<string, string> = {},
      ) =>
        new Promise<{ status: number; headers: Record<string, unknown> }>((resolve, reject) => {
          const options = {
            host: '127.0.0.1',
            port,
            path,
            localAddress,
            ca: authority.ca,
            servername: 'localhost',
            headers: {
              host: 'proofline.example',
              ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
              ...headers,
            },
          }
          request(options, (answer) => resolve({ status: answer.resume().statusCode ?? 0, headers: answer.headers }))
            .once('error', reject)
            .end()
        })
      await expect.poll(() => ask('/healthz', undefined, '127.0.0.1').then(({ status }) => status, () => 0), { timeout: 30_000 }).toBe(200) // oxfmt-ignore

      const feed = await ask('/v1/feed/operations?cursor=earliest', behind.token, '127.0.0.1')
      expect([feed.status, feed.headers['link']]).toEqual([
        200,
        expect.stringMatching(/^<https:\/\/proofline\.example\/v1\/feed/),
      ])
      expect((await ask('/metrics', undefined, '127.0.0.2')).status).toBe(401)
      // Whatever a caller writes of itself: the proxy says who it is.
      const lie = (n: number) =>
        ask('/v1/status', 'wrong', '127.0.0.3', { 'x-forwarded-for': `192.0.2.${n}` }).then(({ status }) => status)
      const statuses: number[] = []
      for (let n = 0; n < 8; n++) statuses.push(await lie(n)) // more than two minutes' worth, should one end meanwhile
      expect(statuses).toContain(429)
      expect((await ask('/v1/status', 'wrong', '127.0.0.4')).status).toBe(401)
      expect((await ask('/v1/status', behind.token, '127.0.0.4')).status).toBe(200)
    } finally {
      proxy.kill('SIGTERM')
      await proxyEnded
      behind.signal('SIGTERM')
      await behind.ended
      await inside.remove()
    }
  },
)
