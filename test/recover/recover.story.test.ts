import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { commit, makeCheckout, write } from '../commands/run-program.ts'
import { withDatabase } from '../support/postgres.ts'
import { type Finished, type RunningService, aDeclaration, anLcov, ask, cleanEnvironment, pushRun, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/** A service loses what it recorded since a backup, or all of it, and gets every record back, byte for byte, with the real program. */

const { url: server } = inject('postgres')
const name = (suffix: string): string => `proofline_recover_${process.pid}_${suffix}`
const ledgers = ['unit', 'integration', 'changes', 'operations'] as const
const made = new Set<string>()
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let checkout: string
/** Record bytes of each ledger before the loss. */
const before = new Map<string, string>()
const rowsBefore = new Map<string, unknown[]>()

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(statement).finally(() => client.end())
}
async function copyDatabase(from: string | undefined, to: string): Promise<void> {
  made.add(to)
  await administer(`drop database if exists ${to}`)
  await administer(`create database ${to}${from === undefined ? '' : ` template ${from}`}`)
}
async function rowsOf(database: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: withDatabase(server, database) })
  await client.connect()
  return client.query(`set search_path = proofline; ${text}`).then((all) => (all as unknown as pg.QueryResult[])[1]?.rows ?? []).finally(() => client.end()) // oxfmt-ignore
}
const copy = (): string => join(folder.path, 'copy')
const dataDir = (): string => join(folder.path, 'data')
const env = (): Record<string, string> => ({ PROOFLINE_PUBLISH_FOLDER: copy(), PROOFLINE_PUBLISH_EVERY_MS: '150', PROOFLINE_WATCH_ALERTS_EVERY_MS: '1000', PROOFLINE_WATCH_HEARTBEAT_EVERY_MS: '3600000' }) // oxfmt-ignore
const start = (database: string): Promise<RunningService> => startServe({ dataDir: dataDir(), databaseUrl: withDatabase(server, database), env: env() }) // oxfmt-ignore
const recover = (database: string, ...args: string[]): Promise<Finished> =>
  runCli(['recover', '--data-dir', dataDir(), ...args], { env: cleanEnvironment(dataDir(), { ...env(), DATABASE_URL: withDatabase(server, database) }) }) // oxfmt-ignore
async function feed(service: RunningService, ledger: string): Promise<string> {
  const headers = { authorization: `Bearer ${service.token}`, accept: 'application/x-ndjson' }
  let all = ''
  for (let after = -1; ;) {
    const page = await (await fetch(`${service.url}/v1/feed/${ledger}?after=${after}&limit=10000`, { headers })).text()
    if (page === '') return all
    all += page
    after += page.split('\n').length - 1
  }
}
const submissions = 'select ledger, key, encode(digest, \'hex\') as digest, first_seq::int, last_seq::int, first_time::text from submissions order by ledger, first_seq, key' // oxfmt-ignore

async function work(service: RunningService, round: number): Promise<void> {
  for (let run = 0; run < 4; run++) expect((await pushRun(service, `r${round}-${run}.api.unit`, anLcov(run, 30), { build: `b${round}`, ref: 'refs/heads/main' })).status).toBe(201) // oxfmt-ignore
  await pushRun(service, `r${round}.api.integration`, anLcov(9))
  // In steps, with a conflict, a refusal and a part too large for one slice.
  const run = `/v1/runs/big${round}.api.unit`
  await ask(service, run, { method: 'PUT', body: aDeclaration({ url: 'https://ci.example/1', flags: ['-x'], configuration: [{ path: 'vitest.config.ts', sha256: 'a'.repeat(64) }] }) }) // oxfmt-ignore
  await ask(service, run, { method: 'PUT', body: aDeclaration({ suite: 'another' }) })
  const blob = 'b'.repeat(40)
  const inventory = Array.from({ length: 1_500 }, (_, i) => JSON.stringify({ path: `src/f${i}.ts`, blob })).join('\n')
  expect((await ask(service, `${run}/inventory`, { method: 'PUT', headers: { 'content-type': 'application/x-ndjson' }, body: `${inventory}\n` })).status).toBeLessThan(300) // oxfmt-ignore
  expect((await ask(service, `${run}/parts?name=${encodeURIComponent('coverage/lcov.info')}`, { method: 'PUT', body: anLcov(round, round === 2 ? 4_500 : 500, 4) })).status).toBe(201) // oxfmt-ignore
  expect((await ask(service, `${run}/parts?name=b`, { method: 'PUT', body: 'rubbish' })).status).toBe(422)
  expect((await ask(service, `${run}/seal`, { method: 'PUT', body: { outcome: 'completed', tests: { total: 1, passed: 1, failed: 0, skipped: 0 } } })).status).toBe(201) // oxfmt-ignore
  const at = { env: cleanEnvironment(dataDir(), { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token }), cwd: checkout } // oxfmt-ignore
  const text = `version: 1\nrepository: github.com/acme/payments\nmode: observe\nrefs: [refs/heads/main]\nsuites:\n  - name: s${round}\n    test_type: unit\n    stage: test\n    owner: team\n` // oxfmt-ignore
  await writeFile(join(checkout, 'proofline.contract.yaml'), text)
  commit(checkout, `contract ${round}`)
  const registered = await runCli(['contract', 'register', '--ref', 'refs/heads/main'], at)
  expect(registered.stderr).toBe('')
  // Two commits one after the other, as CI pushes them: the second one brings line maps, of more than one window.
  for (const lines of [round * 10, round * 10 + 1]) {
    write(
      checkout,
      'src/a.js',
      `${Array.from({ length: 3_000 }, (_, i) => `${i} ${i % 3 === 0 ? lines : ''}`).join('\n')}\n`,
    )
    commit(checkout, `lines ${lines}`)
    const pushed = await runCli(['push', 'coverage/lcov.info', '--test-type', 'unit', '--tests', '1,1,0,0'], at)
    expect(pushed.code, pushed.stderr).toBe(0)
  }
  expect(await feed(service, 'unit')).toContain('"kind":"linemap"')
}

beforeAll(async () => {
  folder = await temporaryFolder('recover')
  checkout = makeCheckout()
  await copyDatabase(undefined, name('whole'))
  let service = await start(name('whole'))
  await work(service, 1)
  service.signal('SIGTERM')
  await service.ended
  await copyDatabase(name('whole'), name('older'))
  await cp(dataDir(), join(folder.path, 'older-data'), { recursive: true })
  service = await start(name('whole'))
  await work(service, 2)
  const size = (await feed(service, 'unit')).trim().split('\n').length
  while (!(await readFile(join(copy(), 'main/unit/checkpoint'), 'utf8')).includes(`\n${size}\n`)) await sleep(50)
  service.signal('SIGTERM')
  await service.ended
  // The last words of a service are in no copy: what was published when it stopped is what can be got back from there.
  service = await start(name('whole'))
  await sleep(1_500)
  for (const ledger of ledgers) before.set(ledger, await feed(service, ledger))
  service.signal('SIGKILL')
  await service.ended
  rowsBefore.set('submissions', await rowsOf(name('whole'), submissions))
  rowsBefore.set('seals', await rowsOf(name('whole'), 'select * from seals order by ledger, seq'))
  rowsBefore.set('tile_roots', await rowsOf(name('whole'), 'select * from tile_roots order by ledger, level, index'))
})
afterAll(async () => {
  for (const database of made) await administer(`drop database if exists ${database} with (force)`)
  await folder.remove()
})

async function isWhole(service: RunningService): Promise<void> {
  for (const ledger of ledgers)
    expect((await feed(service, ledger)).startsWith(before.get(ledger) ?? 'nothing')).toBe(true)
  // A client that repeats itself is answered with what it was answered before.
  const again = await pushRun(service, 'r2-1.api.unit', anLcov(1, 30), { build: 'b2', ref: 'refs/heads/main' })
  expect(again.status).toBe(200)
  const other = await pushRun(service, 'r2-1.api.unit', anLcov(2, 30), { build: 'b2', ref: 'refs/heads/main' })
  expect(other.status).toBe(409)
  const fresh = await pushRun(service, 'fresh.api.unit', anLcov(1))
  expect(fresh.status).toBe(201)
  const { body } = await ask(service, '/v1/status')
  const { ledgers: told } = body as { ledgers: { stopped: unknown }[] }
  expect(told.map(({ stopped }) => stopped)).toEqual([null, null, null, null])
}

describe('proofline recover', () => {
  it('case 45: an older backup stops recording; recover puts back every record, and recording goes on', async () => {
    await copyDatabase(name('older'), name('a'))
    const stopped = await start(name('a'))
    expect((await pushRun(stopped, 'x.api.unit', anLcov(1))).body).toMatchObject({ code: 'rollback_detected' })
    expect((await feed(stopped, 'unit')).length).toBeGreaterThan(1_000) // reading goes on
    expect(await recover(name('a'))).toMatchObject({ code: 4, stderr: expect.stringContaining('in use by another process') as string }) // oxfmt-ignore
    stopped.signal('SIGTERM')
    await stopped.ended

    const dry = await recover(name('a'), '--dry-run')
    expect(dry.stdout).toMatch(/recovered {3}main\/unit: \d+ records would be put back \(\d+ from .*copy\)/)
    const done = await recover(name('a'))
    expect(done.stdout).toMatch(/recovered {3}main\/unit: \d+ records put back/)
    expect(done.stdout).toMatch(/verified: \d+ records, every one hashed again/)
    expect(done.code, done.stdout + done.stderr).toBe(0)
    const again = await recover(name('a'))
    expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^whole .*\nwhole .*\nwhole .*\nwhole .*\n$/) as string }) // oxfmt-ignore

    const service = await start(name('a'))
    await isWhole(service)
    expect(await feed(service, 'operations')).toMatch(/"command":"recover".*"ledger":"main\/unit","had":\d+,"size":\d+/)
    service.signal('SIGTERM')
    await service.ended
  })

  it('gives every submission the key and digest that it had, or a digest that no repeat contradicts', async () => {
    const found = await rowsOf(name('a'), submissions)
    const wanted = (rowsBefore.get('submissions') ?? []) as { ledger: string; key: string; digest: string; first_seq: number }[] // oxfmt-ignore
    const bySeq = new Map(found.map((row) => [`${String(row['ledger'])} ${String(row['first_seq'])}`, row]))
    const unknown = '0'.repeat(64)
    const differs = wanted.filter((row) => {
      const now = bySeq.get(`${row.ledger} ${row.first_seq}`)
      return now === undefined || now['key'] !== row.key || ![row.digest, unknown].includes(String(now['digest']))
    })
    // A command's key is random; nobody ever offers it again.
    expect(differs.filter(({ key }) => !/^(command|reconciliation):|^configuration:.*\/after\//.test(key))).toEqual([])
    const kept = new Map((await rowsOf(name('older'), 'select ledger, max(last_seq)::int as last from submissions group by ledger')).map((row) => [row['ledger'], Number(row['last'])])) // oxfmt-ignore
    const lost = wanted.filter(({ ledger, first_seq }) => first_seq > (kept.get(ledger) ?? -1))
    const exact = lost.filter(({ ledger, first_seq, digest }) => digest !== unknown && bySeq.get(`${ledger} ${first_seq}`)?.['digest'] === digest) // oxfmt-ignore
    const kinds = new Set(exact.map(({ key }) => key.slice(0, key.indexOf(':'))))
    expect([...kinds].toSorted()).toEqual(expect.arrayContaining(['build', 'contract', 'part', 'reject', 'run']))
    expect(await rowsOf(name('a'), 'select * from seals where seq < (select max(seq) from seals) order by ledger, seq').then((rows) => rows.length)).toBeGreaterThan(5) // oxfmt-ignore
    for (const row of rowsBefore.get('seals') ?? []) expect(await rowsOf(name('a'), 'select * from seals order by ledger, seq')).toContainEqual(row) // oxfmt-ignore
  })

  it('case 48, 49: an empty database under the guard that knows more gets everything back', async () => {
    await rm(dataDir(), { recursive: true })
    await cp(join(folder.path, 'older-data'), dataDir(), { recursive: true }) // an older guard too: the copy has what our key signed
    await copyDatabase(undefined, name('b'))
    const done = await recover(name('b'), '--from', copy())
    expect(done.code, done.stdout + done.stderr).toBe(0)
    expect(done.stdout).toMatch(/recovered {3}main\/operations/)
    // The guard is older than what was put back: a person says that this is meant.
    const at = { env: cleanEnvironment(dataDir(), { ...env(), DATABASE_URL: withDatabase(server, name('b')) }) }
    const adopted = await runCli(['key', 'adopt', '--reason', 'restored', '--data-dir', dataDir()], at)
    expect(adopted.code, adopted.stdout + adopted.stderr).toBe(0)
    const service = await start(name('b'))
    for (const ledger of ledgers) expect((await feed(service, ledger)).startsWith(before.get(ledger) ?? 'nothing')).toBe(true) // oxfmt-ignore
    service.signal('SIGTERM')
    await service.ended
  })
})
