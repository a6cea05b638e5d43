import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { openFrame } from '../../../src/archive/read-back.ts'
import { splitFrames } from '../../../src/archive/records-file.ts'
import { openPackFile } from '../../../src/commands/pack-file.ts'
import { verifyReceipt } from '../../../src/commands/verify-receipt.ts'
import { verifyReport } from '../../../src/commands/verify-report.ts'
import { parseList } from '../../../src/evidence/population.ts'
import { encodeBase64 } from '../../../src/log/base64.ts'
import { printCheckpoint } from '../../../src/log/checkpoint.ts'
import { hashLeaf, rootOfLeaves } from '../../../src/log/merkle.ts'
import { sealNote } from '../../../src/log/note.ts'
import { printProof } from '../../../src/log/proof.ts'
import { signStatement, toStatementKey } from '../../../src/log/statement.ts'
import { encodeBundle } from '../../../src/log/tiles.ts'
import { createSigningKey } from '../../../src/log/vkey.ts'
import { encodeRecord } from '../../../src/record/record.ts'
import {
  type DayManifest,
  parseManifest as parseDay,
  printManifest as printDay,
} from '../../../src/verify/day-manifest.ts'
import { entriesOf } from '../../../src/verify/log-source.ts'
import { checkPack } from '../../../src/verify/pack.ts'
import { parseManifest, printManifest } from '../../../src/verify/pack-format.ts'
import { parseScope } from '../../../src/verify/pack-scope.ts'
import { readTimestampReply, verifyTimestamp } from '../../../src/verify/timestamp.ts'
import { findFrame } from '../../../src/verify/zstd-frames.ts'
import { createMemoryLog, sourceOf, unzip } from '../../evidence/memory-log.ts'
import { inOne, inPieces, join as joinBytes, toBytes, toText } from '../engine/bytes.ts'
import { type FuzzTarget, target } from '../engine/target.ts'

/** What is carried away and checked later: packs, receipts, reports, time-stamps, days of the archive. None that was changed is ever found right. */

const here = (name: string): URL => new URL(name, import.meta.url)
const zip = readFileSync(here('../../evidence/golden-3.zip'))
const files = await unzip(zip)
const { trust } = await createMemoryLog()
const temporary = join(mkdtempSync(join(tmpdir(), 'proofline-fuzz-')), 'pack.zip')

/** A file of the pack: its name in a line, then its content. */
const ofPack = (name: string): Uint8Array => joinBytes(toBytes(`${name}\n`), files.get(name) ?? new Uint8Array())
const small = [...files.keys()].filter((name) => (files.get(name)?.length ?? 0) < 20_000)
const textOf = (name: string): string => (files.get(name) ?? Buffer.alloc(0)).toString()

const key = await createSigningKey('logs.example/main/unit', 1, new Uint8Array(32).fill(5))
const statementKey = await createSigningKey('logs.example/main/statement', 1, new Uint8Array(32).fill(6))
const seal = { kind: 'seal', ledger: 'main/unit' as const, run: 'ci.1.api.unit', outcome: 'completed', parts: 0 }
const record = encodeRecord(toBytes(JSON.stringify(seal)), {
  ledger: 'main/unit',
  seq: 0,
  recordedAt: 1_790_000_000_000_000,
})
const note = await sealNote(printCheckpoint({ origin: key.name, size: 1, root: rootOfLeaves(hashLeaf(record)) }), [key])
const id = /"id":"([^"]+)"/.exec(toText(record))?.[1] ?? ''
const evidence = [{ id, record: toText(record), proof: printProof({ index: 0, hashes: [], checkpoint: note }) }]
const receipt = JSON.stringify({
  schema: 'proofline.receipts.v1', ledger: 'main/unit', run: seal.run, repeated: false, declaration: null, inventory: null, line_maps: null, waiting: null, parts: [],
  seal: { id, seq: 0, kind: 'seal', run: seal.run, outcome: 'completed', parts: 0 }, evidence,
}) // oxfmt-ignore
const report = await signStatement('application/vnd.proofline.report+json', toBytes('{"repository":"r","as_of":"unit:1","rules":"report@1"}'), [toStatementKey(statementKey)]) // oxfmt-ignore
const reportChecks = await verifyReport(report, [statementKey])
const primitive = '{"toString":1,"valueOf":1}'

const stamped = toBytes('localhost/main/unit\n9\nCvhHViE3S9E3htHLR+25mapWoGCJ3WckMq1UtC3VmEY=\n\n— x y\n')
const ca = readFileSync(here('../seeds/timestamp-ca.pem'), 'utf8')
const reply = readFileSync(here('../seeds/timestamp-reply.der'))
const stampedAt = await verifyTimestamp(await readTimestampReply(reply), stamped, ca)

const day: DayManifest = {
  ledger: 'main/unit', day: '2026-11-23', origin: key.name, first: 0, size: 1, root: rootOfLeaves(hashLeaf(record)), previous: 'a'.repeat(64), consistency: [],
  checkpoint: { note, consistency: [] }, files: [{ name: 'records.ndjson.zst', bytes: 9, sha256: 'b'.repeat(64) }, { name: 'leaves.bin', bytes: 32, sha256: 'c'.repeat(64) }], frames: [{ records: 1, bytes: 9 }],
} // oxfmt-ignore
const frame = zstdCompressSync(Buffer.from(`${toText(record)}\n`))
const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9)

async function framesOf(chunks: AsyncIterable<Uint8Array>): Promise<string[] | string> {
  const found: string[] = []
  try {
    for await (const one of splitFrames(chunks)) found.push(one.toString('hex'))
  } catch (error) {
    if (error instanceof Error && error.constructor === Error) return error.message
    throw error
  }
  return found
}

export const targets: readonly FuzzTarget[] = [
  target({
    name: 'pack-zip', reaches: ['commands/pack-file openPackFile'], corpus: () => [zip], rounds: 40, dictionary: ['PK\u0001\u0002', 'PK\u0003\u0004', 'PK\u0005\u0006', '../'],
    refusals: ['Error', 'Z_DATA_ERROR', 'Z_BUF_ERROR'],
    async read(input) {
      writeFileSync(temporary, input)
      const source = await openPackFile(temporary)
      try {
        const read: { name: string; bytes: number; sha256: string }[] = []
        for (const name of source.names) read.push({ name, ...(await source.digest(name)) })
        return read
      } finally {
        source.close()
      }
    },
    check(read, input) {
      for (const { name } of read) assert(!/^\/|(^|\/)\.\.?(\/|$)|\\/.test(name), `a name that leads out: ${name}`)
      assert(read.reduce((sum, { bytes }) => sum + bytes, 0) < 1_100 * input.length + 2_000_000, 'a bomb')
    },
  }),
  target({
    name: 'pack', reaches: ['verify/pack checkPack', 'verify/pack-source readText', 'verify/pack-source readBytes', 'verify/pack-source readLines', 'verify/pack-log-check openProven', 'verify/pack-attest checkAttestations'], corpus: () => small.map(ofPack), rounds: 25, dictionary: [primitive, '"seq":0', '[[0,9007199254740991]]'],
    refusals: [],
    async read(input) {
      const [name = ''] = toText(input.subarray(0, 300)).split('\n')
      const changed = new Map(files).set(name, Buffer.from(input.subarray(toBytes(name).length + 1)))
      return { name, content: changed.get(name), checks: await checkPack(sourceOf(changed), trust) }
    },
    check({ name, content, checks }) {
      if (checks.every(({ verdict }) => verdict === 'ok')) assert(files.get(name)?.equals(content ?? Buffer.alloc(0)), `another ${name} is found right`)
    },
    never: 'refused',
  }),
  target({
    name: 'pack-manifest', reaches: ['verify/pack-format parseManifest'], corpus: () => [textOf('manifest.json')], refusals: ['Error', 'SyntaxError'], dictionary: [primitive, '"bytes":1'],
    read: (input) => parseManifest(toText(input)), check: (read, input) => { assert.equal(printManifest(read), toText(input)) },
  }),
  target({
    name: 'pack-scope', reaches: ['verify/pack-scope parseScope'], corpus: () => [textOf('scope.json')], refusals: ['Error', 'SyntaxError'], dictionary: [primitive, '"ledgers":[', '"sample":1001'],
    read: (input) => parseScope(toText(input)),
    check: ({ question, ledgers }) => { assert(question.sample <= 1_000 && ledgers.every(({ start, end, size }) => [start, end, size].every((n) => Number.isSafeInteger(n) && n >= 0))) },
  }),
  target({
    name: 'pack-list', reaches: ['evidence/population parseList'], corpus: () => ['[0,3]\n[5,9]\n', ''], refusals: ['Error', 'SyntaxError'], dictionary: [primitive, '[1,2]\n', '[9007199254740991,1]'],
    read: (input) => parseList(toText(input)), check: (ranges) => { for (const [from, to] of ranges) assert(Number.isSafeInteger(from) && Number.isSafeInteger(to)) },
  }),
  target({
    name: 'receipt', reaches: ['commands/verify-receipt verifyReceipt', 'verify/receipt verifyReceiptProof'], corpus: () => [receipt], refusals: ['request_invalid'], dictionary: [primitive, '"parts":[{"part":"p","part_record":{"id":"x"}}]', '"seal":null', '"declaration":{"run":'],
    read: (input) => verifyReceipt(toText(input), [key]),
    check(checks, input) {
      if (!checks.every(({ verdict }) => verdict === 'ok')) return
      const { run, seal: read } = JSON.parse(toText(input)) as { run: unknown; seal: Record<string, unknown> }
      assert.equal(run, seal.run, 'another run is found right')
      for (const name of ['run', 'outcome', 'kind', 'parts'] as const) assert(read[name] === undefined || read[name] === seal[name], `another ${name} is found right`)
    },
  }),
  target({
    name: 'report', reaches: ['commands/verify-report verifyReport'], corpus: () => [report], refusals: [], never: 'refused',
    read: (input) => verifyReport(toText(input), [statementKey]),
    check: (checks) => { if (checks.every(({ verdict }) => verdict === 'ok')) assert.deepEqual(checks, reportChecks) },
  }),
  target({
    name: 'timestamp', reaches: ['verify/timestamp readTimestampReply', 'verify/timestamp verifyTimestamp'], corpus: () => [reply], refusals: ['malformed', 'bad_signature', 'no_trusted_signature', 'origin_mismatch'], rounds: 150,
    read: async (input) => verifyTimestamp(await readTimestampReply(input), stamped, ca),
    check: (read) => { assert.deepEqual(read, stampedAt, 'another time is found right') },
  }),
  target({
    name: 'day-manifest', reaches: ['verify/day-manifest parseManifest'], corpus: () => [printDay(day), printDay({ ...day, size: 0, files: [], frames: [], previous: undefined })], refusals: ['Error', 'SyntaxError', 'ZodError', 'ERR_ENCODING_INVALID_ENCODED_DATA'], dictionary: [primitive, encodeBase64(day.root), '"frames":[[1,9]]'],
    read: (input) => parseDay(input), check: (read, input) => { assert.deepEqual(printDay(read), input) },
  }),
  target({
    name: 'zstd-frames', reaches: ['archive/records-file splitFrames', 'verify/zstd-frames findFrame'], corpus: () => [frame, joinBytes(frame, skippable, frame)], refusals: ['Error'],
    async read(input, random) {
      const whole = await framesOf(inOne(input))
      assert.deepEqual(await framesOf(inPieces(input, random)), whole, 'other frames when it is cut otherwise')
      if (typeof whole === 'string') throw new Error(whole)
      findFrame(input)
      return whole
    },
    check: (frames, input) => { assert(frames.reduce((sum, one) => sum + one.length / 2, 0) <= input.length) },
  }),
  target({
    name: 'zstd-frame', reaches: ['archive/read-back openFrame'], corpus: () => [frame], refusals: ['Error', 'ERR_BUFFER_TOO_LARGE', 'ZSTD_error_*', 'Z_BUF_ERROR'],
    read: (input) => openFrame(input), check: ({ raw, ends }) => { assert(raw.length <= 1_048_576 && ends.at(-1) === raw.length - 1) },
  }),
  target({
    name: 'entries', reaches: ['verify/log-source entriesOf'], corpus: () => [encodeBundle([record, record])], refusals: ['undefined'],
    read: (input) => entriesOf(input, 2), check: (entries, input) => { if (entries !== undefined) assert.deepEqual(encodeBundle(entries), input) },
  }),
] // oxfmt-ignore
