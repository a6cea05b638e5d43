import { Problem } from '../record/problem.ts'
import { join } from './detect.ts'

/**
 * Reads a huge JSON object one member at a time: a scanner over bytes finds where a member's value ends; what is in it is read by `parseJson` or by
 * a cursor (json-cursor.ts). Memory is that of the largest member.
 */
export interface Member {
  key: string
  /** The value, not yet validated but for its brackets and strings. */
  bytes: Uint8Array
}

export interface JsonLimits {
  /** Bytes of one member's value. */
  maxMemberBytes: number
  /** Levels of nesting in one member's value. */
  maxDepth: number
}

export const jsonLimits: JsonLimits = { maxMemberBytes: 64 * 1024 * 1024, maxDepth: 64 }

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const [quote, backslash, comma, colon, openBrace, closeBrace] = [0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d]
const [plain, strings, opens, closes, separators] = [0, 1, 2, 3, 4]

/** What a byte outside strings can mean; most mean nothing. */
const kinds = new Uint8Array(256)
kinds[quote] = strings
for (const c of '{[') kinds[c.charCodeAt(0)] = opens
for (const c of '}]') kinds[c.charCodeAt(0)] = closes
for (const c of ', \n\r\t') kinds[c.charCodeAt(0)] = separators

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

/**
 * JSON.parse of `bytes`, refusing duplicate keys at every depth, which JSON.parse settles silently by keeping the last: an object with a
 * key twice has fewer keys after parsing than colons before. `what` names the value in the Problem.
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(utf8.decode(bytes))
  } catch (cause) {
    throw invalid(what, cause)
  }
  if (typeof value === 'object' && countKeys(value) !== countColons(bytes)) throw duplicate(what)
  return value
}

export function invalid(what: string, cause?: unknown): Problem {
  return new Problem('report_invalid', `the report is not valid JSON: ${what}`, { cause })
}

export function duplicate(what: string): Problem {
  return new Problem('duplicate_key', `the report has a key twice: ${what}`)
}

export const quoted = (text: string): string => JSON.stringify(text.slice(0, 200))

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
  let isInString = false
  let isEscaped = false

  /** Where the token ends in `chunk` (exclusive), or -1 when it goes on behind it. */
  function scan(chunk: Uint8Array, from: number): number {
    const end = chunk.length
    let i = from
    // What is read in every turn is kept in local variables: twice as fast.
    let [level, isText, isMarked] = [depth, isInString, isEscaped]
    while (i < end) {
      if (isText) {
        let c = 0
        if (isMarked) i += 1
        isMarked = false
        while (i < end && (c = chunk[i++] as number) !== quote) {
          if (c !== backslash) continue
          isMarked = i === end
          i += 1
        }
        if (c !== quote) break
        isText = false
        if (level === 0) return leave(i)
      }
      let kind = plain
      while (i < end && kind === plain) kind = kinds[chunk[i++] as number] as number
      if (kind === strings) isText = true
      else if (kind === opens) {
        level += 1
        if (level > limits.maxDepth) throw invalid(`nested deeper than ${limits.maxDepth} levels`)
      } else if (kind !== plain && level === 0) {
        // It ends a number or word, and is none of it.
        return leave(i - 1)
      } else if (kind === closes) {
        level -= 1
        if (level === 0) return leave(i)
      }
    }
    depth = level
    isInString = isText
    isEscaped = isMarked
    return -1
  }

  function leave(end: number): number {
    isInString = false
    isEscaped = false
    return end
  }

  function finish(bytes: Uint8Array): Member | undefined {
    if (token === 'value') {
      expected = 'next'
      return { key, bytes }
    }
    key = String(parseJson(bytes, `the key at byte ${offset}`))
    if (keys.has(key)) throw duplicate(quoted(key))
    keys.add(key)
    expected = 'colon'
    return undefined
  }

  function begin(c: number): void {
    if (expected === 'object' && c === openBrace) expected = 'first key'
    else if (expected === 'first key' && c === closeBrace) expected = 'nothing'
    else if ((expected === 'first key' || expected === 'key') && c === quote) token = 'key'
    else if (expected === 'colon' && c === colon) expected = 'value'
    else if (expected === 'value' && c !== comma && c !== closeBrace) token = 'value'
    else if (expected === 'next' && c === comma) expected = 'key'
    else if (expected === 'next' && c === closeBrace) expected = 'nothing'
    else
      throw invalid(
        expected === 'nothing' ? `more follows its end at byte ${offset}` : `${expected} expected at byte ${offset}`,
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
        }
        const end = scan(chunk, i)
        const part = chunk.subarray(i, end < 0 ? chunk.length : end)
        heldBytes += part.length
        if (heldBytes > limits.maxMemberBytes)
          throw invalid(`a member longer than ${limits.maxMemberBytes} bytes, ${quoted(key)}`)
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
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) if (typeof item === 'object') count += countKeys(item)
  } else if (value !== null) {
    const object = value as Record<string, unknown> // an object: of JSON, so that all its keys are its own
    for (const key in object) {
      count += 1
      const item = object[key]
      if (typeof item === 'object') count += countKeys(item)
    }
  }
  return count
}

/** Colons outside strings in valid JSON. */
function countColons(bytes: Uint8Array): number {
  let count = 0
  for (let i = 0; i < bytes.length; i += 1) {
    const c = bytes[i] as number // i < length
    if (c === colon) count += 1
    else if (c === quote) for (i += 1; bytes[i] !== quote; i += 1) if (bytes[i] === backslash) i += 1
  }
  return count
}
