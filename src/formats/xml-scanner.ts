import { Problem } from '../record/problem.ts'
import { endOfDoctype } from './xml-doctype.ts'
import type { Tag, TagHandler } from './xml-elements.ts'
import { createElements, xmlLimits } from './xml-elements.ts'
import type { NameTable } from './xml-names.ts'
import { createNameTable } from './xml-names.ts'
import { decodeText, isReferenceOpen } from './xml-text.ts'

/**
 * Reads XML as far as coverage tools write it, over bytes of UTF-8, strictly: one root, tags that match, no attribute twice, no `<` in values, no
 * entities but the five predefined and numeric ones, a document type only by name and outside address (which is never fetched).
 * Attributes are decoded when they are asked for: of a million lines nobody needs the strings.
 */
export interface XmlScanner {
  /** Takes what is whole from the front of `bytes`, and answers how many bytes that was. */
  take(bytes: Uint8Array): number
  /** After the last byte, `left` of which were not taken. */
  end(left: number): void
}

const [LT, GT, SLASH, BANG, QUESTION, EQUALS, MINUS] = [0x3c, 0x3e, 0x2f, 0x21, 0x3f, 0x3d, 0x2d]
const [QUOTE, APOSTROPHE, ZERO] = [0x22, 0x27, 0x30]

/** What a byte means in a text or a value; 0 for white space. */
const [plain, reference, beyond, control, less, ascii] = [1, 2, 4, 8, 16, 0x80]
const kinds = new Uint8Array(256).fill(plain)
kinds.fill(control, 0, 0x20)
for (const c of ' \t\n\r') kinds[c.charCodeAt(0)] = 0
kinds[0x26] = reference | plain
kinds[LT] = less
kinds.fill(beyond | plain, ascii)
/** 1: may stand in a name; 2: and begin one. */
const names = new Uint8Array(256)
for (let c = 0; c < 256; c += 1) {
  if (/[-.0-9]/.test(String.fromCharCode(c))) names[c] = 1
  if (/[A-Za-z_:]/.test(String.fromCharCode(c)) || c >= ascii) names[c] = 2
}
const isSpace = (c: number | undefined): boolean => c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09
const toBytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const [commentOpens, cdataOpens, doctypeOpens] = ['<!--', '<![CDATA[', '<!DOCTYPE'].map(toBytes)
const xml = toBytes('<?xml')
const latin1 = new TextDecoder('latin1')
const unreadable =
  'control characters, entities that are not defined, references to no character, or bytes that are not UTF-8'

// Indexes are below `end`: hence `as number`.

export function createXmlScanner(handler: TagHandler): XmlScanner {
  const table: NameTable = createNameTable(fail)
  let bytes = new Uint8Array(0)
  let offset = 0
  const elements = createElements(handler, fail)
  let [hasDoctype, isBegun] = [false, false]
  // Of the tag that was read last: for each attribute its name's number, where its value begins and ends, and what is in it.
  const places = new Int32Array(4 * xmlLimits.maxAttributes)
  let count = 0
  /** By number of a name: the tag that had such an attribute last. */
  const seen = new Int32Array(table.max)
  let tagNumber = 0

  function fail(what: string, at = -1): never {
    throw new Problem('report_invalid', `the XML is not well-formed${at < 0 ? '' : ` at byte ${offset + at}`}: ${what}`)
  }

  const find = (attribute: string): number => {
    for (let i = 0; i < count; i += 1) if (table.names[places[4 * i] as number] === attribute) return 4 * i
    return -1
  }
  const tag: Tag = {
    name: '',
    depth: 0,
    text(attribute) {
      const i = find(attribute)
      return i < 0 ? undefined : decode(places[i + 1] as number, places[i + 2] as number, places[i + 3] as number)
    },
    number(attribute) {
      const i = find(attribute)
      if (i < 0) return -1
      let p = places[i + 1] as number
      const to = places[i + 2] as number
      if (p === to || to - p > 9) return -1
      let value = 0
      for (; p < to; p += 1) {
        const digit = (bytes[p] as number) - ZERO
        if (digit < 0 || digit > 9) return -1
        value = value * 10 + digit
      }
      return value
    },
    attributes: () => Array.from({ length: count }, (_, i) => table.names[places[4 * i] ?? 0] ?? ''),
  }

  function decode(from: number, to: number, flags: number): string {
    return decodeText(bytes, from, to, (flags & (reference | beyond)) !== 0, true) ?? fail(unreadable, from)
  }

  /** Text in `[from, to)`, which may be part of a longer one, wherever the bytes were cut: so no message names its place. */
  function takeText(from: number, to: number, flags: number): void {
    if (flags !== 0 && elements.depth() === 0) fail('text outside the root element')
    const isWanted = elements.wantsText()
    if (!isWanted && (flags & (reference | beyond | control)) === 0) return
    const isRich = (flags & (reference | beyond)) !== 0
    const text = (flags & control) !== 0 ? undefined : decodeText(bytes, from, to, isRich, false)
    if (text === undefined) fail(unreadable)
    if (isWanted) elements.text(text)
  }

  function open(name: string, isEmpty: boolean, at: number): void {
    tag.name = name
    elements.open(tag, at)
    if (isEmpty) elements.close(name, at)
  }

  /** Behind the name at `p`, whose number is then in `table.last`. */
  function takeName(start: number, end: number): number {
    const b = bytes
    let p = start
    let hash = 0
    for (let c = 0; p < end && names[(c = b[p] as number)] !== 0; p += 1) hash = (Math.imul(hash, 31) + c) | 0
    if (p === end) return -1
    if (p === start || names[b[start] as number] !== 2) fail('no name where one belongs', start)
    table.find(b, start, p, hash)
    return p
  }

  function skipSpace(from: number, end: number): number {
    let p = from
    while (p < end && isSpace(bytes[p])) p += 1
    return p
  }

  /** Behind the start tag at `start`; -1 when its end is not there yet. */
  function takeTag(start: number, end: number): number {
    let p = takeName(start + 1, end)
    if (p < 0) return -1
    const name = table.names[table.last] as string
    count = 0
    tagNumber += 1
    for (;;) {
      const before = p
      p = skipSpace(p, end)
      if (p >= end) return -1
      const c = bytes[p]
      if (c === GT) break
      if (c === SLASH) {
        if (p + 1 >= end) return -1
        if (bytes[p + 1] !== GT) fail('a slash within a tag', p)
        open(name, true, start)
        return p + 2
      }
      if (p === before) fail('no space before an attribute', p)
      p = takeAttribute(p, end)
      if (p < 0) return -1
    }
    open(name, false, start)
    return p + 1
  }

  function takeAttribute(start: number, end: number): number {
    let p = takeName(start, end)
    if (p < 0) return -1
    const b = bytes
    const name = table.last
    if (b[p] !== EQUALS) p = skipSpace(p, end)
    if (p >= end) return -1
    if (b[p] !== EQUALS) fail('an attribute without a value', start)
    p += 1
    if (isSpace(b[p])) p = skipSpace(p, end)
    if (p >= end) return -1
    const quote = b[p]
    if (quote !== QUOTE && quote !== APOSTROPHE) fail('a value without quotes', p)
    const from = (p += 1)
    let flags = 0
    for (let c = 0; p < end && (c = b[p] as number) !== quote; p += 1) flags |= kinds[c] as number
    if (p >= end) return -1
    if ((flags & (control | less)) !== 0) fail('a control character or < in a value', from)
    if (seen[name] === tagNumber) fail(`the attribute ${table.names[name]} twice`, start)
    if (count === xmlLimits.maxAttributes) fail(`more than ${xmlLimits.maxAttributes} attributes`, start)
    seen[name] = tagNumber
    places[4 * count] = name
    places[4 * count + 1] = from
    places[4 * count + 2] = p
    places[4 * count + 3] = flags
    count += 1
    // Whether it is asked for or not.
    if ((flags & (reference | beyond)) !== 0) decode(from, p, flags)
    return p + 1
  }

  function takeEndTag(start: number, end: number): number {
    let p = takeName(start + 2, end)
    if (p < 0) return -1
    p = skipSpace(p, end)
    if (p >= end) return -1
    if (bytes[p] !== GT) fail('an end tag with more than a name', start)
    elements.close(table.names[table.last] as string, start)
    return p + 1
  }

  /** Behind the first `mark` from `from` on; -1 when it is not there yet. */
  function behind(from: number, end: number, ...mark: number[]): number {
    for (let p = bytes.indexOf(mark[0] as number, from); p >= 0; p = bytes.indexOf(mark[0] as number, p + 1)) {
      if (p + mark.length > end) return -1
      if (mark.every((byte, i) => bytes[p + i] === byte)) return p + mark.length
    }
    return -1
  }

  /** 1 when it stands at `p`, 0 when not, -1 when the bytes do not tell yet. */
  function isAt(p: number, end: number, text: Uint8Array | undefined): number {
    if (text === undefined) return 0
    for (let i = 0; i < text.length; i += 1) {
      if (p + i >= end) return -1
      if (bytes[p + i] !== text[i]) return 0
    }
    return 1
  }

  function takeMarkup(start: number, end: number): number {
    const [comment, cdata, doctype] = [commentOpens, cdataOpens, doctypeOpens].map((text) => isAt(start, end, text))
    if (comment === 1) {
      const to = behind(start + 4, end, MINUS, MINUS, GT)
      if (to > 0) handler.comment?.(latin1.decode(bytes.subarray(start + 4, Math.min(to - 3, start + 304))).trim())
      return to
    }
    if (cdata === 1) {
      const to = behind(start + 9, end, 0x5d, 0x5d, GT)
      if (to < 0) return -1
      if (elements.depth() === 0) fail('text outside the root element', start)
      const text = decodeText(bytes, start + 9, to - 3, false, false) ?? fail('bytes that are not UTF-8', start)
      if (elements.wantsText()) elements.text(text)
      return to
    }
    if (doctype === 1) return takeDoctype(start, end)
    return comment === -1 || cdata === -1 || doctype === -1 ? -1 : fail('markup that has no meaning in a report', start)
  }

  function takeDoctype(start: number, end: number): number {
    if (elements.hasRoot() || hasDoctype) fail('a document type that does not stand before the root', start)
    const to = endOfDoctype(bytes, start + 9, end)
    hasDoctype = to > 0
    return to
  }

  function takeInstruction(start: number, end: number): number {
    const to = behind(start + 2, end, QUESTION, GT)
    if (to > 0 && isBegun && isAt(start, end, xml) === 1 && isSpace(bytes[start + 5]))
      fail('a second declaration', start)
    return to
  }

  return {
    take(from) {
      bytes = from as Uint8Array<ArrayBuffer>
      const end = from.length
      let p = 0
      for (;;) {
        const start = p
        let flags = 0
        let c = 0
        for (; p < end && (c = from[p] as number) !== LT; p += 1) flags |= kinds[c] as number
        if (p >= end) {
          // The last characters may belong to what comes.
          p -= (flags & (reference | beyond)) === 0 ? 0 : isReferenceOpen(bytes, start, end)
          takeText(start, p, flags)
          break
        }
        if (p > start) takeText(start, p, flags)
        c = p + 1 < end ? (bytes[p + 1] as number) : 0
        const at = p
        if (p + 1 >= end) break
        if (c === SLASH) p = takeEndTag(at, end)
        else if (c === BANG) p = takeMarkup(at, end)
        else if (c === QUESTION) p = takeInstruction(at, end)
        else p = takeTag(at, end)
        if (p < 0) {
          p = at
          break
        }
        isBegun = true
      }
      offset += p
      return p
    },
    end(left) {
      elements.end()
      if (left > 0) fail('it is cut off')
    },
  }
}
