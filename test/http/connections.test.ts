import { createServer } from 'node:http'
import { type Socket, connect } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { Problem } from '../../src/record/problem.ts'
import { whenOver } from '../../src/http/connections.ts'
import { type Served, run, servers } from './serve.ts'

const start = servers()
const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

/** A connection, what came over it, and whether it has ended. */
function dial(served: Served, bytes = ''): { socket: Socket; seen: { text: string; closed: boolean } } {
  const socket = connect(served.port, '127.0.0.1')
  sockets.push(socket)
  const seen = { text: '', closed: false }
  socket.on('data', (chunk: Buffer) => (seen.text += chunk.toString())).on('error', () => {})
  socket.once('close', () => (seen.closed = true))
  if (bytes !== '') socket.write(bytes)
  return { socket, seen }
}

const health = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'
const seal = `PUT /v1/runs/${run}/seal HTTP/1.1\r\nhost: x\r\nauthorization: Bearer push\r\ncontent-type: application/json\r\ncontent-length: 36\r\n\r\n{"outcome":"completed","tests":null}`

/** Seals that end when they are told to. */
function pending() {
  const ends: (() => void)[] = []
  const close = () => new Promise<never>((_, reject) => ends.push(() => reject(new Problem('seal_conflict', 'x'))))
  return { ends, admission: { close } }
}

it('an address has no more connections than it may, and gets others when some end', async () => {
  const served = await start({ limits: { connections_per_address: 3 } })
  const held = [dial(served, health), dial(served, health), dial(served, health)]
  for (const { seen } of held) await expect.poll(() => seen.text).toContain('ok')
  for (let i = 0; i < 5; i++) {
    const more = dial(served, health)
    await expect.poll(() => more.seen.closed).toBe(true)
    expect(more.seen.text).toBe('')
  }
  expect(served.logged.filter(({ event }) => event === 'connections.refused')).toMatchObject([{ fields: { address: '127.0.0.1', most: 3 } }]) // oxfmt-ignore
  held[0]?.socket.destroy()
  await expect
    .poll(async () => {
      const next = dial(served, health)
      await expect.poll(() => next.seen.closed || next.seen.text !== '').toBe(true)
      return next.seen.text
    })
    .toContain('ok')
})

it('a proxy that is trusted has as many as there are', async () => {
  const served = await start({ limits: { connections_per_address: 1 }, settings: { trusted_proxies: ['127.0.0.0/8'] } })
  const held = [dial(served, health), dial(served, health), dial(served, health)]
  for (const { seen } of held) await expect.poll(() => seen.text).toContain('ok')
})

it('a connection on which more is sent ahead than may be ends, and so does what it asked for', async () => {
  const { ends, admission } = pending()
  const served = await start({ admission, limits: { pipelined: 3 } })
  const three = dial(served, seal.repeat(3))
  await expect.poll(() => ends.length).toBe(3)
  expect(three.seen.closed).toBe(false)
  for (const end of ends.splice(0)) end()
  await expect.poll(() => [...three.seen.text.matchAll(/HTTP\/1.1 409/g)].length).toBe(3)
  // What was answered counts no more.
  three.socket.write(seal.repeat(3))
  await expect.poll(() => ends.length).toBe(3)
  for (const end of ends.splice(0)) end()

  const many = dial(served, seal.repeat(50))
  await expect.poll(() => many.seen.closed).toBe(true)
  expect(many.seen.text).not.toContain('HTTP/1.1 2')
  expect(ends.length).toBeLessThanOrEqual(3)
  for (const end of ends) end()
})

it('no more requests are under way than may be, whatever connections they came by, and none stays counted', async () => {
  const { ends, admission } = pending()
  const served = await start({ admission, limits: { requests: 4 } })
  const status = () => served.fetch('/v1/status', { token: 'audit' }).then((answer) => answer.status)
  const pair = dial(served, seal.repeat(2))
  const other = dial(served, seal.repeat(2))
  await expect.poll(() => ends.length).toBe(4)
  const refused = await served.fetch('/v1/status', { token: 'audit' })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await refused.json()).toMatchObject({ code: 'overloaded' })
  expect([(await served.fetch('/healthz')).status, (await served.fetch('/login')).status]).toEqual([200, 503])
  // One of each pair waits behind the other and has no connection of its own that could close.
  pair.socket.destroy()
  other.socket.destroy()
  await expect.poll(status).toBe(200)
  for (const end of ends.splice(0)) end()
  dial(served, seal.repeat(4))
  await expect.poll(() => ends.length).toBe(4)
  for (const end of ends) end()
})

it('what needs no credential is counted by address', async () => {
  const served = await start({ limits: { open_requests_per_minute: 2 }, logPublic: true, now: () => new Date(0) })
  const ask = () => served.fetch('/healthz')
  expect([(await ask()).status, (await served.fetch('/')).status]).toEqual([200, 200])
  const refused = await ask()
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
  expect((await served.fetch('/log/main/unit/checkpoint')).status).toBe(429)
  expect((await served.fetch('/v1/status', { token: 'audit' })).status).toBe(200)
})

it('no more connections are accepted than may be', async () => {
  const served = await start({ limits: { connections: 2 } })
  const held = [dial(served, health), dial(served, health)]
  for (const { seen } of held) await expect.poll(() => seen.text).toContain('ok')
  const more = dial(served, health)
  await expect.poll(() => more.seen.closed).toBe(true)
  expect(more.seen.text).toBe('')
})

it('a connection that is not used ends', async () => {
  const served = await start({ limits: { keep_alive_ms: 100 } })
  const used = dial(served, health)
  await expect.poll(() => used.seen.closed).toBe(true)
  expect(used.seen.text).toMatch(/^HTTP\/1.1 200/)
})

it('a body that comes steadily does not come for ever', async () => {
  const served = await start({ limits: { request_timeout_ms: 500, headers_timeout_ms: 200 } })
  const head = `PUT /v1/runs/${run}/parts?name=x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer push\r\ncontent-length: 1000000\r\n\r\n`
  const slow = dial(served, head)
  const dripping = setInterval(() => slow.socket.write('x'), 20)
  await expect.poll(() => slow.seen.closed).toBe(true)
  clearInterval(dripping)
  expect(slow.seen.text).not.toContain('HTTP/1.1 2')
})

it('what is to run when an answer is over runs also where the connection was gone before', async () => {
  const over: string[] = []
  const server = createServer((request, answer) => {
    whenOver(request, answer, () => over.push('while it listened'))
    request.socket.once('close', () => setImmediate(() => whenOver(request, answer, () => over.push('too late'))))
    request.socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number } // a TCP server has one
  sockets.push(connect(port, '127.0.0.1', function (this: Socket) {
    this.on('error', () => {}).write(health)
  })) // oxfmt-ignore
  await expect.poll(() => over).toEqual(['while it listened', 'too late'])
  await new Promise((resolve) => server.close(resolve))
})
