import { gzipSync, zstdCompressSync } from 'node:zlib'
import { ambiguousRequests } from './ambiguous.ts'
import { type Random, type Target, exchange, head, whole } from './wire.ts'

/** What a hostile or broken client sends. None of it may be answered with a fault of the service, hold what it took, or slow down others. */

type Kind = readonly [name: string, send: (target: Target, random: Random) => Promise<string>]

const below = (random: Random, n: number): number => Math.floor(random() * n)
const pick = <T>(random: Random, [first, ...rest]: readonly [T, ...T[]]): T => [first, ...rest][below(random, rest.length + 1)] ?? first // oxfmt-ignore
const noise = (random: Random, length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, () => below(random, 256)))
const text = Buffer.from('TN:\nSF:src/a.ts\nDA:1,1\nDA:2,0\nBRDA:1,0,0,1\nLF:2\nLH:1\nend_of_record\n'.repeat(20))
const none = new Uint8Array()
const bomb = gzipSync(Buffer.alloc(64 * 1_048_576, 'SF:a\n'))

/** The same bytes with some of them changed. */
function mutate(random: Random, bytes: Uint8Array, changes = 30): Buffer {
  const changed = Buffer.from(bytes)
  for (let i = 0; i < changes; i++) changed[below(random, changed.length)] = below(random, 256)
  return changed
}

const part = '/v1/runs/local.garbage.api.unit/parts?name=lcov.info'
/** A push that is right, of another run each time. */
const push = (random: Random): string => `/v1/push?${new URLSearchParams({
  run: `local.garbage-${below(random, 1e9)}.api.unit`, name: 'lcov.info', repository: 'github.com/acme/garbage', test_type: 'unit', suite: 'api', commit: 'a'.repeat(40), tests: '3,3,0,0',
}).toString()}` // oxfmt-ignore

/** Routes of every sort: open and closed, with a body and without, long answers and short ones. */
const paths = ['/', '/healthz', '/readyz', '/metrics', '/v1/status', '/v1/feed/unit?cursor=earliest', '/v1/feed/unit?after=-1&limit=10000&wait=1', '/v1/records/x', '/v1/artifacts/x', '/log/main/unit/checkpoint', '/v1/repositories', '/v1/alerts', '/v1/gaps?repository=github.com/acme/garbage'] as const // oxfmt-ignore
const methods = ['TRACE', 'PROPFIND', 'DELETE', 'OPTIONS', 'SEARCH', 'PATCH', 'PUT', 'POST', 'HEAD', 'CONNECT', 'get', 'M-SEARCH', 'GETGET', 'X'.repeat(5_000), '\u0000', 'G\u00cbT'] as const // oxfmt-ignore
const odd = [
  '/%', '/%00', '/%ff%fe', '/v1/%2e%2e/%2e%2e/etc/passwd', '//', '//evil.example/v1/status', '/v1//status', '/v1/status;x=y', '/v1/status#x', '*', 'http://evil.example/v1/status', 'http://[::1', 'evil.example:443', '/v1/runs/%E0%A4%A/parts?name=x',
  '/v1/feed/__proto__', '/v1/feed/unit?__proto__=x', '/v1/feed/unit?cursor=a&cursor=b', '/v1/feed/unit?after=1e999', '/v1/feed/unit?after=99999999999999999999', '/v1/records/%00', `/v1/records/${'a'.repeat(8_100)}`, '/v1/records/main.unit-9007199254740993-0123456789abcdef', '/log/main/unit/tile/../../../../etc/passwd', '/log/main/unit/tile/0/x999/x999/999', '/v1/status?\u00e4', '/v1/status\t',
] as const // oxfmt-ignore
const traces = ['', '00', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`, `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01-`, '\u00ff'.repeat(55)] as const // oxfmt-ignore
const headers: readonly [string, (random: Random) => string][] = [
  ['range', (random) => pick(random, ['bytes=0-', 'bytes=-1', 'bytes=9-1', `bytes=${'0-0,'.repeat(1_000)}0-0`, 'lines=1-2', 'bytes=99999999999999999999-'])],
  ['if-none-match', (random) => pick(random, ['*', '"', 'W/', `${'"a",'.repeat(2_000)}"b"`])],
  ['accept', (random) => pick(random, ['text/html;q=9', '*', ',,,,', 'application/x-ndjson;q=NaN', 'a/b'.repeat(2_000)])],
  ['accept-encoding', (random) => pick(random, ['gzip;q=1e9, *;q=0', 'br', '*;q=0', 'identity;q=0', 'zstd,'.repeat(2_000)])],
  ['authorization', (random) => pick(random, ['', 'Bearer', 'Bearer ', 'Basic Og==', 'Statement', 'Statement e30', 'Bearer eyJhbGciOiJub25lIn0.e30.', 'Bearer a.b.c', `Bearer ${'a'.repeat(10_000)}`])],
  ['traceparent', (random) => pick(random, traces)],
  ['tracestate', () => 'a=b,'.repeat(2_000)],
  ['baggage', () => `k=${'%00'.repeat(2_000)}`],
  ['cookie', () => '__Host-x=y; '.repeat(1_000)],
  ['host', (random) => pick(random, ['', 'a b', '[::', 'x'.repeat(5_000), 'evil.example:99999', '<script>'])],
  ['x-forwarded-for', () => '127.0.0.1, '.repeat(500)],
  ['forwarded', () => 'for="[::1]:x";proto=javascript'],
  ['expect', (random) => pick(random, ['100-continue', '200-ok', ''])],
  ['upgrade', (random) => pick(random, ['h2c', 'websocket', 'TLS/1.3'])],
  ['content-digest', (random) => pick(random, ['sha-256=::', 'sha-256=:AA==:', 'x'.repeat(5_000)])],
  ['content-type', (random) => pick(random, ['', ';', 'text', 'application/json;charset=utf-7', 'multipart/form-data; boundary=', 'application/x-www-form-urlencoded'])],
] // oxfmt-ignore
const oddHeaders = (random: Random): Record<string, string> =>
  Object.fromEntries(Array.from({ length: 1 + below(random, 3) }, () => headers[below(random, headers.length)]).flatMap((one) => (one === undefined ? [] : [[one[0], one[1](random)]]))) // oxfmt-ignore
const json = { 'content-type': 'application/json' }

const kinds: readonly [Kind, ...Kind[]] = [
  ['bytes', ({ url }, random) => exchange(url, noise(random, 2_000))],
  ['another protocol', ({ url }, random) => exchange(url, pick(random, [Buffer.from('160301020001000001fc0303', 'hex'), Buffer.from('SSH-2.0-x\r\n'), Buffer.from('\0\0\0\u0008\u0004\u00d2\u0016\u002f', 'latin1'), Buffer.from('EHLO x\r\n')]), { ms: 2_000 })],
  ['an end that is seen in two ways', ({ url, token }, random) => { const all = ambiguousRequests(part, token); return exchange(url, Buffer.from(all[below(random, all.length)]?.[1] ?? '')) }],
  ['a method that is none', (target, random) => exchange(target.url, whole(target, pick(random, methods), pick(random, paths), {}, none))],
  ['an odd path', (target, random) => exchange(target.url, whole(target, pick(random, ['GET', 'PUT', 'POST']), pick(random, odd), {}, none))],
  ['odd headers', (target, random) => exchange(target.url, whole(target, 'GET', pick(random, paths), oddHeaders(random), none))],
  ['a push with odd headers', (target, random) => exchange(target.url, whole(target, 'POST', push(random), oddHeaders(random), text))],
  ['many headers', (target, random) => exchange(target.url, whole(target, 'GET', pick(random, paths), Object.fromEntries(Array.from({ length: 90 + below(random, 1_000) }, (_, i) => [`x${i}`, ''])), none))],
  ['a changed head', (target, random) => exchange(target.url, Buffer.concat([mutate(random, head(target, 'POST', push(random), { 'content-length': String(text.length), connection: 'close' }), 1 + below(random, 5)), text]))],
  ['no end of headers', ({ url }) => exchange(url, Buffer.from(`GET /v1/status HTTP/1.1\r\nhost: a\r\nx-long: ${'a'.repeat(40_000)}`))],
  ['half a request line', ({ url }) => exchange(url, Buffer.from('GET /v1/sta'), { ms: 2_000 })],
  ['half a request', (target, random) => { const all = whole(target, 'POST', push(random), {}, text); return exchange(target.url, all.subarray(0, below(random, all.length)), { ms: below(random, 1_000), reset: random() < 0.5 }) }],
  ['requests sent ahead', (target, random) => exchange(target.url, Buffer.concat(Array.from({ length: 1 + below(random, 12) }, () => random() < 0.2 ? head(target, pick(random, methods), pick(random, odd)) : head(target, 'GET', pick(random, paths)))), { ms: 1_000 + below(random, 1_000), reset: random() < 0.5 })],
  ['a body that breaks off', (target, random) => exchange(target.url, head(target, 'POST', push(random), { 'content-length': '100000' }, 'TN:\nSF:a\n'), { ms: 300 })],
  ['chunks that break off', (target, random) => exchange(target.url, head(target, 'POST', push(random), { 'transfer-encoding': 'chunked' }, `5\r\nTN:\n\n\r\n${pick(random, ['', 'z', '-1\r\n', 'ffffffffffffffffff\r\n', '0\r\nx: y\r\n', '0;'])}`), { ms: 300, reset: random() < 0.5 })],
  ['two lengths', (target, random) => exchange(target.url, head(target, 'POST', push(random), { 'content-length': '5', 'transfer-encoding': 'chunked' }, '0\r\n\r\n'))],
  ['gzip that is none', (target, random) => exchange(target.url, whole(target, 'POST', push(random), { 'content-encoding': 'gzip' }, noise(random, 5_000)))],
  ['zstd cut off', (target, random) => exchange(target.url, whole(target, 'POST', push(random), { 'content-encoding': 'zstd' }, zstdCompressSync(noise(random, 50_000)).subarray(0, 20_000)))],
  ['an encoding that lies', (target, random) => exchange(target.url, whole(target, 'POST', push(random), { 'content-encoding': pick(random, ['gzip', 'zstd', 'br', 'GZIP', 'gzip, zstd', 'x-gzip', 'identity', ';', '\u00ff']) }, pick(random, [text, gzipSync(text), zstdCompressSync(text), mutate(random, gzipSync(text), 3), mutate(random, zstdCompressSync(text), 3), Buffer.concat([gzipSync(text), text])])))],
  ['a bomb', (target, random) => exchange(target.url, whole(target, 'POST', push(random), { 'content-encoding': 'gzip' }, bomb), { ms: 60_000 })],
  ['a report that is none', (target, random) => exchange(target.url, whole(target, 'POST', push(random), {}, mutate(random, text)), { ms: 60_000 })],
  ['a part of no run', (target) => exchange(target.url, whole(target, 'PUT', part, {}, Buffer.from('TN:\nend_of_record\n')))],
  ['JSON that is none', (target) => exchange(target.url, whole(target, 'POST', '/v1/gates', json, Buffer.from('['.repeat(100_000))))],
  ['JSON of another shape', (target, random) => exchange(target.url, whole(target, 'POST', '/v1/evidence', json, pick(random, [Buffer.from('{"from":{"$gt":""}}'), Buffer.from('{"__proto__":{"from":1}}'), Buffer.from('"\ud800"'), Buffer.from('\u00ef\u00bb\u00bf{}', 'latin1'), Buffer.from('1e9999'), noise(random, 100)])))],
  ['a token of nobody', ({ url }, random) => exchange(url, whole({ url, token: `pl_${noise(random, 8).toString('hex')}_${noise(random, 32).toString('base64url')}` }, 'GET', '/v1/status', {}, none))],
  ['a cursor of nobody', (target, random) => exchange(target.url, whole(target, 'GET', `/v1/feed/unit?cursor=${noise(random, 40).toString('base64url')}`, {}, none))],
  ['an answer nobody reads', (target) => exchange(target.url, head(target, 'GET', '/v1/feed/unit?after=-1&limit=10000', { accept: 'application/x-ndjson' }), { ms: 3_000, deaf: true })],
] // oxfmt-ignore

/** One piece of garbage. `send` resolves when its connection is over, with what came back. */
export function chooseGarbage(random: Random): { kind: string; send: (target: Target) => Promise<string> } {
  const [kind, send] = pick(random, kinds)
  return { kind, send: (target) => send(target, random) }
}
