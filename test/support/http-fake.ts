import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

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
  /** Connections that are open. */
  connections(): Promise<number>
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
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
      }),
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

/** Announces more than it sends, sends that share of it, and closes. */
export function sendCut(response: ServerResponse, text: string, share = 0.5): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.flushHeaders()
  const gone = (): void => void setTimeout(() => response.socket?.destroy(), 20)
  if (share === 0) gone()
  else response.write(text.slice(0, Math.ceil(text.length * share)), gone)
}

/** A 200 whose body comes a byte at a time and never ends. */
export function sendEndless(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.write('{"text":"')
  const drip = setInterval(() => response.write('x'), 20)
  response.on('close', () => clearInterval(drip))
}
