import { Problem } from '../record/problem.ts'

/** What the headers of an upload say about its body. Read here, so that what is wrong with them is refused on record like the body itself. */

export type Encoding = 'identity' | 'gzip' | 'zstd'

/** One Content-Encoding; throws Problem media_type_unsupported for those we do not read, and for several. */
export function toEncoding(header: string | undefined): Encoding {
  const name = header?.trim().toLowerCase() ?? 'identity'
  if (name === '' || name === 'identity') return 'identity'
  if (name === 'gzip' || name === 'x-gzip') return 'gzip'
  if (name === 'zstd') return 'zstd'
  throw new Problem(
    'media_type_unsupported',
    `Content-Encoding ${name.slice(0, 100)} is not taken; identity, gzip and zstd are`,
  )
}

/**
 * The format of a report: the one that was named, and coverage events for their content type. No other type tells anything: reports are sent as whatever
 * the client makes of them. Throws Problem request_invalid when the two disagree.
 */
export function toFormat(named: string | undefined, contentType: string | undefined): string | undefined {
  if (contentType === undefined || !/^application\/x-ndjson\s*(?:;|$)/i.test(contentType)) return named
  if (named !== undefined && named !== 'events')
    throw new Problem('request_invalid', `Content-Type application/x-ndjson is coverage events, but format is ${named}`)
  return 'events'
}

export interface AnnouncedDigest {
  algorithm: 'sha256' | 'sha512'
  /** As it stands in the header; compared with what the bytes give. */
  base64: string
}

const algorithms = new Map<string, AnnouncedDigest['algorithm']>([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
])

/**
 * A Content-Digest (RFC 9530: a dictionary of byte sequences, over the bytes as sent). Algorithms that we do not know are passed over, as
 * the RFC asks; a header that is no such dictionary throws Problem request_invalid, since its sender believes that something is checked.
 */
export function toDigests(header: string | undefined): AnnouncedDigest[] {
  if (header === undefined || header.trim() === '') return []
  return header.split(',').flatMap((member) => {
    const match = /^\s*([a-z][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):\s*$/.exec(member)
    if (match === null)
      throw new Problem('request_invalid', 'Content-Digest is not of the form sha-256=:<base64>: (RFC 9530)')
    const algorithm = algorithms.get(match[1] ?? '')
    return algorithm === undefined ? [] : [{ algorithm, base64: match[2] ?? '' }]
  })
}
