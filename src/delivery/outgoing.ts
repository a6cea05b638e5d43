import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Agent, type Dispatcher } from 'undici'
import { type Certificate, codeOf, ConnectError, type ConnectSettings, createConnector, messageOf } from './connect.ts'
import type { Answer, Phase } from './destination.ts'

/**
 * Requests to one destination. No redirect is followed, nothing is ever sent twice by this file, and after the deadline the socket is
 * gone, so that bytes held back by a frozen process do not arrive later. What was seen on the wire is told, not judged.
 */

export interface OutgoingSettings extends ConnectSettings {
  url: string
  connections: number
  compression: 'none' | 'gzip'
  /** Answers longer than this are cut off and count as not read. */
  maxAnswerBytes: number
}

export interface OutgoingRequest {
  method: 'GET' | 'POST'
  /** Appended to the path of the destination's URL. */
  path: string
  headers: Readonly<Record<string, string>>
  body?: Buffer
  /** Monotonic milliseconds: no byte is begun after the first, the socket is destroyed at the second. */
  sendBeforeMs?: number
  deadlineMs?: number
  /** Instead of a deadline: from now on. */
  timeoutMs?: number
  /** Called at most once, with a larger body that is not read any more: it has left and was answered, or its compressed copy leaves. */
  left?: (body: Buffer) => void
}

export interface Outgoing {
  /** Rejects only when `signal` aborted before the first byte; afterwards an abort is a failure that wrote. */
  request(request: OutgoingRequest, signal: AbortSignal): Promise<Answer>
  /** The certificate that was shown at the newest connection; undefined before the first and without TLS. */
  certificate(): Certificate | undefined
  close(): Promise<void>
}

const compress = promisify(gzip)
/**
 * Larger bodies are written slice by slice, and between two the clock is looked at again: after a freeze no further one goes out. Slices
 * of 128 KiB cost a fifth of the forwarding rate; a batch for HEC is one write, which the kernel mostly takes whole.
 */
const sliceBytes = 1024 * 1024
/** A write of more than a socket's high-water mark (64 KiB) is followed by a wait until the system has taken it: then it has left. */
const leavesBytes = 256 * 1024

/** `monotonicMs` is performance.now, replaced in tests by a clock that jumps as after a freeze. */
export function createOutgoing(
  settings: OutgoingSettings,
  monotonicMs: () => number = () => performance.now(),
): Outgoing {
  const url = new URL(settings.url)
  const prefix = url.pathname.replace(/\/$/, '')
  let connectedTo = url.host
  let certificate: Certificate | undefined
  const agent = new Agent({
    connections: settings.connections,
    pipelining: 1,
    connect: createConnector(settings, (address, shown) => {
      connectedTo = address
      certificate = shown ?? certificate
    }),
    headersTimeout: 0, // one deadline for the whole exchange, kept below
    bodyTimeout: 0,
    keepAliveTimeout: 4_000, // shorter than any server's, so that a request seldom meets a closed connection
    keepAliveMaxTimeout: 30_000,
  })

  async function request(wanted: OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted()
    const headers: Record<string, string> = { ...wanted.headers }
    let body = wanted.body
    if (body !== undefined && settings.compression === 'gzip') {
      body = await compress(body, { level: 1 })
      if (wanted.body !== undefined) wanted.left?.(wanted.body)
      headers['content-encoding'] = 'gzip'
    }
    if (body !== undefined) headers['content-length'] = String(body.length)
    const { left, ...rest } = wanted
    return dispatch(
      {
        ...rest,
        headers,
        ...(body === undefined ? {} : { body }),
        ...(body === wanted.body && left !== undefined ? { left } : {}),
      },
      signal,
    )
  }

  function dispatch(wanted: OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    const startedMs = monotonicMs()
    const { body, sendBeforeMs = Infinity, timeoutMs = 60_000, deadlineMs = startedMs + timeoutMs } = wanted
    return new Promise((resolve, reject) => {
      let controller: Dispatcher.DispatchController | undefined
      let phase: Phase = 'connect'
      let wrote = false
      let status: number | undefined
      let responseHeaders: Record<string, string> = {}
      let size = 0
      const chunks: Buffer[] = []
      let over = false
      let left = false

      const finish = (answer: Answer | undefined, error?: unknown): void => {
        if (over) return
        over = true
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        if (answer === undefined) reject(error instanceof Error ? error : new Error(messageOf(error)))
        else resolve(answer)
      }
      const fail = (code: string, message: string, at: Phase = phase, address = connectedTo): void =>
        finish({
          kind: 'failure',
          phase: at,
          wrote,
          code,
          message,
          address,
          elapsedMs: monotonicMs() - startedMs,
          ...(status === undefined ? {} : { status }),
        })
      const stop = (code: string, message: string): void => {
        fail(code, message)
        controller?.abort(new Error(message))
      }
      const onAbort = (): void => {
        if (!wrote) finish(undefined, signal.reason)
        stop('ABORTED', 'the sender is stopping')
      }
      const timer = setTimeout(() => stop('TIMEOUT', 'the deadline has passed'), Math.max(0, deadlineMs - startedMs))
      signal.addEventListener('abort', onAbort, { once: true })

      /** Yields the body while there is time; a check between slices, since a freeze can fall anywhere. */
      function* slices(whole: Buffer): Generator<Buffer> {
        const size = Math.ceil(whole.length / Math.ceil(whole.length / sliceBytes))
        for (let at = 0; at < whole.length; at += size) {
          if (over || monotonicMs() > deadlineMs) throw new Error('the deadline has passed while writing')
          yield whole.subarray(at, at + size)
        }
        left = true
      }

      const handler: Dispatcher.DispatchHandler = {
        onRequestStart(begun) {
          controller = begun
          // Called directly before the first byte is written.
          if (over) begun.abort(new Error('cancelled'))
          else if (monotonicMs() > sendBeforeMs) {
            finish({ kind: 'expired' })
            begun.abort(new Error('send_before has passed'))
          } else {
            wrote = true
            phase = body === undefined ? 'read' : 'write'
          }
        },
        onRequestSent() {
          phase = 'read'
        },
        onResponseStart(_, code, raw) {
          if (code < 200) return
          phase = 'read'
          status = code
          responseHeaders = flatten(raw)
        },
        onResponseData(_, chunk) {
          size += chunk.length
          if (size > settings.maxAnswerBytes)
            stop('ANSWER_TOO_LONG', `the answer is over ${settings.maxAnswerBytes} bytes`)
          else chunks.push(chunk)
        },
        onResponseEnd() {
          const text = Buffer.concat(chunks).toString('utf8')
          if (left && body !== undefined) wanted.left?.(body)
          finish({
            kind: 'answer',
            status: status ?? 0,
            headers: responseHeaders,
            body: text,
            address: connectedTo,
            elapsedMs: monotonicMs() - startedMs,
          })
        },
        onResponseError(_, error) {
          if (error instanceof ConnectError) fail(error.code, error.message, error.phase, error.address)
          else fail(codeOf(error), messageOf(error))
        },
      }
      const payload = body === undefined || body.length <= leavesBytes ? body : slices(body)
      // The types of undici leave out that a body may be any iterable; `Request` takes it (util.isIterable).
      const options = {
        origin: url.origin,
        path: prefix + wanted.path,
        method: wanted.method,
        headers: wanted.headers,
        body: payload as Buffer | null,
      }
      agent.dispatch(options, handler)
    })
  }

  return { request, certificate: () => certificate, close: () => agent.destroy() }
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value
  }
  return flat
}
