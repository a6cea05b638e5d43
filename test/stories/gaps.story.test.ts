import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type RunningService, aDeclaration, anLcov, ask, cleanEnvironment, pushRun, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

let database: TestDatabase
let service: RunningService
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let env: Record<string, string>

const repository = 'github.com/acme/payments'
const commits = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(40))
const contract = `version: 1
mode: observe
refs: [refs/heads/main]
suites:
  - { name: api, test_type: unit, cadence: commit, owner: team-payments }
  - { name: e2e, test_type: integration, cadence: 24h, owner: team-e2e }
`
/** The commit with its first parents back to the first. */
const at = (n: number) => ({
  commit: commits[n]!, ref: 'refs/heads/main',
  more: JSON.stringify({ parents: commits.slice(0, n).reverse().slice(0, 1), first_parents: commits.slice(0, n).reverse() }),
}) // oxfmt-ignore
const cli = (...args: string[]) => runCli(args, { cwd: folder.path, env })
const gaps = (more = '') => ask(service, `/v1/gaps?repository=${repository}${more}`)

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('gaps')
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url })
  env = cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
  const registered = await ask(service, '/v1/contracts', { method: 'PUT', body: { repository, text: contract, parent: 0 } }) // oxfmt-ignore
  expect(registered.status).toBe(201)
  expect((await pushRun(service, 'local.g-0.api.unit', anLcov(1), at(0))).status).toBe(201)
  expect((await pushRun(service, 'local.g-3.api.unit', anLcov(2), { ...at(3), tests: '0,0,0,0' })).status).toBe(201)
  const { more, ...of } = at(2)
  const declared = aDeclaration({ ...of, ...(JSON.parse(more) as object), repository })
  expect((await ask(service, '/v1/runs/local.g-2.api.unit', { method: 'PUT', body: declared })).status).toBe(201)
  expect((await pushRun(service, 'local.g-9.lint.unit', anLcov(2), { ...at(0), suite: 'lint' })).status).toBe(201)
  const alone = await pushRun(service, 'local.o-1.api.unit', anLcov(2), { commit: commits[0]!, repository: 'github.com/acme/other' }) // oxfmt-ignore
  expect(alone.status).toBe(201)
}, 120_000)
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await folder.remove()
  await database.drop()
})

describe('proofline gaps', () => {
  it('names commits without evidence, with what was tried, and suites that no contract names', async () => {
    const { status, body } = await gaps()
    expect(status).toBe(200)
    expect(body).toMatchObject({
      rules: 'gaps@1',
      refs: ['refs/heads/main'],
      contract: { version: 1, default_version: null, mode: 'observe' },
      suites: [
        {
          test_type: 'unit', suite: 'api', owner: 'team-payments', cadence: 'commit', runs: 1, expected: 4, missing: 3,
          left_out: { runs: 2, reasons: { no_tests: 1, unsealed: 1 } },
          last: { run: 'local.g-3.api.unit', counts: false },
        },
        { test_type: 'integration', suite: 'e2e', cadence: '24h', runs: 0, last: null, missing: 0 },
        { test_type: 'unit', suite: 'lint', unnamed: true, runs: 1 },
      ],
    }) // oxfmt-ignore
    const told = (body['suites'] as { gaps: { commit: string; reasons: object }[] }[])[0]!.gaps
    expect(Object.fromEntries(told.map(({ commit, reasons }) => [commit[0], reasons]))).toEqual({
      b: { no_run: 1 }, // pushed with the last one, and never tested by itself
      c: { unsealed: 1 },
      d: { no_tests: 1 },
    })
  })

  it('answers the same bytes as of the same sizes, whatever was recorded since', async () => {
    const first = await gaps()
    const list = await ask(service, '/v1/repositories')
    await pushRun(service, 'local.g-1.api.unit', anLcov(1), at(1))
    await pushRun(service, 'local.g-4.e2e.integration', anLcov(1), { ...at(3), suite: 'e2e' })
    await pushRun(service, 'local.n-1.api.unit', anLcov(1), { ...at(1), repository: 'github.com/acme/new' })
    await ask(service, '/v1/contracts', { method: 'PUT', body: { repository, text: contract.replace('24h', '12h'), parent: 1 } }) // oxfmt-ignore
    const later = await gaps()
    expect((later.body['suites'] as { missing: number }[])[0]!.missing).toBe(2)
    expect((await gaps(`&as_of=${String(first.body['as_of'])}`)).text).toBe(first.text)
    const again = await ask(service, `/v1/repositories?as_of=${String(list.body['as_of'])}`)
    expect(again.text).toBe(list.text)
    // Without the ledger that tells the time, the last record of the others does.
    const [sizes] = String(first.body['as_of']).split(',operations')
    expect((await gaps(`&as_of=${sizes}`)).body).toMatchObject({ as_of: sizes, suites: first.body['suites'] })
    expect(await gaps('&as_of=unit:1')).toMatchObject({ status: 400, body: { code: 'request_invalid' } })
  })

  it('prints them, and ends with 1 where a required suite broke its cadence', async () => {
    const told = await cli('gaps', '--repository', repository)
    expect(told.stderr).toBe('')
    expect(told.code).toBe(1)
    expect(told.stdout).toContain('github.com/acme/payments on refs/heads/main, contract version 2 (observe)\n')
    expect(told.stdout).toContain('\nunit api (every commit, team-payments)\n  2 runs count, 2 do not (no_tests, unsealed); last')
    expect(told.stdout).toMatch(/2 of 4 commits without a run that counts\n {4}d{12} {2}\S+ .*no_tests +local\.g-3\.api\.unit/)
    expect(told.stdout).toContain('\nunit lint (named by no contract)\n')
    const calm = await cli('gaps', '--repository', 'github.com/acme/other', '--json')
    expect(calm.code).toBe(0)
    expect(JSON.parse(calm.stdout)).toMatchObject({ contract: null, refs: [''] })
    expect(await cli('gaps', '--repository', 'github.com/acme/none')).toMatchObject({ code: 1, stdout: '' })
  }) // oxfmt-ignore
})

describe('proofline repositories', () => {
  it('lists the last run of each suite with contract, mode and owners, page by page', async () => {
    const { body } = await ask(service, '/v1/repositories')
    expect(body).toMatchObject({
      repositories: [
        { repository: 'github.com/acme/new', contract: null },
        { repository: 'github.com/acme/other', suites: [{ suite: 'api', last: { counts: true, ref: '' } }] },
        {
          repository, contract: { version: 2, mode: 'observe' }, owners: ['team-e2e', 'team-payments'],
          suites: [
            { test_type: 'unit', suite: 'api', last: { run: 'local.g-1.api.unit' }, last_counting: { run: 'local.g-1.api.unit' } },
            { test_type: 'unit', suite: 'lint', unnamed: true },
            { test_type: 'integration', suite: 'e2e', owner: 'team-e2e' },
          ],
        },
      ],
      next: null,
    }) // oxfmt-ignore
    const names: unknown[] = []
    for (let after = ''; ;) {
      const page = await ask(service, `/v1/repositories?limit=1${after}&as_of=${String(body['as_of'])}`)
      const told = page.body as { repositories: { repository: string }[]; next: string | null }
      names.push(...told.repositories.map((one) => one.repository))
      if (told.next === null) break
      after = `&after=${told.next}`
    }
    expect(names).toEqual(['github.com/acme/new', 'github.com/acme/other', repository])
  })

  it('shows who was silent, by the time of what is asked as of, and ends with 1 where one was', async () => {
    const none = await cli('repositories', '--silent')
    expect(none.code).toBe(0)
    expect(none.stdout).toContain('no repository was silent for 7d; known until ')
    const text = 'version: 1\nrefs: [refs/heads/main]\nsuites: [{ name: api, test_type: unit, owner: nobody }]\n'
    await ask(service, '/v1/contracts', { method: 'PUT', body: { repository: 'github.com/acme/mute', text, parent: 0 } }) // oxfmt-ignore
    const some = await cli('repositories', '--silent', '1d')
    expect(some.code).toBe(1)
    expect(some.stdout).toMatch(/^github\.com\/acme\/mute .*contract version 1 +nobody\n {2}unit api +never +nobody\nknown until/)
  }) // oxfmt-ignore

  it('shows nobody what his credential does not reach', async () => {
    const made = await runCli(['token', 'create', '--scope', 'audit', '--repository', 'github.com/acme/other', '--json', '--data-dir', folder.path], { cwd: folder.path, env: { ...env, DATABASE_URL: database.url } }) // oxfmt-ignore
    const { token } = JSON.parse(made.stdout) as { token: string }
    const { body } = await ask(service, '/v1/repositories', { token })
    expect((body['repositories'] as { repository: string }[]).map((one) => one.repository)).toEqual(['github.com/acme/other']) // oxfmt-ignore
    expect(await ask(service, `/v1/gaps?repository=${repository}`, { token })).toMatchObject({ status: 403 })
    expect(await ask(service, '/v1/gaps?repository=github.com/acme/none', { token })).toMatchObject({ status: 403 })
  })
})
