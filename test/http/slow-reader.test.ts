import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { type Served, artifactDigest, servers } from './serve.ts'

const start = servers()
const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

/** Asks, and reads nothing until it is told to. */
function ask(served: Served, path: string, token: string): Socket {
  const socket = connect(served.port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`)
  return socket
}

/** An artifact without end, that tells whether it was let go. */
function endless(everyMs = 0) {
  const chunk = Buffer.alloc(65_536)
  const state = { closed: false }
  const openArtifact = async (): Promise<Readable> => {
    const stream = new Readable({
      read() {
        setTimeout(() => this.push(chunk), everyMs)
      },
    })
    stream.once('close', () => (state.closed = true))
    return stream
  }
  return { state, openArtifact }
}

const whys = ({ logged }: Served): unknown[] =>
  logged.filter(({ event }) => event === 'answer.cut').map(({ fields }) => fields['why'])

it('a reader that takes nothing of a download is cut off, and what was opened for it is let go', async () => {
  const { state, openArtifact } = endless()
  const served = await start({ openArtifact, limits: { answer_idle_ms: 200 } })
  ask(served, `/v1/artifacts/${artifactDigest}`, 'audit')
  await expect.poll(() => state.closed).toBe(true)
  expect(whys(served)).toEqual(['the answer was not read for 200 ms'])
})

it('a reader that takes nothing of a page in memory is cut off', async () => {
  const served = await start({ limits: { answer_idle_ms: 200 } })
  served.reader.add(10_000, { repository: 'x'.repeat(2_000) })
  const socket = ask(served, '/v1/feed/unit?cursor=earliest&limit=10000', 'feed')
  await expect.poll(() => whys(served)).toEqual(['the answer was not read for 200 ms'])
  socket.resume()
  await once(socket, 'close')
})

it('a reader that takes a little now and then is cut off when its time is over', async () => {
  const { state, openArtifact } = endless()
  const served = await start({ openArtifact, limits: { answer_idle_ms: 60_000, answer_timeout_ms: 600 } })
  const socket = ask(served, `/v1/artifacts/${artifactDigest}`, 'audit')
  const reading = setInterval(() => socket.read(1_000), 20)
  await expect.poll(() => state.closed).toBe(true)
  clearInterval(reading)
  expect(whys(served)).toEqual(['the answer was not read within 600 ms'])
})

it("an answer that is made more slowly than that is not the reader's doing", async () => {
  const { state, openArtifact } = endless(300)
  const served = await start({ openArtifact, limits: { answer_idle_ms: 100 } })
  const socket = ask(served, `/v1/artifacts/${artifactDigest}`, 'audit')
  socket.resume()
  let bytes = 0
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
  await expect.poll(() => bytes).toBeGreaterThan(200_000)
  expect([state.closed, whys(served)]).toEqual([false, []])
})

it('a connection that was used for an answer is kept for the next one as long as any', async () => {
  const served = await start({ limits: { answer_idle_ms: 50 } })
  const socket = ask(served, '/healthz', 'feed')
  let text = ''
  socket.resume().on('data', (chunk: Buffer) => (text += chunk.toString()))
  await expect.poll(() => text).toContain('ok')
  await sleep(300)
  socket.write('GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n')
  await expect.poll(() => text).toContain('ready')
})
