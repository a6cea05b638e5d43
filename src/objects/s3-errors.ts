import { Problem } from '../record/problem.ts'
import { isFull } from './full.ts'

/** What an S3 request can end with besides success, by HTTP status and error code, never by text. */

/** 4xx codes that pass by themselves. */
const passing = new Set([
  'RequestTimeout',
  'SlowDown',
  'TooManyRequests',
  'OperationAborted',
  'ConditionalRequestConflict',
])
const fullNames = new Set(['InsufficientStorage', 'QuotaExceeded', 'XMinioStorageFull', 'InsufficientCapacity'])

export function s3Status(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined
  const metadata = error.$metadata
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}

/** The code of S3, or of the network. */
export function s3Code(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if ('Code' in error && typeof error.Code === 'string') return error.Code
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.name
}

/** There is nothing under that key; a bucket that is not there is another matter. */
export function isAbsent(error: unknown): boolean {
  return s3Status(error) === 404 && s3Code(error) !== 'NoSuchBucket' && s3Code(error) !== 'NoSuchUpload'
}

/** `unavailable` is safe to repeat, `storage_refused` needs a person; an error that is no answer and no connection is a bug and stays one. */
export function toStorageProblem(error: unknown, bucket: string, storage = 'artifact storage'): unknown {
  if (error instanceof Problem) return error
  const status = s3Status(error)
  const code = s3Code(error)
  const said = error instanceof Error && error.message !== '' && error.message !== code ? `: ${error.message}` : ''
  const problem = (kind: 'unavailable' | 'storage_refused' | 'storage_full', what: string): Problem =>
    new Problem(kind, `${storage} s3://${bucket} ${what}`, { cause: error })
  if (fullNames.has(code) || status === 507 || isFull(error)) return problem('storage_full', `is full (${code})`)
  if (code === 'ADDRESS_REFUSED') return problem('storage_refused', `is not asked${said}`)
  if (code === 'CredentialsProviderError') return problem('storage_refused', `cannot be asked: no credentials${said}`)
  if (status === undefined || status < 100)
    return isNetwork(error) ? problem('unavailable', `does not answer (${code})`) : error
  if (status >= 500 || status === 429 || status === 408 || passing.has(code))
    return problem('unavailable', `answers ${status} (${code})`)
  if (status < 300) return problem('unavailable', `gives an answer that cannot be read (${code})`)
  return problem('storage_refused', `refuses this service: ${code}${said} (HTTP ${status})`)
}

/** Errors of sockets, names, TLS and timeouts have a code or the name TimeoutError; errors of ours have neither. */
function isNetwork(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    ('code' in error && typeof error.code === 'string') || /^(TimeoutError|AbortError|RequestTimeout)$/.test(error.name)
  )
}
