import { execFileSync } from 'node:child_process'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromSorted, printLines } from '../../src/record/lines.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type RunningService, aDeclaration, anLcov, ask, cleanEnvironment, pushRun, readLedger, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/** An auditor asks for a pack, takes it home, and verifies it there with our program and with those of others. */

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let service: RunningService
let keys: string

const env = (): Record<string, string> =>
  cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
const evidence = (...args: string[]) =>
  runCli(['evidence', '--from', '2020-01-01', ...args], { cwd: folder.path, env: env() })
const verify = (pack: string, ...args: string[]) =>
  runCli(['verify', pack, '--json', ...args], { cwd: folder.path, env: cleanEnvironment(folder.path) })
const unpack = async (pack: string, name: string): Promise<string> => {
  const to = join(folder.path, name)
  await mkdir(to)
  execFileSync('unzip', ['-q', join(folder.path, pack), '-d', to])
  return to
}

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('evidence')
  service = await startServe({ dataDir: join(folder.path, 'data'), databaseUrl: database.url })
  for (let i = 0; i < 6; i++) {
    expect((await pushRun(service, `github.${i}.api.unit`, anLcov(i, 4))).status).toBe(201)
    expect((await pushRun(service, `github.${i}.api.integration`, anLcov(i, 2), { repository: 'github.com/acme/other' })).status).toBe(201) // oxfmt-ignore
  }
  expect((await ask(service, '/v1/runs/open.api.unit', { method: 'PUT', body: aDeclaration() })).status).toBe(201)
  expect((await pushRun(service, 'github.1.api.unit', anLcov(77, 4))).status).toBe(409)
  const { body } = await ask(service, '/v1/status')
  expect(body['as_of']).toBeTypeOf('string')
  const vkeys = (await readdir(join(folder.path, 'data/keys'))).filter((name) => name.endsWith('.vkey'))
  keys = join(folder.path, 'trusted.vkey')
  await writeFile(keys, (await Promise.all(vkeys.map((name) => readFile(join(folder.path, 'data/keys', name), 'utf8')))).join('')) // oxfmt-ignore
})

afterAll(async () => {
  service?.signal('SIGKILL')
  await service?.ended
  await database?.drop()
  await folder?.remove()
})

describe('proofline evidence', () => {
  it('gives a pack that verifies offline, and its question is on record before it is answered', async () => {
    const made = await evidence('--sample', '4', '-o', 'pack.zip')
    expect(made, made.stderr).toMatchObject({ code: 0 })
    const verified = await verify('pack.zip', '--key', keys)
    expect(verified.stdout).toContain('"verdict"')
    const { checks } = JSON.parse(verified.stdout) as { checks: { check: string; verdict: string; detail: string }[] }
    expect(checks.filter(({ verdict }) => verdict !== 'ok')).toEqual([])
    expect(verified.code).toBe(0)
    expect(checks.map(({ check }) => check)).toEqual(expect.arrayContaining(['manifest', 'files', 'unit records', 'sample', 'sample 4', 'tables'])) // oxfmt-ignore
    const access = await readLedger(service, 'operations', 'access')
    expect(access.filter((record) => record['route'] === 'makeEvidence')).toMatchObject([{ params: { sample: 4 } }])
  })

  it('gives the same pack again for the same question and as_of, after more was recorded', async () => {
    const first = await readFile(join(folder.path, 'pack.zip'))
    const dir = await unpack('pack.zip', 'first')
    const { as_of, question } = JSON.parse(await readFile(join(dir, 'scope.json'), 'utf8')) as { as_of: string; question: { to: string } } // oxfmt-ignore
    expect((await pushRun(service, 'github.9.api.unit', anLcov(9, 4))).status).toBe(201)
    expect((await evidence('--sample', '4', '--to', question.to, '--as-of', as_of, '-o', 'again.zip')).code).toBe(0)
    expect((await readFile(join(folder.path, 'again.zip'))).equals(first)).toBe(true)
  })

  it('case 44: is checked by openssl, sha256sum and python with the very commands of its README', async () => {
    const dir = join(folder.path, 'first')
    const readme = await readFile(join(dir, 'README.md'), 'utf8')
    const blocks = [...readme.matchAll(/^```sh\n([^]*?)^```$/gm)].map((match) => match[1] ?? '')
    expect(blocks.length).toBe(6)
    const output = blocks.map((block) => execFileSync('bash', ['-euo', 'pipefail', '-c', block], { cwd: dir, encoding: 'utf8' })) // oxfmt-ignore
    expect(output[1]).toContain('Signature Verified Successfully')
    expect(output[2]).toContain('Signature Verified Successfully')
    expect(output[3]?.trim().split('\n').length).toBeGreaterThanOrEqual(9) // four seals, five keys
    await writeFile(join(dir, 'manifest.json'), '{}')
    expect(() =>
      execFileSync('bash', ['-euo', 'pipefail', '-c', blocks[1] ?? ''], { cwd: dir, stdio: 'pipe' }),
    ).toThrow()
  })

  it('packs a selection, says what that does not prove, and verifies by a policy file alone', async () => {
    expect((await evidence('--repository', 'github.com/acme/other', '--sample', '2', '-o', 'part.zip')).code).toBe(0)
    const dir = await unpack('part.zip', 'part')
    const runs = await readFile(join(dir, 'population/runs.csv'), 'utf8')
    expect(runs.split('\r\n').filter((line) => line.includes('github.com/acme/other'))).toHaveLength(6)
    expect(runs).not.toContain('github.com/acme/payments')
    expect(await readFile(join(dir, 'limits.md'), 'utf8')).toContain(
      'The question selects (repository github.com/acme/other)',
    )
    const policy = join(folder.path, 'policy.txt')
    const logs = (await readFile(keys, 'utf8'))
      .split('\n')
      .filter((line) => line !== '' && !line.includes('/statement+'))
    await writeFile(policy, `${logs.map((line) => `log ${line}\n`).join('')}quorum none\n`)
    const verified = await verify('part.zip', '--policy', policy)
    expect(verified.stdout, verified.stderr).toContain('"verdict":"ok"')
    expect(verified.code).toBe(0)
  })

  it('tells the history of lines of a file, from the history that follows the ledger, with the states that the reports had', async () => {
    expect((await evidence('--repository', 'github.com/acme/payments', '--path', 'src/file1.ts', '--lines', '3-5', '--sample', '0', '-o', 'lines.zip')).code).toBe(0) // oxfmt-ignore
    const dir = await unpack('lines.zip', 'lines')
    const table = (await readFile(join(dir, 'lines/runs.csv'), 'utf8')).split('\r\n').slice(1, -1)
    expect(table).toHaveLength(7)
    for (const i of [0, 1, 2, 3, 4, 5, 9]) {
      const executed = [3, 4, 5].filter((line) => (line * 7 + 13 + i) % 3 > 0)
      const row = table.find((one) => one.includes(`github.${i}.api.unit`)) ?? ''
      const covered = executed.length === 0 ? '' : `covered ${printLines(fromSorted(executed))}; `
      expect(row).toContain(
        `${covered}missed ${printLines(fromSorted([3, 4, 5].filter((line) => !executed.includes(line))))}`,
      )
    }
    const verified = await verify('lines.zip', '--key', keys)
    expect(verified.stdout).toContain('"verdict":"ok"')
    expect(verified.stdout).toContain('7 rows in 7 intervals')
    expect(verified.code).toBe(0)
  })

  it('shows a credential that is bound to a repository nothing of others, nor of the system but its keys', async () => {
    const created = await runCli(['token', 'create', '--scope', 'audit', '--repository', 'github.com/acme/other', '--data-dir', join(folder.path, 'data'), '--json'], { cwd: folder.path, env: cleanEnvironment(folder.path, { DATABASE_URL: database.url }) }) // oxfmt-ignore
    expect(created, created.stderr).toMatchObject({ code: 0 })
    const { token } = JSON.parse(created.stdout) as { token: string }
    const asBound = (...args: string[]) => runCli(['evidence', '--from', '2020-01-01', '-o', 'bound.zip', ...args], { cwd: folder.path, env: { ...env(), PROOFLINE_TOKEN: token } }) // oxfmt-ignore
    expect((await asBound()).code).toBe(1)
    expect((await asBound('--repository', 'github.com/acme/payments')).code).toBe(1)
    expect((await asBound('--repository', 'github.com/acme/other', '--sample', '1')).code).toBe(0)
    const dir = await unpack('bound.zip', 'bound')
    const operations = (await readFile(join(dir, 'population/records/operations.ndjson'), 'utf8')).trim().split('\n')
    expect(new Set(operations.map((line) => (JSON.parse(line) as { kind: string }).kind))).toEqual(new Set(['key']))
    expect(await readFile(join(dir, 'population/records/unit.ndjson'), 'utf8')).toBe('')
    expect((await verify('bound.zip', '--key', keys)).code).toBe(0)
  })

  it('refuses a question that contradicts itself, and a credential that may not ask', async () => {
    const post = (body: Record<string, unknown>, token = service.token) => ask(service, '/v1/evidence', { method: 'POST', body, token }) // oxfmt-ignore
    expect(await post({ from: '2026-01-01T00:00:00Z', path: 'src/a.ts' })).toMatchObject({ status: 400, body: { code: 'request_invalid' } }) // oxfmt-ignore
    expect(await post({ from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' })).toMatchObject({ status: 400 })
    expect(await post({ from: '2026-02-01T00:00:00Z', as_of: 'unit:999999' })).toMatchObject({ status: 400 })
    expect(await post({ from: '2026-01-01T00:00:00Z' }, 'wrong')).toMatchObject({ status: 401 })
  })
})
