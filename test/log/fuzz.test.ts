import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../src/log/base64.ts'
import { parseCheckpoint, printCheckpoint } from '../../src/log/checkpoint.ts'
import { joinCosignature, splitCosignature } from '../../src/log/cosignature.ts'
import { LogError, parseDecimal } from '../../src/log/log-error.ts'
import { parseNote } from '../../src/log/note.ts'
import { parseProof, printProof } from '../../src/log/proof.ts'
import { decodeBundle, encodeBundle, parseTilePath, tilePath } from '../../src/log/tiles.ts'
import { parseVkey, printVkey } from '../../src/log/vkey.ts'

/** One accepted encoding of everything: whatever a parser takes, printed again, is the same text; whatever is printed is read as it was. */

interface Vectors {
  keys: { vkey: string }[]
  checkpoints: { note: string }[]
  cosigned: { note: string }
  rotationCheckpoint: { note: string }
  tlogProof: string
}
const vectors = JSON.parse(readFileSync(new URL('tlog-vectors.json', import.meta.url), 'utf8')) as Vectors

/** Pieces in which two spellings of one thing differ. */
const traps = ['0', '00', '007', '+7', ' 7', '0x7', '7e0', '-1', '18446744073709551615', '9007199254740992', '=', '==', '-', '_', '+', '/', '\r', '\r\n', '\n', '\n\n',
  '\t', ' ', '  ', '\ufeff', '\u0085', '\u00a0', '\u2028', '\u0000', '\ud800', '—', '– ', '- ', 'A', 'B', 'AAAA', 'x001/', 'p/', 'extra ', 'extra QQ==\n', 'index ', '٧', '。'] // oxfmt-ignore

type Cut = { at: number; length: number; put: string }
const cuts = fc.array(
  fc.record({
    at: fc.nat(1_000_000),
    length: fc.integer({ min: 0, max: 3 }),
    put: fc.oneof(fc.constantFrom('', ...traps), fc.string({ maxLength: 2, unit: 'binary' })),
  }),
  { minLength: 1, maxLength: 3 },
)
const mutate = (text: string, changes: readonly Cut[]): string =>
  changes.reduce((now, { at, length, put }) => {
    const from = at % (now.length + 1)
    return now.slice(0, from) + put + now.slice(from + length)
  }, text)

/** Runs `again`, which reads and prints, over texts made from `texts`. What is taken must come out as it went in; counts what was taken. */
function oneSpelling(texts: readonly string[], again: (text: string) => string | undefined, runs = 4_000): void {
  for (const text of texts) expect(again(text)).toBe(text)
  fc.assert(
    fc.property(fc.constantFrom(...texts), cuts, (text, changes) => {
      const other = mutate(text, changes)
      let printed: string | undefined
      try {
        printed = again(other)
      } catch (error) {
        if (error instanceof LogError) return
        throw error
      }
      if (printed !== undefined) expect(printed).toBe(other)
    }),
    { numRuns: runs },
  )
}

const notes = [...vectors.checkpoints.map(({ note }) => note), vectors.cosigned.note, vectors.rotationCheckpoint.note]
const printNote = ({ text, signatures }: ReturnType<typeof parseNote>): string => {
  const line = ({ name, id, bytes }: (typeof signatures)[number]): string =>
    `— ${name} ${encodeBase64(Uint8Array.of(id >>> 24, (id >>> 16) & 255, (id >>> 8) & 255, id & 255, ...bytes))}\n`
  return `${text}\n${signatures.map(line).join('')}`
}

describe('one accepted encoding', () => {
  it('case 14: of base64', () => {
    oneSpelling(['', 'QQ==', 'QUE=', 'QUFB', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='], (text) => {
      const bytes = decodeBase64(text)
      return bytes === undefined ? undefined : encodeBase64(bytes)
    })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes)
      }),
    )
  })

  it('case 14: of numbers', () => {
    oneSpelling(['0', '7', '300', '9007199254740991'], (text) => String(parseDecimal(text, 'n')))
    for (const text of [
      '9007199254740992',
      '9223372036854775807',
      '9223372036854775808',
      '18446744073709551615',
      '99999999999999999999',
    ])
      expect(() => parseDecimal(text, 'the size')).toThrow(`the size is too large: ${text}`)
    expect(() => parseDecimal('1'.repeat(21), 'the size')).toThrow('the size is not a decimal number')
  })

  it('case 14: of verifier keys', () => oneSpelling(vectors.keys.map(({ vkey }) => vkey), (text) => printVkey(parseVkey(text)))) // oxfmt-ignore

  it('case 14: of checkpoints', () => {
    const texts = notes.map((note) => note.slice(0, note.lastIndexOf('\n\n') + 1))
    oneSpelling(texts, (text) => printCheckpoint(parseCheckpoint(text)))
    const origin = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !/[\u0000-\u001f\ufeff]/.test(text)) // oxlint-disable-line no-control-regex
    fc.assert(
      fc.property(
        origin,
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (name, size, root) => {
          expect(parseCheckpoint(printCheckpoint({ origin: name, size, root }))).toEqual({ origin: name, size, root })
        },
      ),
    )
  })

  it('case 14: of signed notes, as text and as bytes', () => {
    oneSpelling(notes, (text) => printNote(parseNote(text)))
    const change = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.constantFrom(...notes), change, (note, changes) => {
        const bytes = new TextEncoder().encode(note)
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        let printed: string
        try {
          printed = printNote(parseNote(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(LogError)
          return
        }
        expect(Buffer.from(printed).equals(bytes)).toBe(true)
      }),
      { numRuns: 4_000 },
    )
  })

  it('case 14: of proofs', () => {
    oneSpelling([vectors.tlogProof, printProof({ ...parseProof(vectors.tlogProof), extra: Uint8Array.of(1, 2), hashes: [] })], (text) => printProof(parseProof(text))) // oxfmt-ignore
  })

  it('case 14: of tile paths', () => {
    const paths = [
      'tile/0/000',
      'tile/63/999.p/255',
      'tile/entries/x001/x234/067',
      'tile/2/x009/x007/x199/x254/x740/991.p/1',
    ]
    oneSpelling(paths, (text) => {
      const tile = parseTilePath(text)
      return tile === undefined ? undefined : tilePath(tile.level, tile.index, tile.width)
    })
  })

  it('case 14: of entry bundles', () => {
    const widths = fc.integer({ min: 0, max: 5 })
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(7)), { maxLength: 3 }),
        widths,
        (entries, changes, width) => {
          const bytes = encodeBundle(entries)
          for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte
          let read: Uint8Array[]
          try {
            read = decodeBundle(bytes, width)
          } catch {
            return
          }
          expect(read).toHaveLength(width)
          expect(encodeBundle(read)).toEqual(bytes)
        },
      ),
      { numRuns: 4_000 },
    )
  })

  it('case 14: of cosignatures: 72 bytes, a time that can be counted with', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const parts = splitCosignature(bytes)
        if (parts !== undefined) expect(joinCosignature(parts.time, parts.signature)).toEqual(bytes)
      }),
    )
    const bytes = joinCosignature(Number.MAX_SAFE_INTEGER, new Uint8Array(64))
    expect(splitCosignature(bytes)?.time).toBe(Number.MAX_SAFE_INTEGER)
    expect(splitCosignature(joinCosignature(2 ** 53, new Uint8Array(64)))).toBeUndefined()
  })
})
