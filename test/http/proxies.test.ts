import { describe, expect, it } from 'vitest'
import { exposures } from '../../src/http/exposure.ts'
import { httpSettings } from '../../src/http/settings.ts'
import { type ServeOptions, type Served, raw, servers } from './serve.ts'

const start = servers()

/** The link to the next page as somebody gets it who asks for the feed with these headers. */
async function linkOf(served: Served, headers: string): Promise<string> {
  const text = await raw(
    served.port,
    `GET /v1/feed/unit?cursor=earliest HTTP/1.1\r\nauthorization: Bearer feed\r\nconnection: close\r\n${headers}\r\n\r\n`,
  )
  return /^link: <([^?>]*)/im.exec(text)?.[1] ?? text
}

describe('links', () => {
  const forwarded = 'host: inside:1\r\nx-forwarded-host: proofline.example\r\nx-forwarded-proto: https'

  it('lead where the public address says, whatever Host was asked for', async () => {
    const served = await start({
      settings: { public_url: 'https://proofline.example', trusted_proxies: ['127.0.0.1'] },
    })
    for (const headers of ['host: evil.example', 'host: a\r\nx-forwarded-host: evil.example'])
      expect(await linkOf(served, headers)).toBe('https://proofline.example/v1/feed/unit')
  })

  it('lead through a proxy that is trusted', async () => {
    const served = await start({ settings: { trusted_proxies: ['127.0.0.0/8'] } })
    expect(await linkOf(served, forwarded)).toBe('https://proofline.example/v1/feed/unit')
  })

  it('do not lead where somebody else says who is no proxy', async () => {
    for (const trusted_proxies of [[], ['192.0.2.1']]) {
      const served = await start({ settings: { trusted_proxies } })
      expect(await linkOf(served, forwarded)).toBe('http://inside:1/v1/feed/unit')
    }
  })

  it('have no host where the one that was asked for is none', async () => {
    const served = await start()
    for (const host of ['a/b', 'user@evil.example', 'a"b', 'x y', '<script>', 'a:99999999'])
      expect(await linkOf(served, `host: ${host}`), host).toMatch(/^(?:\/v1\/feed\/unit|HTTP\/1.1 400)/)
  })
})

describe('refusals', () => {
  const guess = (served: Served, from: string) =>
    served.fetch('/v1/status', { token: 'guess', headers: { 'x-forwarded-for': from } }).then(({ status }) => status)

  it('are counted for the caller behind a proxy that is trusted', async () => {
    const served = await start({
      limits: { refusals_per_minute: 1 },
      settings: { trusted_proxies: ['127.0.0.1'] },
      now: () => new Date(0),
    })
    expect([
      await guess(served, '192.0.2.1'),
      await guess(served, '192.0.2.1'),
      await guess(served, '192.0.2.2'),
    ]).toEqual([401, 429, 401])
    // What a caller writes stands in front of what the proxy adds.
    expect(await guess(served, '192.0.2.77, 192.0.2.1')).toBe(429)
  })

  it('are counted for the address that connects, where nobody is trusted, whatever it says', async () => {
    const served = await start({ limits: { refusals_per_minute: 1 }, now: () => new Date(0) })
    expect([await guess(served, '192.0.2.1'), await guess(served, '192.0.2.2')]).toEqual([401, 429])
  })
})

it('what is open on this machine only is not open through a proxy on it', async () => {
  const metrics = async (options: ServeOptions, headers: Record<string, string> = {}) =>
    (await (await start(options)).fetch('/metrics', { headers })).status
  expect(await metrics({})).toBe(200)
  expect(await metrics({}, { 'x-forwarded-for': '127.0.0.1' })).toBe(401)
  expect(await metrics({ settings: { trusted_proxies: ['127.0.0.1'] } })).toBe(401)
  expect(await metrics({ settings: { trusted_proxies: ['127.0.0.1'] } }, { 'x-forwarded-for': '127.0.0.1' })).toBe(401)
})

it('no other site may read answers or send with what a browser keeps', async () => {
  const served = await start()
  const preflight = await served.fetch('/v1/status', { method: 'OPTIONS', headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' } }) // oxfmt-ignore
  const answer = await served.fetch('/v1/status', { token: 'audit', headers: { origin: 'https://evil.example' } })
  expect([preflight.status, answer.status]).toEqual([405, 200])
  for (const { headers } of [preflight, answer]) {
    expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
    expect(headers.get('referrer-policy')).toBe('same-origin')
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  }
})

it('names of proxies that are none, and everybody, stop the start', () => {
  for (const proxy of ['proxy.example', '0.0.0.0/0', '10.0.0.0/40', 'loopback', ''])
    expect(() => httpSettings.parse({ trusted_proxies: [proxy] }), proxy).toThrow('is no address')
})

it('the start warns of what can be read on the way', () => {
  const of = (settings: object): string[] => exposures(httpSettings.parse(settings))
  expect(of({})).toEqual([])
  for (const host of ['127.0.0.1', '::1', 'localhost', '127.1.2.3']) expect(of({ host }), host).toEqual([])
  for (const host of ['0.0.0.0', '::', '10.0.0.7', 'proofline.example', '127.0.0.1.evil.example'])
    expect(of({ host }), host).toMatchObject([
      expect.stringContaining(`http.host ${host} is open to the network without TLS`),
    ])
  const tls = { certificate_file: 'a', key_file: 'b' }
  expect(of({ host: '0.0.0.0', tls })).toEqual([])
  expect(of({ host: '0.0.0.0', trusted_proxies: ['10.0.0.1'], public_url: 'https://proofline.example' })).toEqual([])
  expect(of({ host: '0.0.0.0', trusted_proxies: ['10.0.0.1'] })).toMatchObject([
    expect.stringContaining('http.public_url'),
  ])
})
