import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import { cookieOf } from '../../src/delivery/cookies.ts'
import { createOutgoing } from '../../src/delivery/outgoing.ts'
import { destinationSettings } from '../../src/delivery/settings.ts'
import { toSecret } from '../../src/delivery/secret.ts'
import { listen } from '../support/http-fake.ts'

let signal: AbortSignal
beforeEach(() => {
  signal = AbortSignal.timeout(20_000)
})
const settings = {
  connections: 2,
  compression: 'none' as const,
  maxAnswerBytes: 1_000,
  timeoutMs: 500,
  allowMetadataAddresses: false,
}
const post = { method: 'POST', path: '/x', headers: {}, body: Buffer.from('{}'), timeoutMs: 400 } as const

describe('outgoing', () => {
  it('refuses to connect to a metadata address, and says which', async () => {
    const outgoing = createOutgoing({ ...settings, url: 'http://169.254.169.254/latest' })
    expect(await outgoing.request(post, signal)).toMatchObject({
      kind: 'failure',
      phase: 'resolve',
      wrote: false,
      code: 'ADDRESS_REFUSED',
      address: '169.254.169.254',
    })
    await outgoing.close()
  })

  it('names the phase: a name that does not resolve, a port nobody listens on, a peer that speaks no TLS', async () => {
    const of = async (url: string) => {
      const outgoing = createOutgoing({ ...settings, url })
      const answer = await outgoing.request(post, signal)
      await outgoing.close()
      return answer
    }
    expect(await of('http://nowhere.invalid')).toMatchObject({ phase: 'resolve', wrote: false })
    expect(await of('http://127.0.0.1:1')).toMatchObject({
      phase: 'connect',
      wrote: false,
      code: 'ECONNREFUSED',
      address: '127.0.0.1:1',
    })
    const plain = createServer((socket) => void socket.end('hello, this is no TLS\r\n'))
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    const { port } = plain.address() as { port: number }
    expect(await of(`https://127.0.0.1:${port}`)).toMatchObject({
      phase: 'tls',
      wrote: false,
      address: `127.0.0.1:${port}`,
    })
    plain.close()
  })

  it('follows no redirect, and sends nothing twice', async () => {
    let requests = 0
    const server = await listen(async (_, response) => {
      requests++
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    const outgoing = createOutgoing({ ...settings, url: server.url })
    expect(await outgoing.request(post, signal)).toMatchObject({ kind: 'answer', status: 307 })
    expect(requests).toBe(1)
    await outgoing.close()
    await server.close()
  })

  it('gives up at the deadline while an endless answer trickles in, or an answer that is too long', async () => {
    const server = await listen(async (request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      const tick = setInterval(() => response.write(request.url === '/long' ? 'x'.repeat(400) : 'x'), 20)
      response.on('close', () => clearInterval(tick))
    })
    const outgoing = createOutgoing({ ...settings, url: server.url })
    expect(await outgoing.request(post, signal)).toMatchObject({
      kind: 'failure',
      phase: 'read',
      wrote: true,
      code: 'TIMEOUT',
      status: 200,
    })
    expect(await outgoing.request({ ...post, path: '/long', timeoutMs: 5_000 }, signal)).toMatchObject({
      code: 'ANSWER_TOO_LONG',
      wrote: true,
    })
    await outgoing.close()
    await server.close()
  })

  describe('gives a body back', () => {
    const large = Buffer.alloc(12 * 1024 * 1024, 'x')
    /** Sends 12 MiB to a server that answers in its own way, and tells what was given back. */
    async function given(handle: Parameters<typeof listen>[0], extra: object = {}, body = large) {
      const server = await listen(handle)
      const outgoing = createOutgoing({ ...settings, ...extra, url: server.url })
      const back: Buffer[] = []
      const answer = await outgoing.request({ ...post, body, timeoutMs: 5_000, left: (one) => void back.push(one) }, signal) // oxfmt-ignore
      await outgoing.close()
      await server.close()
      return { back, answer }
    }
    const readAll: Parameters<typeof listen>[0] = async (request, response) => {
      for await (const _ of request);
      response.end('ok')
    }

    it('when all of it has left and was answered', async () => {
      const { back, answer } = await given(readAll)
      expect(answer).toMatchObject({ kind: 'answer', status: 200 })
      expect(back).toEqual([large])
    })

    it('at once when a compressed copy is sent', async () => {
      expect((await given(readAll, { compression: 'gzip' })).back).toEqual([large])
    })

    it('never when the answer came before all of it had left', async () => {
      const { back, answer } = await given(async (_, response) => void response.writeHead(413).end('no'))
      expect(answer).toMatchObject({ kind: 'answer', status: 413 })
      expect(back).toEqual([])
    })

    it('never when the connection broke, and never a small one, of which nobody knows when it left', async () => {
      expect((await given(async (request) => void request.socket.destroy())).back).toEqual([])
      expect((await given(readAll, {}, Buffer.alloc(10_000))).back).toEqual([])
    })
  })

  it('writes nothing when a freeze ended after send_before', async () => {
    let requests = 0
    const server = await listen(async (_, response) => {
      requests++
      response.end('ok')
    })
    let clock = 0
    const outgoing = createOutgoing({ ...settings, url: server.url }, () => clock)
    clock = 11_000
    expect(await outgoing.request({ ...post, sendBeforeMs: 10_000, deadlineMs: 70_000 }, signal)).toEqual({
      kind: 'expired',
    })
    expect(requests).toBe(0)
    await outgoing.close()
    await server.close()
  })
})

describe('cookieOf', () => {
  it.each([
    [undefined, undefined],
    ['AWSALB=abc/+==; Expires=Mon, 30 Nov 2026 05:00:00 GMT; Path=/; HttpOnly', 'AWSALB=abc/+=='],
    [['a=1; Path=/', 'b=2', 'a=3; Secure'], 'a=3; b=2'],
    [['no cookie', '=nameless', 'a=b\r\nx: y', 'ok=1'], 'ok=1'],
    [[`big=${'x'.repeat(5_000)}`, 'small=1'], 'small=1'],
  ])('reads %j as %j', (header, cookie) => {
    expect(cookieOf(header)).toBe(cookie)
  })
})

describe('destinationSettings', () => {
  const splunk = { type: 'splunk', url: 'https://hec.example:8088', token: 'very-secret', proof: 'answer' }

  it('fills in the defaults', () => {
    expect(destinationSettings.parse(splunk)).toMatchObject({
      window_ms: 1_000,
      batch: { records: 1_000, bytes: 524_288 },
      on_unresolved: 'hold',
      start: 'beginning',
    })
  })

  it('never prints a secret', () => {
    const parsed = destinationSettings.parse({
      ...splunk,
      search: { url: 'https://splunk.example:8089', token: 'also-secret' },
    })
    expect(
      `${JSON.stringify(parsed)}${inspect(parsed, { depth: 9 })}${toSecret('very-secret').toString()}`,
    ).not.toMatch(/very-secret|also-secret/)
  })

  it.each([
    [{ ...splunk, token: undefined }, 'token'],
    [{ ...splunk, token_file: '/run/token' }, 'token'],
    [{ ...splunk, token: 'seven77' }, 'token'],
    [{ ...splunk, previous_token: 'seven77' }, 'previous_token'],
    [{ ...splunk, search: { url: 'https://splunk.example:8089', token: 'seven77' } }, 'search.token'],
    [{ type: 'elastic', url: 'https://es.example', api_key: 'seven77' }, 'api_key'],
    [{ ...splunk, proof: 'search' }, 'search'],
    [{ ...splunk, url: 'https://hec.example/?token=x' }, 'url'],
    [{ ...splunk, url: 'ftp://hec.example' }, 'url'],
    [{ ...splunk, windowms: 4 }, ''],
    [{ type: 'elastic', url: 'https://es.example', username: 'a' }, 'password'],
    [
      { type: 'elastic', url: 'https://es.example', username: 'a', password: 'b', api_key: 'a-key-of-ours' },
      'username',
    ],
    [{ type: 'syslog', url: 'https://es.example' }, 'type'],
  ])('refuses %j and names the key', (settings_, key) => {
    const result = destinationSettings.safeParse(settings_)
    expect(result.success).toBe(false)
    expect(result.error?.issues.map(({ path }) => path.join('.'))).toContain(key)
  })
})
