import { createHash, hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Readable, pipeline } from 'node:stream'
import { toEncoding } from '../admission/body-headers.ts'
import { createDecoder, toDecodeProblem } from '../admission/decoder.ts'
import { Problem } from '../record/problem.ts'

/** Bodies as they arrive. None is gathered here but small JSON; all are bounded in size, in silence, and where they are short in time. */

export interface BodyLimits {
  maxBytes: number
  /** Longest silence before the next chunk, while we wait for one. */
  idleMs: number
  /** Longest time for all of it. */
  totalMs?: number
  /** Of the whole, where it was signed. */
  sha256?: string | undefined
}

/**
 * The chunks of a request body. Throws Problem body_incomplete when the connection ends before the body does (never a silent end),
 * body_too_large, request_timeout. Whoever stops early leaves the connection usable, so that an answer can still be sent.
 */
export async function* readBody(request: IncomingMessage, limits: BodyLimits): AsyncGenerator<Uint8Array> {
  const { maxBytes, idleMs, totalMs = Infinity } = limits
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > maxBytes) throw tooLarge(maxBytes)
  const deadline = performance.now() + totalMs
  const chunks: AsyncIterator<Uint8Array> = request.iterator({ destroyOnReturn: false })
  let bytes = 0
  try {
    for (;;) {
      const left = Math.min(idleMs, deadline - performance.now())
      const { done, value } = await within(chunks.next(), left)
      if (done === true) break
      bytes += value.length
      if (bytes > maxBytes) throw tooLarge(maxBytes)
      yield value
    }
  } finally {
    // Not awaited: a pending next() of a silent connection would keep us waiting with it.
    chunks.return?.().catch(() => {})
  }
  // Node ends the stream of an aborted request with an error, but a body cut at a chunk boundary must never pass for a whole one.
  if (!request.complete) throw new Problem('body_incomplete', `the connection ended after ${bytes} bytes`)
}

const tooLarge = (maxBytes: number): Problem =>
  new Problem('body_too_large', `the body is longer than ${maxBytes} bytes`)

async function within<T>(next: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Problem('request_timeout', 'the body stopped arriving')), Math.max(0, ms))
  })
  try {
    return await Promise.race([next, late])
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('body_incomplete', 'the connection broke off within the body', { cause: error })
  } finally {
    clearTimeout(timer)
    next.catch(() => {}) // it may still fail after we stopped waiting for it
  }
}

/** One JSON document; throws Problem request_invalid for anything else. */
export async function readJson(request: IncomingMessage, limits: BodyLimits & { maxDepth: number }): Promise<unknown> {
  const type = request.headers['content-type']
  if (type !== undefined && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new Problem('media_type_unsupported', `this route takes application/json, not ${type}`)
  }
  if (toEncoding(request.headers['content-encoding']) !== 'identity') {
    throw new Problem('media_type_unsupported', 'this route takes no compressed body')
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of readBody(request, limits)) chunks.push(chunk)
  const whole = Buffer.concat(chunks)
  if (limits.sha256 !== undefined && hash('sha256', whole, 'hex') !== limits.sha256) throw notAsSigned()
  if (isDeeper(whole, limits.maxDepth))
    throw new Problem('request_invalid', `the body is nested deeper than ${limits.maxDepth} levels`)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(whole))
  } catch (error) {
    throw new Problem('request_invalid', `the body is not JSON: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    })
  }
}

/** Of what is JSON: whether objects and arrays stand in one another more than `most` times. Looked at before anything walks into it. */
export function isDeeper(json: Uint8Array, most: number): boolean {
  let depth = 0
  let isText = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (byte === 0x22) isText = !isText
    else if (isText) i += byte === 0x5c ? 1 : 0
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > most) return true
    } else if (byte === 0x7d || byte === 0x5d) depth--
  }
  return false
}

const notAsSigned = (): Problem => new Problem('digest_mismatch', 'the body is not the one that was signed')

/** The chunks of a decoded body; throws Problem digest_mismatch at its end, where it is not the one that was signed. */
export async function* asSigned(
  chunks: AsyncIterable<Uint8Array>,
  sha256: string | undefined,
): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256')
  for await (const chunk of chunks) {
    digest.update(chunk)
    yield chunk
  }
  if (sha256 !== undefined && digest.digest('hex') !== sha256) throw notAsSigned()
}

/**
 * The decoded bytes of a body, whatever its Content-Encoding says. Throws to its reader, never before: Problem media_type_unsupported for
 * an encoding that is not taken, encoding_invalid when the bytes are broken, expansion_limit when they are more than `maxBytes`.
 */
export async function* decodeBody(
  body: AsyncIterable<Uint8Array>,
  contentEncoding: string | undefined,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  const encoding = toEncoding(contentEncoding)
  if (encoding === 'identity') return yield* body
  const decoder = createDecoder(encoding)
  pipeline(Readable.from(body), decoder, () => {}) // the error arrives where the decoder is read
  let bytes = 0
  try {
    for await (const chunk of decoder as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes) throw new Problem('expansion_limit', `the body expands to more than ${maxBytes} bytes`)
      yield chunk
    }
  } catch (error) {
    throw toDecodeProblem(encoding, error)
  } finally {
    decoder.destroy()
  }
}
