import assert from 'node:assert/strict'
import { openRunStatement } from '../../../src/access/run-statement.ts'
import { encodeBase64 } from '../../../src/log/base64.ts'
import { producerKeyName, runStatementType } from '../../../src/log/run-statement.ts'
import { preAuthEncoding, signStatement } from '../../../src/log/statement.ts'
import { createSigningKey } from '../../../src/log/vkey.ts'
import type { Client } from '../../../src/producer/client.ts'
import { readProblem } from '../../../src/producer/read-problem.ts'
import { isRunId } from '../../../src/producer/run-identity.ts'
import { parseSpooledPlan } from '../../../src/producer/spool-plan.ts'
import { putOnce, shapes } from '../../../src/producer/upload.ts'
import { problems } from '../../../src/record/problem.ts'
import { parseTraceparent } from '../../../src/record/traceparent.ts'
import { toBytes, toText } from '../engine/bytes.ts'
import { type FuzzTarget, target } from '../engine/target.ts'

/** What a job signed or left in a folder, and what it is answered by a service, or by whoever stands in front of one. */

const [commit, digest] = ['a'.repeat(40), 'b'.repeat(64)]
const repository = 'github.com/acme/payments'
const run = 'github.7351001.api.unit'

const id = '00112233aabbccdd'
const key = await createSigningKey(producerKeyName(id), 1, new Uint8Array(32).fill(7))
const statementKey = {
  ...key,
  signStatement: (type: string, bytes: Uint8Array) => key.sign(preAuthEncoding(type, bytes)),
}
const now = new Date('2026-11-30T05:01:00Z')
const statement = JSON.stringify({ schema: 'proofline.run-statement.v1', producer: id, run, repository, commit, request: `PUT /v1/runs/${run}`, sha256: digest, issued_at: '2026-11-30T05:00:00Z', expires_at: '2026-11-30T05:10:00Z' }) // oxfmt-ignore
const row = { id, org: 'main', label: '', publicKey: Buffer.from(key.publicKey), repositories: ['github.com/acme/*'], createdAt: 0, expiresAt: Number.MAX_SAFE_INTEGER, revokedAt: null } // oxfmt-ignore
const toHeader = (envelope: string): string => encodeBase64(toBytes(envelope)).replaceAll('+', '-').replaceAll('/', '_').replace(/={1,2}$/, '') // oxfmt-ignore

const plan = {
  format: 'proofline.spool.v1', run, declaration: { repository, test_type: 'unit', suite: 'api', commit }, inventory: 'inventory.ndjson',
  parts: [{ query: { name: 'lcov.info', shard_attempt: 1 }, file: 'part-0', sha256: digest }], seal: { outcome: 'completed', tests: { total: 1, passed: 1, failed: 0, skipped: 0 } },
} // oxfmt-ignore

const answering = (bytes: Uint8Array): Client => ({
  url: 'http://localhost:1',
  send: () => Promise.resolve({ status: 201, headers: {}, bytes: Buffer.from(bytes) }),
  open: () => Promise.reject(new Error('it is not asked')),
  close: () => {},
})

export const targets: readonly FuzzTarget[] = [
  target({
    name: 'run-statement-payload', reaches: ['access/run-statement openRunStatement'], corpus: () => [statement], dictionary: ['"run":"', '\\u0000', 'github.com/other/x', '__proto__', '+000000-', '9999-12-31T23:59:59Z', '\ufeff'], refusals: ['unauthenticated', 'forbidden'],
    read: async (input) => openRunStatement(toHeader(await signStatement(runStatementType, input, [statementKey])), (of) => Promise.resolve(of === id ? row : undefined), now),
    check({ org, repositories, scopes, bound }, input) {
      const said = JSON.parse(toText(input)) as Record<string, string>
      assert.deepEqual([org, [...scopes], repositories], ['main', ['push'], [said['repository']]])
      assert(said['repository']?.startsWith('github.com/acme/'), 'another repository than the producer may push for')
      assert.deepEqual(bound, { runs: [said['run']], commit: said['commit'], request: { target: said['request'], sha256: said['sha256'] } })
      assert(Date.parse(said['expires_at'] ?? '') > now.getTime() - 30_001, 'it has expired')
    },
  }),
  target({
    name: 'traceparent', reaches: ['record/traceparent parseTraceparent'], corpus: () => [`00-${'0af7651916cd43dd8448eb211c80319c'}-b7ad6b7169203331-01`], dictionary: ['ff-', '0'.repeat(32), '-', '\n', 'A'], refusals: ['undefined'], rounds: 1_000,
    read: (input) => parseTraceparent(toText(input)),
    check(trace, input) { if (trace !== undefined) { assert.equal(trace, toText(input)); assert.match(trace, /^(?!ff)[0-9a-f]{2}-(?!0+-)[0-9a-f]{32}-(?!0+-)[0-9a-f]{16}-[0-9a-f]{2}$/) } },
  }),
  target({
    name: 'spooled-plan', reaches: ['producer/spool-plan parseSpooledPlan'], corpus: () => [JSON.stringify(plan), JSON.stringify({ ...plan, inventory: null, parts: [], seal: null })], dictionary: ['"__proto__":{', '"parts":{}', '"file":"../../etc/passwd"', '"seal":{"parts":1}', 'null'], refusals: ['Error', 'SyntaxError'],
    read: (input) => parseSpooledPlan(toText(input)),
    check({ run: read, inventory, parts, declaration }) {
      assert(isRunId(read) && typeof declaration.repository === 'string' && (inventory === null || inventory === 'inventory.ndjson'))
      for (const { file, sha256, query } of parts) assert(/^part-\d+$/.test(file) && sha256.length === 64 && typeof query.name === 'string', 'a file that leads out')
    },
  }),
  target({
    name: 'problem-document', reaches: ['producer/read-problem readProblem'], corpus: () => [JSON.stringify({ type: 'urn:proofline:problem:overloaded', title: 'Too much', status: 503, code: 'overloaded', detail: 'later' }), '<html>502</html>', ''], dictionary: ['"code":"constructor"', '"code":"__proto__"', '"detail":null', '"title":[]'], refusals: [], never: 'refused', rounds: 500,
    read: (input, random) => readProblem(input, 300 + random(300), ['', 'x', '-1', '1e999', undefined][random(5)], 'http://localhost:1'),
    check({ code, message, extra }) {
      assert(Object.hasOwn(problems, code), `no code of ours: ${code}`)
      assert(typeof message === 'string' && message !== '' && Number.isFinite(extra['retry_after'] ?? 0))
    },
  }),
  target({
    name: 'service-answer', reaches: ['producer/upload putOnce'], corpus: () => [JSON.stringify({ repository, commit, files: 3, records: [0, 2] }), JSON.stringify({ repository, commit, files: 0, records: null, more: 1 })], dictionary: ['"__proto__":{', '[9007199254740993,0]', '1e999', 'null'], refusals: ['unavailable'],
    read: async (input) => (await putOnce(answering(input), shapes.inventoryAnswer, { method: 'PUT', path: '/' })).answer,
    check: ({ files, records }) => { assert(Number.isSafeInteger(files) && (records === null || records.every((seq) => Number.isSafeInteger(seq)))) },
  }),
] // oxfmt-ignore
