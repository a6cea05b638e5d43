import assert from 'node:assert/strict'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { parseToken, makeToken } from '../../../src/access/tokens.ts'
import { toDigests, toEncoding, toFormat } from '../../../src/admission/body-headers.ts'
import { readInventory } from '../../../src/admission/inventory.ts'
import { readLineMaps } from '../../../src/admission/line-map-body.ts'
import { parseSide } from '../../../src/answers/difference-side.ts'
import { createCursors, parseAsOf, printAsOf } from '../../../src/answers/position.ts'
import { decodeBody } from '../../../src/http/body.ts'
import { chooseEncoding } from '../../../src/http/encoding.ts'
import { holdsTag } from '../../../src/http/etag.ts'
import { Problem } from '../../../src/record/problem.ts'
import { inOne, inPieces, join, toBytes, toText } from '../engine/bytes.ts'
import type { Random } from '../engine/random.ts'
import { type FuzzTarget, target } from '../engine/target.ts'

/** What stands in requests: bodies, queries, headers. */

/** A reader of a body: the same for the same bytes, however they are cut. */
async function eitherWay<T>(
  read: (chunks: AsyncIterable<Uint8Array>) => Promise<T>,
  input: Uint8Array,
  random: Random,
  isReused = true,
): Promise<T> {
  const once = (chunks: AsyncIterable<Uint8Array>): Promise<{ read: T } | { refused: Problem }> =>
    read(chunks).then(
      (value) => ({ read: value }),
      (refused: unknown) => {
        if (refused instanceof Problem) return { refused }
        throw refused
      },
    )
  const whole = await once(inOne(input))
  const cut = await once(inPieces(input, random, isReused))
  // A body that is broken and too long may be refused for either, and whichever shows first.
  const plain = (one: typeof whole): unknown =>
    'read' in one ? one.read : isReused ? [one.refused.code, one.refused.message] : 'refused'
  assert.deepEqual(plain(cut), plain(whole), 'another answer when it is cut otherwise')
  if ('refused' in whole) throw whole.refused
  return whole.read
}

const blob = 'a'.repeat(40)
const inventory = ['src/a.ts', 'b.ts', 'ä/\u{1f600}'].map((path) => `${JSON.stringify({ path, blob })}\n`).join('')
const map = (more: object): string =>
  `${JSON.stringify({ from: { path: 'a', blob }, to: { path: 'b', blob: 'b'.repeat(64) }, ...more })}\n`

const cursors = createCursors(new Uint8Array(32).fill(3))
const bindings = [
  { ledger: 'main/unit' as const },
  { ledger: 'main/changes' as const, kinds: ['gate'], repository: 'github.com/acme/a' },
]
const binding = bindings[0] ?? { ledger: 'main/unit' as const }
const printed = new Map([0, 1, 184_471, Number.MAX_SAFE_INTEGER].map((next) => [cursors.print(binding, next), next]))

const maxDecoded = 100_000
const sources = [toBytes(inventory), new Uint8Array(maxDecoded), new Uint8Array()]
const encodings = ['identity', 'gzip', 'zstd'] as const
/** The first byte says which encoding the header names. */
const bodies = sources.flatMap((bytes) => [
  join(Uint8Array.of(0), bytes),
  join(Uint8Array.of(1), gzipSync(bytes)),
  join(Uint8Array.of(2), zstdCompressSync(bytes)),
])

async function whole(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(Uint8Array.from(chunk))
  return join(...all)
}

export const targets: readonly FuzzTarget[] = [
  target({
    name: 'inventory', reaches: ['admission/inventory readInventory', 'admission/ndjson readLines', 'admission/ndjson parseObject'], corpus: () => [inventory, '', '\n\n'],
    dictionary: ['{"path":"a","blob":"', blob, '"path":["a"]', '\n'], refusals: ['request_invalid', 'too_many_files', 'record_too_large'], rounds: 200,
    read: (input, random) => eitherWay((chunks) => readInventory(chunks, 10), input, random),
    check(files) {
      for (const [i, file] of files.entries()) {
        assert.match(file.blob, /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/)
        assert(i === 0 || (files[i - 1]?.path ?? '') < file.path, 'paths ascend, each once')
      }
    },
  }),
  target({
    name: 'line-maps', reaches: ['admission/line-map-body readLineMaps'], corpus: () => [map({ hunks: '-3,1+3,2' }) + map({ unmapped: 'binary' }), map({ hunks: '' })],
    dictionary: ['"hunks":"-1,1+1,1"', '"unmapped":"binary"', ' -9,0+10,1', '{"path":"a","blob":"'], refusals: ['request_invalid', 'too_many_files', 'record_too_large'], rounds: 200,
    read: (input, random) => eitherWay(readLineMaps, input, random),
    check(maps) { for (const { hunks, unmapped } of maps) assert((hunks === undefined) !== (unmapped === undefined)) },
  }),
  target({
    name: 'body', reaches: ['http/body decodeBody', 'admission/body-headers toEncoding'], corpus: () => bodies, refusals: ['encoding_invalid', 'expansion_limit', 'media_type_unsupported'],
    read: ([encoding = 0, ...bytes], random) => eitherWay((chunks) => whole(decodeBody(chunks, encodings[encoding] ?? 'br', maxDecoded)), Uint8Array.from(bytes), random, false), // zlib holds what it was given until it has time for it
    check: (decoded, [encoding]) => { assert(encoding === 0 || decoded.length <= maxDecoded) },
  }),
  target({
    name: 'cursor', reaches: ['answers/position createCursors'], corpus: () => [...printed.keys()], dictionary: ['=', '-', '_', 'A', 'w'], refusals: ['cursor_invalid'], rounds: 1_000,
    read: (input) => cursors.parse(binding, toText(input)),
    check(next, input) {
      assert.equal(printed.get(toText(input)), next, 'a cursor that nobody printed')
      assert.throws(() => cursors.parse(bindings[1] ?? binding, toText(input)), { code: 'cursor_invalid' })
    },
  }),
  target({
    name: 'as-of', reaches: ['answers/position parseAsOf'], corpus: () => ['unit:184471,integration:99210,changes:513', 'unit/2:17'], dictionary: ['unit:', 'operations:', '/1:', ',', '0'], refusals: ['undefined'], rounds: 1_000,
    read: (input) => parseAsOf(toText(input)),
    check: (asOf, input) => { if (asOf !== undefined) assert.equal(printAsOf(asOf), toText(input)) },
  }),
  target({
    name: 'difference-side', reaches: ['answers/difference-side parseSide'], corpus: () => [`commit:${blob}`, 'run:a.b.unit;files=all', `suite:${blob}/unit/api;definition=lcov.line@1`, 'build:17;test_type=unit'],
    dictionary: [';definition=', ';test_type=integration', ';files=production', 'deployment:', ';;'], refusals: ['request_invalid'], rounds: 1_000,
    read: (input) => parseSide(toText(input)),
    check: ({ text, name }, input) => { assert.equal(text, toText(input)); assert(name !== '') },
  }),
  target({
    name: 'content-digest', reaches: ['admission/body-headers toDigests'], corpus: () => ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:', 'sha-512=:AAAA:, md5=:AA==:', ''], dictionary: ['sha-256=:', ':', ', ', 'unixsum=:'], refusals: ['request_invalid'], rounds: 1_000,
    read: (input) => toDigests(toText(input)),
    check: (digests) => { for (const { algorithm, base64 } of digests) assert(['sha256', 'sha512'].includes(algorithm) && /^[A-Za-z0-9+/]*={0,2}$/.test(base64)) },
  }),
  target({
    name: 'content-type', reaches: ['admission/body-headers toFormat'], corpus: () => ['text/plain', '', 'application/json'], dictionary: ['application/x-ndjson', ';'], refusals: ['request_invalid'], rounds: 1_000,
    read: (input) => toFormat('lcov', toText(input)), check: (format) => { assert.equal(format, 'lcov') },
  }),
  target({
    name: 'content-encoding', reaches: ['admission/body-headers toEncoding'], corpus: () => ['', 'gzip', 'ZSTD', ' identity '], refusals: ['media_type_unsupported'], rounds: 1_000,
    read: (input) => toEncoding(toText(input)), check: (encoding) => { assert(encodings.includes(encoding)) },
  }),
  target({
    name: 'accept-encoding', reaches: ['http/encoding chooseEncoding'], corpus: () => ['gzip, zstd;q=0.9, *;q=0', '', 'x-gzip;q=1'], dictionary: [';q=', 'zstd', 'gzip', '*', 'NaN', '1e9'], refusals: [], never: 'refused', rounds: 1_000,
    read: (input) => chooseEncoding(toText(input)), check: (encoding) => { assert(encodings.includes(encoding)) },
  }),
  target({
    name: 'if-none-match', reaches: ['http/etag holdsTag'], corpus: () => ['"a"', 'W/"a", "b"', '*'], refusals: [], never: 'refused', rounds: 1_000,
    read: (input) => holdsTag(toText(input), '"a"'), check: (holds, input) => { assert(!holds || toText(input).includes('"a"')) },
  }),
  target({
    name: 'bearer', reaches: ['access/tokens parseToken'], corpus: () => [makeToken().token, `pl_${'0'.repeat(16)}_${'A'.repeat(43)}`], refusals: ['undefined'], rounds: 1_000,
    read: (input) => parseToken(toText(input)), check: (token, input) => { if (token !== undefined) assert.equal(`pl_${token.id}_${token.secret}`, toText(input)) },
  }),
] // oxfmt-ignore
