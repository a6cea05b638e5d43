import { inject, afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commit, git, makeCheckout, write } from '../commands/run-program.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type Answered, type Finished, type RunningService, ask, cleanEnvironment, readLedger, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/** A commit goes on, or does not, as its people see it: the real program, a real checkout, a real service. */

const repository = 'github.com/acme/payments'
let database: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let service: RunningService
let checkout: string
let first: string
beforeAll(async () => {
  expect(inject('postgres').url).toMatch(/^postgres/)
  database = await createTestDatabase()
  folder = await temporaryFolder('gate')
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url, env: { PROOFLINE_WATCH_ALERTS_EVERY_MS: '1000' } }) // oxfmt-ignore
  checkout = makeCheckout()
  git(checkout, 'rm', '-q', '--cached', 'coverage/lcov.info', '--ignore-unmatch')
  write(checkout, '.gitignore', 'coverage\n')
  write(checkout, 'src/a.js', lines('a', 10))
  write(checkout, 'src/b.js', lines('b', 10))
  first = commit(checkout, 'ten lines each')
})
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await database.drop()
  await folder.remove()
})

const lines = (name: string, count: number): string => Array.from({ length: count }, (_, i) => `${name}${i + 1}\n`).join('') // oxfmt-ignore
const proofline = (...args: string[]): Promise<Finished> =>
  runCli(args, { cwd: checkout, env: cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token }) }) // oxfmt-ignore
const post = (path: string, body: object): Promise<Answered> =>
  ask(service, path, { method: 'POST', body: { ...body } })

/** Executed lines of each file, of ten. */
async function push(name: string, testType: 'unit' | 'integration', suite: string, executed: Record<string, number>): Promise<void> {
  const files = Object.entries(executed).map(([path, count]) =>
    `SF:${path}\n${Array.from({ length: 10 }, (_, i) => `DA:${i + 1},${i < count ? 1 : 0}\n`).join('')}end_of_record\n`)
  write(checkout, 'coverage/lcov.info', `TN:\n${files.join('')}`)
  const pushed = await proofline('push', 'coverage/lcov.info', '--test-type', testType, '--suite', suite, '--tests', '3,3,0,0', '--run', name, '--ref', 'refs/heads/main')
  expect(pushed).toMatchObject({ code: 0 })
} // oxfmt-ignore

async function register(version: number, thresholds: string): Promise<void> {
  const text = `version: 1\nmode: enforce\nrefs: [refs/heads/main]\nproduction: { include: ['src/**'] }\nsuites:\n  - { name: api, test_type: unit }\n  - { name: e2e, test_type: integration, owner: team-pay }\nthresholds: ${thresholds}\n`
  const answer = await ask(service, '/v1/contracts', { method: 'PUT', body: { repository, text, parent: version - 1 } })
  expect(answer).toMatchObject({ status: 201 })
}

describe('a gate', () => {
  it('is incomplete without a contract, and says so', async () => {
    await push('one', 'unit', 'api', { 'src/a.js': 8, 'src/b.js': 8 })
    const answer = await proofline('gate')
    expect(answer).toMatchObject({ code: 3, stdout: expect.stringContaining(`incomplete: ${repository} at ${first.slice(0, 12)} (no_contract)`) }) // oxfmt-ignore
  })

  it('names the suite that is missing, waits for it, and passes when it is sealed', async () => {
    await register(1, '{ unit: { lines: 80 }, integration: { lines: 10 } }')
    const missing = await proofline('gate', '--json')
    expect(missing.code).toBe(3)
    expect(JSON.parse(missing.stdout)).toMatchObject({
      verdict: 'incomplete',
      reasons: ['suite_missing'],
      missing: [{ test_type: 'integration', suite: 'e2e', owner: 'team-pay', reason: 'no_run' }],
      counted: 1,
    })
    const waiting = proofline('gate', '--wait', '2m', '--json')
    await push('two', 'integration', 'e2e', { 'src/a.js': 1, 'src/b.js': 1 })
    const { code, stdout } = await waiting
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'pass',
      enforced: true,
      contract_version: 1,
      checks: [
        { limit: 'lines', test_type: 'unit', wanted: 80, executed: 16, found: 20, met: true },
        { limit: 'lines', test_type: 'integration', wanted: 10, executed: 2, found: 20, met: true },
      ],
    })
  })

  it('stands while nothing it rests on has changed, is one record for all who ask at once, and names the report it was decided by', async () => {
    const before = (await readLedger(service, 'changes', 'gate')).length
    const again = await Promise.all(Array.from({ length: 6 }, () => post('/v1/gates', { repository, commit: first })))
    expect(new Set(again.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(again[0]?.status).toBe(200)
    await register(2, '{ unit: { lines: 80.1 } }')
    const anew = await Promise.all(Array.from({ length: 6 }, () => post('/v1/gates', { repository, commit: first })))
    expect(anew.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 200, 200, 201])
    expect(new Set(anew.map(({ text }) => text)).size).toBe(1)
    expect(anew[0]?.body).toMatchObject({
      verdict: 'fail',
      reasons: ['below_threshold'],
      previous: again[0]?.body['id'],
    })
    expect((await readLedger(service, 'changes', 'gate')).length).toBe(before + 1)
    const report = await ask(service, `/v1/artifacts/${String(anew[0]?.body['report'])}`)
    expect(report.body).toMatchObject({ as_of: anew[0]?.body['as_of'], complete: true, figures: [{ unit: { executed: 16, found: 20 } }] }) // oxfmt-ignore
    expect((await ask(service, `/v1/reports/${String(anew[0]?.body['report'])}`)).text).toBe(report.text)
  })

  it('is about what report and difference say, which take a commit as git takes it here', async () => {
    const report = await proofline('report', 'HEAD~0')
    expect(report).toMatchObject({ code: 0, stdout: expect.stringContaining(`${repository}, commit ${first}`) })
    expect(report.stdout).toContain('16 of 20 lines')
    expect(await proofline('difference', 'HEAD', first)).toMatchObject({ code: 0 })
    expect(await proofline('report', 'no-such-branch')).toMatchObject({ code: 2, stderr: expect.stringContaining('no-such-branch is no commit of this checkout') }) // oxfmt-ignore
  })

  it('that failed is overridden beside the decision; one that passed is not', async () => {
    const failed = JSON.parse((await proofline('gate', '--json')).stdout) as { id: string; previous: string }
    expect((await proofline('gate')).code).toBe(1)
    const order = ['gate', 'override', failed.id, '--reason', 'hotfix', '--ticket', 'INC-7', '--json']
    const overridden = await proofline(...order)
    expect(overridden).toMatchObject({ code: 0 })
    expect(JSON.parse(overridden.stdout)).toMatchObject({ verdict: 'overridden', overrides: failed.id, overridden: 'fail' }) // oxfmt-ignore
    expect((await proofline(...order)).stdout).toBe(overridden.stdout)
    expect(await proofline('gate')).toMatchObject({ code: 0, stdout: expect.stringContaining('fail, overridden') })
    expect(await proofline('gate', 'override', failed.previous, '--reason', 'x', '--ticket', 'y')).toMatchObject({ code: 2, stderr: expect.stringContaining('passed') }) // oxfmt-ignore
    const { token } = JSON.parse((await runCli(['token', 'create', '--scope', 'push', '--repository', 'github.com/acme/other', '--data-dir', folder.path, '--json'], { cwd: checkout, env: cleanEnvironment(folder.path, { DATABASE_URL: database.url }) })).stdout) as { token: string } // oxfmt-ignore
    const stranger = await ask(service, '/v1/gates', { method: 'POST', token, body: { repository, commit: first } })
    expect(stranger).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  })

  it('looks at the lines that were changed since the commit before on a tracked ref', async () => {
    await register(3, '{ unit: { changed_lines: 50 } }')
    // Without a base nobody knows what was changed.
    expect(JSON.parse((await proofline('gate', '--json')).stdout)).toMatchObject({ verdict: 'incomplete', reasons: ['changed_lines_unknown'] }) // oxfmt-ignore
    write(checkout, 'src/a.js', lines('a', 10).replace('a9\n', 'new9\n').replace('a10\n', 'new10\n'))
    const second = commit(checkout, 'two other lines')
    await push('three', 'unit', 'api', { 'src/a.js': 9, 'src/b.js': 1 })
    await push('four', 'integration', 'e2e', { 'src/a.js': 1, 'src/b.js': 1 })
    const answer = JSON.parse((await proofline('gate', '--json')).stdout) as object
    expect(answer).toMatchObject({
      commit: second,
      base: first,
      verdict: 'pass',
      checks: [{ limit: 'changed_lines', test_type: 'unit', executed: 1, found: 2, met: true }],
    })
    // Against itself, or what came after it, nothing has changed, and everything would pass.
    for (const [of, base] of [[second, second], [first, second]])
      expect(await post('/v1/gates', { repository, commit: of, base })).toMatchObject({ status: 400, body: { detail: expect.stringContaining('is not a commit before') } }) // oxfmt-ignore
  })
})

describe('a deployment', () => {
  const put = (id: string, body: object): Promise<Answered> =>
    ask(service, `/v1/deployments/${id}`, { method: 'PUT', body: { repository, environment: 'production', ...body } })

  it('is on record with the decision that stood, by commit or build, and never with another one later', async () => {
    const made = await proofline('deployed', first, '--environment', 'production', '--id', 'd1', '--artifact', `sha256:${'a'.repeat(64)}`, '--json') // oxfmt-ignore
    expect(JSON.parse(made.stdout)).toMatchObject({ decision: 'incomplete', enforced: true, commit: first, artifact: 'a'.repeat(64) }) // oxfmt-ignore
    expect(made.stderr).toContain('the gate said incomplete')
    const of = await put('d2', { build: 'b-2', commit: git(checkout, 'rev-parse', 'HEAD') })
    expect(of).toMatchObject({ status: 201, body: { decision: 'pass', build: 'b-2', build_seq: expect.any(Number) } })
    expect(await put('d2', { build: 'b-2' })).toMatchObject({ status: 200, text: of.text })
    expect(await put('d2', { build: 'b-2', commit: first })).toMatchObject({ status: 400 })
    expect(await put('d3', { build: 'b-3' })).toMatchObject({ status: 404 })
    expect(await put('d4', { commit: 'e'.repeat(40) })).toMatchObject({ status: 201, body: { decision: 'none', gate: null } }) // oxfmt-ignore
  })

  it('of the same id with other content is a conflict, and on record as that', async () => {
    const refused = await put('d1', { commit: first, environment: 'staging' })
    expect(refused).toMatchObject({ status: 409, body: { code: 'deployment_conflict', detail: expect.stringContaining('environment production, not staging') } }) // oxfmt-ignore
    const rejections = await readLedger(service, 'changes', 'rejection')
    expect(rejections.at(-1)).toMatchObject({ reason: 'deployment_conflict', repository, commit: first, first: { seq: expect.any(Number) } }) // oxfmt-ignore
    const at = await Promise.all(['x', 'y', 'x', 'y'].map((environment) => put('d5', { commit: first, environment })))
    expect(at.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 201, 409, 409])
  })

  it('that no gate let pass is told of, until somebody disposes of it', async () => {
    const open = async (): Promise<string[]> => {
      const { body } = await ask(service, '/v1/alerts?all=false')
      const alerts = body['alerts'] as { code: string; subject: string }[]
      return alerts.filter(({ code }) => code === 'deployment_without_pass').map(({ subject }) => subject).toSorted()
    }
    await expect.poll(open, { timeout: 60_000 }).toEqual([`${repository} d1`, `${repository} d4`, `${repository} d5`])
    expect((await proofline('dispose', 'deployment:d4', '--note', 'a drill')).code).toBe(0)
    await expect.poll(open, { timeout: 60_000 }).toEqual([`${repository} d1`, `${repository} d5`])
  }) // oxfmt-ignore

  it('is disposed of by a note that stands beside it until its day is over', async () => {
    expect((await proofline('dispose', 'deployment:d1', '--note', 'emergency', '--verdict', 'accepted', '--until', '2020-01-01')).code).toBe(0) // oxfmt-ignore
    expect((await proofline('dispose', 'deployment:d1', '--note', 'approved in CAB-9')).code).toBe(0)
    expect(await proofline('dispose', 'deployment:nope', '--note', 'x')).toMatchObject({ code: 1, stderr: expect.stringContaining('not_found') }) // oxfmt-ignore
    expect(await proofline('dispose', 'lines:src/a.js:3-4', '--note', 'defensive')).toMatchObject({ code: 0 })
    const listed = JSON.parse((await proofline('deployments', '--json')).stdout) as { as_of: string; deployments: { deployment: string; dispositions: object[] }[] } // oxfmt-ignore
    expect(listed.deployments.map(({ deployment }) => deployment)).toEqual(['d5', 'd4', 'd2', 'd1'])
    expect(listed.deployments.at(-1)?.dispositions).toMatchObject([{ note: 'emergency', lapsed: 'until' }, { note: 'approved in CAB-9' }]) // oxfmt-ignore
    const notes = await proofline('dispositions', '--commit', 'HEAD', '--json')
    expect((JSON.parse(notes.stdout) as { dispositions: object[] }).dispositions).toMatchObject([{ subject: 'lines:src/a.js:3-4', lapsed: null, blob: expect.any(String) }, {}, {}, {}]) // oxfmt-ignore
    const older = await proofline('dispositions', '--commit', first, '--json')
    expect((JSON.parse(older.stdout) as { dispositions: object[] }).dispositions[0]).toMatchObject({ lapsed: 'blob' })
    expect((await proofline('dispositions')).stdout).toMatch(/lines:src\/a\.js:3-4 .*token:\S+ +defensive\n/)
  })

  it('has its notes on files in the report of a commit, and they change no number', async () => {
    const reportOf = async (commit: string) => JSON.parse((await proofline('report', commit, '--json')).stdout) as { as_of: string; dispositions: object[]; figures: object[] } // oxfmt-ignore
    const [now, then] = [await reportOf('HEAD'), await reportOf(first)]
    expect(now.dispositions).toMatchObject([{ path: 'src/a.js', lines: '3-4', note: 'defensive', by: { method: 'token' } }]) // oxfmt-ignore
    expect(now.dispositions[0]).not.toHaveProperty('lapsed')
    expect(then.dispositions).toMatchObject([{ path: 'src/a.js', lapsed: 'blob' }])
    expect((await proofline('report', 'HEAD')).stdout).toMatch(/notes on files: 1\n {2}src\/a\.js:3-4 .*defensive\n/)
    expect((await proofline('report', first, '--markdown')).stdout).toMatch(
      /- `src\/a\.js:3-4` lapsed \(blob\): defensive \(/,
    )
    expect((await proofline('dispose', 'file:src/a.js', '--commit', 'HEAD', '--note', 'later')).code).toBe(0)
    const again = JSON.parse((await proofline('report', 'HEAD', '--as-of', now.as_of, '--json')).stdout) as object
    expect(again).toEqual(now)
    const later = await reportOf('HEAD')
    expect(later.dispositions).toHaveLength(2)
    expect(later.figures).toEqual(now.figures)
  })

  it('and gates are listed for people, of a commit as git takes it here', async () => {
    const gates = await proofline('gates', '--verdict', 'fail')
    expect(gates.stdout).toMatch(/^recorded +verdict +of +gate +by +why/)
    expect(gates.stdout).toMatch(/fail, overridden .*main\.changes-\d+-[0-9a-f]{16} .*INC-7/)
    const head = git(checkout, 'rev-parse', 'HEAD')
    const ofHead = JSON.parse((await proofline('gates', '--commit', 'HEAD', '--json')).stdout) as { gates: { commit: string }[] } // oxfmt-ignore
    expect([...new Set(ofHead.gates.map(({ commit }) => commit))]).toEqual([head])
    expect((await proofline('gates', '--build', 'nope')).stdout).toContain('no gates\n')
    expect(await proofline('gates', '--commit', 'no-branch')).toMatchObject({ code: 2, stderr: expect.stringContaining('no commit of this checkout') }) // oxfmt-ignore
    const deployed = JSON.parse((await proofline('deployments', '--commit', 'HEAD', '--build', 'b-2', '--json')).stdout) as { deployments: object[] } // oxfmt-ignore
    expect(deployed.deployments).toMatchObject([{ deployment: 'd2' }])
    const pages = await proofline('deployments', '--before', 'main.changes-0-0000000000000000')
    expect(pages).toMatchObject({ code: 2, stderr: expect.stringContaining('none as of this') })
  })

  it('is listed the same again as of the same sizes, whatever was recorded since, page by page', async () => {
    const path = `/v1/deployments?repository=${repository}&limit=2`
    const now = await ask(service, path)
    const asOf = String(now.body['as_of'])
    await put('d6', { commit: first })
    await proofline('dispose', 'deployment:d5', '--note', 'later')
    expect((await ask(service, `${path}&as_of=${asOf}`)).text).toBe(now.text)
    const [, last] = now.body['deployments'] as { id: string }[]
    const next = await ask(service, `${path}&as_of=${asOf}&before=${last?.id}`)
    expect(next.body['deployments']).toMatchObject([{ deployment: 'd2' }, { deployment: 'd1' }])
    expect(next.body['has_more']).toBe(false)
    const gates = await ask(service, `/v1/gates?repository=${repository}&verdict=fail`)
    expect(gates.body['gates']).toMatchObject([{ verdict: 'fail', override: { ticket: 'INC-7' } }])
  })
})

describe('a gate on changed lines', () => {
  it('does not know of a new file that no test loads how much of it was executed', async () => {
    write(checkout, 'src/c.js', lines('c', 10))
    commit(checkout, 'a file that no test loads')
    await push('c-unit', 'unit', 'api', { 'src/a.js': 9, 'src/b.js': 1 })
    await push('c-e2e', 'integration', 'e2e', { 'src/a.js': 1, 'src/b.js': 1 })
    expect(JSON.parse((await proofline('gate', '--json')).stdout)).toMatchObject({ verdict: 'incomplete', reasons: ['changed_lines_unknown'] }) // oxfmt-ignore
  })
})
