import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runRoutes } from '../../src/api/run-routes.ts'
import { declaration } from '../../src/api/runs.ts'
import { calls } from '../../src/producer/client.ts'
import { type PushOptions, planRun } from '../../src/producer/plan.ts'
import { sha256, startFakeService, type FakeService } from './fake-service.ts'
import { commit, git, lcov, makeCheckout, makeFolder, runProgram, write, type Ran } from './run-program.ts'

let service: FakeService
let folder: string
beforeEach(async () => {
  service = await startFakeService()
  folder = makeCheckout()
})
afterEach(async () => {
  await service.close()
  rmSync(join(folder, '..'), { recursive: true, force: true })
})

const push = (...args: string[]): Promise<Ran> =>
  runProgram(folder, ['push', ...args], { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: 'secret-token' })
const report = ['coverage/lcov.info']
const unit = [...report, '--test-type', 'unit']
const circle = { CIRCLECI: 'true', CIRCLE_WORKFLOW_ID: 'wf-1', CIRCLE_JOB: 'unit' }
const lines = (): string[] => service.requests.map(({ line }) => line)

describe('proofline push', { timeout: 90_000 }, () => {
  it('declares, sends the inventory, sends the part, seals, and prints the receipt', async () => {
    const head = commit(folder, 'second')
    const { code, stdout, stderr } = await push(...unit, '--tests', '3,2,0,1')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const id = `local.${head.slice(0, 12)}-${sha256(lcov).slice(0, 12)}.default.unit`
    expect(lines()).toEqual([
      `PUT /v1/runs/${id}`,
      `PUT /v1/runs/${id}/inventory`,
      `PUT /v1/runs/${id}/parts?name=coverage%2Flcov.info`,
      `PUT /v1/runs/${id}/seal`,
    ])
    expect(
      stdout
        .replaceAll(/[0-9a-f]{64}/g, '<hash>')
        .replaceAll(id, '<run>')
        .replace(/4 \S{44}$/m, '4 <root>'),
    ).toBe(
      [
        'recorded: <run> in main/unit, with the 2 files of commit 000000000000',
        'part           coverage/lcov.info: lcov (lcov.da@1), 1 file',
        '  sha256       <hash>',
        '  seq          1-1 (1 record), part record 2',
        '  recorded_at  2026-11-23T05:00:00.000002Z',
        '  recomputed   2 lines: 1 executed, 1 missed',
        '  declared     2 lines: 2 executed (differs)',
        '  unresolved   1: /else/where.js',
        'seal           seq 3, completed, 3 tests: 2 passed, 0 failed, 1 skipped',
        '  recorded_at  2026-11-23T05:00:00.000003Z',
        '  admitted     yes',
        '  root         <hash>',
        'checkpoint     localhost/main/unit 4 <root>',
        '',
      ].join('\n'),
    )
  })

  it('says what the routes take, with the token, the part compressed and the files of the commit', async () => {
    await push(...unit)
    const [declared, inventory, part] = service.requests
    const said = declaration.parse(JSON.parse(declared!.body.toString()))
    expect(said).toMatchObject({
      repository: 'github.com/acme/payments',
      test_type: 'unit',
      suite: 'default',
      ref: 'refs/heads/main',
      parents: [],
      committed_at: '2026-11-23T05:00:00.000Z',
    })
    expect(JSON.stringify(said)).not.toMatch(/secret|example\.com/)
    expect(declared!.headers.authorization).toBe('Bearer secret-token')
    expect(inventory!.body.toString()).toBe('{"path":"src/a.js","blob":"814f4a422927b82f5f8a43f8fab6d3839e3983f2"}\n')
    expect(part!.headers['content-encoding']).toBe('zstd')
    expect(part!.body.toString()).toBe(lcov)
  })

  it('prints the same receipt for the same run and bytes, and says that it is recorded', async () => {
    const first = await push(...unit)
    const second = await push(...unit)
    expect(second.code).toBe(0)
    expect(second.stdout.split('\n')[0]).toMatch(/^already recorded: local\./)
    expect(second.stdout.split('\n').slice(1)).toEqual(first.stdout.split('\n').slice(1))
    expect(service.records).toHaveLength(4)
  })

  it('refuses other bytes in the same part of the same run with exit code 1 and the words of the service', async () => {
    await push(...unit, '--run', 'nightly', '--no-seal')
    write(folder, 'coverage/lcov.info', lcov.replace('DA:2,0', 'DA:2,1'))
    const { code, stderr } = await push(...unit, '--run', 'nightly', '--no-seal')
    expect(code).toBe(1)
    expect(stderr).toBe(
      'proofline: part:nightly.default.unit/coverage/lcov.info was recorded before with other content [part_conflict]\n',
    )
  })

  it('says failed of a run in which tests failed, in one line, unless the user says otherwise', async () => {
    const sealOf = (run: string): unknown =>
      JSON.parse(service.requests.find(({ line }) => line === `PUT /v1/runs/${run}.default.unit/seal`)!.body.toString())
    const tests = { total: 3, passed: 2, failed: 1, skipped: 0 }
    const failed = await push(...unit, '--run', 'a', '--tests', '3,2,1,0')
    expect(failed).toMatchObject({
      code: 0,
      stderr:
        'note: 1 of 3 tests failed, so the outcome is failed and the run does not count: where it ended well all the same, say --outcome completed\n',
    })
    expect(sealOf('a')).toEqual({ outcome: 'failed', tests })
    const said = await push(...unit, '--run', 'b', '--tests', '3,2,1,0', '--outcome', 'completed')
    expect({ code: said.code, stderr: said.stderr }).toEqual({ code: 0, stderr: '' })
    expect(sealOf('b')).toEqual({ outcome: 'completed', tests })
    await push(...unit, '--run', 'c', '--tests', '3,2,0,1')
    expect(sealOf('c')).toMatchObject({ outcome: 'completed' })
  })

  it('says how to give the test totals when there are none', async () => {
    const { code, stderr } = await push(...unit)
    expect(code).toBe(0)
    expect(stderr).toContain("with --run NAME and --junit 'path/to/*.xml' or --tests total,passed,failed,skipped")
  })

  it('counts JUnit files into the seal', async () => {
    write(
      folder,
      'out/a.xml',
      '<testsuites><testsuite tests="99"><testcase name="a"/><testcase name="b"><failure>x</failure></testcase></testsuite></testsuites>',
    )
    write(folder, 'out/deep/b.xml', '<testsuite><testcase><skipped/></testcase></testsuite>')
    const { code } = await push(...unit, '--junit', 'out/**/*.xml', '--outcome', 'failed')
    expect(code).toBe(0)
    expect(JSON.parse(service.requests.at(-1)!.body.toString())).toEqual({
      outcome: 'failed',
      tests: { total: 3, passed: 1, failed: 1, skipped: 1 },
    })
  })

  it('sends a gzip file as it is, with its digest, under the name and the run of its content', async () => {
    write(folder, 'coverage/lcov.info.gz', gzipSync(lcov))
    const { code } = await push('coverage/lcov.info.gz', '--test-type', 'unit')
    expect(code).toBe(0)
    const part = service.requests[2]!
    expect(part.headers['content-encoding']).toBe('gzip')
    expect(part.headers['content-digest']).toBe(
      `sha-256=:${Buffer.from(sha256(gzipSync(lcov)), 'hex').toString('base64')}:`,
    )
    expect(part.line).toContain(`-${sha256(lcov).slice(0, 12)}.default.unit/parts`)
  })

  it('names the folder of the checkout only where the report does', async () => {
    write(folder, 'coverage/absolute.info', lcov.replace('src/a.js', join(folder, 'src/a.js')))
    await push('coverage/lcov.info', 'coverage/absolute.info', '--test-type', 'unit', '--no-seal')
    const parts = lines()
      .filter((line) => line.includes('/parts?'))
      .map((line) => new URL(line.slice(4), service.url).searchParams)
    expect(parts.map((query) => [query.get('name'), query.get('root')])).toEqual([
      ['coverage/lcov.info', null],
      ['coverage/absolute.info', folder],
    ])
  })

  it.each(['drop', 'lose', 503, { status: 503, code: 'overloaded', detail: 'too much is waiting' }] as const)(
    'sends the same bytes again after %o, and nothing is recorded twice',
    async (failure) => {
      service.failNext('/parts', failure)
      const { code, stderr } = await push(...unit, '--retry-for', '5')
      expect(code).toBe(0)
      expect(stderr).toMatch(/^waiting \d\.\d s: /)
      expect(service.records).toHaveLength(4)
    },
  )

  it('does not repeat what is refused', async () => {
    service.failNext('/parts', { status: 422, code: 'report_empty', detail: 'the report names no file' })
    const { code, stdout, stderr } = await push(...unit, '--json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'report_empty', status: 422, exit: 1, detail: 'the report names no file' },
    })
    expect(stderr).toBe('proofline: the report names no file [report_empty]\n')
    expect(lines().filter((line) => line.includes('/parts'))).toHaveLength(1)
  })

  it('names the file that is refused of several, and leaves no receipt where there was none', async () => {
    const other = write(folder, 'coverage/other.info', lcov)
    service.failNext('other.info', { status: 422, code: 'report_empty', detail: 'the report names no file' })
    const { code, stdout } = await push(...unit, other, '--json', '--receipt', 'receipt.json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        code: 'report_empty',
        detail: expect.stringMatching(
          /^\S+other\.info \(part .*the report names no file\. The run \S+ stays open/,
        ) as string,
        file: expect.stringMatching(/other\.info$/) as string,
        part: 'coverage/other.info',
        recorded: ['coverage/lcov.info'],
      },
    })
    expect(readdirSync(folder)).not.toContain('receipt.json')
  })

  it('ends with 4 when the time for retries is over, and says that repeating is safe', async () => {
    service.failNext('PUT', 502, 9)
    const { code, stderr } = await push(...unit, '--retry-for', '0')
    expect(code).toBe(4)
    expect(stderr).toMatch(
      /^proofline: http:\S+ answers with status 502 \[unavailable\]\n {2}nothing is lost: repeating this command is safe\n$/,
    )
  })

  it('spools the run where the service is unavailable, and drains it later without the checkout', async () => {
    service.failNext('PUT', 'drop', 1)
    const away = await push(...unit, '--retry-for', '0', '--spool', '../spool')
    expect(away.code).toBe(0)
    expect(away.stdout).toMatch(/^spooled local\.\S+ to /)
    expect(service.records).toHaveLength(0)
    const elsewhere = makeFolder()
    const drained = await runProgram(elsewhere, ['push', '--drain', join(folder, '../spool')], {
      PROOFLINE_URL: service.url,
    })
    expect(drained.code).toBe(0)
    expect(drained.stdout).toMatch(/^recorded: local\./)
    expect(readdirSync(join(folder, '../spool'))).toEqual([])
    const said = declaration.parse(
      JSON.parse(service.requests.find(({ line }) => line.startsWith('PUT /v1/runs/'))!.body.toString()),
    )
    expect(said).toMatchObject({ late: true, occurred_at: expect.stringMatching(/^20/) as string })
    expect(service.requests.find(({ line }) => line.includes('/parts'))!.body.toString()).toBe(lcov)
    expect(service.requests.find(({ line }) => line.includes('/inventory'))!.body.toString()).toContain('src/a.js')
    const again = await push(...unit)
    expect(again.stdout).toMatch(/^already recorded/)
    rmSync(join(elsewhere, '..'), { recursive: true })
  })

  it('spools nothing that the service would refuse', async () => {
    write(folder, 'coverage/lcov.info', 'hello\n')
    service.failNext('PUT', 'drop', 1)
    const { code, stderr } = await push(...unit, '--retry-for', '0', '--spool', '../spool')
    expect(code).toBe(1)
    expect(stderr).toMatch(/lcov\.info: .*It is not spooled: it would be refused later \[report_unrecognized\]/)
    expect(readdirSync(join(folder, '..'))).not.toContain('spool')
  })

  it('says what to do with a spooled run that is refused', async () => {
    service.failNext('PUT', 'drop', 1)
    await push(...unit, '--retry-for', '0', '--spool', '../spool')
    service.failNext('/parts', { status: 422, code: 'report_empty', detail: 'the report names no file' })
    const { code, stderr } = await push('--drain', '../spool')
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /stays: the report names no file \[report_empty\]\n {2}.*push it again, then delete this folder/,
    )
    expect(readdirSync(join(folder, '../spool'))).toHaveLength(1)
  })

  it('drains the others where a folder holds a plan that nobody spooled, which leads to no file outside of it', async () => {
    service.failNext('PUT', 'drop', 1)
    await push(...unit, '--retry-for', '0', '--spool', '../spool')
    const [spooled = ''] = readdirSync(join(folder, '../spool'))
    const plan = readFileSync(join(folder, '../spool', spooled, 'plan.json'), 'utf8')
    const broken = [
      '{"format":"proofline.spool.v1"}',
      '{',
      plan.replace('"part-0"', '"../../payments/coverage/lcov.info"'),
    ]
    for (const [i, text] of broken.entries()) write(folder, `../spool/a${i}/plan.json`, text)
    const { code, stdout, stderr } = await push('--drain', '../spool')
    expect(code).toBe(2)
    expect(stdout).toMatch(/^recorded: local\./)
    expect(stderr.match(/a\d stays: .* holds no run that this version spooled: /g)).toHaveLength(3)
    expect(readdirSync(join(folder, '../spool'))).toEqual(['a0', 'a1', 'a2'])
  })

  it('takes patterns, each file once, and tells files of one name outside the checkout apart', async () => {
    write(folder, 'packages/a/lcov.info', lcov)
    write(folder, 'packages/b/lcov.info', lcov)
    const [x, y] = [write(folder, '../out/x/cov.info', lcov), write(folder, '../out/y/cov.info', lcov)]
    const { code } = await push('packages/*/lcov.info', 'packages/a/lcov.info', x, y, '--test-type', 'unit')
    expect(code).toBe(0)
    const parts = lines().flatMap((line) => /parts\?name=(.*)$/.exec(line)?.[1] ?? [])
    expect(parts.map(decodeURIComponent)).toEqual([
      'packages/a/lcov.info',
      'packages/b/lcov.info',
      'x/cov.info',
      'y/cov.info',
    ])
  })

  it('is one shard of a run that several push to, and says what it waits for', async () => {
    const shard = (name: string, ...more: string[]) =>
      push(...unit, '--run', 'nightly', '--parts', '2', '--shard', name, '--tests', '3,2,1,0', ...more)
    const first = await shard('a')
    expect(first.code).toBe(0)
    expect(first.stdout).toMatch(/^waiting {8}1 of 2 shards are there: a$/m)
    expect(first.stderr).toMatch(/^note: 1 of 3 tests failed, so the outcome is failed/)
    expect(first.stderr.replace(/^note: 1 of 3.*\n/, '')).toBe(
      'note: the run ends with its last shard. Where only failed jobs are run again, end it after them with `proofline seal --parts N`: the others count from the earlier attempt\n',
    )
    const query = new URL(
      lines()
        .find((line) => line.includes('/parts'))!
        .slice(4),
      service.url,
    ).searchParams
    expect(Object.fromEntries(query)).toEqual({
      name: 'coverage/lcov.info#a',
      shard: 'a',
      shard_parts: '1',
      outcome: 'failed',
      tests: '3,2,1,0',
    })
    const second = await shard('b', '--outcome', 'completed')
    expect(lines().find((line) => line.includes('%23b'))).toContain('&outcome=completed&tests=3%2C2%2C1%2C0')
    expect(second.stdout).toMatch(/^seal {11}seq \d+, completed/m)
    const [one, two] = service.requests.filter(({ line }) => line.endsWith('/seal')).map(({ body }) => body.toString())
    expect([one, two]).toEqual(['{"parts":2}', '{"parts":2}'])
    const declared = service.requests.filter(({ line }) => line.endsWith('unit')).map(({ body }) => String(body))
    expect(new Set(declared.map((text) => text.replace(/"(?:traceparent|occurred_at)":"[^"]*"/g, ''))).size).toBe(1)
  })

  it('says how to give the test totals of a shard', async () => {
    const { stderr } = await push(...unit, '--run', 'nightly', '--parts', '2', '--shard', 'a')
    expect(stderr).toContain('this push brought no test totals: without those of every shard the run does not count')
    expect(stderr).toContain('--tests total,passed,failed,skipped, or to `proofline seal`')
  })

  it('finds its place among parallel jobs by itself', async () => {
    const env = { CIRCLECI: 'true', CIRCLE_WORKFLOW_ID: 'wf-1', CIRCLE_JOB: 'unit', CIRCLE_NODE_TOTAL: '2' }
    const leg = (index: string) =>
      runProgram(folder, ['push', ...unit, '--tests', '1,1,0,0'], {
        ...env,
        CIRCLE_NODE_INDEX: index,
        PROOFLINE_URL: service.url,
      })
    expect((await leg('0')).stdout).toContain('1 of 2 shards are there: 1')
    expect((await leg('1')).stdout).toContain('completed')
    expect(lines().filter((line) => line.includes('/parts'))).toEqual([
      'PUT /v1/runs/circleci.wf-1.default.unit/parts?name=coverage%2Flcov.info%231&shard=1&shard_parts=1&job=unit&outcome=completed&tests=1%2C1%2C0%2C0',
      'PUT /v1/runs/circleci.wf-1.default.unit/parts?name=coverage%2Flcov.info%232&shard=2&shard_parts=1&job=unit&outcome=completed&tests=1%2C1%2C0%2C0',
    ])
    expect(JSON.parse(service.requests[0]!.body.toString())).toMatchObject({
      ci: { provider: 'circleci', pipeline: 'wf-1' },
    })
  })

  it('marks an old report as what it is: of a commit that is named, with no word of the job that sends it', async () => {
    const [old] = [git(folder, 'rev-parse', 'HEAD'), commit(folder, 'second')]
    write(folder, '.nycrc', '{}')
    const { code, stderr } = await runProgram(
      folder,
      ['push', ...unit, '--backfill', '--commit', old, '--occurred-at', '2025-01-02T03:04:05Z', '--build', 'old-1'],
      {
        GITHUB_ACTIONS: 'true',
        GITHUB_RUN_ID: '1',
        GITHUB_REPOSITORY: 'acme/payments',
        GITHUB_REPOSITORY_ID: '99',
        GITHUB_REF: 'refs/heads/main',
        GITHUB_SHA: 'b'.repeat(40),
        PROOFLINE_URL: service.url,
      },
    )
    expect({ code, stderr: stderr.replace(/^note: without test totals.*\n/, '') }).toEqual({ code: 0, stderr: '' })
    expect(lines()[0]).toBe(`PUT /v1/runs/backfill.${old.slice(0, 12)}-${sha256(lcov).slice(0, 12)}.default.unit`)
    const said = declaration.parse(JSON.parse(service.requests[0]!.body.toString()))
    expect(said).toMatchObject({
      backfilled: true,
      commit: old,
      build: 'old-1',
      parents: [],
      occurred_at: '2025-01-02T03:04:05Z',
      repository_id: '99',
    })
    for (const name of ['ref', 'ci', 'url', 'configuration', 'head_commit']) expect(said).not.toHaveProperty(name)
    expect(lines()[1]).toMatch(/inventory$/)
  })

  it('sends no inventory of a commit that the checkout does not have, and says so', async () => {
    const { code, stderr } = await push(...unit, '--backfill', '--commit', 'd'.repeat(40))
    expect(code).toBe(0)
    expect(stderr).toContain('note: commit dddddddddddd is not in this checkout: its files are not sent')
    expect(lines().some((line) => line.endsWith('/inventory'))).toBe(false)
  })

  it('records what decides what is measured, in CI by itself, elsewhere what is named', async () => {
    write(folder, '.nycrc', '{}')
    write(folder, 'cov.ini', 'x')
    const options = [...unit, '--configuration', 'cov.ini', '--flags', '--branch', '--flags', '--all src']
    const said = () => declaration.parse(JSON.parse(service.requests.at(-4)?.body.toString() ?? '{}'))
    await push(...options)
    expect(said()).toMatchObject({
      configuration: [{ path: 'cov.ini', sha256: sha256('x') }],
      flags: ['--branch', '--all src'],
    })
    await runProgram(folder, ['push', ...options], { ...circle, PROOFLINE_URL: service.url })
    const inCi = declaration.parse(JSON.parse(service.requests.at(-3)?.body.toString() ?? '{}'))
    expect(inCi.configuration?.map(({ path }) => path)).toEqual(['.nycrc', 'cov.ini'])
  })

  it('records nothing for a pull request from a fork, says so, lets the service count it, and ends with 0', async () => {
    const event = write(
      folder,
      '../event.json',
      JSON.stringify({
        pull_request: {
          number: 1,
          head: { sha: 'a'.repeat(40), repo: { full_name: 'eve/p' } },
          base: { repo: { full_name: 'acme/p' } },
        },
      }),
    )
    const env = {
      GITHUB_ACTIONS: 'true',
      GITHUB_RUN_ID: '7',
      GITHUB_EVENT_NAME: 'pull_request',
      GITHUB_EVENT_PATH: event,
      GITHUB_REPOSITORY: 'acme/p',
      PROOFLINE_TOKEN: '',
    }
    service.failNext('PUT', { status: 401, code: 'unauthenticated', detail: 'send a token' })
    const { code, stdout, stderr } = await runProgram(folder, ['push', ...unit, '--json'], {
      ...env,
      PROOFLINE_URL: service.url,
    })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ run: 'github.7.default.unit', recorded: false, reason: 'fork', counted: true })
    expect(stderr).toContain(
      'note: this is a pull request from a fork: github gives it no token, so github.7.default.unit is recorded nowhere (the service has counted the attempt)\n',
    )
    expect(service.records).toHaveLength(0)
    expect(service.requests.map(({ line, body }) => [line, body.toString()])).toEqual([
      ['PUT /v1/runs/github.7.default.unit', '{}'],
    ])
    const away = await runProgram(folder, ['push', ...unit], { ...env, PROOFLINE_URL: 'http://127.0.0.1:9' })
    expect(away.code).toBe(0)
    expect(away.stderr).toContain('(the service was not reached, so nobody has counted it)')
    const trusted = await runProgram(folder, ['push', ...unit], {
      ...env,
      PROOFLINE_TOKEN: 'x',
      PROOFLINE_URL: service.url,
    })
    expect(trusted.stdout).toMatch(/^recorded: /)
  })

  it('goes on with a warning when told to', async () => {
    service.failNext('PUT', 'drop', 1)
    const { code, stderr } = await push(...unit, '--retry-for', '0', '--on-unavailable', 'warn')
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /^warning: local\.\S+ was not recorded: cannot reach http:\S+: the connection broke \(ECONNRESET\)\n$/,
    )
  })

  it('says what to start when nothing listens on this machine', async () => {
    const { code, stderr } = await runProgram(folder, ['push', ...unit, '--retry-for', '0'], {
      PROOFLINE_URL: 'http://127.0.0.1:9',
    })
    expect(code).toBe(4)
    expect(stderr).toContain('start the service with: npx proofline serve')
  })

  it('uses what GitHub says in a job, and the checkout for the commit', async () => {
    const event = write(
      folder,
      '../event.json',
      JSON.stringify({ pull_request: { number: 12, head: { sha: 'a'.repeat(40) } } }),
    )
    const env = {
      GITHUB_ACTIONS: 'true',
      GITHUB_RUN_ID: '7351001',
      GITHUB_RUN_ATTEMPT: '2',
      GITHUB_JOB: 'test',
      GITHUB_SHA: 'b'.repeat(40),
      GITHUB_REF: 'refs/pull/12/merge',
      GITHUB_EVENT_NAME: 'pull_request',
      GITHUB_EVENT_PATH: event,
      GITHUB_REPOSITORY: 'acme/payments',
      GITHUB_REPOSITORY_ID: '99',
      GITHUB_ACTOR_ID: '1',
      GITHUB_ACTOR: 'someone',
    }
    const { code, stderr } = await runProgram(folder, ['push', ...unit, '--suite', 'api', '--tests', '1,1,0,0'], {
      ...env,
      PROOFLINE_URL: service.url,
    })
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /^note: github builds bbbbbbbbbbbb, but [0-9a-f]{12} is checked out and is what is recorded\n$/,
    )
    expect(lines()[0]).toBe('PUT /v1/runs/github.7351001~2.api.unit')
    const said = declaration.parse(JSON.parse(service.requests[0]!.body.toString()))
    expect(said).toMatchObject({
      head_commit: 'a'.repeat(40),
      ref: 'refs/pull/12/merge',
      change: '12',
      repository_id: '99',
      build: 'github.7351001',
      ci: { provider: 'github', pipeline: '7351001', attempt: '2', job: 'test', actor_id: '1' },
    })
    expect(JSON.stringify(said)).not.toContain('someone')
  })

  it.each<[string[], Partial<PushOptions>, RegExp]>([
    [['nothing.info'], {}, /nothing\.info is no file in/],
    [['coverage/*.xml'], {}, /coverage\/\*\.xml matches no file/],
    [['coverage'], {}, /coverage is no file/],
    [report, { tests: '1,2,3,4' }, /are not 1/],
    [report, { junit: ['no/*.xml'] }, /matches no file/],
    [report, { commit: 'abc' }, /40 or 64 hex digits/],
    [report, { backfill: true }, /--backfill needs --commit/],
    [report, { occurredAt: '2026-01-01T00:00:00Z' }, /--occurred-at goes with --backfill/],
    [report, { parts: 3 }, /no CI system is recognized here: name the run/],
    [report, { shard: 'a' }, /say with --parts how many/],
    [report, { parts: 3, seal: false }, /--no-seal to end it yourself/],
    [report, { configuration: ['no.ini'] }, /--configuration no\.ini is no file/],
  ])('is not planned, and said why: %j %j', async (files, options, said) => {
    const place = { cwd: folder, env: {}, event: undefined, version: '0', now: () => new Date() }
    const asked = { testType: 'unit', suite: 'default', seal: true, fetch: true, ...options } as const
    await expect(planRun(files, asked, place)).rejects.toMatchObject({
      code: 'request_invalid',
      message: expect.stringMatching(said) as string,
    })
  })

  it.each([
    [[...unit, '--tests', '1,2,3,4'], /are not 1/],
    [['coverage/lcov.info'], /say --test-type unit or --test-type integration/],
    [[...unit, '--parts', '0'], /a whole number from 1/],
    [[...unit, '--on-unavailable', 'spool'], /needs --spool DIR/],
    [[...unit, '--format', 'bad'], /no format is called "bad"; known: lcov, .*stryker \[request_invalid\]/],
    [
      [...unit, '--receipt', 'no/such/folder/receipt.json'],
      /--receipt no\/such\/\S+ cannot be written, nothing was sent/,
    ],
    [[...unit, '--receipt', '.'], /--receipt \. cannot be written/],
    [['--drain', '../spool', 'coverage/lcov.info'], /--drain sends what was spooled/],
    [[], /name the coverage reports/],
    [[...unit, '--outcome', 'green'], /Allowed choices/],
  ])('is a usage error: %j', async (args, said) => {
    const { code, stderr, stdout } = await push(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(said)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(service.requests).toEqual([])
  })

  it('names a checkout without commits and a folder without git by what is missing', async () => {
    const bare = makeFolder()
    write(bare, 'lcov.info', lcov)
    const none = await runProgram(bare, ['push', 'lcov.info', '--test-type', 'unit'], { PROOFLINE_URL: service.url })
    expect(none.stderr).toContain('no commit is known here')
    const named = [
      'push',
      'lcov.info',
      '--test-type',
      'unit',
      '--commit',
      'c'.repeat(40),
      '--repository',
      'example.org/r',
    ]
    const given = await runProgram(bare, named, { PROOFLINE_URL: service.url })
    expect(given.code).toBe(0)
    expect(given.stderr).toContain('no git checkout here')
    rmSync(join(bare, '..'), { recursive: true })
  })

  it('finds url and token that a service left on this machine, and gives the token to no other address', async () => {
    const token = write(folder, '../token', 'from-file\n')
    write(folder, '../home/.local/state/proofline/local.json', JSON.stringify({ url: service.url, token_file: token }))
    expect((await runProgram(folder, ['push', ...unit])).code).toBe(0)
    expect(service.requests[0]!.headers.authorization).toBe('Bearer from-file')
    await runProgram(folder, ['push', ...unit], { PROOFLINE_URL: service.url.replace('127.0.0.1', 'localhost') })
    expect(service.requests.at(-1)!.headers.authorization).toBeUndefined()
  })

  it('writes a receipt file with the records and their proofs', async () => {
    const { code } = await push(...unit, '--receipt', '../receipt.json')
    expect(code).toBe(0)
    const document: unknown = JSON.parse(readFileSync(join(folder, '../receipt.json'), 'utf8'))
    expect(document).toMatchObject({ schema: 'proofline.receipts.v1', repeated: false, evidence: [{}, {}] })
  })

  it('leaves proofs out, and says so, where the token may not read', async () => {
    service.failNext('/v1/records', { status: 403, code: 'forbidden', detail: 'push only' }, 4)
    const { code, stdout, stderr } = await push(...unit, '--json')
    expect(code).toBe(0)
    expect(stderr).toContain('the receipt holds no proofs: push only')
    expect(JSON.parse(stdout)).toMatchObject({ evidence: [] })
  })

  it('calls routes that exist', () => {
    for (const [name, [method, path]] of Object.entries(calls)) {
      expect(runRoutes.find((route) => route.name === name)).toMatchObject({ method, path })
    }
  })
})

describe('proofline push --dry-run', { timeout: 90_000 }, () => {
  it('prints one object a file, without a service', async () => {
    write(folder, 'a.info.gz', gzipSync(lcov))
    write(folder, 'b.txt', 'hello')
    write(folder, 'c.gz', gzipSync(lcov.repeat(500)).subarray(0, 40))
    const { code, stdout } = await runProgram(folder, ['push', '--dry-run', '--json', 'a.info.gz', 'b.txt', 'c.gz'])
    expect(code).toBe(1)
    const [a, b, c] = stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    expect(a).toEqual({
      file: 'a.info.gz',
      verdict: 'accept',
      reason: null,
      format: 'lcov',
      definition: 'lcov.da@1',
      files: 1,
      lines: { found: 2, covered: 1, partial: 0, missed: 1 },
      branches: { found: 0, covered: 0 },
    })
    expect(b).toMatchObject({ file: 'b.txt', verdict: 'refuse', format: null })
    expect(c).toMatchObject({ verdict: 'refuse', reason: expect.stringMatching(/^encoding_invalid: gzip: /) as string })
  })
})

describe('proofline seal', { timeout: 90_000 }, () => {
  it('ends with 3 while shards are missing, and names what is there', async () => {
    await push(...unit, '--run', 'nightly', '--no-seal', '--shard', 'a')
    const { code, stdout, stderr } = await runProgram(
      folder,
      ['seal', '--run', 'nightly', '--test-type', 'unit', '--parts', '2'],
      { PROOFLINE_URL: service.url },
    )
    expect({ code, stdout }).toEqual({
      code: 3,
      stdout: 'not sealed: nightly.default.unit: 1 of 2 shards are there\n',
    })
    expect(stderr).toMatch(/^ {2}there: a\n {2}push the missing ones, or end the run with what is there/)
  })

  it('names the earlier attempts that CI knows of', async () => {
    const env = { GITHUB_ACTIONS: 'true', GITHUB_RUN_ID: '7', GITHUB_RUN_ATTEMPT: '3', GITHUB_REPOSITORY: 'a/p' }
    const args = ['--test-type', 'unit', '--parts', '2']
    const sealing = () => runProgram(folder, ['seal', ...args], { ...env, PROOFLINE_URL: service.url })
    expect((await sealing()).code).toBe(3)
    const bodies = service.requests.filter(({ line }) => line === 'PUT /v1/runs/github.7~3.default.unit/seal')
    expect(bodies.map(({ body }): unknown => JSON.parse(body.toString()))).toEqual([
      { parts: 2, earlier: ['github.7~2.default.unit', 'github.7.default.unit'], earlier_found: true },
    ])
  })

  it('takes earlier attempts by name, and by id as it is', async () => {
    await push(...unit, '--run', 's2', '--no-seal')
    const earlier = ['s1', 's1.default.unit', 'other~2.api.unit'].flatMap((name) => ['--earlier', name])
    const args = ['seal', '--run', 's2', '--test-type', 'unit', ...earlier]
    expect((await runProgram(folder, args, { PROOFLINE_URL: service.url })).code).toBe(0)
    expect(JSON.parse(service.requests.at(-1)!.body.toString())).toEqual({
      earlier: ['s1.default.unit', 's1.default.unit', 'other~2.api.unit'],
    })
  })

  it('says failed of totals with a failure that it is given', async () => {
    await push(...unit, '--run', 's2', '--no-seal')
    const args = ['seal', '--run', 's2', '--test-type', 'unit', '--tests', '2,1,1,0']
    const sealing = (...more: string[]) => runProgram(folder, [...args, ...more], { PROOFLINE_URL: service.url })
    expect((await sealing()).stderr).toMatch(/^note: 1 of 2 tests failed, so the outcome is failed.*\n$/)
    // What the shards say may be worse: the service decides.
    expect(JSON.parse(service.requests.at(-1)!.body.toString())).not.toHaveProperty('outcome')
    expect((await sealing('--outcome', 'completed')).stderr).not.toContain('tests failed')
    expect(JSON.parse(service.requests.at(-1)!.body.toString())).toMatchObject({ outcome: 'completed' })
  })

  it('is a usage error outside CI without a name', async () => {
    const { code, stderr } = await runProgram(folder, ['seal', '--test-type', 'unit'], { PROOFLINE_URL: service.url })
    expect(code).toBe(2)
    expect(stderr).toContain('say with --run which run ends')
  })

  it('ends a run that was left open, once', async () => {
    await push(...unit, '--run', 'nightly', '--no-seal')
    expect(lines().some((line) => line.endsWith('/seal'))).toBe(false)
    const args = ['seal', '--run', 'nightly', '--test-type', 'unit', '--tests', '1,1,0,0']
    const first = await runProgram(folder, args, { PROOFLINE_URL: service.url })
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^sealed: nightly\.default\.unit in main\/unit\nseq 3 at /) as string,
    })
    const again = await runProgram(folder, args, { PROOFLINE_URL: service.url })
    expect(again.stdout).toMatch(/^already sealed/)
  })
})

describe('line maps', () => {
  const twoCommits = (): { from: string; to: string } => {
    const from = git(folder, 'rev-parse', 'HEAD')
    write(folder, 'src/a.js', 'one\nmore\ntwo\n')
    return { from, to: commit(folder, 'second') }
  }

  it('are sent after the inventory for the commits that the service names, and told in one line', async () => {
    const { from, to } = twoCommits()
    service.missingMaps.push({ from, to })
    const { code, stderr } = await push(...unit, '--tests', '1,1,0,0')
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `line maps: 1 file from ${from.slice(0, 12)} to ${to.slice(0, 12)}\n`,
    })
    expect(lines()[1]).toMatch(/inventory$/)
    expect(lines()[2]).toContain(`/line-maps?from=${from}&to=${to}&definition=git.patience%401`)
    const blobs = ['814f4a422927b82f5f8a43f8fab6d3839e3983f2', git(folder, 'rev-parse', 'HEAD:src/a.js')]
    expect(service.requests[2]?.body.toString()).toBe(
      `{"from":{"path":"src/a.js","blob":"${blobs[0]}"},"to":{"path":"src/a.js","blob":"${blobs[1]}"},"hunks":"-1,0+2,1"}\n`,
    )
  })

  it('are tried again when the answer is lost, and stand in the JSON receipt', async () => {
    const { from, to } = twoCommits()
    service.missingMaps.push({ from, to })
    service.failNext('line-maps', 'lose')
    const { code, stdout } = await push(...unit, '--json', '--tests', '1,1,0,0')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ line_maps: [{ from, to, mapped: 1, seq: expect.any(Number) }] })
    expect(lines().filter((line) => line.includes('line-maps'))).toHaveLength(2)
  })

  it('do not stop a push that git or the service gives none: it says why, pair by pair', async () => {
    const { from, to } = twoCommits()
    service.missingMaps.push({ from: 'f'.repeat(40), to }, { from, to })
    service.failNext('line-maps', { status: 409, code: 'inventory_missing', detail: 'send it first' })
    const { code, stderr, stdout } = await push(...unit, '--tests', '1,1,0,0')
    expect(code).toBe(0)
    expect(stderr).toMatch(/^line maps: none from ffffffffffff to \w+: .*; the run is recorded all the same$/m)
    expect(stderr).toContain(
      `line maps: none from ${from.slice(0, 12)} to ${to.slice(0, 12)}: send it first [inventory_missing]`,
    )
    expect(stdout).toMatch(/^recorded: /)
  })

  it('are not asked of git where there is no checkout', async () => {
    const { from, to } = twoCommits()
    service.missingMaps.push({ from, to })
    rmSync(join(folder, '.git'), { recursive: true })
    const { code, stderr } = await push(...unit, '--commit', to, '--repository', 'r', '--tests', '1,1,0,0')
    expect(code).toBe(0)
    expect(stderr).not.toContain('line maps')
    expect(lines().some((line) => line.includes('line-maps'))).toBe(false)
  })

  it('are the only thing of the source that leaves the machine; a report that embeds it is named', async () => {
    const report = { 'src/a.js': { path: 'src/a.js', inputSourceMap: { sourcesContent: ['one'] } } }
    write(folder, 'coverage/final.json', JSON.stringify(report))
    const { stderr } = await push('coverage/final.json', '--test-type', 'unit', '--tests', '1,1,0,0')
    expect(stderr).toContain(
      'coverage/final.json holds source text (the source maps of an Istanbul report), and is kept as it is',
    )
    expect((await push(...unit, '--tests', '1,1,0,0')).stderr).not.toContain('source text')
  })
})
