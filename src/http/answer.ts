import type { FastifyError, FastifyReply } from 'fastify'
import { printProblem } from './page-html.ts'
import { Problem, type ProblemCode, problemDocument, problems } from '../record/problem.ts'

/** Whatever goes wrong leaves as a problem document; here an error of any kind becomes one. */

/** What a retry should wait, where the problem does not say: these pass by themselves. */
const retryAfter: Partial<Record<ProblemCode, number>> = {
  overloaded: 1,
  storage_full: 30,
  storage_refused: 30,
  unavailable: 2,
  recording_stopped: 30,
  clock_step: 5,
  signer_not_current: 30,
  part_open: 1,
}

/** The problem of any thrown value; undefined for what nobody foresaw, which is a logged 500. */
export function toProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error
  const { statusCode, message, code } = error as Partial<FastifyError>
  if (code === '53100') return new Problem('storage_full', 'the database has no room left', { cause: error })
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return new Problem('storage_full', 'the disk is full here', { cause: error })
  if (typeof code !== 'string' || !code.startsWith('FST_') || statusCode === undefined) return undefined
  const known = codeOfStatus.get(statusCode)
  return known === undefined ? undefined : new Problem(known, message ?? '', { cause: error })
}

const codeOfStatus = new Map<number, ProblemCode>([
  [400, 'request_invalid'],
  [404, 'not_found'],
  [405, 'method_not_allowed'],
  [408, 'request_timeout'],
  [413, 'body_too_large'],
  [414, 'url_too_long'],
  [415, 'media_type_unsupported'],
  [503, 'unavailable'],
])

/** A browser that shows it gets a page; `signInFrom` is the path that it comes back to when it is told to sign in. */
export function sendProblem(reply: FastifyReply, problem: Problem, signInFrom?: string): FastifyReply {
  const wait = retryAfter[problem.code]
  if (wait !== undefined && !reply.hasHeader('retry-after')) reply.header('retry-after', wait)
  const { status, title } = problems[problem.code]
  reply.code(status).header('cache-control', 'no-store')
  // What takes anything, as curl does, is no browser.
  if (reply.request.headers.accept?.includes('text/html') === true) {
    const from = problem.code === 'unauthenticated' ? signInFrom : undefined
    return reply.type('text/html; charset=utf-8').send(printProblem(title, problem.message, problem.code, from))
  }
  return reply
    .header('content-type', 'application/problem+json')
    .send(Buffer.from(JSON.stringify(problemDocument(problem)))) // of a string, fastify would declare a charset
}

/** The same for a connection on which no request could be read: there is only the socket. */
export function printRawProblem(error: { code?: string }): string {
  const problem =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new Problem('request_timeout', 'the request did not arrive in time')
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? new Problem('headers_too_large', 'the request line and headers are too long')
        : new Problem('request_invalid', 'this is not an HTTP request')
  const body = JSON.stringify(problemDocument(problem))
  const { status } = problems[problem.code]
  const head = [
    `HTTP/1.1 ${status} ${problem.code}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
