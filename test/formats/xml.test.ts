import fc from 'fast-check'
import { SaxesParser } from 'saxes'
import { describe, expect, it } from 'vitest'
import { readTags } from '../../src/formats/xml.ts'
import { Problem } from '../../src/record/problem.ts'
import { inChunks } from './read.ts'

const textOf = new Set(['text'])

/** What a handler is told, in one line a call. */
async function eventsOf(document: string | Uint8Array, chunkBytes = 65_536): Promise<string[]> {
  const events: string[] = []
  const bytes = typeof document === 'string' ? new TextEncoder().encode(document) : document
  await readTags(inChunks(bytes, chunkBytes), {
    textOf,
    open(tag) {
      const attributes = tag.attributes().map((name) => `${name}=${tag.text(name)}`)
      events.push(`<${tag.name} ${tag.depth} ${attributes.join('|')}`)
    },
    close: (name, depth, text) => events.push(`>${name} ${depth} ${textOf.has(name) ? text : ''}`),
  })
  return events
}

async function outcomeOf(document: string, chunkBytes?: number): Promise<string[] | string> {
  try {
    return await eventsOf(document, chunkBytes)
  } catch (error) {
    if (error instanceof Problem) return `${error.code}: ${error.message}`
    throw error
  }
}

/** The same by saxes, a strict parser of the whole of XML; undefined when it refuses. */
function eventsOfSaxes(document: string): string[] | undefined {
  const events: string[] = []
  const parser = new SaxesParser()
  const texts: string[] = []
  let isRefused = false
  parser.on('error', () => (isRefused = true))
  parser.on('opentag', ({ name, attributes }) => {
    texts.push('')
    const all = Object.entries(attributes).map(([key, value]) => `${key}=${value}`)
    events.push(`<${name} ${texts.length} ${all.join('|')}`)
  })
  const add = (text: string): void => {
    if (texts.length > 0) texts.push(`${texts.pop() ?? ''}${text}`)
  }
  parser.on('text', add)
  parser.on('cdata', add)
  parser.on('closetag', ({ name }) => {
    events.push(`>${name} ${texts.length} ${textOf.has(name) ? (texts.at(-1) ?? '') : ''}`)
    texts.pop()
  })
  parser.write(document).close()
  return isRefused ? undefined : events
}

const name = fc.constantFrom('line', 'text', 'a', 'class', 'é', 'x:y', 'b-1.c')
const words = fc
  .array(fc.constantFrom('a', ' ', '\n', '7', '&lt;', '&amp;', '&#65;', '&#x1F600;', 'ä', '😀', '>', "'", '/', '='))
  .map((parts) => parts.join(''))
const attributes = fc
  .uniqueArray(fc.tuple(name, words), { selector: ([key]) => key, maxLength: 4 })
  .map((all) => all.map(([key, value]) => ` ${key}="${value}"`).join(''))
const element = fc.letrec<{ element: string; content: string }>((tie) => ({
  content: fc
    .array(
      fc.oneof(
        { depthSize: 'small' },
        words.map((text) => text.replaceAll('>', '')),
        fc.constantFrom('<!-- - > < & -->', '<![CDATA[ <&]> ]]>', '<?pi x="?>', '\n\t'),
        tie('element'),
      ),
      { maxLength: 4 },
    )
    .map((parts) => parts.join('')),
  element: fc
    .tuple(name, attributes, fc.constantFrom('', ' ', '\n'), tie('content'))
    .map(([tag, all, space, content]) =>
      content === '' ? `<${tag}${all}${space}/>` : `<${tag}${all}${space}>${content}</${tag}${space}>`,
    ),
})).element
const document = fc
  .tuple(
    fc.constantFrom(
      '',
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<!DOCTYPE report PUBLIC "-//X//Y" "report.dtd">\n',
      '<!-- x -->',
    ),
    element,
  ) // oxfmt-ignore
  .map(([head, root]) => `${head}${root}\n`)

describe('readTags', () => {
  it('tells the same as a strict parser, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(document, fc.integer({ min: 1, max: 40 }), async (text, chunkBytes) => {
        const expected = eventsOfSaxes(text)
        expect(expected).toBeDefined()
        expect(await eventsOf(text, chunkBytes)).toEqual(expected)
      }),
      { numRuns: 400 },
    )
  })

  it('refuses what a strict parser refuses, however the bytes are cut', async () => {
    const damage = fc.tuple(document, fc.nat(), fc.nat(20), fc.constantFrom('', '<', '&', '"', '>', '</a>', '&x;', '=', '<a>', '\0', ' a="1"', '--')) // oxfmt-ignore
    await fc.assert(
      fc.asyncProperty(damage, fc.integer({ min: 1, max: 40 }), async ([text, at, length, what], chunkBytes) => {
        const from = at % text.length
        const damaged = (text.slice(0, from) + what + text.slice(from + length)).toWellFormed()
        const outcome = await outcomeOf(damaged)
        if (Array.isArray(outcome)) expect(outcome).toEqual(lenient(damaged) ?? outcome)
        expect(await outcomeOf(damaged, chunkBytes)).toEqual(outcome)
      }),
      { numRuns: 600 },
    )
  })

  it.each([
    ['a tag without end', '<a><b></a>'],
    ['two roots', '<a/><a/>'],
    ['two documents', '<?xml version="1.0"?><a/><?xml version="1.0"?><a/>'],
    ['no element', '<?xml version="1.0"?>'],
    ['text beside the root', '<a/>x'],
    ['an attribute twice', '<a b="1" b="2"/>'],
    ['an attribute without quotes', '<a b=1/>'],
    ['< in a value', '<a b="<"/>'],
    ['an entity that is not defined', '<a b="&nbsp;"/>'],
    ['an entity in text that nobody reads', '<a>&x;</a>'],
    ['a reference to no character', '<a b="&#0;"/>'],
    ['a control character', '<a b="\u0001"/>'],
    ['an end tag alone', '<a></a></a>'],
    ['a DTD of its own', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
    ['a document type behind the root', '<a/><!DOCTYPE a>'],
    ['an end in a comment', '<a/><!-- '],
    ['an end in a tag', '<a><b c="'],
    ['101 levels', '<a>'.repeat(101)],
    ['101 attributes', `<a ${Array.from({ length: 101 }, (_, i) => `a${i}=""`).join(' ')}/>`],
    ['1,025 different names', `<a>${Array.from({ length: 1_025 }, (_, i) => `<a${i}/>`).join('')}</a>`],
    ['a tag of more than 1 MiB', `<a b="${'x'.repeat(2 ** 21)}"/>`],
    ['a text of more than 1 MiB', `<text>${'x'.repeat(2 ** 21)}</text>`],
  ])('refuses %s', async (_, text) => {
    for (const size of text.length > 10_000 ? [65_536] : [1, 3, 65_536])
      expect(await outcomeOf(text, size)).toMatch(/^report_invalid: /)
  })

  it('passes over long text that nobody reads', async () => {
    expect(await eventsOf(`<a>${'&lt;ä x\n'.repeat(300_000)}</a>`)).toEqual(['<a 1 ', '>a 1 '])
  })

  it.each([
    ['ISO-8859-1', [0x3c, 0x61, 0x20, 0x62, 0x3d, 0x22, 0xfc, 0x22, 0x2f, 0x3e], 'ü'],
    ['windows-1252', [0x3c, 0x61, 0x20, 0x62, 0x3d, 0x22, 0x80, 0x22, 0x2f, 0x3e], '€'],
    ['Shift_JIS', [0x3c, 0x61, 0x20, 0x62, 0x3d, 0x22, 0x83, 0x65, 0x22, 0x2f, 0x3e], 'テ'],
    ['utf-16', [0x3c, 0x61, 0x20, 0x62, 0x3d, 0x22, 0xc3, 0xbc, 0x22, 0x2f, 0x3e], 'ü'],
  ])('decodes %s where it is declared', async (encoding, body, expected) => {
    const bytes = Buffer.concat([Buffer.from(`<?xml version='1.0' encoding='${encoding}'?>`), Buffer.from(body)])
    for (const size of [1, 60, 1_000]) expect(await eventsOf(bytes, size)).toEqual([`<a 1 b=${expected}`, '>a 1 '])
  })

  it('refuses bytes that are not in the encoding of the document, and encodings nobody knows', async () => {
    expect(await outcomeOf('<?xml version="1.0" encoding="EBCDIC-CP-XX"?><a/>')).toMatch(/EBCDIC-CP-XX/)
    const latin1 = Buffer.from('<a b="ü"/>', 'latin1')
    await expect(eventsOf(latin1)).rejects.toThrow(/UTF-8/)
    await expect(eventsOf(Buffer.from('<a>ü</a>', 'latin1'))).rejects.toThrow(/UTF-8/)
  })

  it('reads plain numbers only', async () => {
    const seen: number[] = []
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    await readTags(inChunks(new TextEncoder().encode('<x a="0" b="042" c="-1" d="1.5" e="9999999999" f=""/>'), 9), {
      open: (tag) => seen.push(...names.map((key) => tag.number(key))),
    })
    expect(seen).toEqual([0, 42, -1, -1, -1, -1, -1])
  })
})

/** Saxes is stricter in what means nothing here (names with odd characters, ]]> in text); where it takes a document it must tell the same. */
function lenient(text: string): string[] | undefined {
  try {
    return eventsOfSaxes(text)
  } catch {
    return undefined
  }
}
