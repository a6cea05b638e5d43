import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { ambiguousRequests, smuggled } from '../garbage/ambiguous.ts'
import { statusesOf } from '../garbage/wire.ts'
import { raw, run, servers } from './serve.ts'

/** What comes over a socket and is no request that two readers would understand in the same way. */

const start = servers()

const part = `/v1/runs/${run}/parts?name=x`
const put = (headers: string, body = ''): string =>
  `PUT ${part} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer push\r\n${headers}\r\n\r\n${body}`
const statuses = (text: string): string[] => statusesOf(text).map(String)

describe('a request whose end can be seen in two ways is refused, and ends its connection', () => {
  it.each(ambiguousRequests(part, 'push'))('%s', async (_what, bytes) => {
    const served = await start({ limits: { linger_ms: 50 } })
    const text = await raw(served.port, bytes)
    expect(statuses(text).filter((status) => !status.startsWith('4'))).toEqual([])
    expect(text).not.toContain('\r\nok')
    expect(served.logged.filter(({ level }) => level === 'error')).toEqual([])
  })
})

it('a request whose end is plain is followed by the next one on the same connection', async () => {
  const served = await start()
  const last = smuggled.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')
  for (const bytes of [
    put('content-length: 3', `abc${last}`),
    put('transfer-encoding: chunked', `3\r\nabc\r\n0\r\n\r\n${last}`),
  ])
    expect(statuses(await raw(served.port, bytes))).toEqual(['201', '200'])
})

it('a change of protocol is not taken up', async () => {
  const served = await start()
  const text = await raw(
    served.port,
    `GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n`,
  )
  expect(statuses(text)).toEqual(['200'])
})

it('a method that no route has is refused', async () => {
  const served = await start()
  for (const method of ['TRACE', 'PROPFIND', 'DELETE', 'OPTIONS', 'SEARCH'])
    expect(statuses(await raw(served.port, `${method} /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)), method).toMatchObject([expect.stringMatching(/^40[045]$/)]) // oxfmt-ignore
})

it('more headers than are allowed are refused, none is left out without a word', async () => {
  const served = await start({ limits: { headers: 50, header_bytes: 65_536 } })
  const ask = (count: number): string =>
    `GET /v1/status HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(count)}connection: close\r\nauthorization: Bearer operate\r\n\r\n`
  expect(statuses(await raw(served.port, ask(40)))).toEqual(['200'])
  for (const count of [48, 3_000])
    expect(await raw(served.port, ask(count))).toMatch(/^HTTP\/1.1 431 [^]*"code":"headers_too_large"/)
})

it('a path and query that are too long are refused', async () => {
  const served = await start({ limits: { url_bytes: 1_000 } })
  const ask = (length: number): Promise<Response> =>
    served.fetch(`/v1/feed/unit?cursor=${'x'.repeat(length)}`, { token: 'feed' })
  expect(await (await ask(1_000)).json()).toMatchObject({ status: 414, code: 'url_too_long' })
  expect(await (await ask(900)).json()).toMatchObject({ code: 'request_invalid' })
})

it('thousands of query parameters are refused as any that the route does not have', async () => {
  const served = await start({ limits: { header_bytes: 65_536, url_bytes: 60_000 } })
  const many = Array.from({ length: 5_000 }, (_, i) => `p${i}=`).join('&')
  const answer = await served.fetch(`/v1/feed/unit?${many}`, { token: 'feed' })
  expect(await answer.json()).toMatchObject({ code: 'request_invalid' })
  for (const name of ['__proto__', 'constructor', 'toString', 'cursor[]', 'cursor[a]'])
    expect((await served.fetch(`/v1/feed/unit?cursor=earliest&${name}=x`, { token: 'feed' })).status, name).toBe(400)
})

it('headers that come a byte at a time do not come for ever', async () => {
  const served = await start({ limits: { headers_timeout_ms: 300 } })
  const socket = connect(served.port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => {})
  const dripping = setInterval(() => socket.write('x'), 20)
  socket.write('GET /healthz HTTP/1.1\r\nx: ')
  await new Promise((resolve) => socket.once('close', resolve))
  clearInterval(dripping)
  expect(text).toMatch(/^HTTP\/1.1 408 /)
})

it('a connection on which nothing comes ends', async () => {
  const served = await start({ limits: { headers_timeout_ms: 200 } })
  expect(await raw(served.port, '')).toMatch(/^HTTP\/1.1 408 /)
})
