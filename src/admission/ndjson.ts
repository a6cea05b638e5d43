import { Problem } from '../record/problem.ts'

export interface NumberedLine {
  line: number
  text: string
}

/**
 * The lines of an NDJSON body with their numbers, empty ones left out. `what` is called so in what is refused: a line over `maxBytes`, bytes
 * that are no UTF-8, a body that breaks off. Lines are parted before they are decoded: what is refused must not depend on how the body was cut.
 */
export async function* readLines(
  body: AsyncIterable<Uint8Array>,
  what: string,
  maxBytes: number,
): AsyncGenerator<NumberedLine> {
  let rest: Uint8Array = new Uint8Array(0)
  let line = 0
  const refused = (why: string): Problem => new Problem('request_invalid', `line ${line} of the ${what} is ${why}`)
  const take = (bytes: Uint8Array): NumberedLine => {
    line += 1
    if (bytes.length > maxBytes) throw refused('too long')
    try {
      return { line, text: utf8.decode(bytes) }
    } catch {
      throw refused('not UTF-8')
    }
  }
  try {
    for await (const chunk of body) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let from = 0
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
        const numbered = take(bytes.subarray(from, end))
        if (numbered.text !== '') yield numbered
        from = end + 1
      }
      rest = Uint8Array.from(bytes.subarray(from))
      if (rest.length > maxBytes) take(rest)
    }
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('body_incomplete', `the ${what} broke off`, { cause: error })
  }
  if (rest.length > 0) yield take(rest)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const newline = 0x0a

/** The object on a line. Throws Problem request_invalid for anything else. */
export function parseObject({ line, text }: NumberedLine, what: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Problem('request_invalid', `line ${line} of the ${what} is not JSON`)
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

/** A path and a git blob id as they may stand in a record. Throws Problem record_too_large for a path that no record holds. */
export function toFileAt(value: unknown, line: number): { path: string; blob: string } | undefined {
  const { path, blob } = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  if (typeof path !== 'string' || path === '' || path.includes('\0')) return undefined
  if (typeof blob !== 'string' || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(blob)) return undefined
  if (Buffer.byteLength(JSON.stringify(path)) > 1_026)
    throw new Problem('record_too_large', `line ${line}: the path is over 1,024 bytes`)
  return { path, blob }
}
