import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { Readable } from 'node:stream'
import { guard } from '../network/guard.ts'
import { Problem } from '../record/problem.ts'
import type { runRoutes } from '../api/run-routes.ts'
import type { Environment } from './ci-facts.ts'
import { readProblem } from './read-problem.ts'

/**
 * HTTP to the service: sends once, never repeats, never follows a redirect (it would carry the token elsewhere). node:http and not
 * undici, which takes 130 ms to load where this takes 15: a CI job runs this program hundreds of times a day, each time for one upload.
 */

export interface Client {
  readonly url: string
  /** The answer, whole; at most 64 MiB. Throws a Problem for every status of 400 and up, and for what breaks on the way. */
  send(request: Request): Promise<Answer>
  /** The same for an answer of any length: status and headers first, the body as it arrives. */
  open(request: Request): Promise<OpenAnswer>
  /** Lets the kept connection go; without this the program would wait for its idle time. */
  close(): void
}

export interface Request {
  method: 'GET' | 'PUT' | 'POST'
  /** Path with query, as `callOf` makes it. */
  path: string
  headers?: Readonly<Record<string, string>>
  /** A stream is read once: whoever repeats the request opens another. */
  body?: Uint8Array | Readable | undefined
  signal?: AbortSignal | undefined
  /** SHA-256 of the body, decompressed: for who signs what is sent. Only asked where it is needed. */
  sha256?: (() => string | Promise<string>) | undefined
  /** Silence on the connection that ends the request; default 120 s. Recording a large part may take that long to be answered. */
  idleMs?: number
}

export interface Answer {
  status: number
  headers: Readonly<Record<string, string | string[] | undefined>>
  bytes: Buffer
}

export interface OpenAnswer extends Omit<Answer, 'bytes'> {
  body: IncomingMessage
}

export interface ClientSettings {
  url: string
  token: string | undefined
  /** Instead of a token: the Authorization header of each request, made when it is sent. */
  authorize?: ((request: Request) => Promise<string>) | undefined
  /** For HTTPS_PROXY, HTTP_PROXY and NO_PROXY. */
  env: Environment
  userAgent: string
  /** Where the server asks for one. */
  certificate?: { cert: Buffer; key: Buffer }
}

/** Methods and paths of the routes called here. Kept equal to src/api by a test: importing it would load zod before the first byte. */
export const calls = {
  declareRun: ['PUT', '/v1/runs/{run}'],
  putInventory: ['PUT', '/v1/runs/{run}/inventory'],
  putLineMaps: ['PUT', '/v1/runs/{run}/line-maps'],
  putPart: ['PUT', '/v1/runs/{run}/parts'],
  sealRun: ['PUT', '/v1/runs/{run}/seal'],
  pushRun: ['POST', '/v1/push'],
} as const satisfies Partial<Record<(typeof runRoutes)[number]['name'], readonly ['PUT' | 'POST', string]>>

/** Method and path of a route with its run and query filled in. */
export function callOf(name: keyof typeof calls, run: string, query: Query = {}): Pick<Request, 'method' | 'path'> {
  const [method, path] = calls[name]
  return { method, path: withQuery(path.replace('{run}', encodeURIComponent(run)), query) }
}

export type Query = Readonly<Record<string, string | number | undefined>>

export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
  return text === '' ? path : `${path}?${text}`
}

const maxAnswerBytes = 64 * 1024 * 1024

/** Throws `request_invalid` for what is no http or https address. */
export function createClient({ url, token, authorize, env, userAgent, certificate }: ClientSettings): Client {
  const base = URL.canParse(url) ? new URL(url) : undefined
  if (base === undefined || !/^https?:$/.test(base.protocol))
    throw new Problem('request_invalid', `${url} is not an http or https address`)
  const where = `${base.protocol}//${base.host}${base.pathname.replace(/\/$/, '')}`
  // Imported as a module, node:http costs 40 ms more: reading its exports makes it load a WebSocket client.
  const { Agent, request } = process.getBuiltinModule(base.protocol === 'https:' ? 'node:https' : 'node:http')
  const plain = new Agent({ keepAlive: true, proxyEnv: { ...env }, ...certificate })
  const agent = env['PROOFLINE_ALLOW_METADATA_ADDRESSES'] === 'true' ? plain : guard(plain)

  const open = async (input: Request): Promise<OpenAnswer> => {
    const authorization = authorize === undefined ? token && `Bearer ${token}` : await authorize(input)
    const options: RequestOptions = {
      agent,
      method: input.method,
      headers: {
        'user-agent': userAgent,
        'accept-encoding': 'identity',
        ...(authorization === undefined ? {} : { authorization }),
        ...(input.body instanceof Uint8Array ? { 'content-length': input.body.length } : {}),
        ...input.headers,
      },
      ...(input.signal === undefined ? {} : { signal: input.signal }),
    }
    const sent = request(`${where}${input.path}`, options)
    const response = await exchange(sent, input)
    const { statusCode: status = 0, headers } = response
    if (status < 300 || status === 304) return { status, headers, body: response }
    throw readProblem(
      await readAll(response, 1 << 20).catch(() => Buffer.alloc(0)),
      status,
      headers['retry-after'],
      where,
    )
  }

  const explained = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw error instanceof Problem ? error : unreachable(where, error)
    })

  return {
    url: where,
    open: (input) => explained(open(input)),
    send: (input) =>
      explained(
        open(input).then(async ({ body, ...answer }) => ({ ...answer, bytes: await readAll(body, maxAnswerBytes) })),
      ),
    close: () => agent.destroy(),
  }
}

/** Sends the body and waits for the head of the answer, which may come, as a refusal does, before the body is out. */
function exchange(sent: ClientRequest, { body, idleMs = 120_000 }: Request): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const stream = body === undefined || body instanceof Uint8Array ? undefined : body
    sent.setTimeout(idleMs, () => sent.destroy(new Error(`no answer for ${idleMs / 1000} s`)))
    sent.once('response', (response) => {
      stream?.unpipe(sent)
      stream?.destroy()
      resolve(response)
    })
    sent.on('error', (error) => {
      stream?.destroy()
      reject(error) // no effect once the answer is there
    })
    if (stream === undefined) {
      sent.end(body)
      return
    }
    stream.on('error', (error) => {
      sent.destroy()
      reject(error)
    })
    stream.pipe(sent)
  })
}

async function readAll(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const meanings: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ETIMEDOUT: 'no connection in time',
}

function unreachable(where: string, cause: unknown): Problem {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  if (code === 'ADDRESS_REFUSED') {
    const how = 'if that is meant, set PROOFLINE_ALLOW_METADATA_ADDRESSES=true'
    return new Problem('request_invalid', `${where} is not asked: ${error.message}; ${how}`, { cause })
  }
  const said = meanings[code] ?? error.message
  return new Problem('unavailable', `cannot reach ${where}: ${said}${code in meanings ? ` (${code})` : ''}`, {
    cause,
    extra: { errno: code },
  })
}
