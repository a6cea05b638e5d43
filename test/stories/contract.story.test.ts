import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject, afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commit, git, makeCheckout, write } from '../commands/run-program.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type Finished,
  type RunningService,
  ask,
  cleanEnvironment,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** A repository gets a contract, as its people would go about it: the real program, a real checkout, a real service. */

const repository = 'github.com/acme/payments'
let database: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let service: RunningService
let checkout: string
beforeAll(async () => {
  expect(inject('postgres').url).toMatch(/^postgres/)
  database = await createTestDatabase()
  folder = await temporaryFolder('contract')
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url })
  checkout = makeCheckout()
})
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await database.drop()
  await folder.remove()
})

const proofline = (args: string[], token = service.token): Promise<Finished> =>
  runCli(args, {
    cwd: checkout,
    env: cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: token }),
  })
const push = async (name: string, ...more: string[]): Promise<Finished> =>
  proofline([
    'push', 'coverage/lcov.info', '--test-type', 'unit', '--suite', 'api', '--stage', 'test', '--tests', '3,3,0,0',
    '--run', name, '--ref', 'refs/heads/main', ...more,
  ]) // oxfmt-ignore
const file = (): string => join(checkout, 'proofline.contract.yaml')
const edit = (change: (text: string) => string): void => writeFileSync(file(), change(readFileSync(file(), 'utf8')))
const sealOf = async (run: string): Promise<Record<string, unknown> | undefined> =>
  (await readLedger(service, 'unit', 'seal')).find((seal) => seal['run'] === run)

/** A token that may push for this repository, made as an operator makes it. */
const pushToken = async (): Promise<string> => {
  const { stdout } = await runCli(
    ['token', 'create', '--scope', 'push', '--repository', repository, '--data-dir', folder.path, '--json'],
    { cwd: checkout, env: cleanEnvironment(folder.path, { DATABASE_URL: database.url }) },
  )
  const { token } = JSON.parse(stdout) as { token: string }
  return token
}

describe('a contract', () => {
  it('is proposed from what was pushed', async () => {
    for (const name of ['one', 'two', 'three']) expect((await push(name)).code).toBe(0)
    const made = await proofline(['contract', 'init'])
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('from 3 runs') })
    expect(readFileSync(file(), 'utf8')).toMatch(
      /mode: observe\nrefs:\n {2}- refs\/heads\/main\nproduction:\n {2}include:\n {4}- src\/\*\*\n[^]*- name: api\n {4}test_type: unit\n {4}stage:\n {6}- test\n {4}definition:\n {6}- lcov.da@1\n$/,
    )
    expect((await proofline(['contract', 'init'])).stderr).toContain('--force')
    const valid = await proofline(['contract', 'check', file()])
    expect(valid).toMatchObject({ code: 0, stdout: expect.stringMatching(/is valid: contract [0-9a-f]{64}/) })
    const below = await runCli(['contract', 'check'], {
      cwd: join(checkout, 'src'),
      env: cleanEnvironment(folder.path),
    })
    expect(below).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\.\.\/proofline\.contract\.yaml is valid/) })
    const none = await proofline(['contract', 'check', 'nofile'])
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no file nofile') })
  })

  it('that is wrong is shown where, without a service', async () => {
    const broken = write(checkout, 'broken.yaml', 'version: 1\nsuites:\n  - name: api\n    test_typ: unit\n')
    const { code, stdout } = await proofline(['contract', 'check', broken])
    expect(code).toBe(1)
    expect(stdout).toContain(`${broken}:4:5: suites[0].test_typ: there is no such key`)
    const json = await proofline(['contract', 'check', broken, '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({ valid: false, errors: [{ line: 3 }, { line: 4, column: 5 }] })
  })

  it('is registered from the protected branch, once', async () => {
    const token = await pushToken()
    const fresh = await proofline(['contract', 'register'], token)
    expect(fresh).toMatchObject({ code: 1, stderr: expect.stringMatching(/is not in commit .*: commit it first/) })
    commit(checkout, 'proposed')
    edit((text) => text.replace('\nmode: observe', '\nmode: enforce'))
    const changed = await proofline(['contract', 'register'], token)
    expect(changed).toMatchObject({ code: 1, stderr: expect.stringContaining('commit the change first') })
    commit(checkout, 'contract')
    const topic = await proofline(['contract', 'register', '--ref', 'refs/heads/topic'], token)
    expect(topic).toMatchObject({ code: 1, stderr: expect.stringContaining('[ref_not_tracked]') })
    const registered = await proofline(['contract', 'register', '--json'], token)
    expect(registered.stderr).toBe('')
    expect(JSON.parse(registered.stdout)).toMatchObject({
      repeated: false,
      contract_version: 1,
      parent: null,
      ref: 'refs/heads/main',
    })
    const again = await proofline(['contract', 'register'], token)
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('already registered: version 1') })
    expect(await readLedger(service, 'changes', 'contract')).toHaveLength(1)
  })

  it('decides what counts from then on, and every seal names it', async () => {
    const [record] = await readLedger(service, 'changes', 'contract')
    const kept = await push('matching')
    expect(kept.stdout).toMatch(/admitted +yes\n +contract +version 1, /)
    expect(await sealOf('matching.api.unit')).toMatchObject({
      admitted: true,
      contract: record?.['contract'],
      contract_version: 1,
      production_digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    const elsewhere = await push('elsewhere', '--stage', 'deploy')
    expect(elsewhere).toMatchObject({ code: 0, stdout: expect.stringContaining('no: stage_not_allowed') })
    const unnamed = await push('unnamed', '--suite', 'other')
    expect(unnamed.stdout).toContain('no: suite_not_named')
    const none = await push('none', '--tests', '0,0,0,0')
    expect(none.stdout).toContain('no: no_tests')
    const baseline = write(checkout, 'baseline.info', 'SF:src/a.js\nDA:1,0\nDA:2,0\nend_of_record\n')
    expect((await push('baseline', baseline, '--part', 'b')).code).toBe(2) // two files, one part name
    const initial = await proofline(['push', baseline, '--test-type', 'unit', '--suite', 'api', '--stage', 'test', '--tests', '1,1,0,0', '--run', 'initial']) // oxfmt-ignore
    expect(initial.stdout).toContain('no: baseline')
  })

  it('makes seals say what changed although the production files are the same', async () => {
    write(checkout, 'coverage/lcov.info', 'SF:src/a.js\nDA:1,1\nend_of_record\n')
    const shrunk = await push('shrunk')
    expect(shrunk.stdout).toMatch(/changed +found \(line lcov.da@1\): 2 -> 1\n/)
    expect(await sealOf('shrunk.api.unit')).toMatchObject({
      admitted: true,
      unexplained_change: {
        run: 'matching.api.unit',
        count: 1,
        changes: [{ what: 'found', measure: 'line lcov.da@1', from: '2', to: '1' }],
      },
    })
    expect((await push('steady')).stdout).not.toContain('changed')
  })

  it('shows what stands and what a file would change', async () => {
    const shown = await proofline(['contract', 'show'])
    expect(shown.stdout).toMatch(/^# version 1 of github.com\/acme\/payments\n# contract [0-9a-f]{64}\n/)
    expect(shown.stdout).toContain('\nmode: enforce\n')
    expect(await proofline(['contract', 'diff'])).toMatchObject({ code: 0, stdout: '' })
    edit((text) => text.replace('- test\n', '- test\n      - nightly\n'))
    const changed = await proofline(['contract', 'diff'])
    expect(changed).toMatchObject({ code: 1, stdout: '+ suites[unit/api].stage[nightly]: true\n' })
  })

  it('that was made from an older one is refused, and shows the difference', async () => {
    const stale = git(checkout, 'rev-parse', 'HEAD~1')
    commit(checkout, 'nightly too')
    expect((await proofline(['contract', 'register'])).stdout).toContain('registered: version 2')
    git(checkout, 'checkout', '-q', '-b', 'topic', stale)
    edit((text) => `${text}late: 1h\n`)
    commit(checkout, 'late, made from what stood before')
    const late = await proofline(['contract', 'register', '--ref', 'refs/heads/main'])
    expect(late).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/does not contain[^]*late: 1h[^]*\[contract_conflict\]/),
    })
    git(checkout, 'checkout', '-q', 'main')
    edit((text) => `${text}late: 1h\n`)
    commit(checkout, 'late')
    const forced = await proofline(['contract', 'register', '--parent', '1'])
    expect(forced).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/made from version 1. It differs: \+ late: 1h \[contract_conflict\]/),
    })
    const rejections = await readLedger(service, 'changes', 'rejection')
    expect(rejections.map((one) => one['reason'])).toEqual(['ref_not_tracked', 'contract_conflict'])
    const between = await proofline(['contract', 'diff', '--from', '1', '--to', '2', '--json'])
    expect(JSON.parse(between.stdout)).toMatchObject({
      from: 1,
      to: 2,
      changes: [{ path: 'suites[unit/api].stage[nightly]' }],
    })
  })

  it('is found by its digest, and two are compared, by whoever may see the repository', async () => {
    const [first, second] = (await readLedger(service, 'changes', 'contract')).map((one) => String(one['contract']))
    const token = await pushToken()
    const found = await ask(service, `/v1/contracts/${first}`, { token })
    expect(found.body).toMatchObject({ contract_version: 1, text: expect.stringContaining('\nmode: enforce\n') })
    const difference = await ask(service, `/v1/contracts/${first}/difference?to=${second}`, { token })
    expect(difference.body).toMatchObject({ text: '+ suites[unit/api].stage[nightly]: true\n' })
    expect((await ask(service, `/v1/contracts/${'0'.repeat(64)}`)).status).toBe(404)
    expect((await ask(service, '/v1/contracts?repository=github.com/acme/other', { token })).status).toBe(403)
  })

  it('of the org holds for every repository that has none, and stands beside in its seals', async () => {
    const org = write(
      checkout,
      'org.yaml',
      'version: 1\nmode: observe\nrefs: [refs/heads/main]\nsuites: [{ name: unit, test_type: unit }]\n',
    )
    commit(checkout, 'default of the org')
    expect((await proofline(['contract', 'register', org, '--repository', '*'])).code).toBe(0)
    const other = await push('other', '--repository', 'github.com/acme/other')
    expect(other.stdout).toMatch(/contract +version 1, [0-9a-f]{64} \(the default of the org\)\n/)
    expect(other.stdout).toMatch(/admitted +yes\n[^]*observed +suite_not_named/)
    expect((await push('heir')).stdout).not.toContain('observed')
    expect(await sealOf('heir.api.unit')).toMatchObject({ contract_version: 2, contract_default: expect.any(String) })
  })
})

describe('two jobs that send the same part', () => {
  it('are told both digests and what to do, and so is the record', async () => {
    expect((await push('twice', '--no-seal')).code).toBe(0)
    write(checkout, 'coverage/lcov.info', 'SF:src/a.js\nDA:1,1\nDA:2,7\nend_of_record\n')
    const { code, stderr } = await push('twice', '--no-seal')
    expect(code).toBe(1)
    const [, first, offered] =
      /other bytes: those of sha256 ([0-9a-f]{64}), not of ([0-9a-f]{64}). Two jobs .*--part NAME/.exec(stderr) ?? []
    const rejection = (await readLedger(service, 'unit', 'rejection')).find((one) => one['run'] === 'twice.api.unit')
    expect(rejection).toMatchObject({
      reason: 'part_conflict',
      part: 'coverage/lcov.info',
      offered: { sha256: offered },
      first: { sha256: first },
    })
    const part = (await readLedger(service, 'unit', 'part')).find((one) => one['run'] === 'twice.api.unit')
    expect(rejection?.['first']).toEqual({ sha256: part?.['artifact_sha256'], seq: part?.['seq'] })
  })
})
