import type { Dispatcher } from 'undici'
import { codeOf, ConnectError, messageOf } from './connect-error.ts'
import type { Answer, Phase } from './destination.ts'
import { cookieOf } from './cookies.ts'

/**
 * One request over one pool, and what was seen of it on the wire. Nothing is ever sent twice by this file, and after the deadline the
 * socket is gone, so that bytes held back by a frozen process do not arrive later.
 */

export interface Exchange {
  pool: Dispatcher
  /** Where the pool connects to. */
  address: string
  origin: string
  path: string
  method: 'GET' | 'POST' | 'PUT'
  headers: Readonly<Record<string, string>>
  body: Buffer | undefined
  /** Monotonic milliseconds: no byte is begun after the first, the socket is destroyed at the second. */
  sendBeforeMs: number
  deadlineMs: number
  /** Called at most once, with a larger body that has left and was answered. */
  left: ((body: Buffer) => void) | undefined
  maxAnswerBytes: number
  /** Of the answer's body: `latin1` keeps bytes that are no text. */
  encoding: 'utf8' | 'latin1'
  monotonicMs: () => number
}

/**
 * Larger bodies are written slice by slice, and between two the clock is looked at again: after a freeze no further one goes out. Slices
 * of 128 KiB cost a fifth of the forwarding rate; a batch for HEC is one write, which the kernel mostly takes whole.
 */
const sliceBytes = 1024 * 1024
/** A write of more than a socket's high-water mark (64 KiB) is followed by a wait until the system has taken it: then it has left. */
const leavesBytes = 256 * 1024

/** Rejects only when `signal` aborted before the first byte; afterwards an abort is a failure that wrote. */
export function exchange(wanted: Exchange, signal: AbortSignal): Promise<Answer> {
  const { pool, address, body, sendBeforeMs, deadlineMs, maxAnswerBytes, encoding, monotonicMs } = wanted
  const startedMs = monotonicMs()
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let phase: Phase = 'connect'
    let wrote = false
    /** The whole body is written. */
    let sent = false
    let status: number | undefined
    let responseHeaders: Record<string, string> = {}
    let cookie: string | undefined
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
    const fail = (code: string, message: string, at: Phase = phase, where = address): void =>
      finish({
        kind: 'failure',
        phase: at,
        wrote,
        code,
        message,
        address: where,
        elapsedMs: monotonicMs() - startedMs,
        ...(status === undefined ? {} : { status }),
        ...(cookie === undefined ? {} : { cookie }),
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
        sent = true
        phase = 'read'
      },
      onResponseStart(_, code, raw) {
        if (code < 200) return
        if (sent || body === undefined) phase = 'read'
        status = code
        responseHeaders = flatten(raw)
        cookie = cookieOf(raw['set-cookie'])
      },
      onResponseData(_, chunk) {
        size += chunk.length
        if (size > maxAnswerBytes) stop('ANSWER_TOO_LONG', `the answer is over ${maxAnswerBytes} bytes`)
        else chunks.push(chunk)
      },
      onResponseEnd() {
        if (left && body !== undefined) wanted.left?.(body)
        // A refusal may come while we write. A yes to what was not sent to its end is an answer to something else.
        if (phase === 'write' && status !== undefined && status < 300)
          return stop('EARLY_ANSWER', `HTTP ${status} before all was sent`)
        finish({
          kind: 'answer',
          status: status ?? 0,
          headers: responseHeaders,
          body: Buffer.concat(chunks).toString(encoding),
          address,
          elapsedMs: monotonicMs() - startedMs,
          ...(cookie === undefined ? {} : { cookie }),
        })
      },
      onResponseError(_, error) {
        if (error instanceof ConnectError) fail(error.code, error.message, error.phase, error.address)
        else fail(codeOf(error), messageOf(error))
      },
    }
    const payload = body === undefined || body.length <= leavesBytes ? body : slices(body)
    const { origin, path, method, headers } = wanted
    // The types of undici leave out that a body may be any iterable; `Request` takes it (util.isIterable).
    pool.dispatch({ origin, path, method, headers, body: payload as Buffer | null }, handler)
  })
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value
  }
  return flat
}
