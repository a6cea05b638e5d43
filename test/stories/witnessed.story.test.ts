import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { parseProof } from '../../src/log/proof.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { anLcov, ask, cleanEnvironment, cli, endOf, pushRun, runCli, startServe, temporaryFolder, type RunningService } from '../support/service.ts' // oxfmt-ignore

/** A service with a policy, and a witness that somebody else runs. */

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let database: TestDatabase
const ends: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  folder = await temporaryFolder('witnessed')
  database = await aDatabase()
})
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
  await folder.remove()
})

async function startWitness(logs: string[], port = 0): Promise<{ url: string; vkey: string; kill(): Promise<unknown> }> {
  const args = [cli, 'witness', '--json', '--state', join(folder.path, 'witness'), '--listen', `127.0.0.1:${port}`]
  const child = spawn(process.execPath, [...args, ...logs.flatMap((log) => ['--log', log])], {
    env: cleanEnvironment(folder.path),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = endOf(child)
  const kill = (): Promise<unknown> => {
    child.kill('SIGKILL')
    return ended
  }
  ends.push(kill)
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk) => resolve(String(chunk)))
    void ended.then((code) => reject(new Error(`the witness ended with ${code}`)))
  })
  return { ...(JSON.parse(line) as { url: string; vkey: string }), kill }
} // oxfmt-ignore

/** One that goes with the test. */
async function aDatabase(): Promise<TestDatabase> {
  const made = await createTestDatabase()
  ends.push(() => made.drop())
  return made
}

const dataDir = (): string => join(folder.path, 'data')
async function serve(env: Record<string, string>): Promise<RunningService> {
  const service = await startServe({ dataDir: dataDir(), databaseUrl: database.url, env: { PROOFLINE_WITNESS_EVERY_MS: '100', PROOFLINE_WATCH_ALERTS_EVERY_MS: '1000', ...env } }) // oxfmt-ignore
  ends.push(async () => {
    service.signal('SIGTERM')
    await service.ended
  })
  return service
}

async function eventually<T>(look: () => Promise<T>, isThere: (found: T) => boolean): Promise<T> {
  for (let i = 0; i < 300; i++) {
    const found = await look()
    if (isThere(found)) return found
    await sleep(100)
  }
  throw new Error(`it did not come: ${JSON.stringify(await look())}`)
}

it('case 38: what the log shows is witnessed; with the witness down recording goes on, an alert opens, and it catches up', async () => {
  const ledgers = ['unit', 'integration', 'changes', 'operations']
  const first = await serve({})
  await pushRun(first, 'local.1.api.unit', anLcov(1))
  first.signal('SIGTERM')
  await first.ended
  const files = ledgers.map((ledger) => join(dataDir(), 'keys', `main.${ledger}.vkey`))
  const witness = await startWitness(files)
  const policy = join(folder.path, 'policy.txt')
  await writeFile(policy, `witness auditor ${witness.vkey} ${witness.url}\nquorum auditor\n`)

  const service = await serve({ PROOFLINE_LOG_POLICY: policy })
  const keys = [parseVkey((await readFile(files[0] ?? '', 'utf8')).trim()), parseVkey(witness.vkey)]
  const get = async (path: string): Promise<string> => {
    const answer = await fetch(service.url + path, { headers: { authorization: `Bearer ${service.token}` } })
    return answer.status === 404 ? '' : answer.text()
  }
  const shown = async () => {
    const text = await get('/log/main/unit/checkpoint')
    return text !== '' ? openCheckpoint(text, 'localhost/main/unit', keys) : undefined
  }
  type Ledgers = { ledgers: { ledger: string; published: number }[] }
  const published = async (): Promise<number> =>
    ((await ask(service, '/v1/status')).body as Ledgers).ledgers.find(({ ledger }) => ledger === 'main/unit')?.published ?? 0 // oxfmt-ignore
  const before = await eventually(shown, (found) => found !== undefined)
  expect(before?.cosignatures).toHaveLength(1)
  const { body } = await pushRun(service, 'local.2.api.unit', anLcov(2))
  await eventually(shown, (found) => (found?.size ?? 0) > (before?.size ?? 0))
  const { id } = (body['seal'] as { id: string }) ?? {}
  const proof = parseProof(await get(`/v1/records/${id}/proof`))
  expect((await openCheckpoint(proof.checkpoint, 'localhost/main/unit', keys)).cosignatures).toHaveLength(1)

  await witness.kill()
  const stood = await shown()
  expect((await pushRun(service, 'local.3.api.unit', anLcov(3))).status).toBe(201)
  expect(await published()).toBeGreaterThan(stood?.size ?? Infinity)
  expect((await shown())?.size).toBe(stood?.size)
  type Alerts = { alerts: { alert: string; severity: string }[] }
  const alerts = async () => ((await ask(service, '/v1/alerts')).body as Alerts).alerts.map(({ alert }) => alert)
  const name = (await eventually(alerts, (open) => open.some((one) => /^witness_silent:.* main\/unit$/.test(one)))).find((one) => one.endsWith('main/unit')) // oxfmt-ignore
  expect(name).toBe(`witness_silent:${witness.vkey.split('+').slice(0, 2).join('+')} main/unit`)
  const status = await runCli(['status'], { env: cleanEnvironment(dataDir(), { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token }) }) // oxfmt-ignore
  expect(status.stdout).toMatch(/witness\s+ledger\s+cosigned\s+lag/)
  expect(status.stdout).toContain('fails since')

  await startWitness(files, Number(new URL(witness.url).port))
  await eventually(shown, (found) => (found?.size ?? 0) > (stood?.size ?? 0))
  expect((await shown())?.size).toBe(await published())
  await eventually(alerts, (open) => !open.some((one) => one.startsWith('witness_silent')))
  expect(await get('/metrics')).toMatch(/proofline_witness_lag_records\{[^}]*main\/unit[^}]*\} 0/)
}, 120_000)

it('case 8, 48: keys without the database and the guard that they had do not begin a second history: the witness knows better', async () => {
  const first = await serve({})
  await pushRun(first, 'local.1.api.unit', anLcov(1))
  const file = join(dataDir(), 'keys', 'main.unit.vkey')
  const witness = await startWitness([file])
  const policy = join(folder.path, 'policy.txt')
  await writeFile(policy, `witness auditor ${witness.vkey} ${witness.url}\nquorum none\n`)
  first.signal('SIGTERM')
  await first.ended
  const second = await serve({ PROOFLINE_LOG_POLICY: policy })
  const hash = createHash('sha256').update('localhost/main/unit').digest('hex')
  await eventually(async () => (await fetch(`${witness.url}/${hash}/checkpoint`)).status, (status) => status === 200) // oxfmt-ignore
  second.signal('SIGTERM')
  await second.ended

  await rename(dataDir(), `${dataDir()}.lost`)
  database = await aDatabase()
  await cp(join(`${dataDir()}.lost`, 'keys'), join(dataDir(), 'keys'), { recursive: true })
  const third = await serve({ PROOFLINE_LOG_POLICY: policy })
  type Ledgers = { ledgers: { ledger: string; stopped: { code: string } | null }[] }
  const { ledgers } = (await ask(third, '/v1/status')).body as Ledgers
  expect(ledgers.find(({ ledger }) => ledger === 'main/unit')?.stopped).toMatchObject({ code: 'rollback_detected' })
  expect((await pushRun(third, 'local.2.api.unit', anLcov(2))).body).toMatchObject({ code: 'rollback_detected' })
  await witness.kill()
  third.signal('SIGTERM')
  await third.ended
  await serve({ PROOFLINE_LOG_POLICY: policy }) // one that is away stops nothing
}, 120_000)

it('a service does not start with a policy that nobody could fill, and says why', async () => {
  const policy = join(folder.path, 'policy.txt')
  const env = cleanEnvironment(dataDir(), { PROOFLINE_LOG_POLICY: policy })
  const vkey = 'Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk'
  for (const [text, why] of [
    [undefined, 'ENOENT'],
    ['quorum nobody\n', 'line 1 of the policy: nobody is not defined above'],
    [`witness a ${vkey}\nquorum a\n`, 'the quorum needs witnesses that have no address here'],
    [`witness a ${vkey} ftp://a.example\nquorum a\n`, 'the address of witness a is no http or https URL'],
  ] as const) {
    if (text !== undefined) await writeFile(policy, text)
    const { code, stderr } = await runCli(['serve', '--port', '0', '--data-dir', dataDir()], { env })
    expect([code, stderr]).toEqual([2, expect.stringContaining(why)])
    expect(stderr).toContain('log.policy')
  }
}, 120_000)
