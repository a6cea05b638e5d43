import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../src/log/base64.ts'
import { joinCosignature, splitCosignature } from '../../src/log/cosignature.ts'
import { isUsablePublicKey, verifyEd25519 } from '../../src/log/ed25519.ts'
import { addSignatures, cosign, openNote, parseNote, sealNote } from '../../src/log/note.ts'
import {
  createSigningKey,
  keyId,
  parsePrivateKey,
  parseVkey,
  printKeyId,
  printPrivateKey,
  printVkey,
} from '../../src/log/vkey.ts'

const peterVkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const peterKey = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz'
const enochVkey = 'EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop'
const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
const peterLine =
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'
const enochLine =
  '— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n'
const peter = parseVkey(peterVkey)
const enoch = parseVkey(enochVkey)
const note = `${text}\n${peterLine}`
const utf8 = (string: string): Uint8Array => new TextEncoder().encode(string)

interface Vectors {
  keys: { name: string; type: 1 | 4; seedHex: string; publicHex: string; keyId: string; vkey: string }[]
  rotationCheckpoint: { note: string }
  cosigned: { note: string }
}
const vectors = JSON.parse(readFileSync(new URL('tlog-vectors.json', import.meta.url), 'utf8')) as Vectors

describe('base64', () => {
  it('has one spelling per byte string', () => {
    for (let length = 0; length < 70; length++) {
      const bytes = crypto.getRandomValues(new Uint8Array(length))
      expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes)
      expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
    }
    for (const other of [
      'QQ',
      'QQ=',
      'QR==',
      'QQ==\n',
      ' QQ==',
      'Q Q=',
      'QQ==QQ==',
      '-_-_',
      'A===',
      '====',
      'QUE',
      'QUF=',
      '\u{51}\u{51}=\u{ff1d}',
    ]) {
      expect(decodeBase64(other)).toBeUndefined()
    }
  })
})

describe('openNote', () => {
  it('opens the published notes', async () => {
    const published =
      'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n'
    const key = parseVkey('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k')
    expect(await openNote(published, [key])).toEqual({
      text: 'This is an example message.\n',
      verified: [{ key, time: undefined }],
      ignored: [],
    })
    expect((await openNote(utf8(note + enochLine), [peter, enoch])).verified.map(({ key: { name } }) => name)).toEqual([
      'PeterNeumann',
      'EnochRoot',
    ])
  })

  it('ignores signatures of unknown keys beside a known one', async () => {
    const opened = await openNote(note + enochLine, [enoch])
    expect(opened.verified.map(({ key }) => key)).toEqual([enoch])
    expect(opened.ignored.map(({ name, id }) => [name, printKeyId(id)])).toEqual([['PeterNeumann', 'c74f20a3']])
  })

  it('case 11: tells a note of unknown keys from a malformed one', async () => {
    await expect(openNote(note, [enoch])).rejects.toMatchObject({
      code: 'no_trusted_signature',
      message: expect.stringContaining('PeterNeumann+c74f20a3'),
    })
    await expect(openNote(note, [])).rejects.toMatchObject({ code: 'no_trusted_signature' })
  })

  it('believes nothing when the signature of a known key fails, even beside a good one', async () => {
    const corrupt = peterLine.replace('x08go/ZJ', 'x08go/ZK')
    await expect(openNote(`${text}\n${corrupt}`, [peter])).rejects.toMatchObject({
      code: 'bad_signature',
      message: 'bad signature for key PeterNeumann+c74f20a3',
    })
    await expect(openNote(`${text}\n${enochLine}${corrupt}`, [peter, enoch])).rejects.toMatchObject({
      code: 'bad_signature',
    })
    await expect(openNote(`${text}\n${peterLine}${corrupt}`, [peter])).rejects.toMatchObject({ code: 'bad_signature' })
    await expect(openNote(note.replace('problem is', 'problem Is'), [peter])).rejects.toMatchObject({
      code: 'bad_signature',
    })
  })

  it('keeps a repeated signature once', async () => {
    expect((await openNote(note + peterLine + enochLine, [peter, enoch])).verified).toHaveLength(2)
  })

  it('parts text and signatures at the last empty line', async () => {
    const key = await createSigningKey('example.org/log', 1, new Uint8Array(32).fill(7))
    for (const body of ['a\n\nb\n', '\n', '\n\nx\n', 'a\n\n\nb\n', 'a\n\n']) {
      const opened = await openNote(await sealNote(body, [key]), [key])
      expect(opened.text).toBe(body)
    }
  })

  it('takes 100 signatures and no more', async () => {
    const other = (count: number): string =>
      Array.from({ length: count }, (_, i) => `— example.org/${i} AAAAAAAA\n`).join('')
    expect((await openNote(note + other(99), [peter])).ignored).toHaveLength(99)
    await expect(openNote(note + other(100), [peter])).rejects.toMatchObject({ code: 'malformed' })
  })

  it.each([
    ['text alone', text],
    ['nothing', ''],
    ['no signature', `${text}\n`],
    ['a signature line without its newline', note.slice(0, -1)],
    ['a control character in front', `\u0001${note}`],
    ['carriage returns', note.replaceAll('\n', '\r\n')],
    ['a tab', note.replace(' you', '\tyou')],
    ['a byte order mark', `\ufeff${note}`],
    ['a lone surrogate', `\ud800${note}`],
    ['a name with a space', note.replace('PeterNeumann', 'Peter Neumann')],
    ['a name with a plus', note.replace('PeterNeumann', 'Peter+Neumann')],
    ['a name with U+0085', note.replace('PeterNeumann', 'Peter\u0085Neumann')],
    ['a name with a no-break space', note.replace('PeterNeumann', 'Peter\u00a0Neumann')],
    ['an empty name', note.replace('PeterNeumann', '')],
    ['a line that is no signature', `${note}something else\n`],
    ['an empty line at the end', `${note}\n`],
    ['a hyphen for the dash', note.replace('—', '-')],
    ['no space after the dash', note.replace('— ', '—')],
    ['two spaces', note.replace('— PeterNeumann ', '— PeterNeumann  ')],
    ['the URL alphabet', note.replace('x08go/ZJ', 'x08go_ZJ')],
    ['no padding', note.replace('JnAM=', 'JnAM')],
    ['stray trailing bits', note.replace('JnAM=', 'JnAN=')],
    ['a signature of nothing but a key id', `${text}\n— PeterNeumann x08gow==\n`],
    ['an unreadable signature of another key', `${note}— EnochRoot r?z+\n`],
  ])('case 14: refuses %s as malformed', async (_what, wrong) => {
    await expect(openNote(wrong, [peter])).rejects.toMatchObject({ name: 'LogError', code: 'malformed' })
  })

  it('refuses bytes that are not UTF-8, and a note of over a million', async () => {
    await expect(openNote(Uint8Array.of(0xff, ...utf8(note)), [peter])).rejects.toMatchObject({ code: 'malformed' })
    await expect(openNote(Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8(note)), [peter])).rejects.toMatchObject({
      code: 'malformed',
    })
    await expect(openNote(utf8('x'.repeat(1_000_001)), [peter])).rejects.toMatchObject({ code: 'malformed' })
  })

  it('never gives the text of a note that was changed anywhere', async () => {
    const bytes = utf8(note)
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice()
      changed[i]! ^= 1
      await expect(openNote(changed, [peter])).rejects.toMatchObject({ name: 'LogError' })
    }
  })
})

describe('sealNote', () => {
  it('makes the published signature byte for byte', async () => {
    expect(await sealNote(text, [await parsePrivateKey(peterKey)])).toBe(note)
  })

  it('refuses a text that no reader would give back', async () => {
    const key = await parsePrivateKey(peterKey)
    for (const wrong of ['', 'no newline', 'tab\t\n', 'cr\r\n', '\ufeffbom\n', '\ud800\n']) {
      await expect(sealNote(wrong, [key])).rejects.toMatchObject({ code: 'malformed' })
    }
    await expect(sealNote(text, [])).rejects.toMatchObject({ code: 'malformed' })
  })
})

describe('verifier keys', () => {
  it('are those of the golden vectors, from their seeds', async () => {
    for (const { name, type, seedHex, publicHex, keyId: id, vkey } of vectors.keys) {
      const key = await createSigningKey(name, type, Uint8Array.from(Buffer.from(seedHex, 'hex')))
      expect(Buffer.from(key.publicKey).toString('hex')).toBe(publicHex)
      expect(printKeyId(key.id)).toBe(id)
      expect(printVkey(key)).toBe(vkey)
      expect(printVkey(parseVkey(vkey))).toBe(vkey)
    }
  })

  it('have the published ids', () => {
    const baffling = Buffer.from('BAFFLINGNESS+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'base64')
    expect(printKeyId(keyId('example.org/key', baffling[0]!, baffling.subarray(1)))).toBe('57bfe580')
    for (const vkey of [peterVkey, enochVkey]) expect(printVkey(parseVkey(vkey))).toBe(vkey)
  })

  it('are refused after every cut and every change of one byte', () => {
    for (let i = 0; i < peterVkey.length; i++) {
      for (let k = i; k <= peterVkey.length; k++) {
        if (i > 0 || k < peterVkey.length) expect(() => parseVkey(peterVkey.slice(i, k))).toThrow()
      }
      const other = String.fromCharCode(peterVkey.charCodeAt(i) ^ 1)
      expect(() => parseVkey(peterVkey.slice(0, i) + other + peterVkey.slice(i + 1))).toThrow()
    }
  })

  it('are refused for another length, an unknown type or upper-case ids, though the id fits', () => {
    const print = (type: number, publicKey: Uint8Array): string =>
      `n+${printKeyId(keyId('n', type, publicKey))}+${encodeBase64(Uint8Array.of(type, ...publicKey))}`
    expect(parseVkey(print(1, peter.publicKey)).name).toBe('n')
    expect(() => parseVkey(print(1, peter.publicKey.slice(0, 31)))).toThrow('canonical')
    expect(() => parseVkey(print(1, Uint8Array.of(...peter.publicKey, 0)))).toThrow('canonical')
    for (const type of [0, 2, 3, 5, 6, 0x65, 0xff])
      expect(() => parseVkey(print(type, peter.publicKey))).toThrow('not known')
    expect(() => parseVkey(enochVkey.replace('af0cfe78', 'AF0CFE78'))).toThrow()
  })

  it('are refused when their order is small or their encoding is not canonical', () => {
    const prime = 2n ** 255n - 19n
    const encode = (n: bigint): Uint8Array =>
      Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 0xffn))
    const small = smallOrderPoints()
    expect(small).toHaveLength(5)
    for (const point of [...small, prime, prime + 1n, prime + 5n, 2n ** 255n - 1n].map(encode)) {
      expect(isUsablePublicKey(point)).toBe(false)
      point[31]! |= 0x80
      expect(isUsablePublicKey(point)).toBe(false)
    }
    expect(isUsablePublicKey(peter.publicKey)).toBe(true)
  })

  it('of order one would verify anything, so they verify nothing', async () => {
    const one = Uint8Array.of(1, ...new Uint8Array(31))
    expect(await verifyEd25519(one, utf8('anything'), Uint8Array.of(1, ...new Uint8Array(63)))).toBe(false)
  })
})

describe('private keys', () => {
  it('are read and printed in the form of Go tools', async () => {
    const key = await parsePrivateKey(peterKey)
    expect(printVkey(key)).toBe(peterVkey)
    expect(
      printPrivateKey(key, Buffer.from('810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173', 'hex')),
    ).toBe(peterKey)
  })

  it('that are wrong are refused without being told', async () => {
    const wrong = [
      peterVkey,
      peterKey.replace('c74f20a3', 'c74f20a4'),
      peterKey.slice(0, -4),
      peterKey.replace('+AYEK', '+AoEK'),
      `${peterKey}\n`,
    ]
    for (const text_ of wrong) {
      const error = await parsePrivateKey(text_).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error).toMatchObject({ code: 'key_invalid' })
      expect(String(error)).not.toContain('FGyNhPJEMzD1QIDr')
    }
  })
})

describe('cosignatures', () => {
  const body = 'example.com/log/testdata\n9\nCvhHViE3S9E3htHLR+25mapWoGCJ3WckMq1UtC3VmEY=\n'
  const witLine =
    '— Wit1 mz+y1QAAAABkGFDLZeDnuwIel53zpQLIv7/FYD+uJT0W/dA41mcFyLWL7+wCJ2qKkJDOkMY6FF9R7JjAjwzC6FOkmQF90ZHAIGwTBw==\n'
  const wit = parseVkey('Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk')

  it('verify as the published one, with its time', async () => {
    expect((await openNote(`${body}\n${witLine}`, [wit])).verified).toEqual([{ key: wit, time: 1_679_315_147 }])
  })

  it('are made byte for byte as the published one', async () => {
    const seed = decodeBase64('AeadRiG7XM4XiieCHzD8lxysXMwcViy5nYsoXURWGrlE')!.subarray(1)
    expect(await cosign(body, await createSigningKey('Wit1', 4, seed), 1_679_315_147)).toBe(witLine)
  })

  it('of both witnesses of the golden vectors verify; so does the note of a key rotation, with either key', async () => {
    const keys = vectors.keys.map(({ vkey }) => parseVkey(vkey))
    expect((await openNote(vectors.cosigned.note, keys)).verified.map(({ time }) => time)).toEqual([
      undefined,
      1_767_225_600,
      1_767_225_601,
    ])
    expect((await openNote(vectors.rotationCheckpoint.note, keys)).verified).toHaveLength(2)
    for (const key of keys.slice(0, 2))
      expect(await openNote(vectors.rotationCheckpoint.note, [key])).toMatchObject({ verified: [{ key }] })
  })

  it('carry their time big-endian', () => {
    const published = decodeBase64(
      'ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJXORmnFBOBA==',
    )!
    expect(splitCosignature(published.subarray(4))?.time).toBe(1_727_964_367)
    expect(splitCosignature(new Uint8Array(72).fill(0xff))).toBeUndefined()
    expect(splitCosignature(new Uint8Array(64))).toBeUndefined()
    const latest = joinCosignature(Number.MAX_SAFE_INTEGER, new Uint8Array(64))
    expect(splitCosignature(latest)?.time).toBe(Number.MAX_SAFE_INTEGER)
    expect(splitCosignature(joinCosignature(2 ** 53, new Uint8Array(64)))).toBeUndefined()
  })

  it('with another time, or by a key of type 1, do not verify', async () => {
    const bytes = decodeBase64(witLine.split(' ')[2]!.trim())!
    bytes[11]! ^= 1
    await expect(openNote(`${body}\n— Wit1 ${encodeBase64(bytes)}\n`, [wit])).rejects.toMatchObject({
      code: 'bad_signature',
    })
    await expect(cosign(body, await createSigningKey('Wit1', 1, new Uint8Array(32)), 1)).rejects.toMatchObject({
      code: 'key_invalid',
    })
    await expect(cosign(body, await createSigningKey('Wit1', 4, new Uint8Array(32)), 0)).rejects.toThrow(RangeError)
  })

  it('are added behind the signature of the log', async () => {
    const key = await createSigningKey('Wit1', 4, new Uint8Array(32).fill(3))
    const added = addSignatures(note, [await cosign(text, key, 5)])
    expect((await openNote(added, [peter, key])).verified.map(({ time }) => time)).toEqual([undefined, 5])
    expect(() => addSignatures(note, ['no line'])).toThrow()
    expect(parseNote(added).text).toBe(text)
  })
})

/** The y coordinates of the points whose order divides 8: some points of the curve, times the large prime order, and their multiples. */
function smallOrderPoints(): bigint[] {
  const p = 2n ** 255n - 19n
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const mod = (n: bigint): bigint => ((n % p) + p) % p
  const power = (base: bigint, exponent: bigint): bigint => {
    let result = 1n
    for (let [b, e] = [mod(base), exponent]; e > 0n; e >>= 1n, b = mod(b * b)) if (e & 1n) result = mod(result * b)
    return result
  }
  const invert = (n: bigint): bigint => power(n, p - 2n)
  const d = mod(-121665n * invert(121666n))
  type Point = readonly [bigint, bigint]
  const add = ([x1, y1]: Point, [x2, y2]: Point): Point => {
    const k = mod(d * x1 * x2 * y1 * y2)
    return [mod((x1 * y2 + y1 * x2) * invert(1n + k)), mod((y1 * y2 + x1 * x2) * invert(1n - k))]
  }
  const times = (n: bigint, point: Point): Point => {
    let result: Point = [0n, 1n]
    for (let [k, q] = [n, point]; k > 0n; k >>= 1n, q = add(q, q)) if (k & 1n) result = add(result, q)
    return result
  }
  const found = new Set<bigint>()
  for (let y = 2n; found.size < 5; y++) {
    const square = mod((y * y - 1n) * invert(d * y * y + 1n))
    const root = power(square, (p + 3n) / 8n)
    const x = mod(root * root) === square ? root : mod(root * power(2n, (p - 1n) / 4n))
    if (mod(x * x) !== square) continue // no point has this y
    const torsion = times(order, [x, y])
    for (let k = 0n; k < 8n; k++) found.add(times(k, torsion)[1])
  }
  return [...found]
}
