import { Problem, type ProblemCode, problems } from '../record/problem.ts'

/** What an answer of status 300 and up means: a problem document as it came; anything else (a proxy's page) by its status alone. */
export function readProblem(body: Uint8Array, status: number, retryAfter: unknown, where: string): Problem {
  const { code, detail, title } = parseObject(body)
  const seconds = Number(retryAfter)
  const extra = { status, ...(Number.isFinite(seconds) ? { retry_after: seconds } : {}) }
  // Of its own: a proxy may well answer with the code `constructor`.
  const known = typeof code === 'string' && Object.hasOwn(problems, code) ? (code as ProblemCode) : codeOf(status) // the table is the proof
  const said = [detail, title].find((text) => typeof text === 'string' && text !== '')
  const named = typeof code !== 'string' || known === code ? '' : ` [${code}]`
  return new Problem(
    known,
    typeof said === 'string' ? `${said}${named}` : `${where} answers with status ${status}${named}`,
    { extra },
  )
}

function codeOf(status: number): ProblemCode {
  if (status >= 300 && status < 400) return 'request_invalid'
  const exact: Partial<Record<number, ProblemCode>> = {
    401: 'unauthenticated',
    403: 'forbidden',
    404: 'not_found',
    408: 'request_timeout',
    413: 'body_too_large',
    429: 'rate_limited',
  }
  return exact[status] ?? (status >= 500 ? 'unavailable' : 'request_invalid')
}

function parseObject(body: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
  } catch {
    return {}
  }
}
