import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { httpOutcome } from '../../src/delivery/http-answers.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { createOperator } from '../../src/delivery/operate.ts'
import { destinationSettings } from '../../src/delivery/settings.ts'
import { toSecret } from '../../src/delivery/secret.ts'
import { createOutgoing } from '../../src/delivery/outgoing.ts'
import { proxyOf, trustOf, type Wire } from '../../src/delivery/wire.ts'
import { type Authority, createAuthority } from '../support/certificates.ts'
import { startFakeHec } from '../support/hec.ts'
import { startProxy } from '../support/proxy.ts'
import { attemptId } from './contract.ts'
import { splunkSettings } from './lane.ts'
import { makeRecord } from './records.ts'

let authority: Authority
beforeAll(() => {
  authority = createAuthority()
})
afterAll(() => authority.remove())
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
let signal: AbortSignal
beforeEach(() => {
  signal = AbortSignal.timeout(30_000)
})

async function proxied(options: Parameters<typeof startProxy>[0] = {}) {
  const proxy = await startProxy({ hosts: { 'siem.example': '127.0.0.1' }, ...options })
  closers.push(proxy.close)
  return proxy
}

async function secureServer(name = 'siem.example') {
  const { cert, key } = authority.issue(name)
  const server = createServer({ cert, key }, (request, response) => {
    request.resume().on('end', () => response.end('through'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

async function ask(url: string, wire: Partial<Wire>, timeoutMs = 5_000) {
  const settings = { url, allow_metadata_addresses: false, ...wire } as Wire
  const [trust, proxy] = await Promise.all([trustOf(settings), proxyOf(settings)])
  const limits = { connections: 1, compression: 'none', maxAnswerBytes: 1_000, timeoutMs } as const
  const outgoing = createOutgoing({ url, allowMetadataAddresses: false, ...limits, trust, ...(proxy === undefined ? {} : { proxy }) }) // oxfmt-ignore
  closers.push(outgoing.close)
  return outgoing.request(
    { method: 'POST', path: '/x', headers: {}, body: Buffer.from('{}'), timeoutMs: 5_000 },
    signal,
  )
}

describe('a proxy', () => {
  it('is asked for a tunnel to name and port, and sees nothing else; the name is resolved there', async () => {
    const port = await secureServer()
    const proxy = await proxied()
    const answer = await ask(`https://siem.example:${port}`, { proxy: proxy.url, ca_file: authority.caFile })
    expect(answer).toMatchObject({ kind: 'answer', status: 200, body: 'through', address: `siem.example:${port}` })
    expect(proxy).toMatchObject({ asked: [{ place: `siem.example:${port}`, credential: undefined }], others: 0 })
  })

  it('is used likewise where nothing is encrypted: records, acknowledgements and searches go through tunnels', async () => {
    const fake = await startFakeHec({ useAck: true })
    closers.push(fake.close)
    const proxy = await proxied()
    const search = { url: fake.searchUrl, token: fake.searchToken, lag_ms: 0, timeout_ms: 1_000, proxy: proxy.url }
    const settings = splunkSettings(fake, { proof: 'ack', proxy: proxy.url, search })
    const destination = await openDestination(settings, { publicHost: 'p', now: () => new Date() })
    closers.push(destination.close)
    const rendered = destination.render([makeRecord(0)], attemptId())
    const answer = await destination.send(rendered, signal)
    const [outcome] = destination.classify(rendered, answer)
    expect(outcome).toEqual({ kind: 'accepted', ackId: 0 })
    const now = new Date()
    const attempt = { id: rendered.attempt, target: rendered.target, members: 1, records: async () => rendered.records, openedAt: now, deadline: now } // oxfmt-ignore
    expect(await destination.look(attempt, signal)).toMatchObject([{ kind: 'present', receipt: { by: 'ack' } }])
    expect(await destination.look(attempt, signal)).toMatchObject([{ kind: 'present', receipt: { by: 'search' } }])
    const places = [fake.url, fake.searchUrl].map((url) => new URL(url).host)
    expect(new Set(proxy.asked.map(({ place }) => place))).toEqual(new Set(places))
    expect(proxy.others).toBe(0)
  })

  it('is given its own credential, by https when it says so', async () => {
    const port = await secureServer()
    const { cert, key } = authority.issue('proxy.example')
    const proxy = await proxied({ tls: { cert, key }, demands: 'proofline:pass' })
    const wire = {
      proxy: proxy.url,
      proxy_username: 'proofline',
      proxy_password: toSecret('pass'),
      proxy_ca_file: authority.caFile,
      ca_file: authority.caFile,
    }
    expect(await ask(`https://siem.example:${port}`, wire)).toMatchObject({ kind: 'answer', body: 'through' })
    const distrusted = await ask(`https://siem.example:${port}`, { ...wire, proxy_ca_file: undefined } as Partial<Wire>)
    expect(distrusted).toMatchObject({ kind: 'failure', phase: 'tls', wrote: false, address: proxy.url.slice(8) })
    expect(httpOutcome(distrusted)).toMatchObject({
      block: 'certificate',
      reason: expect.stringMatching(/proxy: .*certificate CN=proxy\.example, valid until/),
    })
  })

  it('case 10: blocks (credentials) when it answers 407, and nothing was sent', async () => {
    const proxy = await proxied({ demands: 'somebody:else' })
    const answer = await ask('https://siem.example:443', { proxy: proxy.url })
    expect(answer).toMatchObject({ kind: 'failure', phase: 'connect', wrote: false, address: proxy.url.slice(7) })
    expect(httpOutcome(answer)).toMatchObject({
      kind: 'unsent',
      block: 'credentials',
      reason: expect.stringContaining('the proxy answers HTTP 407 to CONNECT siem.example:443'),
    })
  })

  it.each([403, 502, 504])(
    'case 10: that refuses with %i leaves nothing in doubt, and is tried again',
    async (status) => {
      const proxy = await proxied({ answer: status })
      const outcome = httpOutcome(await ask('https://siem.example:443', { proxy: proxy.url }))
      expect(outcome).toMatchObject({ kind: 'unsent', reason: expect.stringContaining(`PROXY_${status}`) })
      expect(outcome).not.toHaveProperty('block')
    },
  )

  it('that hangs up, or says nothing, leaves nothing in doubt: phase and address are its own', async () => {
    const rude = await proxied({ answer: 'hang up' })
    const gone = await ask('https://siem.example:443', { proxy: rude.url })
    expect(gone).toMatchObject({ kind: 'failure', phase: 'connect', wrote: false, code: 'PROXY_CLOSED', address: rude.url.slice(7) }) // oxfmt-ignore
    expect(rude.asked.length).toBe(1)
    const silent = await proxied({ answer: 'silence' })
    const late = await ask('https://siem.example:443', { proxy: silent.url }, 300)
    expect(late).toMatchObject({ kind: 'failure', phase: 'connect', wrote: false, code: 'ETIMEDOUT', address: silent.url.slice(7) }) // oxfmt-ignore
  })

  it('is named when it is not there', async () => {
    const unused = await proxied()
    await unused.close()
    expect(await ask('http://siem.example', { proxy: unused.url })).toMatchObject({
      kind: 'failure',
      phase: 'connect',
      wrote: false,
      code: 'ECONNREFUSED',
      address: unused.url.slice(7),
      message: expect.stringMatching(/^proxy: /),
    })
    expect(await ask('http://siem.example', { proxy: 'http://nowhere.invalid:3128' })).toMatchObject({
      phase: 'resolve',
      message: expect.stringMatching(/^proxy: /),
    })
  })

  it("does not stand in for the destination's own certificate", async () => {
    const port = await secureServer('other.example')
    const proxy = await proxied()
    const answer = await ask(`https://siem.example:${port}`, { proxy: proxy.url, ca_file: authority.caFile })
    expect(answer).toMatchObject({ kind: 'failure', phase: 'tls', address: `siem.example:${port}` })
    expect(httpOutcome(answer)).toMatchObject({ block: 'certificate' })
  })

  it('is no way to an address of metadata that is written down, nor to a proxy at one', async () => {
    const proxy = await proxied()
    expect(await ask('http://169.254.169.254', { proxy: proxy.url })).toMatchObject({ code: 'ADDRESS_REFUSED' })
    expect(await ask('http://siem.example', { proxy: 'http://169.254.169.254:3128' })).toMatchObject({
      code: 'ADDRESS_REFUSED',
      wrote: false,
    })
    expect(proxy.asked).toEqual([])
  })

  it('is what a check goes through, and names', async () => {
    const proxy = await proxied({ answer: 403 })
    const settings = destinationSettings.parse({ type: 'elastic', url: 'http://siem.example', proxy: proxy.url })
    const operator = createOperator({
      db: { query: () => Promise.reject(new Error('a check asks no database')) },
      destinations: { siem: settings },
      ledgers: [],
      publicHost: 'p',
      now: () => new Date(),
    })
    const steps = await operator.check('siem', 100, signal)
    expect(steps.map(({ step, result, detail }) => `${result} ${step}: ${detail}`)).toEqual([
      `ok server: resolve: siem.example is resolved by the proxy ${proxy.url.slice(7)}`,
      `failed server: connect: connect ${proxy.url.slice(7)}: PROXY_403 the proxy answers HTTP 403 to CONNECT siem.example:80`,
    ])
  })
})

describe('the settings of a proxy', () => {
  const elastic = { type: 'elastic', url: 'https://siem.example' }

  it.each([
    [{ proxy: 'socks5://proxy.example:1080' }, 'proxy'],
    [{ proxy: 'http://user:pass@proxy.example:3128' }, 'proxy'],
    [{ proxy: 'http://proxy.example:3128/path' }, 'proxy'],
    [{ proxy: 'http://proxy.example:3128', proxy_username: 'a' }, 'proxy_password'],
    [{ proxy: 'http://proxy.example:3128', proxy_password: 'a' }, 'proxy_username'],
    [{ proxy_username: 'a', proxy_password: 'b' }, 'proxy'],
  ])('%j is refused at %s', (more, key) => {
    const issues = destinationSettings.safeParse({ ...elastic, ...more }).error?.issues ?? []
    expect(issues.map(({ path }) => path.join('.'))).toContain(key)
  })
})
