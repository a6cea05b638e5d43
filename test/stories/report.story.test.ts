import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type RunningService, aDeclaration, ask, cleanEnvironment, pushRun, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

const corpus = process.env['PROOFLINE_CORPUS'] ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url))
const isHere = existsSync(`${corpus}/lcov-lua-unit-gcc12.info`)
if (!isHere) console.log('skipped: the corpus of real reports is not here (../shared/corpus, or PROOFLINE_CORPUS)')

let database: TestDatabase
let service: RunningService
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let env: Record<string, string>

const repository = 'github.com/acme/payments'
const [one, two] = ['a', 'b'].map((digit) => digit.repeat(40)) as [string, string]
const contract = `version: 1
refs: [refs/heads/main]
production:
  include: [src/**]
suites:
  - { name: api, test_type: unit, owner: team-payments }
  - { name: e2e, test_type: integration, owner: team-e2e }
`
/** \`1\` ran, \`0\` did not, a dot is no code; by line, from 1. */
const lcov = (files: Record<string, string>): string =>
  Object.entries(files)
    .map(([path, lines]) => `SF:${path}\n${Array.from(lines).map((hits, i) => (hits === '.' ? '' : `DA:${i + 1},${hits}\n`)).join('')}end_of_record\n`)
    .join('') // oxfmt-ignore
const onMain = (commit: string, parents: string[] = []) => ({
  commit, ref: 'refs/heads/main', more: JSON.stringify({ parents: parents.slice(0, 1), first_parents: parents }),
}) // oxfmt-ignore
const report = (query: string) => ask(service, `/v1/reports/coverage?repository=${repository}&${query}`)
const cli = (...args: string[]) => runCli(args, { cwd: folder.path, env })

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('report')
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url })
  env = cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
  const registered = await ask(service, '/v1/contracts', { method: 'PUT', body: { repository, text: contract, parent: 0 } }) // oxfmt-ignore
  expect(registered.status).toBe(201)
  const pushed = [
    await pushRun(service, 'local.r-1.api.unit', lcov({ 'src/refund.ts': '1100', 'src/|=x.ts': '1', 'test/t.ts': '1' }), onMain(one)),
    await pushRun(service, 'local.r-2.api.unit', lcov({ 'src/refund.ts': '1110', 'src/|=x.ts': '1' }), { ...onMain(two, [one]), build: 'pay-7' }),
    await pushRun(service, 'local.r-3.e2e.integration', lcov({ 'src/refund.ts': '0001', 'src/ledger.ts': '11' }), { ...onMain(two, [one]), suite: 'e2e', tests: '0,0,0,0' }),
  ] // oxfmt-ignore
  expect(pushed.map(({ status }) => status)).toEqual([201, 201, 201])
  const declared = aDeclaration({ commit: two, ref: 'refs/heads/main', suite: 'e2e', test_type: 'integration', repository }) // oxfmt-ignore
  expect((await ask(service, '/v1/runs/local.r-4.e2e.integration', { method: 'PUT', body: declared })).status).toBe(201)
  const cut = await ask(service, '/v1/runs/local.r-4.e2e.integration/parts?name=broken.info', { method: 'PUT', body: 'no report at all' }) // oxfmt-ignore
  expect(cut.status).toBe(422)
}, 120_000)
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await folder.remove()
  await database.drop()
})

describe('GET /v1/reports/coverage', () => {
  it('says what is missing and why before it says a number', async () => {
    const { status, body } = await report(`commit=${two.slice(0, 8)}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      rules: 'report@1',
      subject: { commit: two },
      contract: { version: 1, from: 'repository', mode: 'enforce' },
      production: 'contract',
      complete: false,
      missing: [{ test_type: 'integration', suite: 'e2e', owner: 'team-e2e', reasons: ['no_tests', 'unsealed'] }],
      runs: [{ test_type: 'unit', suite: 'api', run: 'local.r-2.api.unit', build: 'pay-7' }],
      left_out: [
        { run: 'local.r-3.e2e.integration', reasons: ['no_tests'] },
        { run: 'local.r-4.e2e.integration', reasons: ['unsealed'] },
      ],
      figures: [{ unit: { files: 2, found: 5, executed: 4 }, integration: null }],
      changed: { against: { why: 'first_parent', commit: one }, figures: [{ unit: { found: 0, executed: 1 } }] },
    })
    expect(body['refused']).toMatchObject([{ test_type: 'integration', run: 'local.r-4.e2e.integration', reason: expect.any(String) as string }]) // oxfmt-ignore
    expect((await report('build=pay-7')).body).toMatchObject({ subject: { commit: two, build: { build: 'pay-7' } }, of_build: 1 }) // oxfmt-ignore
  })

  it('refuses what names no commit, or two, and knows no repository that it was never told of', async () => {
    expect((await report('')).body).toMatchObject({ code: 'request_invalid' })
    expect((await report(`commit=${two}&build=pay-7`)).status).toBe(400)
    expect((await report('commit=ccccccc')).body).toMatchObject({ code: 'not_found' })
    expect((await ask(service, `/v1/reports/coverage?repository=nobody/knows&commit=${two}`)).status).toBe(404)
  })

  it('answers the same bytes as of the same sizes, also when the rest has come', async () => {
    const before = await report(`commit=${two}`)
    const run = await pushRun(service, 'local.r-5.e2e.integration', lcov({ 'src/refund.ts': '0001', 'src/ledger.ts': '11' }), { ...onMain(two, [one]), suite: 'e2e' }) // oxfmt-ignore
    expect(run.status).toBe(201)
    const { body } = await report(`commit=${two}`)
    expect(body).toMatchObject({
      complete: true,
      missing: [],
      figures: [{ both: { files: 3, found: 7, executed: 7, only_unit: 4, only_integration: 3, both: 0, none: 0 } }],
      hidden: [
        { path: 'src/ledger.ts', lines: 2, unit: 'not_measured', ranges: '1-2' },
        { path: 'src/refund.ts', lines: 1, unit: 'missed', ranges: '4' },
      ],
    })
    expect((await report(`commit=${two}&as_of=${String(before.body['as_of'])}`)).text).toBe(before.text)
  })
})

describe('proofline report', () => {
  it('prints one screen for people, and ends with 3 while a required suite is missing', async () => {
    const whole = await cli('report', two, '--repository', repository)
    expect({ code: whole.code, stderr: whole.stderr }).toEqual({ code: 0, stderr: '' })
    expect(whole.stdout).toContain('complete: every required suite has a run that counts')
    expect(whole.stdout).toMatch(/unit +2 files +4 of 5 lines +80\.00 %/)
    expect(whole.stdout).toMatch(/where integration hides a unit gap: 2\n +src\/ledger\.ts +2 lines +unit did not measure it +1-2\n/)
    const part = await cli('report', one, '--repository', repository)
    expect(part.code).toBe(3)
    expect(part.stdout).toContain('incomplete: no run of integration/e2e counts (team-e2e): no_run')
  }) // oxfmt-ignore

  it('is Markdown for a pull request, in which no name of a file ends a cell', async () => {
    const { stdout } = await cli('report', two, '--repository', repository, '--markdown')
    expect(stdout.split('\n')).toEqual([
      `### Coverage of \`${two.slice(0, 12)}\``,
      '',
      '- **integration hides a unit gap** of 3 lines in 2 files: `src/ledger.ts` 2, `src/refund.ts` 1',
      '',
      '| lines executed by | unit tests | integration tests | together | only integration |',
      '| --- | --- | --- | --- | --- |',
      '| `lcov.da@1` | 80.00 % (4 of 5) | 50.00 % (3 of 6) | 100.00 % (7 of 7) | 3 |',
      '',
      `- since \`${one.slice(0, 12)}\`: unit by \`lcov.da@1\`: executed +1, lines 0`,
      `- since \`${one.slice(0, 12)}\`: integration \`e2e\`: suite \`none\` -> \`measured\``,
      '',
      expect.stringMatching(/^as of `unit:\d+,integration:\d+,changes:\d+` by `report@1`; the same again: `proofline report b{40} --repository github\.com\/acme\/payments --as-of /),
      '',
    ])
    const first = await cli('report', one, '--repository', repository, '--markdown')
    expect(first.stdout).toContain('- **incomplete:** no run of integration/e2e counts (team-e2e): no\\_run')
    expect(first.stdout).toContain('| `src/refund.ts` | `lcov.da@1` | 2 | 50.00 % | not measured |')
  }) // oxfmt-ignore

  it('is CSV with a line for each file, definition and test type', async () => {
    const { stdout } = await cli('report', two, '--repository', repository, '--csv')
    const [head, ...lines] = stdout.split('\r\n')
    expect(head).toBe('repository,commit,as_of,path,blob,definition,test_type,found,covered,partial,missed,executed')
    expect(lines.map((line) => line.replace(/^.*?,"[^"]*",/, ''))).toEqual([
      'src/ledger.ts,,lcov.da@1,integration,2,2,0,0,2',
      'src/refund.ts,,lcov.da@1,unit,4,3,0,1,3',
      'src/refund.ts,,lcov.da@1,integration,4,1,0,3,1',
      'src/|=x.ts,,lcov.da@1,unit,1,1,0,0,1',
      '',
    ])
  })

  it.skipIf(!isHere)('adds two real reports of Lua up to what lcov says of them', async () => {
    const commit = '53b41d0cddd8'.padEnd(40, '0')
    const lua = (name: string) => readFileSync(`${corpus}/lcov-lua-${name}-gcc12.info`, 'utf8')
    for (const type of ['unit', 'integration']) {
      const pushed = await pushRun(service, `local.lua.all.${type}`, lua(type), { commit, suite: 'all', repository: 'github.com/lua/lua' }) // oxfmt-ignore
      expect(pushed.status).toBe(201)
    }
    const { stdout } = await cli('report', commit, '--repository', 'github.com/lua/lua', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      complete: false,
      reason: 'no_contract',
      figures: [
        {
          unit: { files: 32, found: 11_803, executed: 9_014 },
          integration: { files: 32, found: 11_803, executed: 9_524 },
          both: { found: 11_803, executed: 10_391, only_unit: 867, only_integration: 1_377, both: 8_147, none: 1_412 },
        },
      ],
    })
  })
})

describe('an issued report', () => {
  const get = (digest: string, headers: Record<string, string> = {}) => ask(service, `/v1/reports/${digest}`, { headers }) // oxfmt-ignore

  it('is signed once, and its bytes are given back by either digest whatever was recorded since', async () => {
    const { stdout, code } = await cli('report', two, '--repository', repository, '--issue', '--json')
    expect(code).toBe(0)
    const issued = JSON.parse(stdout) as Record<string, string>
    const { sha256 = '', envelope_sha256: envelope = '' } = issued
    const answered = await report(`commit=${two}&as_of=${issued['as_of']}`)
    expect(createHash('sha256').update(answered.text).digest('hex')).toBe(sha256)
    const again = await ask(service, '/v1/reports', { method: 'POST', body: { repository, commit: two, as_of: issued['as_of'] } }) // oxfmt-ignore
    expect({ status: again.status, id: again.body['id'] }).toEqual({ status: 200, id: issued['id'] })
    await pushRun(service, 'local.r-9.api.unit', lcov({ 'src/refund.ts': '1111' }), onMain(two, [one]))
    expect((await get(sha256)).text).toBe(answered.text)
    expect((await get(sha256, { 'if-none-match': `"${sha256}"` })).status).toBe(304)
    const saved = await get(envelope)
    expect(saved.type).toBe('application/vnd.dsse+json')
    const file = join(folder.path, 'report.dsse')
    writeFileSync(file, saved.text)
    const verified = await cli('verify', file, '--data-dir', folder.path)
    expect({ code: verified.code, report: verified.stdout.includes(sha256) }).toEqual({ code: 0, report: true })
    writeFileSync(file, saved.text.replace(/"payload":"..../, '"payload":"eyJi'))
    expect((await cli('verify', file, '--data-dir', folder.path)).code).toBe(1)
  })

  it('is also what a gate was decided by; what no record names is no report', async () => {
    const gate = await ask(service, '/v1/gates', { method: 'POST', body: { repository, commit: two } })
    const { report: digest, as_of: asOf } = gate.body as { report: string; as_of: string }
    const found = await get(digest)
    expect(found.body).toMatchObject({ rules: 'report@1', repository, as_of: asOf, subject: { commit: two } })
    const pushed = JSON.stringify({ as_of: asOf, repository, subject: { commit: two } })
    const run = await ask(service, '/v1/runs/local.r-4.e2e.integration/parts?name=no.info', { method: 'PUT', body: pushed }) // oxfmt-ignore
    expect(run.status).toBe(422)
    expect((await get(createHash('sha256').update(pushed).digest('hex'))).body).toMatchObject({ code: 'not_found' })
  })
})

describe('the report of a period', () => {
  it('has a row for each deployment: what tests executed before it was released', async () => {
    const deployed = await ask(service, '/v1/deployments/2026-11-23.1', { method: 'PUT', body: { repository, environment: 'production', commit: two } }) // oxfmt-ignore
    expect(deployed.status).toBe(201)
    const args = ['report', '--repository', repository, '--ref', 'refs/heads/main', '--from', '2020-01-01']
    const { code, stdout } = await cli(...args)
    expect(code).toBe(0)
    expect(stdout).toContain('production code executed by automated tests before release: 1 deployment\n')
    expect(stdout).toMatch(/2026-11-23\.1 +production +\w+ +100\.00 % +7 of 7 +lcov\.da@1 +complete/)
    const csv = await cli(...args, '--csv')
    expect(csv.stdout.split('\r\n')[1]).toMatch(/,true,,lcov\.da@1,7,7,100\.00 %,4,2,1,0,5,5,6,3$/)
    expect((await cli(...args, '--markdown')).stdout).toContain('| `2026-11-23.1` | `production` |')
    expect((await report('from=2020-01-01&build=pay-7')).status).toBe(400)
  })
})
