import { Problem } from '../record/problem.ts'
import type { TagHandler } from './xml-elements.ts'
import { xmlLimits } from './xml-elements.ts'
import { createXmlScanner } from './xml-scanner.ts'

const latin1 = new TextDecoder('latin1')
/** An XML declaration is shorter. */
const maxDeclaration = 512
const firstBuffer = 1 << 17

/**
 * Calls `handler` for each tag of a document. Memory is that of the longest tag, at most 1 MiB. Throws Problem('report_invalid') for what is not
 * well-formed, is cut off, has a DTD of its own, or goes over a limit.
 */
export async function readTags(chunks: AsyncIterable<Uint8Array>, handler: TagHandler): Promise<void> {
  const scanner = createXmlScanner(handler)
  let buffer = new Uint8Array(firstBuffer)
  let length = 0
  /** A tag that was not whole is looked at again when twice as much is there: bytes that come one by one would take for ever. */
  let enough = 1
  for await (const chunk of toDeclaredEncoding(chunks)) {
    if (length + chunk.length > buffer.length) {
      const longer = new Uint8Array(Math.max(2 * buffer.length, length + chunk.length))
      longer.set(buffer.subarray(0, length))
      buffer = longer
    }
    buffer.set(chunk, length)
    length += chunk.length
    if (length >= enough) take()
  }
  take()
  scanner.end(length)

  function take(): void {
    const taken = scanner.take(buffer.subarray(0, length))
    buffer.copyWithin(0, taken, length)
    length -= taken
    enough = 2 * length
    if (length > xmlLimits.maxTokenBytes)
      throw new Problem('report_invalid', `the XML has a tag longer than ${xmlLimits.maxTokenBytes} bytes`)
  }
}

/** What is in another encoding than UTF-8 by its own declaration, decoded. */
async function* toDeclaredEncoding(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array(0)
  let decoder: TextDecoder | undefined
  const encoder = new TextEncoder()
  for await (const chunk of chunks) {
    if (head === undefined) {
      yield pass(chunk)
      continue
    }
    const longer: Uint8Array = new Uint8Array(head.length + chunk.length)
    longer.set(head)
    longer.set(chunk, head.length)
    head = longer
    if (head.length < maxDeclaration) continue
    decoder = decoderOf(head)
    yield pass(head)
    head = undefined
  }
  if (head !== undefined) {
    decoder = decoderOf(head)
    yield pass(head)
  }
  if (decoder !== undefined) yield encoder.encode(decode(decoder))

  function pass(bytes: Uint8Array): Uint8Array {
    return decoder === undefined ? bytes : encoder.encode(decode(decoder, bytes))
  }
}

function decode(decoder: TextDecoder, bytes?: Uint8Array): string {
  try {
    return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true })
  } catch (cause) {
    throw new Problem('report_invalid', `the XML is not in the encoding it declares, ${decoder.encoding}`, { cause })
  }
}

/**
 * The decoder for what the XML declaration names, undefined for UTF-8. UTF-16 was decoded by its byte order mark before; who names it without one
 * writes UTF-8 all the same, or the declaration could not be read.
 */
export function decoderOf(head: Uint8Array): TextDecoder | undefined {
  const text = latin1.decode(head.subarray(0, maxDeclaration))
  const name = /^\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([^"'<>]{0,60})["']/.exec(text)?.[1]
  if (name === undefined || /^(?:utf-?8|utf-?16(?:le|be)?|us-ascii|ucs-2|unicode)$/i.test(name)) return undefined
  try {
    return new TextDecoder(name, { fatal: true })
  } catch (cause) {
    throw new Problem('report_invalid', `the XML is in the encoding ${JSON.stringify(name)}, which is not known here`, {
      cause,
    })
  }
}
