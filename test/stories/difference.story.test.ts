import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type RunningService, aDeclaration, ask, cleanEnvironment, pushRun, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

let database: TestDatabase
let service: RunningService
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let env: Record<string, string>

const repository = 'github.com/acme/ring'
const commit = 'a'.repeat(40)
const source = 'test/programs/ring/src/ring.c'
const fixture = (name: string) => readFileSync(new URL(`../fixtures/ring/${name}`, import.meta.url), 'utf8')
const cli = (...args: string[]) =>
  runCli(['difference', ...args, '--repository', repository], { cwd: folder.path, env })

/** The same C program, measured once by gcc and lcov and once by clang and llvm-cov. */
beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('difference')
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url })
  env = cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
  const declared = aDeclaration({ repository, commit, suite: 'first' })
  expect((await ask(service, '/v1/runs/local.0.first.unit', { method: 'PUT', body: declared })).status).toBe(201)
  const listed = await ask(service, '/v1/runs/local.0.first.unit/inventory', { method: 'PUT', body: `${JSON.stringify({ path: source, blob: 'b'.repeat(40) })}\n` }) // oxfmt-ignore
  expect(listed.status).toBe(201)
  for (const [run, file, type] of [
    ['local.1.gcc.unit', 'unit/lcov.info', 'unit'],
    ['local.1.clang.unit', 'unit/llvm-cov.json', 'unit'],
    ['local.1.gcc.integration', 'integration/lcov.info', 'integration'],
  ] as const)
    expect(await pushRun(service, run, fixture(file), { repository, commit, suite: run.split('.')[2]!, test_type: type })).toMatchObject({ status: 201 }) // oxfmt-ignore
}, 120_000)
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await folder.remove()
  await database.drop()
})

describe('proofline difference', () => {
  it('leads from one number to the other, tool by tool, and ends with 1', async () => {
    const told = await cli('local.1.gcc.unit', 'local.1.clang.unit')
    expect(told.stderr).toBe('')
    expect(told.code).toBe(1)
    expect(told.stdout).toMatchInlineSnapshot(`
      "github.com/acme/ring, as of unit:10,integration:5,changes:0

      A  100.00 %  13 of 13 lines  run:local.1.gcc.unit    1 file, all that were measured  lcov.da@1
      B  100.00 %  15 of 15 lines  run:local.1.clang.unit  1 file, all that were measured  llvm-cov.segment@1 by llvm-cov export@2.0.1

                                                                 found  executed
      A                                                             13        13  100.00 %
        2 lines that only B counts as code (llvm-cov.segment@1)     +2        +2  100.00 %
      B                                                             15        15  100.00 %

      of 13 lines both say the same
      suites only in A: unit gcc
      runs only in A: local.1.gcc.unit
      suites only in B: unit clang
      runs only in B: local.1.clang.unit

      files
        test/programs/ring/src/ring.c  +2  +2
      "
    `)
  })

  it('takes the beginning of a commit, and is JSON and Markdown too', async () => {
    const json = await cli('aaaaaaa', 'local.1.gcc.unit', '--definition', 'lcov.da@1', '--json')
    expect(json.code).toBe(1)
    const answer = JSON.parse(json.stdout) as Record<string, unknown>
    expect(answer).toMatchObject({
      rules: 'difference@1',
      a: { subject: 'commit:aaaaaaa;definition=lcov.da@1', commit, counts: 'production' },
      steps: [
        { kind: 'file_only', side: 'a', reason: 'not_in_commit', largest: [{ path: 'test/programs/ring/src/main.c' }] },
      ],
      only_a: { suites: [{ test_type: 'integration', suite: 'gcc' }] },
    })
    const markdown = await cli('aaaaaaa;definition=lcov.da@1', 'local.1.gcc.unit', '--markdown', '--as-of', String(answer['as_of'])) // oxfmt-ignore
    expect(markdown.stdout).toMatchInlineSnapshot(`
      "**commit:aaaaaaa;definition=lcov.da@1** says 92.85 %, **run:local.1.gcc.unit** says 100.00 %. Why:

      | | found | executed | |
      |---|---:|---:|---:|
      | A | 28 | 26 | 92.85 % |
      | 1 file only in A: not in the inventory of B's commit | -15 | -13 | 100.00 % |
      | B | 13 | 13 | 100.00 % |

      Of 13 lines both say the same.
      - suites only in A: integration gcc
      - runs only in A: local.1.gcc.integration

      | file | found | executed |
      |---|---:|---:|
      | \`test/programs/ring/src/main.c\` | -15 | -13 |

      <sub>\`proofline difference 'commit:aaaaaaa;definition=lcov.da@1' 'run:local.1.gcc.unit' --repository github.com/acme/ring --as-of unit:10,integration:5,changes:0\`</sub>
      "
    `)
  })

  it('ends with 0 where the numbers agree, and says what it needs to know', async () => {
    expect((await cli('local.1.gcc.unit', 'commit:aaaaaaa;test_type=unit;definition=lcov.da@1')).code).toBe(0)
    const open = await cli('aaaaaaa', 'local.1.gcc.unit')
    expect(open.code).toBe(2)
    expect(open.stderr).toContain('say which, as in ;definition=lcov.da@1; there are lcov.da@1, llvm-cov.segment@1')
    expect((await cli('main', 'local.1.gcc.unit')).code).toBe(2)
  })

  it('shows nobody what his credential does not reach', async () => {
    const made = await runCli(['token', 'create', '--scope', 'audit', '--repository', 'github.com/acme/other', '--json', '--data-dir', folder.path], { cwd: folder.path, env: { ...env, DATABASE_URL: database.url } }) // oxfmt-ignore
    const { token } = JSON.parse(made.stdout) as { token: string }
    const path = `/v1/reports/difference?repository=${repository}&a=run:local.1.gcc.unit&b=run:local.1.clang.unit`
    expect(await ask(service, path, { token })).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  })
})
