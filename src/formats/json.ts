import { Problem } from '../record/problem.ts'

/** What all readers of JSON share: limits, and JSON.parse that refuses a key twice. */
export interface JsonLimits {
  /** Bytes of one value that is held whole, and of a key. */
  maxMemberBytes: number
  /** Levels of nesting below the outermost, also in what is passed over. */
  maxDepth: number
}

export const jsonLimits: JsonLimits = { maxMemberBytes: 64 * 1024 * 1024, maxDepth: 64 }

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const [quote, backslash, colon] = [0x22, 0x5c, 0x3a]

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

export type Json = Readonly<Record<string, unknown>>

/** JSON objects only; their keys are data and may be named like members of Object.prototype, which have none of the shapes looked for. */
export function toObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
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
