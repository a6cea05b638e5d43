import { copyFileSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, type TLSSocket, connect } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { httpSettings } from '../../src/http/settings.ts'
import { openTls } from '../../src/http/tls.ts'
import { type LogFields, silentLogger } from '../../src/telemetry/logger.ts'
import { type Authority, createAuthority } from '../support/certificates.ts'
import { type ServeOptions, type Served, servers } from './serve.ts'

let authority: Authority
let clients: Authority
beforeAll(() => {
  authority = createAuthority()
  clients = createAuthority('Clients')
})
afterAll(() => {
  authority.remove()
  clients.remove()
})

const startWith = servers()
const sockets: { destroy(): unknown }[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

let shown = 0
/** A server over files that a test may change; the files hold what `issue` made for localhost. */
async function start(more: Record<string, unknown> = {}, limits: ServeOptions['limits'] = {}) {
  const certificate_file = join(authority.folder, `shown-${++shown}.pem`)
  const key_file = certificate_file.replace('.pem', '.key')
  const put = ({ certFile, keyFile }: { certFile: string; keyFile: string }): void => {
    copyFileSync(certFile, certificate_file)
    copyFileSync(keyFile, key_file)
  }
  put(authority.issue('localhost'))
  const served = await startWith({ limits, settings: { tls: { certificate_file, key_file, reload_ms: 20, ...more } } })
  return { served, certificate_file, key_file, put }
}

/** A connection that both sides agreed to; rejects when it ends before, or before the first answer. */
async function dial(served: Served, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({
    port: served.port,
    host: '127.0.0.1',
    ca: authority.ca,
    servername: 'localhost',
    ...options,
  })
  sockets.push(socket)
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
    // In TLS 1.3 a server refuses a client certificate after the client believes that it is connected.
    socket.once('data', () => resolve())
    socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')
  })
  socket.on('error', () => {})
  return socket
}

const serialOf = (socket: TLSSocket): string => socket.getPeerCertificate().serialNumber

it('speaks TLS 1.2 and 1.3 with ciphers that keep secrets, HTTP/1.1, and nothing older or plain', async () => {
  const { served } = await start({}, { headers_timeout_ms: 300 })
  expect(served.url).toMatch(/^https:/)
  expect((await dial(served)).getProtocol()).toBe('TLSv1.3')
  expect((await dial(served, { maxVersion: 'TLSv1.2' })).getCipher().name).toMatch(/^ECDHE-.*(GCM|POLY1305)/)
  await expect(
    dial(served, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  ).rejects.toThrow(/version|closed|ECONNRESET/)
  await expect(dial(served, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' })).rejects.toThrow(
    /handshake failure/,
  )
  expect((await dial(served, { ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol).toBe('http/1.1')
  await expect(dial(served, { ALPNProtocols: ['h2'] })).rejects.toThrow(/no application protocol/)

  for (const bytes of ['GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n', '', '\x16\x03\x01']) {
    const plain = connectPlain(served.port, '127.0.0.1')
    sockets.push(plain)
    plain.on('error', () => {})
    plain.write(bytes)
    let text = ''
    plain.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    await new Promise((resolve) => plain.once('close', resolve))
    expect(text, bytes).not.toContain('ok')
  }
})

it('tells browsers to come by TLS only, of this name and no other', async () => {
  const { served } = await start()
  const socket = await dial(served)
  const text = await new Promise<string>((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString()))
    socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')
  })
  expect(text).toMatch(/^strict-transport-security: max-age=63072000\r$/im)
})

it('shows a new certificate to new connections as soon as it is there, and goes on with the old ones', async () => {
  const { served, put } = await start()
  const before = await dial(served)
  const next = authority.issue('localhost', 50)
  put(next)
  await expect.poll(async () => serialOf(await dial(served))).not.toBe(serialOf(before))
  expect(served.logged).toContainEqual(expect.objectContaining({ event: 'certificate.loaded', level: 'info' }))
  const answered = new Promise<string>((resolve) => before.once('data', (chunk: Buffer) => resolve(chunk.toString())))
  before.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')
  expect(await answered).toMatch(/^HTTP\/1.1 200/)
})

it('keeps what it shows while the files hold what cannot be used', async () => {
  const { served, certificate_file, key_file, put } = await start()
  const before = serialOf(await dial(served))
  const other = authority.issue('localhost')
  const breaks: [string, () => void][] = [
    ['no pair', () => copyFileSync(other.certFile, certificate_file)],
    ['expired', () => put(authority.issue('localhost', -1))],
    ['no certificate', () => writeFileSync(certificate_file, '')],
    ['no certificate in PEM', () => writeFileSync(certificate_file, other.cert.subarray(0, 300))],
    ['cannot be read', () => (put(other), writeFileSync(key_file, 'x'), writeFileSync(key_file, ''))],
  ]
  for (const [why, broken] of breaks) {
    const told = served.logged.length
    broken()
    await expect.poll(() => served.logged.slice(told).filter(({ event }) => event === 'certificate.unread').length).toBeGreaterThan(0) // oxfmt-ignore
    expect(serialOf(await dial(served)), why).toBe(before)
  }
  put(other)
  await expect.poll(async () => serialOf(await dial(served))).not.toBe(before)
})

it('says once, however often it looks, that what should replace a certificate has expired or is not valid yet', () => {
  const own = authority.issue('localhost')
  const logged: [string, unknown][] = []
  const note = (event: string, fields?: LogFields): void => void logged.push([event, fields?.['error']])
  const settings = { certificate_file: own.certFile, key_file: own.keyFile, client_certificates: 'required', reload_ms: 1 } as const // oxfmt-ignore
  const tls = openTls(settings, { info: note, warn: note })
  const put = ({ cert, key }: { cert: Buffer; key: Buffer }): void => {
    writeFileSync(own.certFile, cert)
    writeFileSync(own.keyFile, key)
    for (let look = 0; look < 3; look++) tls.reload()
  }
  put(authority.issue('localhost', -1))
  put(authority.issue('localhost', 100, 1))
  expect(tls.certificate().unread).toMatch(/is not valid before/)
  put(own)
  expect(tls.certificate().unread).toBeUndefined()
  put(authority.issue('localhost', 50))
  expect(logged).toEqual([
    ['certificate.unread', expect.stringContaining('expired')],
    ['certificate.unread', expect.stringContaining('not valid before')],
    ['certificate.loaded', undefined],
  ])
})

it('lets nobody in without a client certificate that its authority signed, where they are required', async () => {
  const { served } = await start({ client_ca_file: clients.caFile })
  const mine = clients.issue('runner')
  expect((await dial(served, { cert: mine.cert, key: mine.key })).authorized).toBe(true)
  await expect(dial(served)).rejects.toThrow()
  const foreign = authority.issue('runner')
  await expect(dial(served, { cert: foreign.cert, key: foreign.key })).rejects.toThrow()
  const past = clients.issue('runner', -1)
  await expect(dial(served, { cert: past.cert, key: past.key })).rejects.toThrow()
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) await expect(dial(served, { maxVersion })).rejects.toThrow()
})

it('lets those in who have none, where they are optional, but nobody who shows a bad one', async () => {
  const { served } = await start({ client_ca_file: clients.caFile, client_certificates: 'optional' })
  const mine = clients.issue('runner')
  await dial(served, { cert: mine.cert, key: mine.key })
  await dial(served)
  const foreign = authority.issue('runner')
  await expect(dial(served, { cert: foreign.cert, key: foreign.key })).rejects.toThrow()
})

it('believes other authorities of clients once their file changed, and not by tickets of before', async () => {
  const client_ca_file = join(authority.folder, 'changing-ca.pem')
  copyFileSync(clients.caFile, client_ca_file)
  const { served } = await start({ client_ca_file })
  const old = clients.issue('runner')
  const next = authority.issue('runner')
  let session: Buffer | undefined
  const first = await dial(served, { cert: old.cert, key: old.key, maxVersion: 'TLSv1.2' })
  session = first.getSession()
  expect(session).toBeDefined()
  copyFileSync(authority.caFile, client_ca_file)
  await expect.poll(() => dial(served, { cert: next.cert, key: next.key }).then(() => true, () => false)).toBe(true) // oxfmt-ignore
  await expect(dial(served, { cert: old.cert, key: old.key, maxVersion: 'TLSv1.2', session })).rejects.toThrow()
})

it('a client certificate is no credential', async () => {
  const { served } = await start({ client_ca_file: clients.caFile })
  const mine = clients.issue('operate')
  const socket = await dial(served, { cert: mine.cert, key: mine.key })
  const answered = new Promise<string>((resolve) => socket.once('data', (chunk: Buffer) => resolve(chunk.toString())))
  socket.write('GET /v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n')
  expect(await answered).toMatch(/^HTTP\/1.1 401/)
})

it('does not start with files that cannot be used, and names the setting', () => {
  const mine = authority.issue('localhost')
  const settings = (more: Record<string, unknown>) =>
    httpSettings.parse({ tls: { certificate_file: mine.certFile, key_file: mine.keyFile, ...more } }).tls!
  const opening = (more: Record<string, unknown>) => () => openTls(settings(more), silentLogger)
  const empty = join(authority.folder, 'empty.pem')
  writeFileSync(empty, '')
  expect(opening({})).not.toThrow()
  expect(opening({ certificate_file: `${empty}.none` })).toThrow('http.tls.certificate_file')
  expect(opening({ certificate_file: empty })).toThrow('http.tls.certificate_file')
  expect(opening({ key_file: empty })).toThrow('are no pair')
  expect(opening({ key_file: authority.issue('localhost').keyFile })).toThrow('are no pair')
  expect(opening({ client_ca_file: empty })).toThrow('http.tls.client_ca_file')
  expect(() => settings({ client_certificates: 'optional' })).toThrow('client_ca_file')
})
