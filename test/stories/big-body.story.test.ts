import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGzip } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBigReport } from '../support/big-report.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { watchMemory } from '../support/memory.ts'
import {
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

/** A gigabyte in conformance (PROOFLINE_BIG=1), less otherwise: memory must not grow with the bytes of a report. */
const bytes = process.env['PROOFLINE_BIG'] === undefined ? 120_000_000 : 1_000_000_000

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let service: RunningService

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('big-body')
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url })
})

afterAll(async () => {
  service.signal('SIGKILL')
  await service.ended
  await database.drop()
  await folder.remove()
})

async function* gzipped(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: 1 })
  const feed = async (): Promise<void> => {
    for (const chunk of chunks) if (!gzip.write(chunk)) await once(gzip, 'drain')
    gzip.end()
  }
  const feeding = feed()
  yield* gzip as AsyncIterable<Uint8Array>
  await feeding
}

async function* plain(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks
}

interface Receipt {
  bytes: number
  files: number
  records: { first: number; last: number; count: number }
  ranges: [number, number][]
  part_record: { seq: number }
  totals: { recomputed: unknown; declared: unknown }
  refused: { count: number }
}

describe(`a report of ${bytes / 1e6} MB`, () => {
  it.each([
    ['identity', 1, plain],
    ['gzip', 2, gzipped],
  ] as const)(
    'streams in (%s) in bounded memory while small pushes go on beside it',
    async (encoding, seed, encode) => {
      const report = aBigReport({ bytes, seed })
      const run = `local.big-${encoding}.api.unit`
      const path = `/v1/runs/${run}/parts?name=coverage/lcov.info`
      const send = () =>
        ask(service, path, {
          method: 'PUT',
          body: encode(report.chunks()),
          headers: encoding === 'gzip' ? { 'content-encoding': 'gzip' } : {},
        })
      expect((await ask(service, `/v1/runs/${run}`, { method: 'PUT', body: aDeclaration() })).status).toBe(201)
      expect((await pushRun(service, `local.warm-${encoding}.api.unit`, anLcov(0))).status).toBe(201)

      const memory = await watchMemory(service.pid)
      const startedAt = performance.now()
      let done = false
      const big = send().finally(() => (done = true))
      const small: { seq: number; ms: number }[] = []
      while (!done) {
        const at = performance.now()
        const { status, body } = await pushRun(
          service,
          `local.small-${encoding}-${small.length}.api.unit`,
          anLcov(small.length),
        )
        expect(status, JSON.stringify(body)).toBe(201)
        small.push({ seq: (body['seal'] as { seq: number }).seq, ms: performance.now() - at })
        await sleep(50)
      }
      const answer = await big
      const grown = await memory.grownMb()
      const seconds = (performance.now() - startedAt) / 1_000
      expect(answer, answer.text.slice(0, 500)).toMatchObject({ status: 201 })
      const receipt = answer.body as unknown as Receipt
      const slowest = Math.max(...small.map(({ ms }) => ms))
      // This process makes the report between two of its own requests; the service's clock tells what they cost there.
      const served = Math.max(
        ...[...service.log().matchAll(new RegExp(`/v1/push[^"]*small-${encoding}.*"ms":(\\d+)`, 'g'))].map(([, ms]) =>
          Number(ms),
        ),
      )
      console.log(
        `${encoding}: ${receipt.bytes / 1e6} MB in ${seconds.toFixed(1)} s, ${grown} MB over idle, ${small.length} small pushes beside it, the slowest ${Math.round(slowest)} ms (${served} ms at the service), ${receipt.ranges.length} ranges`,
      )

      expect(grown).toBeLessThan(400)
      // How many depends on the machine; that the big part lets others in before it is recorded does not.
      const before = small.filter(({ seq }) => seq < receipt.part_record.seq)
      expect(before.length).toBeGreaterThan(0)
      expect(receipt).toMatchObject({
        refused: { count: 0 },
        files: report.totals.files,
        totals: { recomputed: report.totals },
      })
      expect(receipt.bytes).toBeGreaterThan(bytes)

      const slices = await database.db.query<{ n: number }>({
        text: `select count(*) as n from submissions where key like $1`,
        values: [`slice:${run}/%`],
      })
      expect(slices.rows[0]?.n).toBeGreaterThan(1)
      const records = (await readLedger(service, 'unit', 'coverage')).filter((record) => record['run'] === run)
      const seqs = receipt.ranges.flatMap(([first, last]) =>
        Array.from({ length: last - first + 1 }, (_, i) => first + i),
      )
      expect(records.map(({ seq }) => seq)).toEqual(seqs)
      expect(records.map(({ ordinal }) => ordinal)).toEqual(records.map((_, i) => i))
      expect(receipt.records).toEqual({ first: seqs[0], last: seqs.at(-1), count: seqs.length })
      const covered = records.reduce((sum, { lines }) => sum + (lines as { covered: number }).covered, 0)
      expect(covered).toBe(report.totals.lines.covered)

      const again = await send()
      expect({ status: again.status, same: again.text === answer.text }).toEqual({ status: 200, same: true })
      const body = { outcome: 'completed', tests: { total: 9, passed: 9, failed: 0, skipped: 0 } }
      expect(await ask(service, `/v1/runs/${run}/seal`, { method: 'PUT', body })).toMatchObject({
        status: 201,
        body: { admitted: true, parts: 1 },
      })
    },
  )

  it('is one too large for an atomic push: use_parts, and the ledger has only the refusal', async () => {
    const run = 'local.big-push.api.unit'
    const query = new URLSearchParams({ ...(aDeclaration() as Record<string, string>), run, name: 'a' })
    const body = plain(aBigReport({ bytes: 1, files: 30_000, linesPerFile: 12 }).chunks())
    const { status, body: problem } = await ask(service, `/v1/push?${query.toString()}`, { method: 'POST', body })
    expect({ status, code: problem['code'] }).toEqual({ status: 413, code: 'use_parts' })
    const kinds = (await readLedger(service, 'unit', 'run,coverage,part,seal,rejection')).filter(
      (record) => record['run'] === run,
    )
    expect(kinds.map(({ kind }) => kind)).toEqual(['rejection'])
  })

  it('verifies, with everything beside it', async () => {
    const env = cleanEnvironment(folder.path, { DATABASE_URL: database.url })
    const verified = await runCli(['verify', '--database', '--data-dir', folder.path, '--json'], { env })
    expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
  })
})
