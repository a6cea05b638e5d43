import { isCertificateCode } from './certificate.ts'
import type { Answer, Outcome } from './destination.ts'

/** What holds for any HTTP destination when its own protocol said nothing. */

const maxRetryAfterMs = 15 * 60_000

/** Retry-After as seconds or date, at most 15 minutes; `now` only matters for dates. */
export function retryAfterMs(answer: Extract<Answer, { kind: 'answer' }>): { retryAfterMs?: number } {
  const text = answer.headers['retry-after']?.trim()
  if (text === undefined) return {}
  const sent = Date.parse(answer.headers['date'] ?? '')
  const wanted = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - sent
  if (Number.isNaN(wanted)) return {}
  return { retryAfterMs: Math.min(maxRetryAfterMs, Math.max(0, wanted)) }
}

export function httpOutcome(answer: Answer): Outcome {
  if (answer.kind === 'expired') return { kind: 'unsent', reason: 'not begun in time', retryAfterMs: 0 }
  if (answer.kind === 'failure') return failureOutcome(answer)
  const { status } = answer
  const reason = `HTTP ${status}`
  if (status >= 300 && status < 400) {
    const to = answer.headers['location']
    return { kind: 'unsent', reason: to === undefined ? reason : `${reason} to ${withoutQuery(to)}`, block: 'redirect' }
  }
  switch (status) {
    case 401:
    case 403:
    case 407:
      return { kind: 'unsent', reason, block: 'credentials' }
    case 404:
    case 405:
      return { kind: 'unsent', reason, block: 'settings' }
    case 429:
      return { kind: 'unsent', reason, ...retryAfterMs(answer) }
    default:
      return { kind: 'in_doubt', reason }
  }
}

/** A redirect's target can carry a session in its query. */
function withoutQuery(url: string): string {
  return url.replace(/[?#].*/s, '').slice(0, 200)
}

function failureOutcome(failure: Extract<Answer, { kind: 'failure' }>): Outcome {
  const { phase, code, address, message } = failure
  const reason = `${phase} ${address}: ${code} ${message}`.slice(0, 500)
  if (failure.wrote) {
    // With TLS 1.3 a server refuses our certificate after we began to write.
    const isRefused = failure.status === undefined && code.startsWith('ERR_SSL_') && isCertificateCode(code)
    return { kind: 'in_doubt', reason, ...(isRefused ? { block: 'certificate' as const } : {}) }
  }
  if (code === 'ADDRESS_REFUSED') return { kind: 'unsent', reason, block: 'address' }
  if (code === 'PROXY_407') return { kind: 'unsent', reason, block: 'credentials' }
  if (phase === 'tls' && isCertificateCode(code)) return { kind: 'unsent', reason, block: 'certificate' }
  return { kind: 'unsent', reason }
}
