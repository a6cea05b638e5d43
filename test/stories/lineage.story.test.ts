import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type RunningService,
  anLcov,
  ask,
  cleanEnvironment,
  pushRun,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** Somebody in a SOC has one number from a SIEM event, and wants the commit, the run, the bytes and the proof. */

let database: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let elastic: FakeBulk
let service: RunningService
let env: Record<string, string>

const repository = 'github.com/acme/payments'
const commit = '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b'
const other = '5'.repeat(40)
const cli = (...args: string[]) => runCli(args, { cwd: folder.path, env })

interface Node {
  kind: string
  id: string
  records?: string[]
  children?: Node[]
  left_out?: Record<string, number>
  [fact: string]: unknown
}

/** Every kind on the way down to the first node that is asked for. */
function pathTo(nodes: readonly Node[], is: (node: Node) => boolean): Node[] | undefined {
  for (const node of nodes) {
    if (is(node)) return [node]
    const below = pathTo(node.children ?? [], is)
    if (below !== undefined) return [node, ...below]
  }
  return undefined
}
const kinds = (path: readonly Node[] | undefined): string[] => (path ?? []).map(({ kind }) => kind)
const trace = async (path: string) => {
  const { status, text, body } = await ask(service, `/v1/lineage/${path}`)
  return { status, text, body, chain: (body['chain'] ?? []) as Node[] }
}
/** What of the answer holds as of sizes. */
const chainText = (text: string): string => text.slice(0, text.indexOf(',"deliveries":'))

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('lineage')
  elastic = await startFakeBulk()
  const elk = { type: 'elastic', url: elastic.url, api_key: elastic.apiKey, keeps: '400d', window_ms: 50 }
  const file = join(folder.path, 'proofline.yaml')
  await writeFile(file, JSON.stringify({ destinations: { elk } }))
  service = await startServe({ dataDir: join(folder.path, 'data'), databaseUrl: database.url, args: ['--config', file] }) // oxfmt-ignore
  env = cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
  const stage = (name: string) => ({ stage: name })
  for (const [run, more] of [
    ['local.1.api.unit', { build: 'payments-7', ref: 'refs/heads/main', ...stage('test') }],
    ['local.1.e2e.integration', { build: 'payments-7', suite: 'e2e', ...stage('verify') }],
    ['local.2.api.unit', { tests: '0,0,0,0' }],
    ['local.3.api.unit', { build: 'payments-8', commit: other }],
  ] as const)
    expect((await pushRun(service, run, anLcov(run.length), more)).status).toBe(201)
}, 120_000)
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await elastic.close()
  await folder.remove()
  await database.drop()
})

describe('lineage', () => {
  it('leads from the id in a SIEM event to commit, build, stage, run, bytes and checkpoint', async () => {
    const record = (await readLedger(service, 'unit', 'coverage')).find(({ run }) => run === 'local.1.api.unit')!
    const part = (await readLedger(service, 'unit', 'part')).find(({ run }) => run === 'local.1.api.unit')!
    const { chain, body } = await trace(`record/${String(record['id'])}`)
    const path = pathTo(chain, ({ id }) => id === record['id'])
    expect(kinds(path)).toEqual(['commit', 'build', 'stage', 'run', 'part', 'record'])
    expect(path).toMatchObject([
      { id: commit, repository, refs: ['refs/heads/main'], left_out: { runs: 2 } },
      { id: 'payments-7', build_seq: 0, records: [expect.stringContaining('main.changes-0-')] },
      { id: 'test' },
      { id: 'local.1.api.unit', suite: 'api', test_type: 'unit', state: 'counts', reasons: [] },
      { id: 'coverage/lcov.info', artifact_sha256: part['artifact_sha256'], records: [part['id']] },
      { record_kind: 'coverage', path: record['path'] },
    ])
    const checkpoint = path!.at(-1)!.children!.find(({ kind }) => kind === 'checkpoint')!
    expect(checkpoint['origin']).toBe('localhost/main/unit')
    expect(Number(checkpoint.id.split('@')[1])).toBeGreaterThan(record['seq'] as number)
    expect(body).toMatchObject({ rules: 'lineage@1', as_of: expect.stringMatching(/^unit:\d+,integration:\d+,changes:2$/) as string }) // oxfmt-ignore
  })

  it('says where the record went, and what proves that it is there', async () => {
    const [record] = await readLedger(service, 'unit', 'seal')
    const id = String(record?.['id'])
    for (let tries = 0; ; tries++) {
      const { body } = await trace(`record/${id}`)
      const { deliveries } = body['deliveries'] as { deliveries: { state: string }[] }
      if (deliveries[0]?.state === 'delivered' || tries > 200) {
        expect(deliveries).toMatchObject([
          { destination: 'elk', record: id, state: 'delivered', attempts: [{ try: 1, steps: [{ source: 'answer', receipt: { by: 'create' } }] }] },
        ]) // oxfmt-ignore
        break
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const { body } = await trace(`record/${id}`)
    const [{ attempts }] = (body['deliveries'] as { deliveries: [{ attempts: [{ attempt: string }] }] }).deliveries
    const attempt = await trace(`attempt/${encodeURIComponent(attempts[0].attempt)}`)
    expect(pathTo(attempt.chain, ({ id: of }) => of === record?.['run'])).toBeDefined()
    expect(attempt.body).toMatchObject({
      deliveries: {
        deliveries: [{ attempt: attempts[0].attempt, states: { delivered: expect.any(Number) as number } }],
      },
    })
  })

  it.each([
    ['run/local.1.api.unit', ['local.1.api.unit'], { runs: 2 }],
    ['build/payments-7', ['local.1.api.unit', 'local.2.api.unit', 'local.1.e2e.integration'], undefined],
    [`commit/${commit}`, ['local.1.api.unit', 'local.2.api.unit', 'local.1.e2e.integration'], undefined],
    [`commit/${commit.slice(0, 7)}`, ['local.1.api.unit', 'local.2.api.unit', 'local.1.e2e.integration'], undefined],
  ])('%s shows its runs and counts the others', async (path, runs, leftOut) => {
    const { chain } = await trace(path)
    expect(chain.map(({ id }) => id)).toEqual([commit])
    expect(runs.filter((run) => pathTo(chain, ({ id }) => id === run) === undefined)).toEqual([])
    expect(pathTo(chain, ({ id }) => id === 'local.3.api.unit')).toBeUndefined()
    expect(chain[0]?.left_out).toEqual(leftOut)
    expect(pathTo(chain, ({ id }) => id === 'local.2.api.unit')?.at(-1)).toMatchObject(
      path.startsWith('run/') ? {} : { state: 'does not count', reasons: ['no_tests'] },
    )
  })

  it('gives the same chain as of the same sizes, and nothing of what came later', async () => {
    const first = await trace(`commit/${commit}`)
    const asOf = `as_of=${String(first.body['as_of'])}`
    await pushRun(service, 'local.4.api.unit', anLcov(4), { build: 'payments-9' })
    const later = await trace(`commit/${commit}`)
    expect(pathTo(later.chain, ({ id }) => id === 'local.4.api.unit')).toBeDefined()
    expect(chainText((await trace(`commit/${commit}?${asOf}`)).text)).toBe(chainText(first.text))
    expect(await trace(`run/local.4.api.unit?${asOf}`)).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(await trace(`build/payments-9?${asOf}`)).toMatchObject({ status: 404 })
  })

  it('leads from a record that belongs to no commit to its checkpoint', async () => {
    const [record] = await readLedger(service, 'operations', 'key')
    const { chain } = await trace(`record/${String(record?.['id'])}`)
    expect(kinds(pathTo(chain, ({ kind }) => kind === 'checkpoint'))).toEqual(['record', 'checkpoint'])
  })

  it.each([
    ['record/main.unit-0-0000000000000000', 404, 'not_found'],
    ['record/main.unit-999999-0000000000000000', 404, 'not_found'],
    ['record/other.unit-0-0000000000000000', 404, 'not_found'],
    ['run/local.9.api.unit', 404, 'not_found'],
    [`commit/${'9'.repeat(40)}`, 404, 'not_found'],
    ['build/none', 404, 'not_found'],
    ['deployment/none', 404, 'not_found'],
    [`commit/${commit}?repository=github.com/acme/other`, 404, 'not_found'],
    ['attempt/elk:main%2Funit:0:9', 404, 'not_found'],
    ['attempt/none', 404, 'not_found'],
    ['commit/xyz', 400, 'request_invalid'],
  ])('has nothing to say of %s', async (path, status, code) => {
    expect(await trace(path)).toMatchObject({ status, body: { code } })
  })

  it('shows a credential that is bound to another repository nothing', async () => {
    const args = ['token', 'create', '--scope', 'audit', '--repository', 'github.com/acme/other', '--json', '--data-dir', join(folder.path, 'data')] // oxfmt-ignore
    const made = await runCli(args, { cwd: folder.path, env: { ...env, DATABASE_URL: database.url } })
    expect(made.stderr).toBe('')
    const { token } = JSON.parse(made.stdout) as { token: string }
    const [record] = await readLedger(service, 'unit', 'coverage')
    for (const path of [`record/${String(record?.['id'])}`, 'run/local.1.api.unit', 'build/payments-7', `commit/${commit}`, 'attempt/elk:main%2Funit:0:1'])
      expect(await ask(service, `/v1/lineage/${path}`, { token })).toMatchObject({ status: 404 })
  }) // oxfmt-ignore

  it('is put on record with the repository that it was about', async () => {
    service.signal('SIGTERM')
    await service.ended
    service = await startServe({ dataDir: join(folder.path, 'data'), databaseUrl: database.url })
    env = { ...env, PROOFLINE_URL: service.url }
    const uses = (await readLedger(service, 'operations', 'access')).filter(({ route }) => route === 'runLineage')
    // What was asked for and is not there is about none.
    expect(new Set(uses.map((use) => use['repository']))).toEqual(new Set([repository, undefined]))
  }, 60_000)
})

describe('proofline lineage', () => {
  it('prints a tree, from whatever name', async () => {
    const [seal] = await readLedger(service, 'unit', 'seal')
    const told = await cli('lineage', String(seal?.['id']))
    expect(told.stderr).toBe('')
    expect(told.code).toBe(0)
    expect(told.stdout).toMatch(/^commit 4f2d9b8c\S+ {2}github\.com\/acme\/payments/)
    expect(told.stdout).toMatch(/\n├─ build payments-7 {2}build_seq 0 .*\n│ {2}└─ stage test\n│ {5}└─ run local\.1\.api\.unit {2}unit api {2}counts .*by token/) // oxfmt-ignore
    expect(told.stdout).toMatch(
      /part coverage\/lcov\.info {2}lcov lcov\.da@1 .*artifact [0-9a-f]{64} .*records \d+-\d+/,
    )
    expect(told.stdout).toMatch(/└─ checkpoint main\/unit@\d+ {2}localhost\/main\/unit {2}root \S{44}\n/)
    expect(told.stdout).toContain('\nas of unit:')
    for (const name of ['local.1.e2e.integration', 'payments-7', 'build:payments-7', commit.slice(0, 12)])
      expect((await cli('lineage', name)).stdout).toContain('run local.1.e2e.integration')
    const none = await cli('lineage', 'nothing-7')
    expect(none.code).toBe(1)
    expect(none.stderr).toContain('there is no build, deployment nothing-7 as of this')
  }, 60_000)
})
