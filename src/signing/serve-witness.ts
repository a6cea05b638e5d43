import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sha256Hex } from '../record/sha256.ts'
import type { Witness, WitnessAnswer } from './witness.ts'

/** A witness over HTTP: `POST /add-checkpoint`, `GET /<SHA-256 of the origin, hex>/checkpoint`. One prefix for both. */
export interface WitnessServer {
  /** `http://127.0.0.1:7380` */
  url: string
  /** Resolves when the signal aborted and what was under way is answered. */
  readonly closed: Promise<void>
}

export interface WitnessServerSettings {
  host: string
  /** 0: any that is free. */
  port: number
  origins: readonly string[]
  onError: (error: unknown) => void
}

/** As transparency-dev/witness has it; the largest honest request is about 12 KiB, with post-quantum signatures. */
const maxBodyBytes = 16 * 1024
const requestTimeoutMs = 10_000
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export async function serveWitness(
  witness: Witness,
  { host, port, origins, onError }: WitnessServerSettings,
  signal: AbortSignal,
): Promise<WitnessServer> {
  const originOf = new Map(origins.map((origin) => [sha256Hex(new TextEncoder().encode(origin)), origin]))
  const server = createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, maxHeaderSize: 16_384 },
    (request, response) => {
      answer(request, response).catch((error: unknown) => {
        onError(error)
        // The guard could not write, so nothing was cosigned: the log may ask again.
        send(response, 500, 'the witness failed\n')
      })
    },
  )
  server.maxConnections = 1_000

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method, url = '' } = request
    const hash = /^\/([0-9a-f]{64})\/checkpoint$/.exec(url)?.[1]
    const isPost = url === '/add-checkpoint'
    if (hash === undefined && !isPost) return send(response, 404, 'nothing is here\n')
    if (isPost ? method !== 'POST' : method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', isPost ? 'POST' : 'GET, HEAD')
      return send(response, 405, 'another method is needed\n')
    }
    if (hash !== undefined) {
      const origin = originOf.get(hash)
      const note = origin === undefined ? undefined : witness.checkpointOf(origin)
      response.setHeader('cache-control', 'no-cache')
      return send(response, note === undefined ? 404 : 200, note ?? 'nothing was cosigned for this origin\n')
    }
    const body = await readBody(request)
    if (body === 'too_large') return send(response, 413, `at most ${maxBodyBytes} bytes\n`)
    const text = decode(body)
    if (text === undefined) return send(response, 400, 'the body is not UTF-8\n')
    sendAnswer(response, await witness.addCheckpoint(text))
  }

  await listen(server, host, port)
  const closed = new Promise<void>((resolve) => server.once('close', resolve))
  const stop = (): void => {
    server.close()
    server.closeIdleConnections() // what is being answered ends first; requestTimeout bounds it
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const address = server.address() as AddressInfo // of a server that listens on a port
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return { url: `http://${shown}:${address.port}`, closed }
}

function sendAnswer(response: ServerResponse, answer: WitnessAnswer): void {
  if (answer.status === 200) send(response, 200, answer.cosignature)
  else if (answer.status === 409) send(response, 409, `${answer.size}\n`, 'text/x.tlog.size')
  else send(response, answer.status, `${answer.reason}\n`)
}

function send(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  if (response.headersSent) return void response.destroy()
  if (status === 413) response.setHeader('connection', 'close')
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

/** The rest of what is too large is not read. */
async function readBody(request: IncomingMessage): Promise<Buffer | 'too_large'> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBodyBytes) return 'too_large'
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function decode(body: Buffer): string | undefined {
  try {
    return decoder.decode(body)
  } catch {
    return undefined
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
