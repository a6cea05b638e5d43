import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type RunningService,
  anLcov,
  ask,
  cleanEnvironment,
  pushRun,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

let database: TestDatabase
let service: RunningService
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let env: Record<string, string>

const repository = 'github.com/acme/payments'
const commits = ['a', 'b', 'c'].map((digit) => digit.repeat(40))
const push = (n: number, seed: number, more: Record<string, string> = {}) =>
  pushRun(service, `local.h-${n}.api.unit`, anLcov(seed), {
    commit: commits[n % 3]!, ref: 'refs/heads/main', committed_at: `2026-0${1 + (n % 3)}-01T00:00:00Z`,
    more: JSON.stringify({ parents: commits.slice(0, n % 3).reverse().slice(0, 1), first_parents: commits.slice(0, n % 3).reverse() }), ...more,
  }) // oxfmt-ignore
const cli = (...args: string[]) => runCli(args, { cwd: folder.path, env })

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('history')
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url })
  env = cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
  // Line 1 of src/file0.ts: missed where 7 + seed is a multiple of three.
  for (const [n, seed] of [2, 3, 3].entries()) expect((await push(n, seed)).status).toBe(201)
}, 120_000)
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await folder.remove()
  await database.drop()
})

describe('proofline history', () => {
  it('tells people what every run said of a line, and of a file', async () => {
    const line = await cli('history', 'src/file0.ts:1', '--repository', repository)
    expect(line.stderr).toBe('')
    expect(line.code).toBe(0)
    expect(line.stdout).toContain(
      'src/file0.ts of github.com/acme/payments on refs/heads/main, numbers as of cccccccccccc',
    )
    expect(line.stdout).toContain('3 commits in the order of git\n')
    expect(line.stdout).toMatch(
      /aaaaaaaaaaaa {2}missed {3}1 run .*\n.*bbbbbbbbbbbb {2}covered {2}2 runs {2}to \S+ cccccccccccc {2}line 1/,
    )
    expect(line.stdout).toMatch(/unit api \(lcov\.da@1\): 3 runs count\n {2}36[45] days lie before the first record\n/)
    const file = await cli('history', 'src/file0.ts', '--repository', repository)
    expect(file.stdout).toMatch(/\n {4}1 +mc\n {4}2 +c[cm]\n/)
  })

  it('gives the same bytes as of the same sizes, after more runs and after a rebuild beside the service', async () => {
    const path = `/v1/history/lines?repository=${repository}&path=src/file1.ts&line=1-5`
    const first = await ask(service, path)
    expect(first.status).toBe(200)
    for (const n of [3, 4, 5]) await push(n, n, n === 5 ? { tests: '0,0,0,0' } : {})
    const later = await ask(service, path)
    expect(later.text).not.toBe(first.text)
    expect(later.body).toMatchObject({ evidence: [{ runs: 5, left_out: { runs: 1, reasons: { no_tests: 1 } } }] })
    const again = await ask(service, `${path}&as_of=${String(first.body['as_of'])}`)
    expect(again.text).toBe(first.text)
    const rebuilt = await runCli(['rebuild', '--json', '--data-dir', folder.path], {
      cwd: folder.path,
      env: { ...env, DATABASE_URL: database.url },
    })
    expect(rebuilt.stderr).toBe('')
    expect(JSON.parse(rebuilt.stdout)).toMatchObject({
      rebuilt: { history: [{ ledger: 'main/unit' }, { ledger: 'main/integration' }, { ledger: 'main/changes' }] },
    })
    expect((await ask(service, `${path}&as_of=${String(first.body['as_of'])}`)).text).toBe(first.text)
    expect((await ask(service, path)).text).toBe(later.text)
  }, 60_000)

  it('shows what people noted about lines beside what runs said of them', async () => {
    const before = await cli('history', 'src/file0.ts:1', '--repository', repository)
    expect(before.stdout).not.toContain('notes')
    for (const range of ['2-2', '3-1'])
      expect(await cli('dispose', `lines:src/file0.ts:${range}`, '--note', 'x', '--repository', repository)).toMatchObject({ code: 2, stderr: expect.stringContaining('goes upwards') }) // oxfmt-ignore
    const noted = await cli('dispose', 'lines:src/file0.ts:1-2', '--note', 'made by a tool', '--verdict', 'accepted', '--repository', repository, '--commit', commits[2] ?? '') // oxfmt-ignore
    expect(noted.code, noted.stderr).toBe(0)
    await expect.poll(async () => (await cli('history', 'src/file0.ts:1', '--repository', repository)).stdout).toMatch(/\nnotes\n {4}\d{4}-\d\d-\d\d {2}line 1 by number {2}accepted {2}token:\S+ {2}made by a tool\n/) // oxfmt-ignore
    expect((await cli('history', 'src/file0.ts', '--repository', repository)).stdout).toMatch(/line 1-2 by number/)
    expect((await cli('history', 'src/file0.ts:3', '--repository', repository)).stdout).not.toContain('notes')
  })

  it('takes a time as as_of, and names the sizes', async () => {
    const { body } = await ask(service, `/v1/history/lines?repository=${repository}&path=src/file1.ts&line=1`)
    const lines = body['lines'] as { series: { intervals: { first: { recorded_at: string } }[] }[] }[]
    const at = lines[0]!.series[0]!.intervals[0]!.first.recorded_at
    const early = await ask(service, `/v1/history/lines?repository=${repository}&path=src/file1.ts&line=1&as_of=${at}`)
    // What was recorded at that very time was not recorded before it.
    expect(early).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  it.each([
    ['line=20-12', 400, 'request_invalid'],
    ['line=1-101', 400, 'request_invalid'],
    ['line=1&as_of=unit:999999999,integration:0', 400, 'request_invalid'],
    ['line=1&as_of=unit:1', 400, 'request_invalid'],
    ['line=1&as_of=yesterday', 400, 'request_invalid'],
    ['line=1&from=2026-02-01&to=2026-01-01', 400, 'request_invalid'],
    ['line=1&at=' + 'd'.repeat(40), 404, 'not_found'],
    ['line=1&ref=refs/heads/none', 404, 'not_found'],
  ])('refuses %s', async (query, status, code) => {
    const answer = await ask(service, `/v1/history/lines?repository=${repository}&path=src/file0.ts&${query}`)
    expect(answer).toMatchObject({ status, body: { code } })
  })

  it('ends with 1 for a file that nobody measured', async () => {
    const missing = await cli('history', 'src/none.ts:3', '--repository', repository)
    expect(missing.code).toBe(1)
    expect(missing.stderr).toContain('no commit of github.com/acme/payments on refs/heads/main has src/none.ts')
  })
})
