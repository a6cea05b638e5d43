import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BigReport, aBigReport } from '../support/big-report.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type Answered,
  type RunningService,
  aDeclaration,
  ask,
  cleanEnvironment,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** A part that takes many appends, and a service that is killed between them. */

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let service: RunningService | undefined

beforeEach(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('open-part')
})

afterEach(async () => {
  service?.signal('SIGKILL')
  await service?.ended
  await database.drop()
  await folder.remove()
})

const start = async (): Promise<RunningService> =>
  (service = await startServe({ dataDir: folder.path, databaseUrl: database.url }))
const kill = async (running: RunningService): Promise<void> => {
  running.signal('SIGKILL')
  await running.ended
}

let run = ''
const declare = (to: RunningService) => ask(to, `/v1/runs/${run}`, { method: 'PUT', body: aDeclaration() })
const seal = (to: RunningService) =>
  ask(to, `/v1/runs/${run}/seal`, {
    method: 'PUT',
    body: { outcome: 'completed', tests: { total: 1, passed: 1, failed: 0, skipped: 0 } },
  })
const send = (to: RunningService, report: BigReport): Promise<Answered | undefined> => {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield* report.chunks()
  }
  return ask(to, `/v1/runs/${run}/parts?name=coverage/lcov.info`, { method: 'PUT', body: chunks() }).catch(
    () => undefined,
  )
}

const slices = async (): Promise<number> => {
  const { rows } = await database.db.query<{ n: number }>({
    text: `select count(*) as n from submissions where ledger = 'main/unit' and key like $1`,
    values: [`slice:${run}/%`],
  })
  return rows[0]?.n ?? 0
}
const isRecorded = async (): Promise<boolean> => {
  const { rows } = await database.db.query({
    text: `select from submissions where ledger = 'main/unit' and key like $1`,
    values: [`part:${run}/%`],
  })
  return rows.length > 0
}
const until = async (condition: () => Promise<boolean>): Promise<void> => {
  for (const end = performance.now() + 30_000; !(await condition()); await sleep(10)) {
    if (performance.now() > end) throw new Error('it did not happen within 30 s')
  }
}

/** A run whose part was being recorded when the service was killed: some slices are there, the part is not. Now and then it was too late. */
async function leaveOpen(): Promise<void> {
  for (let tries = 0; tries < 5; tries++) {
    run = `local.open-${tries}.api.unit`
    const running = await start()
    expect((await declare(running)).status).toBe(201)
    const sending = send(running, report)
    await until(async () => (await slices()) > 0)
    const refused = await seal(running)
    await kill(running)
    await sending
    if (await isRecorded()) continue
    expect(refused).toMatchObject({ status: 409, body: { code: 'part_open' } })
    return
  }
  throw new Error('the service was never killed in time')
}

/** The part as it is recorded: each of its records once, in slices that are whole, and clean to the auditor. */
async function assertWhole(to: RunningService, report: BigReport): Promise<void> {
  const records = (await readLedger(to, 'unit')).filter((record) => record['run'] === run)
  const coverage = records.filter(({ kind }) => kind === 'coverage')
  expect(coverage.map(({ ordinal }) => ordinal)).toEqual(coverage.map((_, i) => i))
  const parts = records.filter(({ kind }) => kind === 'part')
  expect(parts).toHaveLength(1)
  expect(parts[0]).toMatchObject({
    files: report.totals.files,
    totals: { recomputed: report.totals },
    records: { count: coverage.length },
  })
  const ranges = parts[0]?.['ranges'] as [number, number][]
  expect(coverage.map(({ seq }) => seq)).toEqual(
    ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i)),
  )
  expect(await seal(to)).toMatchObject({
    status: 201,
    body: { admitted: true, parts: 1, records: { count: coverage.length + 2 } },
  })
  expect(await readdir(join(folder.path, 'open-parts'))).toEqual([])
  await kill(to)
  const env = cleanEnvironment(folder.path, { DATABASE_URL: database.url })
  const verified = await runCli(['verify', '--database', '--data-dir', folder.path, '--json'], { env })
  expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
}

// Many records from few bytes: what takes time is the recording.
const report = aBigReport({ bytes: 1, files: 30_000, linesPerFile: 12 })

// Each records 30,000 files, verifies them and starts the service up to eight times; on a busy machine the first one took 109 s.
describe('a part that a crash left open', { timeout: 300_000 }, () => {
  it('is finished by the service itself after its restart, however often it is killed', async () => {
    await leaveOpen()
    const first = await slices()
    expect(await readdir(join(folder.path, 'open-parts'))).toHaveLength(1)

    for (let kills = 0; kills < 3 && !(await isRecorded()); kills++) {
      const running = await start()
      expect((await seal(running)).body['code']).toBe('part_open')
      const before = await slices()
      await Promise.race([
        until(async () => (await slices()) > before),
        until(isRecorded),
        sleep(200 + Math.random() * 800),
      ])
      await kill(running)
    }
    const running = await start()
    await until(isRecorded)
    expect(await slices()).toBeGreaterThan(first)
    await until(async () => (await readdir(join(folder.path, 'open-parts'))).length === 0)
    const again = await send(running, report)
    expect(again).toMatchObject({ status: 200 })
    await assertWhole(running, report)
  })

  it('is finished by the client that repeats the same bytes, when the note is gone', async () => {
    await leaveOpen()
    await rm(join(folder.path, 'open-parts'), { recursive: true })
    const running = await start()
    expect(await seal(running)).toMatchObject({ status: 409, body: { code: 'part_open' } })
    expect(await send(running, aBigReport({ bytes: 1, files: 30_000, linesPerFile: 12, seed: 2 }))).toMatchObject({
      status: 409,
      body: { code: 'part_conflict' },
    })
    expect(await send(running, report)).toMatchObject({ status: 201 })
    await assertWhole(running, report)
  })

  it('is gone on with as it was begun, when the inventory came in between', async () => {
    await leaveOpen()
    const note = join(folder.path, 'open-parts')
    await rename(note, `${note}.away`) // so that the inventory comes first
    let running = await start()
    const lines = `${JSON.stringify({ path: 'packages/module-1/src/component-1.ts', blob: 'e'.repeat(40) })}\n`
    const inventory = await ask(running, `/v1/runs/${run}/inventory`, {
      method: 'PUT',
      body: lines,
      headers: { 'content-type': 'application/x-ndjson' },
    })
    expect(inventory.status).toBe(201)
    await kill(running)
    await rename(`${note}.away`, note)
    running = await start()
    await until(isRecorded)
    await until(async () => (await readdir(note)).length === 0)
    const blobs = (await readLedger(running, 'unit', 'coverage')).filter(({ blob }) => blob !== undefined)
    expect(blobs).toEqual([])
    await assertWhole(running, report)
  })
})

it('two clients that send the same part at once record it once and get the same receipt', async () => {
  run = 'local.twice.api.unit'
  const running = await start()
  await declare(running)
  const [a, b] = await Promise.all([send(running, report), send(running, report)])
  expect(new Set([a?.status, b?.status])).toEqual(new Set([200, 201]))
  expect(a?.text).toBe(b?.text)
  await assertWhole(running, report)
})
