import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

/** What a fake does to the next requests that carry records, instead of answering as it should. */
export type FailMode =
  | 'drop-before-storing' // reads the body, closes the connection
  | 'drop-after-storing'
  | 'drop-while-writing' // closes while the body is still coming
  | 'timeout-before-storing' // never answers
  | 'timeout-after-storing'
  | '500-before-storing'
  | '500-after-storing'
  | 'html-502-after-storing' // a load balancer's page
  | 'garbled-after-storing' // 200 with half a body
  | 'cut-after-storing' // 200, headers, half the announced bytes, then gone
  | 'not-json-before-storing' // 200 with a page of something else
  | 'slow' // answers rightly, but late
  | 'busy' // 503, nothing stored
  | 'too-many' // 429 with Retry-After: 0
  | 'too-large' // 413 with HTML
  | 'wrong-token'
  | 'redirect'

export interface Failures {
  /** The next `times` requests fail in this way, one after another with what was asked for before. */
  failNext(mode: FailMode, times?: number): void
  take(): FailMode | undefined
}

export function createFailures(): Failures {
  const queue: FailMode[] = []
  return {
    failNext(mode, times = 1) {
      for (let i = 0; i < times; i++) queue.push(mode)
    },
    take: () => queue.shift(),
  }
}

export interface Counters {
  requests: number
  /** Events or documents stored, copies included. */
  stored: number
  duplicates: number
  bytes: number
}

export interface Listening {
  server: Server
  url: string
  close(): Promise<void>
}

export async function listen(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  port = 0,
  host = '127.0.0.1',
): Promise<Listening> {
  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy())
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  const address = server.address() as AddressInfo
  return {
    server,
    url: `http://${host}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The decoded body; rejects when the connection breaks first or it is over `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | 'too-large'> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    // Read on: the refusal of who closes at once is lost on the way.
    if (size <= maxBytes) chunks.push(chunk)
  }
  if (size > maxBytes) return 'too-large'
  const body = Buffer.concat(chunks, size)
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}

export function sendHtml(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  const text = `<html><body><h1>${status}</h1></body></html>`
  response.writeHead(status, { 'content-type': 'text/html', 'content-length': Buffer.byteLength(text), ...headers })
  response.end(text)
}

/** Announces more than it sends and closes. */
export function sendCut(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.write(text.slice(0, Math.floor(text.length / 2)), () => setTimeout(() => response.socket?.destroy(), 20))
}
