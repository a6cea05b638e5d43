/** Would be answered 200 `ok` if it were taken for a request of its own. */
export const smuggled = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'

/** Requests whose end can be seen in two ways, or that are of no HTTP that we speak: each with a second one that hides behind it. */
export function ambiguousRequests(path: string, token: string): [what: string, bytes: string][] {
  const put = (headers: string, body = ''): string =>
    `PUT ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n${headers}\r\n\r\n${body}`
  return [
    ['both length and chunks', put('content-length: 5\r\ntransfer-encoding: chunked', `0\r\n\r\n${smuggled}`)],
    ['chunks, then length', put('transfer-encoding: chunked\r\ncontent-length: 5', `0\r\n\r\n${smuggled}`)],
    ['two lengths', put(`content-length: 3\r\ncontent-length: ${smuggled.length + 3}`, `abc${smuggled}`)],
    ['a list of lengths', put('content-length: 3, 3', `abc${smuggled}`)],
    ['a signed length', put('content-length: +3', `abc${smuggled}`)],
    ['a length in hex', put('content-length: 0x3', `abc${smuggled}`)],
    ['a length that is none', put('content-length: 3 0', `abc${smuggled}`)],
    ['a length beyond numbers', put('content-length: 99999999999999999999999', smuggled)],
    ['chunks that are not last', put('transfer-encoding: chunked, identity', `0\r\n\r\n${smuggled}`)],
    ['an unknown encoding', put('transfer-encoding: xchunked', `0\r\n\r\n${smuggled}`)],
    ['a second encoding', put('transfer-encoding: chunked\r\ntransfer-encoding: cow', `0\r\n\r\n${smuggled}`)],
    ['a space before the colon', put('content-length : 3', `abc${smuggled}`)],
    ['a folded header', put('x: y\r\n content-length: 3', smuggled)],
    ['a header without a name', put(': 3', smuggled)],
    ['a zero byte in a header', put('x: a\0b', smuggled)],
    ['a bare CR in a header', put('x: a\rtransfer-encoding: chunked', smuggled)],
    ['lines that end in LF', `PUT ${path} HTTP/1.1\nhost: x\ncontent-length: 3\n\nabc${smuggled}`],
    ['a chunk size that is none', put('transfer-encoding: chunked', `g\r\nabc\r\n0\r\n\r\n${smuggled}`)],
    ['a chunk longer than it says', put('transfer-encoding: chunked', `1\r\nabc\r\n0\r\n\r\n${smuggled}`)],
    ['a chunk line that ends in LF', put('transfer-encoding: chunked', `3\nabc\r\n0\r\n\r\n${smuggled}`)],
    [
      'a chunk extension of 100 KB',
      put('transfer-encoding: chunked', `3;${'x'.repeat(100_000)}\r\nabc\r\n0\r\n\r\n${smuggled}`),
    ],
    [
      'trailers of 100 KB',
      put('transfer-encoding: chunked', `3\r\nabc\r\n0\r\nx: ${'y'.repeat(100_000)}\r\n\r\n${smuggled}`),
    ],
    ['no Host', `GET /healthz HTTP/1.1\r\n\r\n${smuggled}`],
    ['HTTP/0.9', `GET /healthz\r\n\r\n${smuggled}`],
    ['HTTP/3.0', `GET /healthz HTTP/3.0\r\nhost: x\r\n\r\n${smuggled}`],
    ['another protocol', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${smuggled}`],
    ['a tunnel', `CONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n${smuggled}`],
  ]
}
