import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Meter } from './meter.ts'

/** What a hostile or broken client sends. None of it may be answered with a fault of the service, hold what it took, or slow down others. */

export interface Target {
  url: string
  token: string
}

type Random = () => number

/** One piece of garbage, of a kind chosen by `random`. Resolves when its connection is over. */
export async function sendGarbage(target: Target, meter: Meter, random: Random): Promise<void> {
  const [name, send] = kinds[Math.floor(random() * kinds.length)] ?? kinds[0]!
  await meter.request(`garbage: ${name}`, [0, 200, 201, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 422, 431], async () => {
    const text = await send(target, random)
    const retry = /retry-after: (\d+)/i.exec(text)?.[1]
    const headers = new Headers(retry === undefined ? {} : { 'retry-after': retry })
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), headers, text }
  }) // oxfmt-ignore
}

const part = '/v1/runs/local.garbage.api.unit/parts?name=lcov.info'
const push = `/v1/push?${new URLSearchParams({
  run: 'local.garbage.api.unit', name: 'lcov.info', repository: 'github.com/acme/garbage', test_type: 'unit', suite: 'api', commit: 'a'.repeat(40),
}).toString()}` // oxfmt-ignore

const kinds: readonly [string, (target: Target, random: Random) => Promise<string>][] = [
  ['bytes', ({ url }) => raw(url, randomBytes(2_000))],
  ['no end of headers', ({ url }) => raw(url, Buffer.from(`GET /v1/status HTTP/1.1\r\nhost: a\r\nx-long: ${'a'.repeat(40_000)}`))],
  ['half a request line', ({ url }) => raw(url, Buffer.from('GET /v1/sta'), 2_000)],
  ['a body that breaks off', (target) => raw(target.url, head(target, 'POST', push, { 'content-length': '100000' }, 'TN:\nSF:a\n'), 300)],
  ['two lengths', (target) => raw(target.url, head(target, 'POST', push, { 'content-length': '5', 'transfer-encoding': 'chunked' }, '0\r\n\r\n'))],
  ['gzip that is none', (target) => body(target, 'POST', push, { 'content-encoding': 'gzip' }, randomBytes(5_000))],
  ['zstd cut off', (target) => body(target, 'POST', push, { 'content-encoding': 'zstd' }, zstdCompressSync(randomBytes(50_000)).subarray(0, 20_000))],
  ['a bomb', (target) => body(target, 'POST', push, { 'content-encoding': 'gzip' }, bomb)],
  ['a report that is none', (target, random) => body(target, 'POST', push, {}, mutate(random))],
  ['a part of no run', (target) => body(target, 'PUT', part, {}, Buffer.from('TN:\nend_of_record\n'))],
  ['JSON that is none', (target) => body(target, 'POST', '/v1/gates', { 'content-type': 'application/json' }, Buffer.from('['.repeat(100_000)))],
  ['JSON of another shape', (target) => body(target, 'POST', '/v1/evidence', { 'content-type': 'application/json' }, Buffer.from('{"from":{"$gt":""}}'))],
  ['a token of nobody', ({ url }) => body({ url, token: `pl_${randomBytes(8).toString('hex')}_${randomBytes(32).toString('base64url')}` }, 'GET', '/v1/status', {}, Buffer.alloc(0))],
  ['a cursor of nobody', (target) => body(target, 'GET', `/v1/feed/unit?cursor=${randomBytes(40).toString('base64url')}`, {}, Buffer.alloc(0))],
  ['a path out of the tree', (target) => body(target, 'GET', '/log/main/unit/tile/../../../../etc/passwd', {}, Buffer.alloc(0))],
  ['an answer nobody reads', (target) => raw(target.url, head(target, 'GET', '/v1/feed/unit?after=-1&limit=10000', { accept: 'application/x-ndjson' }, ''), 3_000, true)],
] // oxfmt-ignore

const bomb = gzipSync(Buffer.alloc(64 * 1_048_576, 'SF:a\n'))

function mutate(random: Random): Buffer {
  const text = Buffer.from('TN:\nSF:src/a.ts\nDA:1,1\nDA:2,0\nBRDA:1,0,0,1\nLF:2\nLH:1\nend_of_record\n'.repeat(20))
  for (let i = 0; i < 30; i++) text[Math.floor(random() * text.length)] = Math.floor(random() * 256)
  return text
}

function head({ token }: Target, method: string, path: string, headers: Record<string, string>, rest: string): Buffer {
  const lines = Object.entries({ host: 'localhost', authorization: `Bearer ${token}`, ...headers })
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${rest}`) // oxfmt-ignore
}

function body(target: Target, method: string, path: string, headers: Record<string, string>, sent: Buffer): Promise<string> {
  const length = { 'content-length': String(sent.length), connection: 'close' }
  return raw(target.url, Buffer.concat([head(target, method, path, { ...length, ...headers }, ''), sent]), 60_000)
} // oxfmt-ignore

/** Writes, reads the answer for at most `ms`, hangs up. With `deaf` it reads nothing. Answers what it read of the head and the first of the body. */
function raw(url: string, bytes: Buffer, ms = 10_000, deaf = false): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => void socket.write(bytes))
    let answer = ''
    const timer = setTimeout(() => socket.destroy(), ms)
    if (deaf) socket.pause()
    else socket.on('data', (chunk) => (answer = answer.length > 4_000 ? answer : answer + chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer)
    })
  })
}
