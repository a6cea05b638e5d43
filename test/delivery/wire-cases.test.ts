import { createServer as createTcp, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { classifyHec } from '../../src/delivery/splunk-answers.ts'
import { createOutgoing } from '../../src/delivery/outgoing.ts'
import type { Outcome } from '../../src/delivery/destination.ts'
import { listen } from '../support/http-fake.ts'

/** The hard cases of the transport, each against a socket that behaves like that. */

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
let signal: AbortSignal
beforeEach(() => {
  signal = AbortSignal.timeout(30_000)
})

function client(url: string) {
  const outgoing = createOutgoing({
    url,
    connections: 1,
    compression: 'none',
    maxAnswerBytes: 100_000,
    timeoutMs: 1_000,
    allowMetadataAddresses: false,
  })
  closers.push(outgoing.close)
  return async (body: Buffer = Buffer.from('{}'), timeoutMs = 5_000) => {
    const answer = await outgoing.request({ method: 'POST', path: '/x', headers: {}, body, timeoutMs }, signal)
    return { answer, outcome: classifyHec(answer, 9, 'search') }
  }
}

/** A server of bytes: `serve` gets each connection and what arrived on it, piece by piece. */
async function raw(serve: (socket: Socket, arrived: () => string, connection: number) => void) {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createTcp((socket) => {
    let text = ''
    sockets.add(socket)
    socket.on('error', () => undefined).on('data', (piece) => (text += piece.toString('latin1')))
    serve(socket, () => text, ++connections)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { send: client(`http://127.0.0.1:${port}`), connections: () => connections }
}

const answerText = (status: string, body: string, more = ''): string =>
  `HTTP/1.1 ${status}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`
const success = '{"text":"Success","code":0}'
const large = Buffer.alloc(12 * 1024 * 1024, 'x')
const isWhole = (text: string): boolean => text.endsWith('\r\n\r\n{}')

describe('a connection that breaks', () => {
  it('case 3: is in doubt when it is reset while the body is being written', async () => {
    const { send, connections } = await raw((socket, arrived) =>
      socket.on('data', () => arrived().length > 100_000 && socket.resetAndDestroy()),
    )
    const { answer, outcome } = await send(large)
    expect(answer).toMatchObject({ kind: 'failure', phase: 'write', wrote: true })
    expect(outcome.kind).toBe('in_doubt')
    expect(connections()).toBe(1)
  })

  it('case 4: is in doubt when it is reset after the body, before a byte of the answer', async () => {
    const { send, connections } = await raw((socket, arrived) =>
      socket.on('data', () => isWhole(arrived()) && socket.resetAndDestroy()),
    )
    const { answer, outcome } = await send()
    expect(answer).toMatchObject({ kind: 'failure', phase: 'read', wrote: true })
    expect(outcome.kind).toBe('in_doubt')
    expect(connections()).toBe(1)
  })

  it('case 5: is in doubt when it is reset behind the status line, and tells the status', async () => {
    const { send } = await raw((socket, arrived) =>
      socket.on('data', () => {
        if (isWhole(arrived()))
          socket.write('HTTP/1.1 200 OK\r\ncontent-length: 27\r\nset-cookie: node=b; Path=/\r\n\r\n{"te', () =>
            setTimeout(() => socket.resetAndDestroy(), 30),
          )
      }),
    )
    const { answer, outcome } = await send()
    expect(answer).toMatchObject({ kind: 'failure', phase: 'read', wrote: true, status: 200, cookie: 'node=b' })
    expect(outcome.kind).toBe('in_doubt')
  })

  it('case 6: is given up at the deadline of the whole exchange while an answer trickles in, and its socket is gone', async () => {
    let closed: () => void = () => undefined
    const gone = new Promise<void>((resolve) => (closed = resolve))
    const server = await listen(async (request, response) => {
      for await (const _ of request);
      response.writeHead(200, { 'content-length': 1_000 })
      const tick = setInterval(() => response.write('x'), 20)
      response.on('close', () => {
        clearInterval(tick)
        closed()
      })
    })
    closers.push(server.close)
    const { answer, outcome } = await client(server.url)(undefined, 300)
    expect(answer).toMatchObject({ kind: 'failure', code: 'TIMEOUT', phase: 'read', wrote: true, status: 200 })
    expect(outcome.kind).toBe('in_doubt')
    await gone
  })
})

describe('a connection that is used again', () => {
  it('case 7: was closed by the server while idle: the next request has one of its own, and is sent once', async () => {
    const { send, connections } = await raw((socket, arrived) => {
      socket.on('data', () => {
        if (isWhole(arrived())) socket.write(answerText('200 OK', success), () => setTimeout(() => socket.end(), 20))
      })
    })
    expect((await send()).outcome.kind).toBe('accepted')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await send()).outcome.kind).toBe('accepted')
    expect(connections()).toBe(2)
  })

  it('case 7: breaks when the second request meets it: in doubt, and not sent over another one', async () => {
    const { send, connections } = await raw((socket, arrived) => {
      let answered = false
      socket.on('data', () => {
        if (answered) return void socket.resetAndDestroy()
        if (isWhole(arrived())) socket.write(answerText('200 OK', success))
        answered = isWhole(arrived())
      })
    })
    expect((await send()).outcome.kind).toBe('accepted')
    const { answer, outcome } = await send()
    expect(answer).toMatchObject({ kind: 'failure', wrote: true })
    expect(outcome.kind).toBe('in_doubt')
    expect(connections()).toBe(1)
  })
})

describe('an answer that comes while we write', () => {
  it('case 8: is read, the rest is not written, and it is classified', async () => {
    let read = 0
    const { send } = await raw((socket, arrived) => {
      socket.once('data', () => socket.write(answerText('413 Payload Too Large', '<html></html>')))
      socket.on('data', () => (read = arrived().length))
    })
    const { answer, outcome } = await send(Buffer.alloc(64 * 1024 * 1024, 'x'))
    expect(answer).toMatchObject({ kind: 'answer', status: 413 })
    expect(outcome).toMatchObject({ kind: 'unsent', split: 'halve' })
    expect(read).toBeLessThan(64 * 1024 * 1024)
  })

  it('case 8: is not believed when it says yes to what was not sent to its end', async () => {
    const { send } = await raw((socket) => {
      socket.once('data', () => {
        socket.pause()
        socket.write(answerText('200 OK', success))
      })
    })
    const { answer, outcome } = await send(large)
    expect(answer).toMatchObject({ kind: 'failure', code: 'EARLY_ANSWER', wrote: true, status: 200 })
    expect(outcome.kind).toBe('in_doubt')
  })

  it('case 8: is the final one; 100 Continue, which nobody asked for, leaves it in doubt', async () => {
    const { send } = await raw((socket, arrived) => {
      socket.on('data', () => {
        if (isWhole(arrived()))
          socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${answerText('200 OK', success)}`)
      })
    })
    expect((await send()).outcome.kind).toBe('accepted')
    const continued = await raw((socket, arrived) => {
      socket.on('data', () => {
        if (isWhole(arrived())) socket.write(`HTTP/1.1 100 Continue\r\n\r\n${answerText('200 OK', success)}`)
      })
    })
    expect((await continued.send()).outcome.kind).toBe('in_doubt')
  })
})

describe('an answer that is not of the collector', () => {
  async function answered(
    status: string,
    more = '',
    body = '<html>no</html>',
  ): Promise<{ outcome: Outcome; requests: number }> {
    let requests = 0
    const { send } = await raw((socket, arrived) => {
      socket.on('data', () => {
        if (!isWhole(arrived())) return
        requests++
        socket.write(answerText(status, body, more))
      })
    })
    return { outcome: (await send()).outcome, requests }
  }

  it.each(['301 Moved Permanently', '302 Found', '303 See Other', '307 Temporary Redirect', '308 Permanent Redirect'])(
    'case 9: %s is not followed, blocks, and says where it leads without its query',
    async (status) => {
      const { outcome, requests } = await answered(status, 'location: https://other.example/login?session=secret\r\n')
      expect(outcome).toMatchObject({ kind: 'unsent', block: 'redirect' })
      expect('reason' in outcome && outcome.reason).toMatch(/to https:\/\/other\.example\/login$/)
      expect(requests).toBe(1)
    },
  )

  it.each([
    ['407 Proxy Authentication Required', 'unsent', 'credentials'],
    ['502 Bad Gateway', 'in_doubt', undefined],
    ['503 Service Unavailable', 'in_doubt', undefined],
    ['504 Gateway Timeout', 'in_doubt', undefined],
  ])('case 10: %s as a page of a proxy is %s', async (status, kind, block) => {
    const { outcome, requests } = await answered(status)
    expect(outcome.kind).toBe(kind)
    expect('block' in outcome ? outcome.block : undefined).toBe(block)
    expect(requests).toBe(1)
  })
})
