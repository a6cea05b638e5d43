import { createPublicKey, verify } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  commitSubject,
  coveragePredicate,
  inTotoPayloadType,
  printStatement,
  testResultPredicate,
} from '../../src/log/in-toto.ts'
import { LogError } from '../../src/log/log-error.ts'
import { openNote, sealNote } from '../../src/log/note.ts'
import {
  type StatementKey,
  maxStatementBytes,
  openStatement,
  parseStatement,
  preAuthEncoding,
  signStatement,
  statementKeyName,
  toStatementKey,
} from '../../src/log/statement.ts'
import { type SigningKey, createSigningKey } from '../../src/log/vkey.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const type = 'http://example.com/HelloWorld'
const name = statementKeyName('localhost', 'main')

let signing: SigningKey
let key: StatementKey
let other: StatementKey
let envelope: string
beforeAll(async () => {
  signing = await createSigningKey(name, 1, seed(1))
  key = toStatementKey(signing)
  other = toStatementKey(await createSigningKey(name, 1, seed(2)))
  envelope = await signStatement(type, utf8('hello world'), [key])
})
const code = (wanted: LogError['code']) => expect.objectContaining({ name: 'LogError', code: wanted })

describe('preAuthEncoding', () => {
  it('is that of the specification', () => {
    const encoded = text(preAuthEncoding(type, utf8('hello world')))
    expect(encoded).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world')
    expect(text(preAuthEncoding('', utf8('')))).toBe('DSSEv1 0  0 ')
    expect(text(preAuthEncoding('é', utf8('ü')))).toBe('DSSEv1 2 é 2 ü')
  })

  it('tells every pair of type and payload apart', () => {
    const all = new Set<string>()
    const parts = ['', ' ', '1', ' 1', '1 ', 'a 1 b', '0  0 ']
    for (const one of parts) for (const two of parts) all.add(text(preAuthEncoding(one, utf8(two))))
    expect(all.size).toBe(parts.length ** 2)
  })
})

describe('a signed statement', () => {
  it('opens with the key that signed it, and says which that was', async () => {
    const opened = await openStatement(envelope, [other, key])
    expect(text(opened.payload)).toBe('hello world')
    expect(opened).toMatchObject({ payloadType: type, keys: [{ id: key.id }], isRetired: false })
    expect(await openStatement(envelope, [{ ...key, until: 7 }])).toMatchObject({ isRetired: true })
    const both = await signStatement(type, utf8('x'), [key, other])
    expect(await openStatement(both, [{ ...key, until: 7 }, other])).toMatchObject({ isRetired: false })
    expect(await openStatement(utf8(envelope), [key])).toEqual(opened)
    expect(await signStatement(type, utf8('hello world'), [key])).toBe(envelope)
  })

  it('is verified by OpenSSL over the pre-authentication encoding', () => {
    const { payload, signatures } = JSON.parse(envelope) as {
      payload: string
      signatures: { keyid: string; sig: string }[]
    }
    const x = Buffer.from(key.publicKey).toString('base64url')
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    const message = preAuthEncoding(type, Buffer.from(payload, 'base64'))
    expect(verify(null, message, publicKey, Buffer.from(signatures[0]?.sig ?? '', 'base64'))).toBe(true)
    expect(signatures[0]?.keyid).toMatch(/^localhost\/main\/statement\+[0-9a-f]{8}$/)
  })

  it('may carry the signatures of an old and a new key, and opens with either', async () => {
    const both = await signStatement(type, utf8('x'), [key, other])
    for (const keys of [[key], [other]]) expect((await openStatement(both, keys)).keys).toEqual(keys)
    expect((await openStatement(both, [key, other])).keys).toHaveLength(2)
  })

  it('is not believed when a known key has another signature, or no key is known', async () => {
    const both = await signStatement(type, utf8('x'), [key, other])
    const sigs = [...both.matchAll(/"sig":"([^"]+)"/g)].map((match) => match[1] ?? '')
    const swapped = both
      .replace(sigs[0] ?? '', '#')
      .replace(sigs[1] ?? '', sigs[0] ?? '')
      .replace('#', sigs[1] ?? '')
    await expect(openStatement(swapped, [key])).rejects.toEqual(code('bad_signature'))
    await expect(openStatement(envelope, [other])).rejects.toEqual(code('no_trusted_signature'))
    await expect(openStatement(envelope, [])).rejects.toEqual(code('no_trusted_signature'))
  })

  it('is bound to its type and to every byte of its payload', async () => {
    const fake = (change: object) => JSON.stringify({ ...(JSON.parse(envelope) as object), ...change })
    await expect(openStatement(fake({ payloadType: `${type}2` }), [key])).rejects.toEqual(code('bad_signature'))
    await expect(openStatement(fake({ payload: btoa('hello worle') }), [key])).rejects.toEqual(code('bad_signature'))
  })

  it('has one spelling', async () => {
    const { payloadType, payload, signatures } = JSON.parse(envelope) as Record<string, never>
    const [signature] = signatures as unknown as { keyid: string; sig: string }[]
    for (const wrong of [
      '',
      'null',
      '[]',
      ` ${envelope}`,
      `${envelope}\n`,
      `\ufeff${envelope}`,
      envelope.replace('":"', '": "'),
      JSON.stringify({ payload, payloadType, signatures }),
      JSON.stringify({ payloadType, payload }),
      JSON.stringify({ payloadType, payload, signatures, more: 1 }),
      JSON.stringify({ payloadType, payload, signatures: [] }),
      JSON.stringify({ payloadType, payload, signatures: Array(17).fill(signature) }),
      JSON.stringify({ payloadType, payload, signatures: [{ sig: signature?.sig, keyid: signature?.keyid }] }),
      JSON.stringify({ payloadType, payload, signatures: [{ ...signature, cert: 'x' }] }),
      JSON.stringify({ payloadType, payload, signatures: [{ ...signature, sig: 'AAAA' }] }),
      envelope.replace('"payload":"', `"payload":"eA==","payload":"`),
      envelope.replace('aGVsbG8gd29ybGQ=', 'aGVsbG8gd29ybGQ'),
      envelope.replace('aGVsbG8gd29ybGQ=', 'aGVsbG8gd29ybGR='),
      envelope.replace('aGVsbG8gd29ybGQ=', 'aGVs\\nbG8gd29ybGQ='),
      envelope.replace('/HelloWorld', '\\/HelloWorld'),
      envelope.replace('HelloWorld', 'Hello World'),
      envelope.replace(type, ''),
    ])
      expect(() => parseStatement(wrong), wrong).toThrow(code('malformed'))
    expect(() => parseStatement(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(code('malformed'))
  })

  it('holds up to 8 MiB', async () => {
    const large = await signStatement(type, new Uint8Array(maxStatementBytes), [key])
    expect((await openStatement(large, [key])).payload.length).toBe(maxStatementBytes)
    await expect(signStatement(type, new Uint8Array(maxStatementBytes + 1), [key])).rejects.toEqual(code('malformed'))
    expect(() => parseStatement('x'.repeat(maxStatementBytes * 2))).toThrow('too long')
  })
})

describe('a statement key', () => {
  it('is no key of a log, and the other way round', async () => {
    const ofLog = await createSigningKey('localhost/main/unit', 1, seed(1))
    expect(() => toStatementKey(ofLog)).toThrow(code('key_invalid'))
    expect(key).not.toHaveProperty('sign') // sealNote takes no such key: the compiler refuses it
    // The same secret, passed off as a statement key, is still another key; and a log's key in the trust does not open statements.
    const forged = { ...ofLog, signStatement: key.signStatement }
    await expect(openStatement(await signStatement(type, utf8('x'), [forged]), [ofLog])).rejects.toEqual(code('no_trusted_signature')) // oxfmt-ignore
    const note = await sealNote('localhost/main/unit\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n', [ofLog])
    await expect(openNote(note, [signing])).rejects.toEqual(code('no_trusted_signature'))
  })
})

describe('printStatement', () => {
  it('prints an in-toto Statement v1 about a commit, whose envelope opens', async () => {
    const subject = commitSubject('github.com/acme/payments', '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b')
    const payload = printStatement([subject], { predicateType: testResultPredicate, predicate: { result: 'PASSED', configuration: [], url: undefined } }) // oxfmt-ignore
    expect(text(payload)).toBe(
      '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"git+https://github.com/acme/payments","digest":{"gitCommit":"4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b"}}],' +
        '"predicateType":"https://in-toto.io/attestation/test-result/v0.1","predicate":{"result":"PASSED","configuration":[]}}',
    )
    const opened = await openStatement(await signStatement(inTotoPayloadType, payload, [key]), [key])
    expect(opened.payloadType).toBe('application/vnd.in-toto+json')
    expect(opened.payload).toEqual(payload)
    expect(coveragePredicate).toMatch(/^urn:/)
  })

  it('says nothing about nothing', () => {
    const predicate = { result: 'PASSED', configuration: [] } as const
    expect(() => printStatement([], { predicateType: testResultPredicate, predicate })).toThrow('subjects')
    expect(() => printStatement([{ digest: {} }], { predicateType: testResultPredicate, predicate })).toThrow('digests')
  })
})
