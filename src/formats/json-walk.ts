import { join } from './detect.ts'
import type { JsonLimits } from './json.ts'
import { duplicate, invalid, jsonLimits, parseJson, quoted } from './json.ts'

/**
 * Walks through a huge JSON object as its bytes come. Who walks says of each value whether it is passed over, handed over whole, or walked into:
 * memory is that of the largest value handed over, and what nobody wants (gigabytes of contexts, expansions, functions) costs a look at each byte.
 *
 * What is handed over is validated by who reads it (`parseJson`, json-cursor.ts). Of what is passed over only brackets, strings and depth are looked at.
 */
export interface JsonVisitor {
  /** `depth` is that of the object or array which the value is in, 1 for the outermost; `key` is '' in an array; `first` is the value's first byte. */
  choose(depth: number, key: string, first: number): Choice
  /** A value that was chosen, and one that was to be entered but is neither object nor array. `bytes` are valid during the call only. */
  take(bytes: Uint8Array, depth: number, key: string): void
  /** The end of a value that was entered. */
  leave?(depth: number, key: string): void
}

export type Choice = 'skip' | 'take' | 'enter'

const [quote, backslash, comma, colon, openBrace, closeBrace, openBracket, closeBracket] = [
  0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d,
]
const [plain, strings, opens, closes, separators] = [0, 1, 2, 3, 4]

/** What a byte outside strings can mean; most mean nothing. */
const kinds = new Uint8Array(256)
kinds[quote] = strings
for (const c of '{[') kinds[c.charCodeAt(0)] = opens
for (const c of '}]') kinds[c.charCodeAt(0)] = closes
/** Within a value what separates means nothing either: reports that are printed prettily are half white space. */
const inner = kinds.slice()
for (const c of ', \n\r\t') kinds[c.charCodeAt(0)] = separators

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** Throws Problem('report_invalid') for what is no single JSON object or goes over a limit, Problem('duplicate_key') for a key twice in what was entered. */
export async function walkJson(
  chunks: AsyncIterable<Uint8Array>,
  visitor: JsonVisitor,
  limits: JsonLimits = jsonLimits,
): Promise<void> {
  const walker = createWalker(visitor, limits)
  for await (const chunk of chunks) walker.push(chunk)
  walker.end()
}

type Expected = 'object' | 'first key' | 'key' | 'colon' | 'first value' | 'value' | 'next' | 'nothing'

/** An object or array that was entered. */
interface Frame {
  isArray: boolean
  /** Of an object: its keys so far. */
  keys: Set<string>
  /** The key of the value that is being read. */
  key: string
}

function createWalker(visitor: JsonVisitor, limits: JsonLimits): { push(chunk: Uint8Array): void; end(): void } {
  const frames: Frame[] = []
  let frame: Frame = { isArray: false, keys: new Set(), key: '' }
  let expected: Expected = 'object'
  let offset = 0
  // The token being read: a key, or a value that is not entered.
  let token: 'key' | 'take' | 'skip' | undefined
  let held: Uint8Array[] = []
  let heldBytes = 0
  let depth = 0
  let isInString = false
  let isEscaped = false

  /** Where the token ends in `chunk` (exclusive), or -1 when it goes on behind it. */
  function scan(chunk: Uint8Array, from: number): number {
    const end = chunk.length
    const deepest = limits.maxDepth - frames.length + 1
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
      const table = level === 0 ? kinds : inner
      let kind = plain
      while (i < end && kind === plain) kind = table[chunk[i++] as number] as number
      if (kind === strings) isText = true
      else if (kind === opens) {
        level += 1
        if (level > deepest) throw invalid(`nested deeper than ${limits.maxDepth} levels`)
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

  function finish(bytes: Uint8Array): void {
    if (token === 'key') {
      const key = String(parseJson(bytes, `the key at byte ${offset}`))
      if (frame.keys.has(key)) throw duplicate(quoted(key))
      frame.keys.add(key)
      frame.key = key
      expected = 'colon'
      return
    }
    expected = 'next'
    if (token === 'take') visitor.take(bytes, frames.length, frame.key)
  }

  function enter(isArray: boolean): void {
    if (frames.length >= limits.maxDepth) throw invalid(`nested deeper than ${limits.maxDepth} levels`)
    frame = { isArray, keys: new Set(), key: '' }
    frames.push(frame)
    expected = isArray ? 'first value' : 'first key'
  }

  function close(): void {
    frames.pop()
    const outer = frames.at(-1)
    expected = outer === undefined ? 'nothing' : 'next'
    if (outer === undefined) return
    frame = outer
    visitor.leave?.(frames.length, frame.key)
  }

  function beginValue(c: number): void {
    const choice = visitor.choose(frames.length, frame.key, c)
    if (choice === 'enter' && (c === openBrace || c === openBracket)) enter(c === openBracket)
    else token = choice === 'skip' ? 'skip' : 'take'
  }

  function begin(c: number): void {
    const end = frame.isArray ? closeBracket : closeBrace
    const isValue = (expected === 'value' || expected === 'first value') && c !== comma && c !== colon
    if (expected === 'object' && c === openBrace) enter(false)
    else if ((expected === 'first key' || expected === 'first value' || expected === 'next') && c === end) close()
    else if ((expected === 'first key' || expected === 'key') && c === quote) token = 'key'
    else if (expected === 'colon' && c === colon) expected = 'value'
    else if (expected === 'next' && c === comma) expected = frame.isArray ? 'value' : 'key'
    else if (isValue && c !== closeBrace && c !== closeBracket) beginValue(c)
    else
      throw invalid(
        expected === 'nothing' ? `more follows its end at byte ${offset}` : `${expected} expected at byte ${offset}`,
      )
  }

  return {
    push(chunk) {
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
        const to = end < 0 ? chunk.length : end
        if (token !== 'skip') {
          heldBytes += to - i
          if (heldBytes > limits.maxMemberBytes)
            throw invalid(`a member longer than ${limits.maxMemberBytes} bytes, ${quoted(frame.key)}`)
        }
        if (end >= 0) {
          const part = chunk.subarray(i, to)
          finish(held.length === 0 ? part : join([...held, part]))
          if (held.length > 0) held = []
          heldBytes = 0
          token = undefined
        } else if (token !== 'skip') held.push(chunk.slice(i, to))
        offset += to - i
        i = to
      }
    },
    end() {
      if (expected !== 'nothing') throw invalid('it ends early')
    },
  }
}
