import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openCheckpoint, parseCheckpoint, printCheckpoint } from '../../src/log/checkpoint.ts'
import { parseDecimal } from '../../src/log/log-error.ts'
import { emptyRoot, hashLeaf } from '../../src/log/merkle.ts'
import { sealNote } from '../../src/log/note.ts'
import { createSigningKey, parsePrivateKey, parseVkey } from '../../src/log/vkey.ts'

interface Vectors {
  origin: string
  keys: { vkey: string; seedHex: string }[]
  roots: { size: number; root: string }[]
  checkpoints: { size: number; note: string }[]
  cosigned: { note: string }
}
const vectors = JSON.parse(readFileSync(new URL('tlog-vectors.json', import.meta.url), 'utf8')) as Vectors
const keys = vectors.keys.map(({ vkey }) => parseVkey(vkey))
const origin = 'example.com/log/testdata'
const nine = `${origin}\n9\nCvhHViE3S9E3htHLR+25mapWoGCJ3WckMq1UtC3VmEY=\n`
const nineLine =
  '— example.com/log/testdata M9e0ls3mdnWX0qk4P3uGG0eYiFRWSwPR+RdeD1ARmrHPHjXP0x9UJWASPFTOTqJo0mp7Epck2O9RFB0J9IjDdAewagw=\n'

describe('checkpoints', () => {
  it('of the golden vectors open, with their roots, and are printed and sealed byte for byte', async () => {
    const seed = Uint8Array.from(Buffer.from(vectors.keys[0]!.seedHex, 'hex'))
    const key = await createSigningKey(vectors.origin, 1, seed)
    expect(vectors.checkpoints).toHaveLength(7)
    for (const { size, note } of vectors.checkpoints) {
      const opened = await openCheckpoint(note, vectors.origin, keys)
      expect(opened).toMatchObject({ origin: vectors.origin, size, cosignatures: [] })
      expect(Buffer.from(opened.root).toString('hex')).toBe(vectors.roots.find((known) => known.size === size)!.root)
      expect(await sealNote(printCheckpoint(opened), [key])).toBe(note)
    }
  })

  it('of tessera open, and are sealed byte for byte by its published key', async () => {
    const key = parseVkey('example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx')
    const secret = 'PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg'
    expect(await openCheckpoint(`${nine}\n${nineLine}`, origin, [key])).toMatchObject({
      size: 9,
      signatures: [{ key }],
    })
    expect(await sealNote(nine, [await parsePrivateKey(secret)])).toBe(`${nine}\n${nineLine}`)
  })

  it('name their witnesses apart from the log', async () => {
    const opened = await openCheckpoint(vectors.cosigned.note, vectors.origin, keys)
    expect(opened.signatures).toHaveLength(1)
    expect(opened.cosignatures.map(({ key, time }) => [key.name, time])).toEqual([
      ['witness.example/w1', 1_767_225_600],
      ['witness.example/w2', 1_767_225_601],
    ])
  })

  it('signed by witnesses only are not the log’s', async () => {
    await expect(openCheckpoint(vectors.cosigned.note, vectors.origin, keys.slice(2))).rejects.toMatchObject({
      code: 'no_trusted_signature',
    })
  })

  it('case 13: of another log are told by both names', async () => {
    const note = vectors.checkpoints[1]!.note
    await expect(openCheckpoint(note, 'coverage.example/log/2027', keys)).rejects.toMatchObject({
      code: 'origin_mismatch',
      message: 'origin mismatch: expected coverage.example/log/2027, got coverage.example/log/2026',
    })
    const unit = await createSigningKey('host/main/unit', 1, new Uint8Array(32).fill(1))
    const foreign = await sealNote(printCheckpoint({ origin: 'host/main/integration', size: 0, root: emptyRoot }), [
      unit,
    ])
    await expect(openCheckpoint(foreign, 'host/main/integration', [unit])).rejects.toMatchObject({
      code: 'no_trusted_signature',
    })
    await expect(openCheckpoint(foreign, 'host/main/unit', [unit])).rejects.toMatchObject({ code: 'origin_mismatch' })
  })

  it('case 12: with one digit of the size changed have a bad signature', async () => {
    const changed = vectors.checkpoints[5]!.note.replace('\n300\n', '\n301\n')
    await expect(openCheckpoint(changed, vectors.origin, keys)).rejects.toMatchObject({
      code: 'bad_signature',
      message: 'bad signature for key coverage.example/log/2026+443b7f9a',
    })
  })

  it.each([
    ['no origin', nine.replace(origin, '')],
    ['leading zeroes', nine.replace('\n9\n', '\n009\n')],
    ['a plus', nine.replace('\n9\n', '\n+9\n')],
    ['a space', nine.replace('\n9\n', '\n 9\n')],
    ['a hexadecimal size', nine.replace('\n9\n', '\n0x9\n')],
    ['a negative size', nine.replace('\n9\n', '\n-9\n')],
    ['a size of 2^53', nine.replace('\n9\n', '\n9007199254740992\n')],
    ['a size of 2^64-1', nine.replace('\n9\n', '\n18446744073709551615\n')],
    ['an empty size', nine.replace('\n9\n', '\n\n')],
    ['an exponent', nine.replace('\n9\n', '\n9e0\n')],
    ['other digits', nine.replace('\n9\n', '\n٩\n')],
    ['a root without padding', nine.replace('mEY=', 'mEY')],
    ['a root in the URL alphabet', nine.replace('R+25', 'R-25')],
    [
      'a root of 31 bytes',
      nine.replace('CvhHViE3S9E3htHLR+25mapWoGCJ3WckMq1UtC3VmEY=', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=='),
    ],
    ['an extension line', `${nine}extension\n`],
    ['an empty line', `${nine}\n`],
    ['no final newline', nine.slice(0, -1)],
    ['an empty log with a root', nine.replace('\n9\n', '\n0\n')],
    ['a byte order mark', `\ufeff${nine}`],
    ['carriage returns', nine.replaceAll('\n', '\r\n')],
  ])('case 14: with %s are malformed', (_what, wrong) => {
    expect(() => parseCheckpoint(wrong)).toThrow(expect.objectContaining({ code: 'malformed' }))
  })

  it('are read as they were printed, whatever the log is called', () => {
    const origin = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !/[\u0000-\u001f\ufeff]/.test(text)) // oxlint-disable-line no-control-regex
    const size = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
    const root = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(fc.record({ origin, size, root }), (one) => {
        expect(parseCheckpoint(printCheckpoint(one))).toEqual(one)
      }),
    )
  })

  it('tell a size that cannot be counted with from what is no number', () => {
    for (const text of ['9007199254740992', '9223372036854775808', '18446744073709551615', '99999999999999999999'])
      expect(() => parseDecimal(text, 'the size')).toThrow(`the size is too large: ${text}`)
    expect(() => parseDecimal('1'.repeat(21), 'the size')).toThrow('the size is not a decimal number')
  })

  it('are not printed for what no reader takes', () => {
    const root = hashLeaf(new Uint8Array(0))
    expect(printCheckpoint({ origin: 'o', size: 1, root })).toBe('o\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n')
    for (const wrong of [
      { origin: '' },
      { origin: 'a\nb' },
      { size: -1 },
      { size: 0.5 },
      { size: 2 ** 53 },
      { size: 0 },
      { root: root.subarray(1) },
    ]) {
      expect(() => printCheckpoint({ origin: 'o', size: 1, root, ...wrong })).toThrow()
    }
  })
})
