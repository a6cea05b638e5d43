import { Problem } from '../record/problem.ts'

export interface NumberedLine {
  line: number
  text: string
}

/**
 * The lines of an NDJSON body with their numbers, empty ones left out. `what` is called so in what is refused: a line over `maxLength`
 * UTF-16 units, bytes that are no UTF-8, a body that breaks off.
 */
export async function* readLines(
  body: AsyncIterable<Uint8Array>,
  what: string,
  maxLength: number,
): AsyncGenerator<NumberedLine> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest = ''
  let line = 0
  try {
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > maxLength)
        throw new Problem('request_invalid', `line ${line + lines.length + 1} of the ${what} is too long`)
      for (const text of lines) {
        line++
        if (text !== '') yield { line, text }
      }
    }
    rest += decoder.decode()
  } catch (error) {
    if (error instanceof Problem) throw error
    if (error instanceof TypeError) throw new Problem('request_invalid', `line ${line + 1} of the ${what} is not UTF-8`)
    throw new Problem('body_incomplete', `the ${what} broke off`, { cause: error })
  }
  if (rest !== '') yield { line: line + 1, text: rest }
}

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
