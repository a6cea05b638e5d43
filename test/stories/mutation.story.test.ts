import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type Finished,
  type RunningService,
  anLcov,
  cleanEnvironment,
  pushRun,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** Mutants are pushed, recorded, signed and read as lines are, and no sum of the one ever holds any of the other. */

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url))
const pushAll = [
  'push lcov.info mutation.json mutations.xml --test-type unit --suite api --run nightly --tests 5,5,0,0',
  '--repository github.com/acme/payments --commit 4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b',
].flatMap((options) => options.split(' '))

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let service: RunningService
let pushed: Finished

const run = (...args: string[]): Promise<Finished> =>
  runCli(args, {
    cwd: folder.path,
    env: cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token }),
  })

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('mutation')
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url })
  await copyFile(`${fixtures}refund/unit/lcov.info`, join(folder.path, 'lcov.info'))
  await copyFile(`${fixtures}refund/unit/mutation.json`, join(folder.path, 'mutation.json'))
  await copyFile(`${fixtures}fee/unit/mutations.xml`, join(folder.path, 'mutations.xml'))
  pushed = await run(...pushAll, '--receipt', 'receipt.json')
})

afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await database.drop()
  await folder.remove()
})

const ofStryker = { found: 75, detected: 36, undetected: 39, killed: 36, timed_out: 0, survived: 10, no_coverage: 29 }
const ofPit = { found: 18, detected: 10, undetected: 8, killed: 10, timed_out: 0, survived: 4, no_coverage: 4 }

describe('a run with lines and mutants', () => {
  it('is told apart in the receipt for people', () => {
    expect(pushed.code, pushed.stderr).toBe(0)
    expect(pushed.stdout).toMatch(/mutation\.json: stryker \(stryker\.status@1, StrykerJS 9\.6\.1\), 3 files/)
    expect(pushed.stdout).toMatch(
      /75 mutants on \d+ lines: 36 detected, 39 undetected \(36 killed, 0 timed_out, 10 survived, 29 no_coverage\)/,
    )
    expect(pushed.stdout).toMatch(/25 lines: \d+ executed/)
  })

  it('has totals for each measure in its seal, never one for both', async () => {
    const [seal] = await readLedger(service, 'unit', 'seal')
    expect(seal).toMatchObject({ admitted: true, reasons: [], parts: 3 })
    expect(seal?.['totals']).toMatchObject([
      { metric: 'line', definition: 'lcov.da@1', files: 2, lines: { found: 25 } },
      { metric: 'mutation', definition: 'pit.status@1', files: 2, mutants: ofPit },
      { metric: 'mutation', definition: 'stryker.status@1', tool: { name: 'StrykerJS' }, files: 3, mutants: ofStryker },
    ])
    const totals = (seal?.['totals'] ?? []) as object[]
    for (const each of totals) expect('lines' in each).toBe(!('mutants' in each))
  })

  it('has parts that say their metric, and totals that its records add up to', async () => {
    const records = await readLedger(service, 'unit')
    const parts = records.filter(({ kind }) => kind === 'part')
    expect(parts.map(({ part, metric }) => [part, metric])).toEqual([
      ['lcov.info', 'line'],
      ['mutation.json', 'mutation'],
      ['mutations.xml', 'mutation'],
    ])
    for (const { part, totals } of parts.slice(1)) {
      const of = records.filter((record) => record['kind'] === 'coverage' && record['part'] === part)
      const sum = (member: 'mutants' | 'mutated_lines', name: string): number =>
        of.reduce((total, record) => total + ((record[member] as Record<string, number>)[name] ?? 0), 0)
      const { recomputed } = totals as { recomputed: Record<'mutants' | 'mutated_lines', Record<string, number>> }
      for (const member of ['mutants', 'mutated_lines'] as const)
        for (const [name, count] of Object.entries(recomputed[member])) expect([name, sum(member, name)]).toEqual([name, count]) // oxfmt-ignore
    }
  })

  it('answers which lines had a mutant that survived', async () => {
    const records = await readLedger(service, 'unit', 'coverage')
    const money = records.filter(({ path }) => path === 'test/programs/refund/src/money.js')
    expect(money.map(({ metric, ranges }) => [metric, ranges])).toEqual([
      ['line', { covered: expect.anything() as string, partial: expect.anything() as string, missed: '' }],
      ['mutation', { detected: '3,6,8-13,16,18-20,23', survived: '8-10,12,18', uncovered: '8,10-11,18', undecided: '' }],
    ]) // oxfmt-ignore
  })

  it('leaves no word of the source in a record', async () => {
    const secret = 'is read in minor units'
    expect(await readFile(join(folder.path, 'mutation.json'), 'utf8')).toContain(secret)
    expect(JSON.stringify(await readLedger(service, 'unit'))).not.toContain(secret)
  })

  it('is verified by its receipt', async () => {
    const keys = join(folder.path, 'keys/main.unit.vkey')
    const verified = await run('verify', 'receipt.json', '--key', keys)
    expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
  })

  it('gets the first answer again when it is pushed again', async () => {
    const again = await run(...pushAll)
    expect(again.code, again.stderr).toBe(0)
    expect(again.stdout.split('\n').slice(1)).toEqual(pushed.stdout.split('\n').slice(1))
  })
})

describe('a run with mutants only', () => {
  it('is admitted, and holds no evidence of a line', async () => {
    const report = await readFile(`${fixtures}fee/unit/mutations.xml`, 'utf8')
    const { status, body } = await pushRun(service, 'ci.1.mutants.unit', report, { suite: 'mutants' })
    expect(status).toBe(201)
    expect(body['seal']).toMatchObject({ admitted: true, totals: [{ metric: 'mutation', mutants: ofPit }] })
    expect(JSON.stringify(body['seal'])).not.toContain('"lines"')
  })

  it('is refused as lines are when its report is damaged', async () => {
    const report = (await readFile(`${fixtures}fee/unit/mutations.xml`, 'utf8')).slice(0, -30)
    expect(await pushRun(service, 'ci.2.mutants.unit', report)).toMatchObject({
      status: 422,
      body: { code: 'report_invalid' },
    })
    expect(await pushRun(service, 'ci.2.mutants.unit', anLcov(1))).toMatchObject({ status: 201 })
  })
})
