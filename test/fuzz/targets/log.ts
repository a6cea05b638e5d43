import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { parseAddCheckpoint, printAddCheckpoint, readCosignatures } from '../../../src/log/add-checkpoint.ts'
import { decodeBase64, decodeHash, encodeBase64 } from '../../../src/log/base64.ts'
import {
  openCheckpoint,
  parseCheckpoint,
  parseForeignCheckpoint,
  printCheckpoint,
} from '../../../src/log/checkpoint.ts'
import { joinCosignature, splitCosignature } from '../../../src/log/cosignature.ts'
import { LogError, parseDecimal } from '../../../src/log/log-error.ts'
import { openNote, parseNote } from '../../../src/log/note.ts'
import { parsePolicy, printPolicy } from '../../../src/log/policy.ts'
import { parseProof, printProof } from '../../../src/log/proof.ts'
import { isSignedBy, parseRunStatement, producerKeyName, signRunStatement } from '../../../src/log/run-statement.ts'
import {
  openStatement,
  parseStatement,
  signStatement,
  statementKeyName,
  toStatementKey,
} from '../../../src/log/statement.ts'
import { decodeBundle, encodeBundle, parseTilePath, tilePath } from '../../../src/log/tiles.ts'
import { parseTrustedKey, parseTrustedKeys, printTrustedKey } from '../../../src/log/trusted-key.ts'
import { createSigningKey, parsePrivateKey, parseVkey, printPrivateKey, printVkey } from '../../../src/log/vkey.ts'
import { toText } from '../engine/bytes.ts'
import { type FuzzTarget, target } from '../engine/target.ts'

/**
 * What a log, its witnesses and its producers sign. There is one spelling of everything: what is taken comes out as it went in; and a signature that
 * holds is over the very bytes that were signed.
 */

interface Vectors {
  keys: { vkey: string }[]
  checkpoints: { note: string }[]
  cosigned: { note: string }
  rotationCheckpoint: { note: string }
  tlogProof: string
}
const vectors = JSON.parse(readFileSync(new URL('../../log/tlog-vectors.json', import.meta.url), 'utf8')) as Vectors
const notes = [...vectors.checkpoints.map(({ note }) => note), vectors.cosigned.note, vectors.rotationCheckpoint.note]
const vkeys = vectors.keys.map(({ vkey }) => vkey)
const keys = vkeys.map(parseVkey)
const bodyOf = (note: string): string => note.slice(0, note.lastIndexOf('\n\n') + 1)
const originOf = (note: string): string => note.slice(0, note.indexOf('\n'))
const words = ['\n\n', '— ', '– ', '0', '00', '18446744073709551615', '9007199254740992', '=', '==', '-', '_', 'x001/', '.p/', 'extra ', 'index ', 'old ', '。', ...vkeys] // oxfmt-ignore

/** A reader of texts, and what prints them again. */
const ofText = <T>(
  name: string,
  reaches: readonly string[],
  corpus: () => readonly string[],
  read: (text: string) => T | undefined | Promise<T | undefined>,
  print: (value: T, text: string) => string | Promise<string>,
  refusals: readonly string[] = ['malformed'],
): FuzzTarget =>
  target<T | undefined>({
    name,
    reaches,
    corpus,
    dictionary: words,
    refusals,
    rounds: 1_000,
    read: (input) => read(toText(input)),
    async check(value, input) {
      const text = toText(input)
      if (value !== undefined) assert.equal(await print(value, text), text)
    },
  })

const seed = new Uint8Array(32).fill(7)
const producer = await createSigningKey(producerKeyName('00112233aabbccdd'), 1, seed)
const statementKey = await createSigningKey(statementKeyName('log.example', 'main'), 1, seed)
const runStatement = await signRunStatement(
  {
    schema: 'proofline.run-statement.v1', producer: '00112233aabbccdd', run: 'local.1.a.unit', repository: 'github.com/acme/a', commit: 'a'.repeat(40),
    request: 'PUT /v1/runs/local.1.a.unit', sha256: 'b'.repeat(64), issued_at: '2026-11-30T05:00:00Z', expires_at: '2026-11-30T05:10:00Z',
  },
  producer,
) // oxfmt-ignore
const payload = new TextEncoder().encode('{"report":1}')
const envelope = await signStatement('application/vnd.proofline.report+json', payload, [toStatementKey(statementKey)])
const witnessKey = vkeys.find((vkey) => parseVkey(vkey).type === 4) ?? ''
const logKey = vkeys.find((vkey) => parseVkey(vkey).type === 1) ?? ''
const policy = `# of acme\nlog ${logKey} https://log.example/\nwitness w1 ${witnessKey} https://w1.example/\ngroup g any w1\nquorum g\n`

/** Whether it is one of the texts that were signed: the signature of any other that is taken was forged. */
const assertSigned = (text: string): void => assert(notes.some((note) => bodyOf(note) === text), `a forged note: ${JSON.stringify(text)}`) // oxfmt-ignore

export const targets: readonly FuzzTarget[] = [
  ofText('base64', ['log/base64 decodeBase64', 'log/base64 decodeHash'], () => ['', 'QQ==', 'QUE=', 'QUFB', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='],
    (text) => decodeHash(text) ?? decodeBase64(text), encodeBase64, ['undefined']),
  ofText('decimal', ['log/log-error parseDecimal'], () => ['0', '7', '9007199254740991'], (text) => parseDecimal(text, 'n'), String),
  ofText('vkey', ['log/vkey parseVkey'], () => vkeys, parseVkey, printVkey, ['key_invalid']),
  ofText('private-key', ['log/vkey parsePrivateKey'], () => [printPrivateKey(producer, seed)], parsePrivateKey, (key, text) => {
    assert.equal(printVkey(key), printVkey(producer))
    return text
  }, ['key_invalid']),
  ofText('trusted-key', ['log/trusted-key parseTrustedKey'], () => [...vkeys, `${logKey} from=10 until=20`, `${logKey} until=5`], parseTrustedKey, printTrustedKey, ['key_invalid', 'malformed']),
  target({
    name: 'trusted-keys', reaches: ['log/trusted-key parseTrustedKeys'], corpus: () => [`# keys\n\n${vkeys.join('\n')}\n`], dictionary: words, refusals: ['key_invalid', 'malformed'],
    read: (input) => parseTrustedKeys(toText(input)),
    check: (read) => { for (const key of read) assert.deepEqual(parseTrustedKey(printTrustedKey(key)), key) },
  }),
  ofText('checkpoint', ['log/checkpoint parseCheckpoint'], () => notes.map(bodyOf), parseCheckpoint, printCheckpoint),
  ofText('foreign-checkpoint', ['log/checkpoint parseForeignCheckpoint'], () => [...notes.map(bodyOf), `${bodyOf(notes[0] ?? '')}extension\n`], parseForeignCheckpoint,
    ({ origin, size, root, extensions }) => [origin, size, encodeBase64(root), ...extensions, ''].join('\n')),
  ofText('proof', ['log/proof parseProof'], () => [vectors.tlogProof], parseProof, printProof),
  ofText('tile-path', ['log/tiles parseTilePath'], () => ['tile/0/000', 'tile/63/999.p/255', 'tile/entries/x001/x234/067'], parseTilePath, ({ level, index, width }) => tilePath(level, index, width), ['undefined']),
  ofText('add-checkpoint', ['log/add-checkpoint parseAddCheckpoint'], () => [`old 0\n\n${notes[0]}`, `old 3\n${'47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n'.repeat(3)}\n${notes[0]}`], parseAddCheckpoint, printAddCheckpoint),
  ofText('statement', ['log/statement parseStatement', 'log/statement openStatement'], () => [envelope], async (text) => {
    const parsed = parseStatement(text)
    const opened = await openStatement(text, [statementKey]).catch((error: unknown) => {
      if (!(error instanceof LogError)) throw error
    })
    if (opened !== undefined) assert.deepEqual([opened.payloadType, opened.payload], ['application/vnd.proofline.report+json', payload])
    return parsed
  }, ({ payloadType, payload: bytes, signatures }) => JSON.stringify({ payloadType, payload: encodeBase64(bytes), signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: encodeBase64(sig) })) })),
  ofText('run-statement', ['log/run-statement parseRunStatement', 'log/run-statement isSignedBy'], () => [runStatement], async (text) => {
    const parsed = parseRunStatement(text)
    if (await isSignedBy(parsed, producer)) assert.equal(text, runStatement)
    return text
  }, (text) => text),
  ofText('cosignatures', ['log/add-checkpoint readCosignatures'], () => [vectors.cosigned.note.slice(bodyOf(vectors.cosigned.note).length + 1)],
    async (text) => (await readCosignatures(text, bodyOf(vectors.cosigned.note), keys), text), (text) => text, ['malformed', 'bad_signature']),
  target({
    name: 'policy', reaches: ['log/policy parsePolicy'], corpus: () => [policy, `log ${logKey}\nquorum none\n`], dictionary: [...words, 'group g2 all w1\n', 'quorum none\n', 'witness w2 '], refusals: ['malformed', 'key_invalid'],
    read: (input) => parsePolicy(input),
    check: (read) => { assert.deepEqual(parsePolicy(printPolicy(read)), read) },
  }),
  target({
    name: 'note', reaches: ['log/note parseNote', 'log/note openNote', 'log/checkpoint openCheckpoint', 'log/ed25519 verifyEd25519'], corpus: () => notes, dictionary: words,
    refusals: ['malformed'],
    read: (input) => parseNote(input),
    async check({ text, signatures }, input) {
      const line = ({ name, id, bytes }: (typeof signatures)[number]): string => `— ${name} ${encodeBase64(Uint8Array.of(id >>> 24, (id >>> 16) & 255, (id >>> 8) & 255, id & 255, ...bytes))}\n`
      assert.deepEqual(new TextEncoder().encode(`${text}\n${signatures.map(line).join('')}`), input)
      const unless = (error: unknown): undefined => {
        if (!(error instanceof LogError)) throw error
      }
      const opened = await openNote(input, keys).catch(unless)
      if (opened !== undefined) assertSigned(opened.text)
      const checkpoint = await openCheckpoint(input, originOf(text), keys).catch(unless)
      if (checkpoint !== undefined) assertSigned(printCheckpoint(checkpoint))
    },
  }),
  target({
    name: 'cosignature', reaches: ['log/cosignature splitCosignature'], corpus: () => [joinCosignature(1_700_000_000, new Uint8Array(64)), joinCosignature(Number.MAX_SAFE_INTEGER, new Uint8Array(64).fill(9))], refusals: ['undefined'],
    read: (input) => splitCosignature(input),
    check: (read, input) => { if (read !== undefined) assert.deepEqual(joinCosignature(read.time, read.signature), input) },
  }),
  target({
    name: 'bundle', reaches: ['log/tiles decodeBundle'], corpus: () => [encodeBundle([seed, payload, new Uint8Array()]), encodeBundle([payload, seed, seed])], refusals: ['Error'],
    read: (input) => decodeBundle(input, 3),
    check: (read, input) => { assert.deepEqual(encodeBundle(read), input) },
  }),
] // oxfmt-ignore
