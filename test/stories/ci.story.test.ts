import { execFile } from 'node:child_process'
import { chmodSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { git, makeCheckout, write } from '../commands/run-program.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type Finished,
  type RunningService,
  anLcov,
  ask,
  cleanEnvironment,
  cli,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** What happens to a job besides a service that answers: none, old reports, forks; and the files of deploy/ci as a job runs them. */

let test: TestDatabase
let service: RunningService
let data: Awaited<ReturnType<typeof temporaryFolder>>
let folder: string
const start = async (port = 0): Promise<RunningService> =>
  startServe({ dataDir: data.path, databaseUrl: test.url, args: ['--port', String(port)] })
beforeAll(async () => {
  test = await createTestDatabase()
  data = await temporaryFolder('ci')
  service = await start()
  folder = makeCheckout()
  // The program as a job has it: by its name.
  chmodSync(write(folder, '../bin/proofline', `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`), 0o755)
  write(folder, 'reports/a.xml', '<testsuite><testcase name="a"/><testcase name="b"/></testsuite>')
  for (const name of ['a', 'b']) write(folder, `packages/${name}/coverage/lcov.info`, anLcov(name.charCodeAt(0)))
})
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await data.remove()
  rmSync(join(folder, '..'), { recursive: true })
  await test.drop()
})

const environment = (more: Record<string, string>): Record<string, string> =>
  cleanEnvironment(data.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token, ...more })
const proofline = (args: string[], more: Record<string, string> = {}): Promise<Finished> =>
  runCli(args, { cwd: folder, env: environment(more) })
const recordOf = async (run: string, kind: string): Promise<Record<string, unknown> | undefined> =>
  (await readLedger(service, 'unit', kind)).find((record) => record['run'] === run)
const circle = { CIRCLECI: 'true', CIRCLE_JOB: 'unit', CIRCLE_BRANCH: 'main' }

describe('a job while the service is away', () => {
  it('keeps the run, and it is recorded later with the time at which it happened, flagged late', async () => {
    service.signal('SIGTERM')
    await service.ended
    const env = { ...circle, CIRCLE_WORKFLOW_ID: 'spooled' }
    const args = ['push', 'packages/*/coverage/lcov.info', '--test-type', 'unit', '--junit', 'reports/*.xml']
    const failed = await proofline([...args, '--retry-for', '0'], env)
    expect({ code: failed.code, stdout: failed.stdout }).toEqual({ code: 4, stdout: '' })
    expect(failed.stderr).toContain('Repeating this command is safe')
    const spooled = await proofline([...args, '--retry-for', '0', '--spool', '../spool'], env)
    expect(spooled.code).toBe(0)
    expect(spooled.stdout).toMatch(/^spooled circleci\.spooled\.default\.unit to \.\.\/spool\//)
    expect(spooled.stderr).toContain('send it later with: proofline push --drain ../spool')
    const still = await proofline(['push', '--drain', '../spool', '--retry-for', '0'])
    expect(still.code).toBe(4)
    const before = Date.now()

    service = await start(Number(new URL(service.url).port))
    const drained = await proofline(['push', '--drain', '../spool'])
    expect(drained.code).toBe(0)
    expect(drained.stdout).toMatch(/^recorded: circleci\.spooled\.default\.unit in main\/unit/)
    const run = await recordOf('circleci.spooled.default.unit', 'run')
    expect(run).toMatchObject({ late: true, ci: { provider: 'circleci', job: 'unit' } })
    expect(Date.parse(String(run?.['occurred_at']))).toBeLessThanOrEqual(before)
    expect(Date.parse(String(run?.['recorded_at']))).toBeGreaterThanOrEqual(before)
    expect(await recordOf('circleci.spooled.default.unit', 'seal')).toMatchObject({ parts: 2, tests: { total: 2 } })
    // The job that comes back to it is told that it is recorded: late is no other content.
    const again = await proofline(args, env)
    expect(again.stdout.split('\n')[0]).toBe('already recorded: circleci.spooled.default.unit in main/unit')
    expect((await proofline(['push', '--drain', '../spool'])).stderr).toBe('nothing is spooled in ../spool\n')
  })
})

describe('a machine that may die at any moment', () => {
  it('sends all of the run in one request, which says as much as several', async () => {
    write(folder, '.nycrc', '{}')
    const env = { ...circle, CIRCLE_WORKFLOW_ID: 'atomic' }
    const args = ['push', 'packages/a/coverage/lcov.info', '--test-type', 'unit', '--tests', '1,1,0,0', '--flags=--all']
    const pushed = await proofline([...args, '--atomic'], env)
    expect({ code: pushed.code, stderr: pushed.stderr }).toEqual({ code: 0, stderr: '' })
    expect(pushed.stdout).toMatch(/^ {2}admitted +yes$/m)
    expect(await recordOf('circleci.atomic.default.unit', 'run')).toMatchObject({
      ci: { provider: 'circleci', job: 'unit' },
      parents: [],
      configuration: { files: [{ path: '.nycrc' }], flags: ['--all'] },
      client: { name: 'proofline' },
    })
    // The same in several requests is the same run.
    const again = await proofline(args, env)
    expect(again.stdout.split('\n')[0]).toBe('already recorded: circleci.atomic.default.unit in main/unit')
    const two = await proofline([...args, 'packages/b/coverage/lcov.info', '--atomic'], env)
    expect(two).toMatchObject({ code: 2, stderr: expect.stringContaining('--atomic takes one report') as string })
    const broken = await ask(
      service,
      '/v1/push?run=a.b.unit&name=x&repository=r&test_type=unit&suite=b&commit=c&more=%7B',
      {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: 'x',
      },
    )
    expect(broken).toMatchObject({ status: 400, body: { code: 'request_invalid' } })
    expect(broken.text).toContain('query.more: JSON is needed')
    rmSync(join(folder, '.nycrc'))
  })
})

describe('an old report', () => {
  it('is on record as backfilled, with the files of its commit', async () => {
    const old = git(folder, 'rev-parse', 'HEAD')
    const what = [
      'packages/a/coverage/lcov.info',
      '--test-type',
      'unit',
      '--tests',
      '1,1,0,0',
      '--ref',
      'refs/heads/main',
    ]
    const when = ['--backfill', '--commit', old, '--occurred-at', '2025-01-02T03:04:05Z']
    const pushed = await proofline(['push', ...what, ...when, '--json'])
    expect(pushed.code).toBe(0)
    const { run } = JSON.parse(pushed.stdout) as { run: string }
    expect(run).toMatch(/^backfill\.[0-9a-f]{12}-[0-9a-f]{12}\.default\.unit$/)
    expect(await recordOf(run, 'run')).toMatchObject({
      backfilled: true,
      commit: old,
      ref: 'refs/heads/main',
      occurred_at: '2025-01-02T03:04:05Z',
    })
    expect(await recordOf(run, 'seal')).toMatchObject({ admitted: false, reasons: ['backfilled'] })
  })
})

describe('a pull request from a fork', () => {
  it('is counted by the service, and recorded nowhere', async () => {
    const counted = async (): Promise<number> => {
      const text = await (
        await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${service.token}` } })
      ).text()
      const line =
        /^proofline_http_request_seconds_count\{[^}]*route="\/v1\/runs\/\{run\}"[^}]*status="401"[^}]*\} (\d+)/m
      return Number(line.exec(text.replaceAll(':run', '{run}'))?.[1] ?? 0)
    }
    const before = { records: (await readLedger(service, 'unit')).length, counted: await counted() }
    const env = { ...circle, CIRCLE_WORKFLOW_ID: 'fork', CIRCLE_PR_USERNAME: 'eve', CIRCLE_PR_NUMBER: '5' }
    const pushed = await runCli(['push', 'packages/a/coverage/lcov.info', '--test-type', 'unit'], {
      cwd: folder,
      env: { ...environment(env), PROOFLINE_TOKEN: '', XDG_STATE_HOME: join(folder, '../nowhere') },
    })
    expect(pushed.code).toBe(0)
    expect(pushed.stderr).toContain('(the service has counted the attempt)')
    expect((await readLedger(service, 'unit')).length).toBe(before.records)
    expect(await counted()).toBe(before.counted + 1)
    const sealed = await runCli(['seal', '--test-type', 'unit', '--parts', '2'], {
      cwd: folder,
      env: { ...environment(env), PROOFLINE_TOKEN: '', XDG_STATE_HOME: join(folder, '../nowhere') },
    })
    expect(sealed).toMatchObject({
      code: 0,
      stderr:
        'note: this is a pull request from a fork: circleci gives it no token, so circleci.fork.default.unit is recorded nowhere (the service has counted the attempt)\n',
    })
    expect((await readLedger(service, 'unit')).length).toBe(before.records)
    expect(await counted()).toBe(before.counted + 2)
  })
})

const deploy = (name: string): string => fileURLToPath(new URL(`../../deploy/ci/${name}`, import.meta.url))
const bash = (script: string, env: Record<string, string>): Promise<Finished> =>
  new Promise((resolve) => {
    const path = `${join(folder, '../bin')}:${process.env['PATH'] ?? ''}`
    execFile(
      'bash',
      ['-eo', 'pipefail', '-c', script],
      { cwd: folder, env: { ...environment(env), PATH: path } },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
      },
    )
  })

interface Step {
  shell?: string
  run: string
  env?: Record<string, string>
}
interface Action {
  inputs: Record<string, { description?: string; default?: string; required?: boolean }>
  runs: { using: string; steps: Step[] }
}

describe('deploy/ci/action.yml', () => {
  const action = parse(readFileSync(deploy('action.yml'), 'utf8')) as Action
  const step = action.runs.steps.at(-1)!
  /** The step's environment as the runner makes it, with these inputs. */
  const withInputs = (given: Record<string, string>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(step.env ?? {}).map(([name, value]) => {
        const input = /^\$\{\{ inputs\.([\w-]+) \}\}$/.exec(value)?.[1] ?? ''
        const fallback = action.inputs[input]?.default ?? ''
        return [name, given[input] ?? (fallback.startsWith('${{') ? '' : fallback)]
      }),
    )
  const github = {
    GITHUB_ACTIONS: 'true',
    GITHUB_RUN_ID: '900',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_JOB: 'test',
    GITHUB_REPOSITORY: 'acme/payments',
    GITHUB_REF: 'refs/heads/main',
    GITHUB_ACTION_PATH: deploy('.'),
  }
  const run = (given: Record<string, string>): Promise<Finished> =>
    bash(step.run, { ...github, ...withInputs({ url: service.url, token: service.token, ...given }) })

  it('is a composite action in which every input says what it is and is used', () => {
    expect(action.runs.using).toBe('composite')
    for (const { shell } of action.runs.steps) expect(shell).toBe('bash')
    const used = JSON.stringify(action.runs)
    for (const [name, { description, default: fallback, required }] of Object.entries(action.inputs)) {
      expect(used, name).toContain(`inputs.${name}`)
      expect(description, name).toBeTruthy()
      expect(fallback !== undefined || required === true, name).toBe(true)
    }
    // No expression stands in a script: what a stranger may name must not be run.
    for (const { run: script } of action.runs.steps) expect(script).not.toContain('${{')
  })

  it('pushes and seals as a job would', async () => {
    const shard = (name: string) =>
      run({
        files: `packages/${name}/coverage/*.info\n`,
        'test-type': 'unit',
        suite: 'action',
        junit: 'reports/*.xml\n',
        parts: '2',
        shard: name,
        flags: '--coverage',
        environment: "it's; exit 1 #",
      })
    const first = await shard('a')
    expect({ code: first.code, stderr: first.stderr.replace(/^note: the run ends.*\n/, '') }).toEqual({
      code: 0,
      stderr: '',
    })
    expect(first.stdout).toContain('1 of 2 shards are there: a')
    expect((await shard('b')).stdout).toMatch(/^ {2}admitted +yes$/m)
    const sealed = await run({ command: 'seal', 'test-type': 'unit', suite: 'action', parts: '2' })
    expect(sealed.stdout).toMatch(/^already sealed: github\.900\.action\.unit/)
    expect(await recordOf('github.900.action.unit', 'run')).toMatchObject({
      environment: "it's; exit 1 #",
      configuration: { flags: ['--coverage'] },
    })
    expect((await run({ command: 'destroy', 'test-type': 'unit' })).code).toBe(2)
  })

  it('asks the gate and records what was deployed', async () => {
    const gate = await run({ command: 'gate', wait: '1s' })
    expect(gate).toMatchObject({ code: 3, stdout: expect.stringMatching(/^incomplete: github\.com\/acme\/payments github\.900 at .* \(no_contract\)/) as string }) // oxfmt-ignore
    const deployed = await run({ command: 'deployed', environment: 'production', artifact: `sha256:${'a'.repeat(64)}` })
    expect(deployed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^recorded: github\.900\.production: github\.900 \(.*\) to production, gate incomplete/) as string }) // oxfmt-ignore
    const again = await run({ command: 'deployed', environment: 'production', artifact: 'a'.repeat(64) })
    expect(again.stdout).toMatch(/^already recorded/)
  })
})

describe('deploy/ci/gitlab.yml', () => {
  const template = parse(readFileSync(deploy('gitlab.yml'), 'utf8')) as Record<
    string,
    { variables: Record<string, string>; script?: string[]; after_script?: string[] }
  >
  const gitlab = {
    GITLAB_CI: 'true',
    CI_PIPELINE_ID: '501',
    CI_JOB_NAME: 'unit 1/2',
    CI_NODE_TOTAL: '2',
    CI_JOB_STAGE: 'test',
    CI_PROJECT_URL: 'https://gitlab.example/acme/payments',
    CI_PROJECT_ID: '12',
    CI_COMMIT_BRANCH: 'main',
  }
  const run = (
    job: '.proofline-push' | '.proofline-seal' | '.proofline-gate' | '.proofline-deployed',
    more: Record<string, string>,
  ): Promise<Finished> => {
    const { variables, script = [], after_script = [] } = template[job]!
    return bash([...script, ...after_script].join('\n'), { ...gitlab, ...variables, ...more })
  }
  const shard = (index: '1' | '2', status: string) =>
    run('.proofline-push', {
      CI_NODE_INDEX: index,
      CI_JOB_ID: `900${index}`,
      CI_JOB_STATUS: status,
      PROOFLINE_PUSH_FILES: `packages/${index === '1' ? 'a' : 'b'}/coverage/*.info`,
      PROOFLINE_PUSH_JUNIT: 'reports/*.xml',
    })

  it('pushes after the script, waits for a shard that failed, and takes its retry', async () => {
    expect((await shard('1', 'success')).stdout).toContain('1 of 2 shards are there: 1')
    const failed = await shard('2', 'failed')
    expect(failed).toMatchObject({ code: 0, stdout: expect.stringContaining('may be retried') as string })
    const sealing = await run('.proofline-seal', { PROOFLINE_SEAL_PARTS: '2', CI_NODE_TOTAL: '1' })
    expect(sealing.code).toBe(3)
    expect((await shard('2', 'success')).stdout).toMatch(/^ {2}admitted +yes$/m)
    const sealed = await run('.proofline-seal', { PROOFLINE_SEAL_PARTS: '2', CI_NODE_TOTAL: '1' })
    expect(sealed.stdout).toMatch(/^already sealed: gitlab\.501\.default\.unit/)
    expect(await recordOf('gitlab.501.default.unit', 'run')).toMatchObject({
      repository: 'gitlab.example/acme/payments',
      repository_id: '12',
      stage: 'test',
      ref: 'refs/heads/main',
    })
  })

  it('gates what is to be deployed, and records a deployment that went well', async () => {
    expect((await run('.proofline-gate', { PROOFLINE_GATE_WAIT: '1s' })).code).toBe(3)
    const deploy = (status: string) =>
      run('.proofline-deployed', { CI_JOB_STATUS: status, CI_ENVIRONMENT_NAME: 'staging' })
    expect((await deploy('failed')).stdout).toBe('')
    expect((await deploy('success')).stdout).toMatch(/^recorded: gitlab\.501\.staging: .* to staging, gate incomplete/)
  })
})
