import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import {
  type Finished,
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

/** An operator with a Splunk and an Elastic: set up, check, push, pause, push, resume. */

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let elastic: FakeBulk
let splunk: FakeHec
let service: RunningService

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('operate')
  elastic = await startFakeBulk()
  splunk = await startFakeHec()
  const quick = { window_ms: 50, position_every_ms: 100, probe_ms: { min: 100, max: 200 } }
  const config = {
    destinations: {
      elk: {
        type: 'elastic',
        url: elastic.url,
        api_key: elastic.apiKey,
        keeps: '400d',
        visible_after_ms: 500,
        ...quick,
      },
      siem: {
        type: 'splunk',
        url: splunk.url,
        token: splunk.token,
        proof: 'answer',
        search: { url: splunk.searchUrl, token: splunk.searchToken },
        ...quick,
      },
    },
  }
  const file = join(folder.path, 'proofline.yaml')
  await writeFile(file, JSON.stringify(config))
  service = await startServe({
    dataDir: join(folder.path, 'data'),
    databaseUrl: database.url,
    args: ['--config', file],
  })
})

afterAll(async () => {
  service.signal('SIGKILL')
  await service.ended
  await Promise.all([elastic.close(), splunk.close()])
  await database.drop()
  await folder.remove()
})

function cli(...args: string[]): Promise<Finished> {
  const env = cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
  return runCli(['destinations', ...args], { env })
}

/** Every published record of these ledgers is at both, once, and nothing is parked. */
async function delivered(): Promise<void> {
  for (let tries = 0; ; tries++) {
    const { body } = await ask(service, '/v1/destinations')
    const lanes = (
      body['destinations'] as { ledgers: { sent_to: number; published: number; parked: number }[] }[]
    ).flatMap(({ ledgers }) => ledgers)
    expect(lanes.map(({ parked }) => parked)).toEqual(lanes.map(() => 0))
    if (lanes.length === 8 && lanes.every(({ sent_to, published }) => sent_to === published)) return
    if (tries === 200) throw new Error(`not delivered: ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

it('prints what setup would install, installs it, and says that Splunk has nothing to install', async () => {
  const dry = await cli('setup', 'elk', '--dry-run')
  expect(dry.code, dry.stderr).toBe(0)
  expect(dry.stdout).toMatch(/^elasticsearch 9\.1\.0\nPUT \/_ingest\/pipeline\/proofline-ingested\n\{/)
  expect(elastic.cluster.put.size).toBe(0)
  const done = await cli('setup', 'elk')
  expect(done.stdout.split('\n').slice(0, 4)).toEqual([
    'elasticsearch 9.1.0',
    'installed /_ingest/pipeline/proofline-ingested',
    'installed /_ilm/policy/proofline',
    'installed /_index_template/proofline-unit',
  ])
  expect(await cli('setup', 'siem')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is a Splunk') as string,
  })
  expect(await cli('setup', 'none')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no destination none') as string,
  })
})

it('checks both, one line a step, and ends with 1 when a step fails', async () => {
  const good = await cli('check', 'siem')
  expect(good.code, good.stdout).toBe(0)
  expect(good.stdout).toMatch(/^result +step +found\nok +collector: resolve/)
  // Records came before the template: those indices have a guessed mapping, and the canary goes there all the same.
  const json = await cli('check', 'elk', '--json')
  expect(JSON.parse(json.stdout)).toMatchObject({ destination: 'elk', ok: true })
  splunk.tokenDisabled = true
  const bad = await cli('check', 'siem')
  splunk.tokenDisabled = false
  expect(bad.code).toBe(1)
  expect(bad.stdout).toMatch(/failed +token +HTTP 403, code 1 .*\n\nsiem is not ready\n$/)
  expect(bad.stdout + bad.stderr).not.toContain(splunk.token)
})

it('takes real records of every ledger under the strict mapping', async () => {
  expect((await pushRun(service, 'local.operate.api.unit', anLcov(1), { build: 'b1' })).status).toBe(201)
  expect((await pushRun(service, 'local.operate.api.integration', anLcov(2))).status).toBe(201)
  await delivered()
})

it('pauses and resumes: nothing is sent meanwhile, all of it afterwards, and each word is on record before it counts', async () => {
  expect((await cli('pause', 'siem')).code).toBe(2)
  const paused = await cli('pause', 'siem', '--reason', 'maintenance 4711')
  expect(paused).toMatchObject({ code: 0, stdout: 'siem is paused: nothing more is sent to it\n' })
  await new Promise((resolve) => setTimeout(resolve, 500))
  const before = splunk.counters.stored
  await pushRun(service, 'local.paused.api.unit', anLcov(3))
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(splunk.counters.stored).toBe(before)
  const shown = await cli('list')
  expect(shown.stdout).toMatch(/siem +splunk +paused/)
  expect(shown.stdout).toMatch(/elk +elastic +running/)
  expect(await cli('resume', 'siem', '--reason', 'done')).toMatchObject({ code: 0, stdout: 'siem is not paused\n' })
  await delivered()
  expect(splunk.counters).toMatchObject({ duplicates: 0 })
  const commands = await readLedger(service, 'operations', 'command')
  expect(commands.map(({ command, destination, reason }) => [command, destination, reason])).toEqual([
    ['token.create', undefined, undefined], // the first start makes one
    ['destination.setup', 'elk', undefined],
    ['destination.check', 'siem', undefined],
    ['destination.check', 'elk', undefined],
    ['destination.check', 'siem', undefined],
    ['destination.pause', 'siem', 'maintenance 4711'],
    ['destination.resume', 'siem', 'done'],
  ])
})

it('drills a ledger: holds it, finds missing what is pushed meanwhile, and proves that it came', async () => {
  expect((await cli('drill', 'siem')).code).toBe(2)
  expect(await cli('drill', 'siem', '--reason', 'x', '--for', '1s')).toMatchObject({ code: 2 })
  const drilling = cli('drill', 'elk', '--ledger', 'unit', '--for', '10s', '--reason', 'quarterly')
  const lane = async () => {
    const { body } = await ask(service, '/v1/destinations')
    const [elk] = body['destinations'] as { ledgers: { ledger: string; state: string; reason?: string }[] }[]
    return elk?.ledgers.find(({ ledger }) => ledger === 'main/unit')
  }
  for (let tries = 0; (await lane())?.state !== 'paused' && tries < 200; tries++)
    await new Promise((resolve) => setTimeout(resolve, 50))
  expect(await lane()).toMatchObject({ state: 'paused', reason: 'by drill 1', detail: 'quarterly' })
  expect(await cli('drill', 'elk', '--ledger', 'unit', '--reason', 'again')).toMatchObject({ code: 1, stderr: expect.stringContaining('drill') as string }) // oxfmt-ignore
  await new Promise((resolve) => setTimeout(resolve, 2_000)) // every node heeds a hold within a second
  await pushRun(service, 'local.drilled.api.unit', anLcov(4))
  const { code, stdout, stderr } = await drilling
  expect(code, stdout + stderr).toBe(0)
  expect(stdout).toMatch(/^held: \d+ records were missing while it was held, and are there now, each once$/m)
  expect((await cli('drills')).stdout).toMatch(/elk +main\/unit +held/)
  await delivered()
  const commands = await readLedger(service, 'operations', 'command')
  expect(commands.filter(({ command }) => command === 'destination.drill').map(({ reason }) => reason)).toEqual(['quarterly', 'again']) // oxfmt-ignore
  const drills = (await readLedger(service, 'operations', 'reconciliation')).filter(({ drill }) => drill !== undefined)
  expect(drills).toMatchObject([{ drill: { step: 'measured' } }, { of: 'main/unit', drill: { step: 'ended', verdict: 'held', by: expect.stringMatching(/^token:/) as string } }]) // oxfmt-ignore
})

it('knows nothing of a name that is none, and puts nothing on record about it', async () => {
  const because = ['--reason', 'x']
  const orders = [['pause', 'none', ...because], ['resume', 'none', ...because], ['setup', 'none'], ['check', 'none'], ['reconcile', 'none'], ['drill', 'none', ...because], ['moved', 'none', ...because], ['redeliver', 'none', '--missing', ...because], ['estimate', 'none'], ['lookup', 'none']] // oxfmt-ignore
  const answers = await Promise.all(orders.map(async (args) => [args, await cli(...args)]))
  for (const [args, answer] of answers)
    expect([args, answer]).toMatchObject([args, { code: 1, stderr: expect.stringContaining('no destination none') as string }]) // oxfmt-ignore
  const commands = await readLedger(service, 'operations', 'command')
  expect(commands.filter(({ destination }) => destination === 'none')).toEqual([])
})
