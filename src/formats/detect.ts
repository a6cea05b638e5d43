import type { XmlSample } from './xml-sample.ts'
import { sampleXml } from './xml-sample.ts'

/** What the first bytes of a report tell about it: its encoding and, for JSON and XML, the keys or elements near its top. File names are never asked. */

/** So much is looked at; all formats show themselves earlier. */
export const sampleBytes = 65_536

export interface Sample {
  /** The first bytes, decoded to UTF-8, without a byte order mark. */
  bytes: Uint8Array
  /** The same one character a byte. */
  text: string
  /** The sample is the whole report. */
  isAll: boolean
  /** Keys at depth 1, 2, 3 of a JSON object; undefined for what does not begin with `{`. */
  keys: readonly [ReadonlySet<string>, ReadonlySet<string>, ReadonlySet<string>] | undefined
  /** Undefined for what does not begin with `<`. */
  xml: XmlSample | undefined
}

export function toSample(bytes: Uint8Array, isAll: boolean): Sample {
  const text = new TextDecoder('latin1').decode(bytes)
  return {
    bytes,
    text,
    isAll,
    keys: /^\s*\{/.test(text) ? keysOf(text) : undefined,
    xml: /^\s*</.test(text) ? sampleXml(bytes) : undefined,
  }
}

const closers = /["{}[\]]/g

function keysOf(text: string): [Set<string>, Set<string>, Set<string>] {
  const keys: [Set<string>, Set<string>, Set<string>] = [new Set(), new Set(), new Set()]
  let depth = 0
  closers.lastIndex = 0
  for (let match = closers.exec(text); match !== null; match = closers.exec(text)) {
    const at = match.index
    if (text[at] === '{' || text[at] === '[') depth += 1
    else if (text[at] !== '"') depth -= 1
    else {
      let end = at + 1
      while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
      let next = end + 1
      while (
        next < text.length &&
        (text[next] === ' ' || text[next] === '\n' || text[next] === '\r' || text[next] === '\t')
      )
        next += 1
      if (text[next] === ':') keys[depth - 1]?.add(text.slice(at + 1, end))
      closers.lastIndex = end + 1
    }
  }
  return keys
}

/**
 * The report as UTF-8 without a byte order mark. UTF-16 (PowerShell's `>` writes it, with a mark) is decoded; all else is passed on byte by
 * byte, since paths may be in no encoding at all.
 */
export async function* toUtf8(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array(0)
  let utf16: TextDecoder | undefined
  const encoder = new TextEncoder()
  const pass = (chunk: Uint8Array): Uint8Array =>
    utf16 === undefined ? chunk : encoder.encode(utf16.decode(chunk, { stream: true }))
  for await (const buffer of chunks) {
    // A plain view: `slice` of a Buffer does not copy, and all else that the scanners do with one is slower.
    const chunk = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    if (head === undefined) {
      if (chunk.length > 0) yield pass(chunk)
      continue
    }
    // A copy where it is kept: who gave the chunk may use its memory again.
    head = join([head, head.length + chunk.length < 3 ? chunk.slice() : chunk])
    if (head.length < 3) continue
    utf16 = utf16Of(head)
    yield pass(withoutMark(head))
    head = undefined
  }
  if (head !== undefined && head.length > 0) {
    utf16 = utf16Of(head)
    yield pass(head)
  }
}

/** The decoder takes the mark away by itself. */
function utf16Of(head: Uint8Array): TextDecoder | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return new TextDecoder('utf-16le')
  if (head[0] === 0xfe && head[1] === 0xff) return new TextDecoder('utf-16be')
  return undefined
}

function withoutMark(head: Uint8Array): Uint8Array {
  return head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? head.subarray(3) : head
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only, ...others] = parts.filter((part) => part.length > 0)
  if (only === undefined || others.length === 0) return only ?? new Uint8Array(0)
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
