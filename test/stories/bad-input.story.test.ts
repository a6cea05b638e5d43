import { hash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ProblemCode, problems } from '../../src/record/problem.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { watchMemory } from '../support/memory.ts'
import {
  type Answered,
  type RunningService,
  aDeclaration,
  anLcov,
  ask,
  cleanEnvironment,
  pushRun,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** Everything that is refused: a problem document with a stable code, one record of it, and nothing else in the ledger. */

const maxPartBytes = 200_000_000

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let service: RunningService
let env: Record<string, string>

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('bad-input')
  service = await startServe({
    dataDir: folder.path,
    databaseUrl: database.url,
    env: { PROOFLINE_HTTP_LIMITS_PART_BYTES: String(maxPartBytes) },
  })
  env = cleanEnvironment(folder.path, {
    DATABASE_URL: database.url,
    PROOFLINE_URL: service.url,
    PROOFLINE_TOKEN: service.token,
  })
})

afterAll(async () => {
  service.signal('SIGKILL')
  await service.ended
  await database.drop()
  await folder.remove()
})

let runs = 0
const newRun = (): string => `local.bad-${runs++}.api.unit`

const declare = async (run: string, more: Record<string, unknown> = {}): Promise<string> => {
  const body = aDeclaration({ test_type: run.slice(run.lastIndexOf('.') + 1), ...more })
  const { status } = await ask(service, `/v1/runs/${run}`, { method: 'PUT', body })
  expect(status).toBe(201)
  return run
}

const lcov = anLcov(1)
type Body = NonNullable<RequestInit['body']>
interface Sent {
  headers?: Record<string, string>
  name?: string
  token?: string
}

const putPart = (run: string, body: Body, { headers, name = 'coverage/lcov.info', token }: Sent = {}) =>
  ask(service, `/v1/runs/${run}/parts?name=${encodeURIComponent(name)}`, {
    method: 'PUT',
    body,
    ...(headers === undefined ? {} : { headers }),
    ...(token === undefined ? {} : { token }),
  })

const push = (run: string, body: Body, headers: Record<string, string> = {}, more: Record<string, string> = {}) => {
  const query = new URLSearchParams({
    ...(aDeclaration() as Record<string, string>),
    run,
    name: 'coverage/lcov.info',
    tests: '3,3,0,0',
    ...more,
  })
  return ask(service, `/v1/push?${query.toString()}`, { method: 'POST', body, headers })
}

const seal = (run: string, tests: number[] | null = [3, 3, 0, 0], outcome = 'completed') => {
  const [total, passed, failed, skipped] = tests ?? []
  const body = { outcome, tests: tests === null ? null : { total, passed, failed, skipped } }
  return ask(service, `/v1/runs/${run}/seal`, { method: 'PUT', body })
}

const isProblem = ({ status, type, body }: Answered, code: ProblemCode): void => {
  expect(body).toMatchObject({ code, type: `urn:proofline:problem:${code}`, status: problems[code].status })
  expect({ status, type }).toEqual({ status: problems[code].status, type: 'application/problem+json' })
}

const kindsOf = async (run: string): Promise<string[]> => {
  const records = await readLedger(service, run.slice(run.lastIndexOf('.') + 1))
  return records.filter((record) => record['run'] === run).map(({ kind }) => String(kind))
}

const rejectionsOf = async (run: string): Promise<Record<string, unknown>[]> => {
  const records = await readLedger(service, run.slice(run.lastIndexOf('.') + 1), 'rejection')
  return records.filter((record) => record['run'] === run)
}

/** Sends twice what is to be refused. Afterwards the run has the records it had before, and one rejection with this reason. */
const isRefused = async (
  run: string,
  code: ProblemCode,
  send: () => Promise<Answered>,
): Promise<Record<string, unknown>> => {
  const before = await kindsOf(run)
  isProblem(await send(), code)
  isProblem(await send(), code)
  expect(await kindsOf(run)).toEqual([...before, 'rejection'])
  const rejection = (await rejectionsOf(run)).find(({ reason }) => reason === code)
  expect(rejection, code).toMatchObject({ run, reason: code, by: { method: 'token' } })
  return rejection ?? {}
}

/** Refused as a part of a declared run and as an atomic push. */
const isRefusedBody = async (
  code: ProblemCode,
  body: () => Body,
  headers: Record<string, string> = {},
): Promise<void> => {
  const run = await declare(newRun())
  await isRefused(run, code, () => putPart(run, body(), { headers }))
  const pushed = newRun()
  await isRefused(pushed, code, () => push(pushed, body(), headers))
}

const v8 = JSON.stringify({
  result: [
    {
      scriptId: '1',
      url: 'file:///a.js',
      functions: [{ functionName: '', ranges: [{ startOffset: 0, endOffset: 9, count: 1 }], isBlockCoverage: true }],
    },
  ],
})
const summary = JSON.stringify({
  total: {
    lines: { total: 1, covered: 1, skipped: 0, pct: 100 },
    statements: { total: 1, covered: 1, skipped: 0, pct: 100 },
  },
})
const xxe =
  '<!DOCTYPE coverage [<!ENTITY x SYSTEM "file:///etc/passwd">]><coverage><sources><source>&x;</source></sources></coverage>'
const file = `{"path":"a.ts","statementMap":{"0":{"start":{"line":1,"column":0},"end":{"line":1,"column":9}}},"fnMap":{},"branchMap":{},"s":{"0":1},"f":{},"b":{}}`

describe('a body that cannot be taken', () => {
  it.each<[string, ProblemCode, () => Body, Record<string, string>?]>([
    ['is no report', 'report_unrecognized', () => 'hello, this is no coverage report\n'],
    ['is an HTML page', 'report_unrecognized', () => '<!doctype html><title>502</title>'],
    ['is empty', 'report_empty', () => ''],
    ['names no file', 'report_empty', () => 'TN:\n'],
    [
      'is gzip that ends early',
      'encoding_invalid',
      () => gzipSync(lcov).subarray(0, 60),
      { 'content-encoding': 'gzip' },
    ],
    [
      'is zstd that ends early',
      'encoding_invalid',
      () => zstdCompressSync(lcov).subarray(0, 60),
      { 'content-encoding': 'zstd' },
    ],
    ['is not what its encoding says', 'encoding_invalid', () => lcov, { 'content-encoding': 'gzip' }],
    ['has an encoding that nobody here reads', 'media_type_unsupported', () => lcov, { 'content-encoding': 'br' }],
    [
      'is encoded twice',
      'media_type_unsupported',
      () => gzipSync(gzipSync(lcov)),
      { 'content-encoding': 'gzip, gzip' },
    ],
    [
      'has another digest than announced',
      'digest_mismatch',
      () => lcov,
      { 'content-digest': `sha-256=:${hash('sha256', 'other', 'base64')}:` },
    ],
    ['has an announcement that is no digest', 'request_invalid', () => lcov, { 'content-digest': 'abc' }],
    ['is raw V8 coverage', 'no_lines', () => v8],
    ['is a coverage summary', 'no_lines', () => summary],
    ['has a member twice', 'duplicate_key', () => `{"a.ts":${file},"a.ts":${file}}`],
    [
      'has a member twice deep inside',
      'duplicate_key',
      () => `{"a.ts":${file.replace('"f":{}', '"f":{"0":1,"0":2}')}}`,
    ],
    ['is JSON that ends early', 'report_invalid', () => `{"a.ts":${file}`],
    ['is XML that ends early', 'report_invalid', () => '<coverage><packages><package>'],
    ['is XML with entities of its own', 'report_invalid', () => xxe],
    [
      'is JaCoCo without source files',
      'no_lines',
      () => '<report name="x"><package name="p"><class name="p/A"/></package></report>',
    ],
    ['leaves the repository', 'path_invalid', () => 'SF:../../etc/passwd\nDA:1,1\nend_of_record\n'],
    ['has NUL in its only path', 'path_invalid', () => 'SF:src/a\0.ts\nDA:1,1\nend_of_record\n'],
  ])('which %s: %s', (_what, code, body, headers) => isRefusedBody(code, body, headers))

  it('names bytes and digest of what was offered when it was read whole', async () => {
    const run = await declare(newRun())
    const rejection = await isRefused(run, 'report_unrecognized', () => putPart(run, 'hello'))
    expect(rejection['offered']).toEqual({ bytes: 5, sha256: hash('sha256', 'hello', 'hex') })
    expect(rejection).toMatchObject({
      part: 'coverage/lcov.info',
      repository: 'github.com/acme/payments',
      commit: aDeclaration()['commit'],
    })
    isProblem(await putPart(run, 'hello, other bytes'), 'report_unrecognized')
    expect(await rejectionsOf(run)).toHaveLength(2)
  })

  it.each<[string, 'gzip' | 'zstd', (bytes: Buffer) => Buffer]>([
    ['gzip', 'gzip', gzipSync],
    ['zstd', 'zstd', zstdCompressSync],
  ])('is a bomb of 300 MB in %s: given up early, in little memory', async (_name, encoding, compress) => {
    const headers = { 'content-encoding': encoding }
    // One after the other, which both formats allow: to compress 300 MB as one piece takes seconds, and is read no other way.
    const tenTimes = (bytes: Buffer): Buffer => Buffer.concat(Array.from<Buffer>({ length: 10 }).fill(compress(bytes)))
    const zeros = tenTimes(Buffer.alloc(30_000_000))
    const lines = tenTimes(Buffer.from(`SF:a.ts\n${'DA:1,1\n'.repeat(30_000_000 / 7)}`))
    const memory = await watchMemory(service.pid)
    const run = await declare(newRun())
    await isRefused(run, 'expansion_limit', () => putPart(run, zeros, { headers }))
    isProblem(await push(newRun(), lines, headers), 'expansion_limit')
    expect(await memory.grownMb()).toBeLessThan(150)
  })

  it('has 10 million lines in one file', async () => {
    const run = await declare(newRun())
    const chunks = [Buffer.from('SF:src/large.ts\n')]
    const block = Array.from({ length: 10_000 }, (_, i) => `DA:#${String(i).padStart(4, '0')},1\n`).join('')
    for (let number = 1; number <= 1_000; number++) chunks.push(Buffer.from(block.replaceAll('#', String(number))))
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield* chunks
    }
    const memory = await watchMemory(service.pid)
    await isRefused(run, 'too_many_lines', () => putPart(run, body()))
    expect(await memory.grownMb()).toBeLessThan(200)
  })

  it.each(['content-length: 2000', 'transfer-encoding: chunked'])('breaks off at half, with %s', async (framing) => {
    const run = await declare(newRun())
    for (let tries = 0; tries < 2; tries++) {
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
      const half = lcov.slice(0, 150 + tries) // never the same number of bytes
      socket.write(
        `PUT /v1/runs/${run}/parts?name=a HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${service.token}\r\n${framing}\r\n\r\n`,
      )
      socket.write(framing.startsWith('content') ? half : `${half.length.toString(16)}\r\n${half}\r\n`)
      await sleep(100)
      socket.destroy()
    }
    await expect.poll(() => rejectionsOf(run)).toHaveLength(1)
    await sleep(200)
    expect(await kindsOf(run)).toEqual(['run', 'rejection'])
    expect((await rejectionsOf(run))[0]).toMatchObject({ reason: 'body_incomplete', part: 'a' })
  })

  it('announces more bytes than are taken: refused before it comes', async () => {
    const run = await declare(newRun())
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1').setEncoding('utf8')
    let answer = ''
    socket.on('data', (text: string) => (answer += text))
    socket.write(
      `PUT /v1/runs/${run}/parts?name=a HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${service.token}\r\ncontent-length: ${maxPartBytes + 1}\r\n\r\n`,
    )
    await expect.poll(() => answer).toMatch(/^HTTP\/1\.1 413 .*"code":"body_too_large"/s)
    socket.destroy()
    expect((await rejectionsOf(run)).map(({ reason }) => reason)).toEqual(['body_too_large'])
  })

  it('is recorded all the same when it comes whole', async () => {
    const run = await declare(newRun())
    isProblem(
      await putPart(run, gzipSync(lcov).subarray(0, 60), { headers: { 'content-encoding': 'gzip' } }),
      'encoding_invalid',
    )
    const body = gzipSync(lcov)
    const headers = {
      'content-encoding': 'gzip',
      'content-digest': `unknown=:AA==:, sha-256=:${hash('sha256', body, 'base64')}:, sha-512=:${hash('sha512', body, 'base64')}:`,
    }
    expect(await putPart(run, body, { headers })).toMatchObject({
      status: 201,
      body: { files: 3, refused: { count: 0 } },
    })
  })
})

describe('a report in XML', () => {
  const clover =
    '<coverage generated="1" clover="4.5.2"><project><metrics statements="2" coveredstatements="1"/><file name="A.java" path="src/A.java">' +
    '<line num="1" type="stmt" count="1"/><line num="2" type="stmt" count="0"/></file></project></coverage>'

  it('has what its format counts beside lines in its records, receipt and seal', async () => {
    const run = await declare(newRun())
    const statements = { found: 2, covered: 1 }
    expect(await putPart(run, clover)).toMatchObject({
      status: 201,
      body: { files: 1, totals: { recomputed: { statements }, declared: { statements } } },
    })
    expect(await seal(run)).toMatchObject({ status: 201, body: { admitted: true } })
    const [record] = (await readLedger(service, 'unit', 'coverage')).filter((each) => each['run'] === run)
    expect(record).toMatchObject({
      path: 'src/A.java', definition: 'clover.statement@1', tool: { name: 'clover', version: '4.5.2' }, statements,
      ranges: { covered: '1', partial: '', missed: '2' },
    }) // oxfmt-ignore
    const [sealed] = (await readLedger(service, 'unit', 'seal')).filter((each) => each['run'] === run)
    expect(sealed?.['totals']).toMatchObject([{ definition: 'clover.statement@1', files: 1, statements }])
  })

  it('may say that there was nothing to measure, and does not count', async () => {
    const run = await declare(newRun())
    const nothing = '<!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd"><report name="empty module"/>'
    expect(await putPart(run, nothing)).toMatchObject({ status: 201, body: { files: 0, refused: { count: 0 } } })
    expect(await putPart(run, nothing)).toMatchObject({ status: 200 })
    expect(await kindsOf(run)).toEqual(['run', 'part'])
    expect(await seal(run)).toMatchObject({ status: 201, body: { admitted: false, reasons: ['nothing_measured'] } })
  })
})

describe('a report that is taken in part', () => {
  it('leaves out the paths that lead outside and names them', async () => {
    const report = `${lcov}SF:../outside.ts\nDA:1,1\nend_of_record\nSF:src/nul\0.ts\nDA:1,1\nend_of_record\n`
    const { status, body } = await push(newRun(), report)
    expect(status).toBe(201)
    expect(body['part']).toMatchObject({
      files: 3,
      refused: {
        count: 2,
        first: [
          { where: '../outside.ts', reason: 'the path leaves the repository' },
          { where: 'src/nul\\x00.ts', reason: 'the path has a control character' },
        ],
      },
    })
  })

  it('is recorded but not admitted when its end is missing', async () => {
    const run = newRun()
    const { status, body } = await push(run, lcov.slice(0, lcov.lastIndexOf('end_of_record')))
    expect(status).toBe(201)
    expect(body['part']).toMatchObject({
      files: 2,
      incomplete: 'the last section has no end_of_record: it is left out',
    })
    expect(body['seal']).toMatchObject({ admitted: false, reasons: ['report_incomplete'] })
    expect(await rejectionsOf(run)).toEqual([])
  })
})

describe('a run that cannot count', () => {
  it.each<[string, number[] | null, string, string[]]>([
    ['without test totals', null, 'completed', ['tests_unknown']],
    ['without tests', [0, 0, 0, 0], 'completed', ['no_tests']],
    ['with all tests skipped', [4, 0, 0, 4], 'completed', ['no_tests']],
    ['whose tests failed', [3, 2, 1, 0], 'failed', ['outcome_failed']],
    ['that was aborted, without totals', null, 'aborted', ['outcome_aborted', 'tests_unknown']],
  ])('%s is recorded, not admitted, with the reasons', async (_what, tests, outcome, reasons) => {
    const run = await declare(newRun())
    expect((await putPart(run, lcov)).status).toBe(201)
    expect(await seal(run, tests, outcome)).toMatchObject({ status: 201, body: { admitted: false, reasons } })
    expect(await kindsOf(run)).toEqual(['run', 'coverage', 'coverage', 'coverage', 'part', 'seal'])
  })

  it('without parts is recorded, not admitted', async () => {
    const run = await declare(newRun())
    expect(await seal(run)).toMatchObject({ status: 201, body: { admitted: false, reasons: ['no_parts'], parts: 0 } })
  })
})

describe('what contradicts the record', () => {
  it('another declaration of a run, and each other one once', async () => {
    const run = await declare(newRun())
    const again = (more: Record<string, unknown>) => () =>
      ask(service, `/v1/runs/${run}`, { method: 'PUT', body: aDeclaration(more) })
    expect((await again({ occurred_at: '2026-01-01T00:00:00Z' })()).status).toBe(200)
    await isRefused(run, 'run_conflict', again({ ref: 'refs/heads/other' }))
    isProblem(await again({ ref: 'refs/heads/third' })(), 'run_conflict')
    expect(await rejectionsOf(run)).toHaveLength(2)
  })

  it('other content under the name of a part, before and after the seal', async () => {
    const run = await declare(newRun())
    expect((await putPart(run, lcov)).status).toBe(201)
    await isRefused(run, 'part_conflict', () => putPart(run, anLcov(2)))
    expect((await seal(run)).status).toBe(201)
    isProblem(await putPart(run, anLcov(2)), 'part_conflict')
    expect(await rejectionsOf(run)).toHaveLength(1)
    expect((await putPart(run, lcov)).status).toBe(200)
    await isRefused(run, 'seal_conflict', () => seal(run, [4, 4, 0, 0]))
    await isRefused(run, 'run_sealed', () => putPart(run, lcov, { name: 'late.info' }))
    expect((await seal(run)).status).toBe(200)
  })

  it('another push of the same run, by declaration, part or totals', async () => {
    const run = newRun()
    const first = await push(run, lcov)
    expect(first.status).toBe(201)
    await isRefused(run, 'run_conflict', () => push(run, lcov, {}, { suite: 'other' }))
    await isRefused(run, 'part_conflict', () => push(run, anLcov(2)))
    await isRefused(run, 'run_sealed', () => push(run, lcov, {}, { name: 'second' }))
    await isRefused(run, 'seal_conflict', () => push(run, lcov, {}, { tests: '9,9,0,0' }))
    expect(await push(run, lcov)).toEqual({ ...first, status: 200 }) // also byte for byte
  })

  it('a test type that is not the one of the run id', async () => {
    const [run, pushed] = [newRun(), newRun()]
    await isRefused(run, 'test_type_mismatch', () =>
      ask(service, `/v1/runs/${run}`, { method: 'PUT', body: aDeclaration({ test_type: 'integration' }) }),
    )
    await isRefused(pushed, 'test_type_mismatch', () => push(pushed, lcov, {}, { test_type: 'integration' }))
  })

  it('parts, inventory and seal of a run that nobody declared', async () => {
    const run = newRun()
    const inventory = (): Promise<Answered> =>
      ask(service, `/v1/runs/${run}/inventory`, {
        method: 'PUT',
        body: '',
        headers: { 'content-type': 'application/x-ndjson' },
      })
    await isRefused(run, 'run_unknown', () => putPart(run, lcov))
    isProblem(await inventory(), 'run_unknown')
    isProblem(await seal(run), 'run_unknown')
    expect((await kindsOf(run)).filter((kind) => kind !== 'rejection')).toEqual([])
  })

  it('an inventory that is none', async () => {
    const run = await declare(newRun(), { commit: 'b'.repeat(40) })
    const send =
      (body: string, headers: Record<string, string> = {}) =>
      () =>
        ask(service, `/v1/runs/${run}/inventory`, {
          method: 'PUT',
          body,
          headers: { 'content-type': 'application/x-ndjson', ...headers },
        })
    const line = (path: string): string => `${JSON.stringify({ path, blob: 'c'.repeat(40) })}\n`
    await isRefused(run, 'request_invalid', send(`${line('a.ts')}not json\n`))
    await isRefused(run, 'media_type_unsupported', send(line('a.ts'), { 'content-encoding': 'br' }))
    await isRefused(run, 'encoding_invalid', send(line('a.ts'), { 'content-encoding': 'gzip' }))
    await isRefused(run, 'record_too_large', send(line('a'.repeat(1_100))))
    const kinds = await readLedger(service, 'unit', 'inventory')
    expect(kinds.filter(({ commit }) => commit === 'b'.repeat(40))).toEqual([])
  })
})

it('keeps parts apart whose names look like slices of one another', async () => {
  const run = await declare(newRun())
  for (const [i, name] of ['a', 'a/0', 'a/0/0'].entries())
    expect((await putPart(run, anLcov(i), { name })).status, name).toBe(201)
  for (const [i, name] of ['a', 'a/0', 'a/0/0'].entries())
    expect((await putPart(run, anLcov(i), { name })).status, name).toBe(200)
  await isRefused(run, 'part_conflict', () => putPart(run, anLcov(9), { name: 'a/0' }))
  expect(await seal(run)).toMatchObject({ status: 201, body: { admitted: true, parts: 3, records: { count: 13 } } })
})

describe('names at their limits', () => {
  const quotes = (escaped: number): string => '"'.repeat(escaped / 2)
  const more = { repository: quotes(256), suite: quotes(256), ref: quotes(256), build: quotes(256) }
  const run = `${'r'.repeat(180)}.api.unit`

  it('are taken, also where JSON doubles them', async () => {
    expect((await push(run, lcov, {}, { ...more, name: quotes(1_024) })).status).toBe(201)
  })

  it('are refused as a request when one is over', async () => {
    const over = newRun()
    isProblem(await push(over, lcov, {}, { name: `${quotes(1_024)}a` }), 'request_invalid')
    isProblem(await push(over, lcov, {}, { suite: quotes(258) }), 'request_invalid')
    expect(await kindsOf(over)).toEqual([])
  })

  it('are refused on record when all of them leave no room, and no slice is left behind', async () => {
    const parameters = { strip: quotes(1_024), root: quotes(1_024) }
    const over = run.replace('rr', 'ss')
    await isRefused(over, 'record_too_large', () =>
      push(over, lcov, {}, { ...more, name: quotes(1_024), ...parameters }),
    )
    const ci = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key${i}`, 'x'.repeat(250)]))
    const declared = newRun()
    await isRefused(declared, 'record_too_large', () =>
      ask(service, `/v1/runs/${declared}`, { method: 'PUT', body: aDeclaration({ ci: { provider: 'x', ...ci } }) }),
    )
  })
})

describe('callers', () => {
  it('without a valid token are refused and leave no record', async () => {
    const run = newRun()
    const sizes = async (): Promise<number> => (await readLedger(service, 'unit')).length
    const before = await sizes()
    for (const token of ['', 'nonsense', `${service.token}x`])
      isProblem(await putPart(run, lcov, { token }), 'unauthenticated')
    isProblem(
      await ask(service, `/v1/runs/${run}`, { method: 'PUT', body: aDeclaration(), token: 'nonsense' }),
      'unauthenticated',
    )
    expect(await sizes()).toBe(before)
  })

  it('with a token for another repository are refused on record', async () => {
    const made = await runCli(
      [
        'token',
        'create',
        'ci',
        '--scope',
        'push',
        '--repository',
        'github.com/acme/other',
        '--data-dir',
        folder.path,
        '--json',
      ],
      { env },
    )
    expect(made, made.stderr).toMatchObject({ code: 0 })
    const { token, id } = JSON.parse(made.stdout) as { token: string; id: string }
    const run = newRun()
    const declaration = () => ask(service, `/v1/runs/${run}`, { method: 'PUT', body: aDeclaration(), token })
    expect((await isRefused(run, 'forbidden', declaration))['by']).toEqual({ method: 'token', subject: `token:${id}` })
    const own = await declare(newRun())
    await isRefused(own, 'forbidden', () => putPart(own, lcov, { token }))
  })

  it('that send what is no request get a problem and no record', async () => {
    const run = newRun()
    isProblem(await ask(service, `/v1/runs/${run}`, { method: 'PUT', body: { repository: 'x' } }), 'request_invalid')
    isProblem(await ask(service, '/v1/runs/no-test-type', { method: 'PUT', body: aDeclaration() }), 'request_invalid')
    isProblem(await ask(service, `/v1/runs/${run}/parts`, { method: 'PUT', body: lcov }), 'request_invalid')
    isProblem(
      await ask(service, `/v1/runs/${run}/parts?name=a&unknown=1`, { method: 'PUT', body: lcov }),
      'request_invalid',
    )
    isProblem(
      await ask(service, `/v1/runs/${run}/seal`, { method: 'PUT', body: { outcome: 'fine', tests: null } }),
      'request_invalid',
    )
    isProblem(
      await ask(service, `/v1/runs/${run}/seal`, {
        method: 'PUT',
        body: '{"outcome":',
        headers: { 'content-type': 'application/json' },
      }),
      'request_invalid',
    )
    expect(await kindsOf(run)).toEqual([])
  })
})

describe('proofline push', () => {
  const pushFile = async (name: string, content: string | Uint8Array, run: string) => {
    const path = join(folder.path, name)
    await writeFile(path, content)
    const args = [
      'push',
      path,
      '--test-type',
      'unit',
      '--run',
      run,
      '--part',
      name,
      '--tests',
      '1,1,0,0',
      '--repository',
      'github.com/acme/cli',
      '--commit',
      'd'.repeat(40),
    ]
    return runCli(args, { cwd: folder.path, env })
  }

  it('of a broken report ends with 1, says why in one line, and the refusal is on record', async () => {
    const finished = await pushFile('broken.info.gz', gzipSync(lcov).subarray(0, 60), 'cli.broken')
    expect(finished.code, finished.stderr).toBe(1)
    expect(finished.stderr).toMatch(/^proofline: the gzip body cannot be decoded \[encoding_invalid\]$/m)
    expect(await kindsOf('cli.broken.default.unit')).toEqual(['run', 'rejection'])
  })

  it('of a whole gzip file is taken as it is, with its digest', async () => {
    const finished = await pushFile('whole.info.gz', gzipSync(lcov), 'cli.whole')
    expect(finished.code, finished.stderr).toBe(0)
  })

  it('of other bytes under a name ends with 1 and says what to do', async () => {
    expect((await pushFile('a.info', lcov, 'cli.twice')).code).toBe(0)
    expect((await pushFile('a.info', lcov, 'cli.twice')).code).toBe(0)
    const finished = await pushFile('a.info', anLcov(2), 'cli.twice')
    expect(finished.code).toBe(1)
    expect(finished.stderr).toMatch(
      /was recorded at \S+ from other bytes: .*--part NAME.*--run NAME\. \[part_conflict\]\n$/,
    )
  })
})

it('is healthy after all of this, and everything recorded verifies', async () => {
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200)
  expect((await pushRun(service, newRun(), lcov)).status).toBe(201)
  const artifacts = await database.db.query<{ n: number }>({
    text: `select count(*) as n from submissions where key like 'reject:%'`,
  })
  expect(artifacts.rows[0]?.n).toBeGreaterThan(30)
  const verified = await runCli(['verify', '--database', '--data-dir', folder.path, '--json'], { env })
  expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
  expect(service.log()).not.toMatch(/request\.failed|append\.failed|parse worker failed/)
})
