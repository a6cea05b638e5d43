import type { Answer, BlockReason, Outcome, Receipt, Split } from './destination.ts'
import { httpOutcome, retryAfterMs } from './http-answers.ts'

/**
 * What a HEC answer means, by (HTTP status, code) and never by text (SIEM.md 1.6). HEC has no idempotency key, so everything that is not
 * a parsed, definite answer is in doubt. Of a batch whose answer names a bad event nobody knows which members were kept: in doubt.
 */

interface HecBody {
  code: number
  ackId?: number
  badEvent?: number
}

function parseBody(body: string): HecBody | undefined {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed !== 'object' || parsed === null || !('code' in parsed) || typeof parsed.code !== 'number')
      return undefined
    const ackId = 'ackId' in parsed && typeof parsed.ackId === 'number' && parsed.ackId >= 0 ? parsed.ackId : undefined
    const bad =
      'invalid-event-number' in parsed && typeof parsed['invalid-event-number'] === 'number'
        ? parsed['invalid-event-number']
        : undefined
    return {
      code: parsed.code,
      ...(ackId === undefined ? {} : { ackId }),
      ...(bad === undefined ? {} : { badEvent: bad }),
    }
  } catch {
    return undefined // HTML of a proxy or of the web server in front of HEC
  }
}

/** HEC's own word about the token, by code: it is given before the body is read. A proxy's 401 or 403 says nothing about it. */
export function isTokenRefused(answer: Answer): boolean {
  if (answer.kind !== 'answer' || (answer.status !== 401 && answer.status !== 403)) return false
  const code = parseBody(answer.body)?.code
  return code !== undefined && code >= 1 && code <= 4
}

/** One outcome that holds for all `count` members alike. `proof` is the strength the operator configured. */
export function classifyHec(answer: Answer, count: number, proof: 'ack' | 'search' | 'answer'): Outcome {
  if (answer.kind !== 'answer') return httpOutcome(answer)
  const { status } = answer
  const body = parseBody(answer.body)
  // Whatever stands in it: the length is known before anything is parsed, and the same bytes again would get the same answer.
  if (status === 413) return tooLarge(body === undefined ? 'HTTP 413' : `HEC 413/${body.code}`, count)
  if (body === undefined) return withoutCode(answer)
  const { code } = body
  const reason = `HEC ${status}/${code}`
  const block = (why: BlockReason): Outcome => ({ kind: 'unsent', reason, block: why })
  const later = (): Outcome => ({ kind: 'unsent', reason, ...retryAfterMs(answer) })
  // An acknowledgement of such a request may be one of those that were kept before the bad one.
  const partial = count > 1 && ![0, 24, 25].includes(code) ? { partial: true as const } : {}
  const doubt = (split?: Split): Outcome => ({ kind: 'in_doubt', reason, ...partial, ...(split === undefined ? {} : { split }) }) // oxfmt-ignore
  // Decided while parsing: of one event the answer is definite; of several the named one is only a hint (it is off by one at times).
  const bad = (): Outcome =>
    count === 1
      ? { kind: 'refused', reason }
      : doubt(body.badEvent === undefined ? 'single' : `isolate:${body.badEvent}`)
  const as = (expected: number, outcome: () => Outcome): Outcome => (status === expected ? outcome() : doubt())

  switch (code) {
    case 0:
    case 24: // the queue is nearly full: success all the same, so slow down
    case 25: // the acknowledgement service is nearly full: likewise
      return as(200, () => taken(body, code, proof))
    case 1: // token disabled
    case 4: // invalid token
      return as(403, () => block('credentials'))
    case 2: // token required
    case 3: // invalid authorization
      return as(401, () => block('credentials'))
    case 5: // no data: a proxy took the body away, or it was empty; decided before anything was parsed
      return as(400, () => block('settings'))
    case 6: // invalid data format
    case 12: // event field required
    case 13: // event field blank
    case 15: // indexed fields
      return as(400, bad)
    case 7: // incorrect index: all members name the same one, so when the first is refused (0, or 1 as measured) none was kept
      return as(400, () =>
        count === 1 || (body.badEvent ?? 0) <= 1
          ? block('index')
          : { kind: 'in_doubt', reason, ...partial, block: 'index' },
      )
    case 8: // internal error: any time
      return doubt()
    case 9: // server is busy
      return as(503, () =>
        count === 1 ? later() : doubt(body.badEvent === undefined ? undefined : `isolate:${body.badEvent}`),
      )
    case 10: // channel missing
    case 11: // channel invalid
    case 14: // acknowledgement disabled
      return as(400, () => block('channel'))
    case 16: // query string authorization
      return as(400, () => block('settings'))
    case 17: // health answers: not for a POST of events, so somebody rewrote the path
      return as(200, () => block('settings'))
    case 18:
    case 19:
    case 20: // unhealthy, queues full: told by the health endpoint, where nothing was sent; from here nobody knows
    case 23: // shutting down: at admission, conservatively not
      return doubt()
    case 21: // invalid token
    case 22: // token disabled
      return as(400, () => block('credentials'))
    case 26: // queue at capacity, at admission
    case 27: // acknowledgement channels at capacity, at admission
      return as(429, later)
    case 404: // the route does not exist
      return status === 404 || status === 405 ? block('settings') : doubt()
    default:
      return doubt()
  }
}

function taken(body: HecBody, code: number, proof: 'ack' | 'search' | 'answer'): Outcome {
  const slow = code === 0 ? {} : { slow: true }
  if (proof === 'answer') return { kind: 'delivered', receipt: { by: 'answer', code } }
  if (body.ackId !== undefined) return { kind: 'accepted', ackId: body.ackId, ...slow }
  const weaker = `HEC 200/${code} without an acknowledgement id: acknowledgement is switched off for the token`
  return { kind: 'accepted', ...(proof === 'ack' ? { weaker } : {}), ...slow }
}

function tooLarge(reason: string, count: number): Outcome {
  if (count === 1) return { kind: 'refused', reason: `${reason}: a single event is over the limit` }
  return { kind: 'unsent', reason, split: 'halve' }
}

/** Answers without a HEC body: the web server in front of it, a load balancer, a proxy. */
function withoutCode(answer: Extract<Answer, { kind: 'answer' }>): Outcome {
  if (answer.status === 415) return { kind: 'unsent', reason: 'HTTP 415: the encoding is not taken', block: 'settings' }
  return httpOutcome(answer)
}

/** The answer to `{"acks":[id]}`: true, false, or undefined when it tells nothing (400/14, HTML, other ids). */
export function readAck(answer: Answer, ackId: number): boolean | undefined {
  if (answer.kind !== 'answer' || answer.status !== 200) return undefined
  try {
    const parsed: unknown = JSON.parse(answer.body)
    if (typeof parsed !== 'object' || parsed === null || !('acks' in parsed)) return undefined
    const { acks } = parsed
    if (typeof acks !== 'object' || acks === null) return undefined
    const value = (acks as Record<string, unknown>)[String(ackId)]
    return typeof value === 'boolean' ? value : undefined
  } catch {
    return undefined
  }
}

/** Acknowledgement is switched off for this token: none will ever come. */
export function isAckOff(answer: Answer): boolean {
  return answer.kind === 'answer' && answer.status === 400 && parseBody(answer.body)?.code === 14
}

/**
 * What the only request of a channel can be called: Splunk counts from 0, the OpenTelemetry Collector's receiver from 1. A channel is made
 * for one attempt, so each of them is ours.
 */
export const firstAckIds: readonly number[] = [0, 1]

/** The one of these ids that is acknowledged. */
export const ackedOf = (answer: Answer, ids: readonly number[]): number | undefined =>
  ids.find((id) => readAck(answer, id) === true)

export function ackReceipt(channel: string, ackId: number): Receipt {
  return { by: 'ack', channel, ack_id: ackId }
}
