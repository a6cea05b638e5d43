import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type Socket, connect } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ServeOptions, type Served, artifactDigest, run, servers } from './serve.ts'

/** Who never hangs up has no connection for that: looked at from the service's side, since from theirs it is over with the first FIN. */

const held = new Set<Socket>()
const note = (message: unknown): void => {
  const { socket } = message as { socket: Socket } // what node tells of each connection that a server accepts
  held.add(socket)
  socket.once('close', () => held.delete(socket))
}
beforeAll(() => subscribe('net.server.socket', note))
afterAll(() => unsubscribe('net.server.socket', note))

const startWith = servers()
const start = (options: ServeOptions = {}): Promise<Served> =>
  startWith({ ...options, limits: { linger_ms: 100, headers_timeout_ms: 200, ...options.limits } })
const callers: Socket[] = []
afterEach(() => {
  for (const caller of callers.splice(0)) caller.destroy()
  held.clear()
})

/** Sends, goes on with `more` every 20 ms, and never ends its side. */
function dial(served: Served, bytes: string, more = ''): { text: string } {
  const caller = connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true })
  callers.push(caller)
  const seen = { text: '' }
  caller.on('data', (chunk: Buffer) => (seen.text += chunk.toString())).on('error', () => {})
  if (bytes !== '') caller.write(bytes)
  const dripping = setInterval(() => (more === '' || caller.destroyed ? undefined : caller.write(more)), 20)
  caller.once('close', () => clearInterval(dripping))
  return seen
}

const head = (line: string, headers = ''): string => `${line} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`
const audit = 'authorization: Bearer audit\r\n'

describe('a connection ends, though the caller never hangs up', () => {
  it.each([
    ['says nothing', '', '', ''],
    ['stops within its headers', 'GET /healthz HTTP/1.1\r\nx: ', '', '408'],
    ['speaks something else', 'HELO example.org\r\n\r\n', '', '400'],
    ['breaks off its chunks', head('POST /nowhere', 'transfer-encoding: chunked\r\n') + 'zzz\r\n', '', '400'],
    ['sends a body to what takes none', head('GET /healthz', 'content-length: 1000000\r\n'), 'x', '200'],
    ['sends a body in chunks', head('GET /healthz', 'transfer-encoding: chunked\r\n'), '1\r\nx\r\n', '200'],
    ['sends a body to what is not there', head('POST /nowhere', 'content-length: 1000000\r\n'), 'x', '404'],
    ['expects a miracle', head('POST /nowhere', 'expect: miracle\r\ncontent-length: 1000000\r\n'), 'x', '404'],
    ['sends on behind a refusal', head(`PUT /v1/runs/${run}`, 'content-length: 1000000\r\n'), 'x', '401'],
    ['has a path that is none', head('POST /%zz', 'content-length: 1000000\r\n'), 'x', '400'],
    ['has a path that is too long', head(`POST /${'x'.repeat(9_000)}`, 'content-length: 1000000\r\n'), 'x', '414'],
  ])('%s', async (_what, bytes, more, status) => {
    const served = await start()
    const seen = dial(served, bytes, more)
    await expect.poll(() => held.size).toBe(1)
    await expect.poll(() => seen.text).toContain(`HTTP/1.1 ${status}`)
    await expect.poll(() => held.size).toBe(0)
  })
})

it('what is no request is not answered within an answer that has begun', async () => {
  const openArtifact = async () =>
    Readable.from(
      (async function* () {
        yield Buffer.from('begun')
        await new Promise<never>(() => {})
      })(),
    )
  const served = await start({ openArtifact })
  const seen = dial(served, head(`GET /v1/artifacts/${artifactDigest}`, audit))
  await expect.poll(() => seen.text).toContain('begun')
  callers[0]?.write('GARBAGE\r\n\r\n')
  await expect.poll(() => held.size).toBe(0)
  expect(seen.text).not.toContain('request_invalid')
})

describe('who asks whether to send', () => {
  const asking = (headers: string): string =>
    head(
      `PUT /v1/runs/${run}/parts?name=x`,
      `${headers}expect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n`,
    )

  it('is told to where the request is allowed', async () => {
    const served = await start({ limits: { linger_ms: 5_000 } })
    const seen = dial(served, asking('authorization: Bearer push\r\n'))
    await expect.poll(() => seen.text).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    callers[0]?.write('abc')
    await expect.poll(() => seen.text).toContain('HTTP/1.1 201')
  })

  it('is only told why not where it is not', async () => {
    const served = await start()
    const seen = dial(served, asking(audit))
    await expect.poll(() => seen.text).toContain('"code":"forbidden"')
    expect(seen.text).not.toContain('Continue')
  })
})

it('two names of the host are refused', async () => {
  const served = await start()
  const seen = dial(served, head('GET /healthz', 'host: y\r\nconnection: close\r\n'))
  await expect.poll(() => seen.text).toMatch(/^HTTP\/1.1 400 [^]*more than one Host/)
})
