import { Problem } from '../record/problem.ts'
import { join } from './detect.ts'

/**
 * Reads a huge JSON object one member at a time: a scanner over bytes finds where a member's value ends, and JSON.parse reads just that. Memory
 * is that of the largest member. Duplicate keys, which JSON.parse would settle silently by keeping the last, are refused at every depth: the
 * scanner counts the colons outside strings, and an object with a key twice has fewer keys after parsing than colons before.
 */
export interface Member {
  key: string
  value: unknown
}

export interface JsonLimits {
  /** Bytes of one member's value. */
  maxMemberBytes: number
  /** Levels of nesting in one member's value. */
  maxDepth: number
}

export const jsonLimits: JsonLimits = { maxMemberBytes: 64 * 1024 * 1024, maxDepth: 64 }

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const [quote, backslash, comma, colon, openBrace, closeBrace, openBracket, closeBracket] = [
  0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d,
]

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** Throws Problem('report_invalid') for what is no single JSON object or goes over a limit, Problem('duplicate_key') for a key twice. */
export async function* readMembers(
  chunks: AsyncIterable<Uint8Array>,
  limits: JsonLimits = jsonLimits,
): AsyncGenerator<Member> {
  const scanner = createScanner(limits)
  for await (const chunk of chunks) yield* scanner.push(chunk)
  scanner.end()
}

type Expected = 'object' | 'first key' | 'key' | 'colon' | 'value' | 'next' | 'nothing'

function createScanner(limits: JsonLimits): { push(chunk: Uint8Array): Generator<Member>; end(): void } {
  const keys = new Set<string>()
  let expected: Expected = 'object'
  let key = ''
  let offset = 0
  // The token being read: a key, or a member's value.
  let token: 'key' | 'value' | undefined
  let held: Uint8Array[] = []
  let heldBytes = 0
  let depth = 0
  let colons = 0
  let isInString = false
  let isEscaped = false

  function invalid(what: string): Problem {
    return new Problem('report_invalid', `the report is not valid JSON: ${what}`)
  }

  /** Where the token ends in `chunk` (exclusive), or -1 when it goes on behind it. */
  function scan(chunk: Uint8Array, from: number): number {
    const end = chunk.length
    let i = from
    while (i < end) {
      const c = chunk[i] as number // i < length
      i += 1
      if (isInString) {
        if (isEscaped) isEscaped = false
        else if (c === backslash) isEscaped = true
        else if (c === quote) {
          isInString = false
          if (depth === 0) return i
        }
      } else if (c === quote) isInString = true
      else if (c === colon) colons += 1
      else if (c === openBrace || c === openBracket) {
        depth += 1
        if (depth > limits.maxDepth) throw invalid(`nested deeper than ${limits.maxDepth} levels`)
      } else if (c === closeBrace || c === closeBracket) {
        // At depth 0 it is the object's own brace, behind a number or word.
        if (depth === 0) return i - 1
        depth -= 1
        if (depth === 0) return i
      } else if (depth === 0 && (c === comma || isSpace(c))) return i - 1
    }
    return -1
  }

  function parse(bytes: Uint8Array): unknown {
    try {
      return JSON.parse(utf8.decode(bytes))
    } catch (cause) {
      const place = token === 'key' ? `the key at byte ${offset}` : `the member ${JSON.stringify(key.slice(0, 200))}`
      throw new Problem('report_invalid', `the report is not valid JSON: ${place}`, { cause })
    }
  }

  function finish(bytes: Uint8Array): Member | undefined {
    const value = parse(bytes)
    if (token === 'key') {
      key = String(value)
      if (keys.has(key))
        throw new Problem('duplicate_key', `the report has the key ${JSON.stringify(key.slice(0, 200))} twice`)
      keys.add(key)
      expected = 'colon'
      return undefined
    }
    if (countKeys(value) !== colons)
      throw new Problem(
        'duplicate_key',
        `the member ${JSON.stringify(key.slice(0, 200))} of the report has a key twice`,
      )
    expected = 'next'
    return { key, value }
  }

  function begin(c: number): void {
    if (expected === 'object' && c === openBrace) expected = 'first key'
    else if (expected === 'first key' && c === closeBrace) expected = 'nothing'
    else if ((expected === 'first key' || expected === 'key') && c === quote) token = 'key'
    else if (expected === 'colon' && c === colon) expected = 'value'
    else if (expected === 'value') token = 'value'
    else if (expected === 'next' && c === comma) expected = 'key'
    else if (expected === 'next' && c === closeBrace) expected = 'nothing'
    else
      throw invalid(
        expected === 'nothing'
          ? `more follows the end of the object at byte ${offset}`
          : `${expected} expected at byte ${offset}`,
      )
  }

  return {
    *push(chunk) {
      let i = 0
      while (i < chunk.length) {
        if (token === undefined) {
          const c = chunk[i] as number // i < length
          if (!isSpace(c)) begin(c)
          if (token === undefined) {
            i += 1
            offset += 1
            continue
          }
          depth = 0
          colons = 0
        }
        const end = scan(chunk, i)
        const part = chunk.subarray(i, end < 0 ? chunk.length : end)
        heldBytes += part.length
        if (heldBytes > limits.maxMemberBytes) {
          throw new Problem(
            'report_invalid',
            `one member of the report is longer than ${limits.maxMemberBytes} bytes: ${JSON.stringify(key.slice(0, 200))}`,
          )
        }
        if (end < 0) held.push(part.slice())
        else {
          const member = finish(held.length === 0 ? part : join([...held, part]))
          held = []
          heldBytes = 0
          token = undefined
          if (member !== undefined) yield member
        }
        offset += part.length
        i += part.length
      }
    },
    end() {
      if (expected !== 'nothing') throw invalid('it ends early')
    },
  }
}

/** All keys of all objects in a value. `maxDepth` bounds the recursion. */
function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) if (typeof item === 'object') count += countKeys(item)
    return count
  }
  const object = value as Record<string, unknown> // not null, not an array
  for (const key of Object.keys(object)) {
    count += 1
    const item = object[key]
    if (typeof item === 'object') count += countKeys(item)
  }
  return count
}
