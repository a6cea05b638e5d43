import { duplicate, invalid, parseJson } from './json.ts'

/**
 * Walks through the bytes of one JSON value and builds only what is asked for: JSON.parse makes three objects of each source location, which is most of
 * a coverage report and half of the time. As strict as JSON.parse about all that it passes.
 */
export interface JsonCursor {
  /** The next byte that is no space; 0 at the end. */
  peek(): number
  /** Passes `byte` if it is next. */
  eat(byte: number): boolean
  /** Passes these texts with a plain integer or null between each two, and no space, if just that is next; `integers` then has them, -1 for null. */
  eatPattern(texts: readonly Uint8Array[], integers: Int32Array): boolean
  /** Passes a plain integer from 0 to 999,999,999; -1, and nothing passed, for anything else. */
  eatInteger(): number
  /**
   * Passes an array of integers and booleans: `to` has them, 1 for true, and 2,147,483,647 for what is greater than 999,999,999. Answers how many there are,
   * more than `to` holds perhaps; -1, and nothing passed, for anything else.
   */
  eatTuple(to: Int32Array): number
  /** Passes a plain integer from 0 to 999,999,999, or null, which is -1; -2, and nothing passed, for anything else. */
  eatIntegerOrNull(): number
  /** Reads any value. */
  value(): unknown
  /** Reads an object: `each` must read the value. A key that is a plain integer comes as a number. Duplicate keys are the caller's to find. */
  members(each: (key: string | number) => void): void
  /** Throws when something is left. */
  end(): void
  fail(): never
  twice(key: string | number): never
}

const [quote, backslash, comma, colon, openBrace, closeBrace, openBracket, closeBracket] = [
  0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d,
]

const latin1 = new TextDecoder('latin1')
const knownStrings: string[] = Array.from({ length: 256 }, () => '')

/** `what` names the value in a Problem. Indexes may pass the end by one, where a byte is `undefined` and equal to nothing: hence `as number`. */
export function createCursor(bytes: Uint8Array, what: string): JsonCursor {
  let at = 0
  let integer = 0

  function fail(): never {
    throw invalid(`${what}, at its byte ${at}`)
  }

  function peek(): number {
    let c = bytes[at] as number
    if (c > 0x20) return c
    while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = bytes[++at] as number
    return at < bytes.length ? c : 0
  }

  function eat(byte: number): boolean {
    if (peek() !== byte) return false
    at += 1
    return true
  }

  /** Where the value that begins here ends. */
  function endOfValue(): number {
    let depth = 0
    for (let i = at; i < bytes.length; i += 1) {
      const c = bytes[i] as number
      if (c === quote) {
        for (i += 1; i < bytes.length && bytes[i] !== quote; i += 1) if (bytes[i] === backslash) i += 1
        if (depth === 0) return i + 1
      } else if (c === openBrace || c === openBracket) depth += 1
      else if (c === closeBrace || c === closeBracket) {
        if (depth === 0) return i
        depth -= 1
        if (depth === 0) return i + 1
      } else if (depth === 0 && (c <= 0x20 || c === comma || c === colon)) return i
    }
    return bytes.length
  }

  /** Passes a short string of plain ASCII without escapes, as most are. The same few come again and again, and are made once. */
  function eatString(): string | undefined {
    if (peek() !== quote) return undefined
    const from = at + 1
    const longest = Math.min(bytes.length, at + 64)
    let hash = 0
    for (let end = from; end < longest; end += 1) {
      const c = bytes[end] as number
      if (c === quote) {
        at = end + 1
        return stringAt(from, end, hash & (knownStrings.length - 1))
      }
      if (c < 0x20 || c >= 0x7f || c === backslash) return undefined
      hash = (Math.imul(hash, 31) + c) | 0
    }
    return undefined
  }

  function stringAt(from: number, end: number, place: number): string {
    const known = knownStrings[place]
    if (known?.length === end - from) {
      let i = 0
      while (i < known.length && known.charCodeAt(i) === bytes[from + i]) i += 1
      if (i === known.length) return known
    }
    const text = latin1.decode(bytes.subarray(from, end))
    knownStrings[place] = text
    return text
  }

  function value(): unknown {
    const text = eatString()
    if (text !== undefined) return text
    const end = endOfValue()
    const read = parseJson(bytes.subarray(at, end), `${what}, at its byte ${at}`)
    at = end
    return read
  }

  /** Behind the digits at `from`, when they are a plain integer, which is then `integer`; else -1. */
  function digitsFrom(from: number): number {
    let i = from
    integer = 0
    for (let d = (bytes[i] as number) - 0x30; d >= 0 && d <= 9; d = (bytes[i] as number) - 0x30) {
      integer = (Math.imul(integer, 10) + d) | 0
      i += 1
    }
    return i > from && i - from < 10 && (bytes[from] !== 0x30 || i - from === 1) ? i : -1
  }

  function eatInteger(): number {
    peek()
    const end = digitsFrom(at)
    const next = bytes[end] as number
    // A point, an exponent, a letter: not for here.
    if (end < 0 || !(next === comma || next === closeBrace || next === closeBracket || next <= 0x20)) return -1
    at = end
    return integer
  }

  /** Behind white space from `from` on. */
  function behindSpace(from: number): number {
    let p = from
    for (let c = bytes[p] as number; c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;) c = bytes[++p] as number
    return p
  }

  function eatTuple(to: Int32Array): number {
    peek()
    if (bytes[at] !== openBracket) return -1
    let p = behindSpace(at + 1)
    let count = 0
    for (let c = bytes[p] as number; c !== closeBracket; c = bytes[p] as number) {
      let value = 0
      if (c === 0x74 && bytes[p + 1] === 0x72 && bytes[p + 2] === 0x75 && bytes[p + 3] === 0x65) {
        value = 1
        p += 4
      } else if (
        c === 0x66 &&
        bytes[p + 1] === 0x61 &&
        bytes[p + 2] === 0x6c &&
        bytes[p + 3] === 0x73 &&
        bytes[p + 4] === 0x65
      )
        p += 5
      else {
        const first = c === 0x2d ? p + 1 : p
        p = first
        for (let d = (bytes[p] as number) - 0x30; d >= 0 && d <= 9; d = (bytes[p] as number) - 0x30) {
          value = (Math.imul(value, 10) + d) | 0
          p += 1
        }
        if (p === first || (bytes[first] === 0x30 && p - first > 1)) return -1
        if (p - first > 9) value = 0x7fff_ffff
        if (c === 0x2d) value = -value
      }
      if (count < to.length) to[count] = value
      count += 1
      p = bytes[p] === comma || bytes[p] === closeBracket ? p : behindSpace(p)
      if (bytes[p] === comma) {
        p = behindSpace(p + 1)
        if (bytes[p] === closeBracket) return -1
      } else if (bytes[p] !== closeBracket) return -1
    }
    at = p + 1
    return count
  }

  function key(): string | number {
    if (peek() !== quote) fail()
    const digitsEnd = digitsFrom(at + 1)
    if (digitsEnd < 0 || bytes[digitsEnd] !== quote) return String(value())
    at = digitsEnd + 1
    return integer
  }

  function isNull(from: number): boolean {
    return bytes[from] === 0x6e && bytes[from + 1] === 0x75 && bytes[from + 2] === 0x6c && bytes[from + 3] === 0x6c
  }

  return {
    peek,
    eat,
    eatPattern(texts, integers) {
      peek()
      let p = at
      for (let k = 0; k < texts.length; k += 1) {
        if (k > 0) {
          const first = p
          let number = 0
          for (let d = (bytes[p] as number) - 0x30; d >= 0 && d <= 9; d = (bytes[p] as number) - 0x30) {
            number = (Math.imul(number, 10) + d) | 0
            p += 1
          }
          if (p === first) {
            if (!isNull(p)) return false
            number = -1
            p += 4
          } else if (p - first > 9 || (bytes[first] === 0x30 && p - first > 1)) return false
          integers[k - 1] = number
        }
        const text = texts[k] as Uint8Array // k < length
        for (let i = 0; i < text.length; i += 1) if (bytes[p + i] !== text[i]) return false
        p += text.length
      }
      at = p
      return true
    },
    eatInteger,
    eatTuple,
    eatIntegerOrNull() {
      const c = peek()
      if (c !== 0x6e) {
        const value = eatInteger()
        return value < 0 ? -2 : value
      }
      if (!isNull(at)) return -2
      at += 4
      return -1
    },
    value,
    members(each) {
      if (!eat(openBrace)) fail()
      if (eat(closeBrace)) return
      do {
        const name = key()
        if (!eat(colon)) fail()
        each(name)
      } while (eat(comma))
      if (!eat(closeBrace)) fail()
    },
    end() {
      if (peek() !== 0 || at < bytes.length) fail()
    },
    fail,
    twice(name) {
      throw duplicate(`${JSON.stringify(name)} in ${what}`)
    },
  }
}
