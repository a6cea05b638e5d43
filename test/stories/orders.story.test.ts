import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import { type Finished, type RunningService, anLcov, ask, cleanEnvironment, pushRun, readLedger, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/**
 * An operator with a Splunk Cloud that cannot be asked, and an Elastic: a record that is refused, an answer that is lost, documents that
 * are deleted over there. By command line and HTTP; every word on record.
 */

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let elastic: FakeBulk
let cloud: FakeHec
let service: RunningService

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('orders')
  elastic = await startFakeBulk()
  cloud = await startFakeHec()
  const quick = { window_ms: 50, position_every_ms: 100, select: { ledgers: ['unit'] } }
  const config = {
    destinations: {
      elk: { type: 'elastic', url: elastic.url, api_key: elastic.apiKey, visible_after_ms: 0, ...quick },
      cloud: {
        type: 'splunk',
        url: cloud.url,
        token: cloud.token,
        proof: 'answer',
        request_timeout_ms: 300,
        send_before_ms: 500,
        ...quick,
      },
    },
    watch: { reconcile_every_ms: 3_600_000, heartbeat_every_ms: 3_600_000 },
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
  await Promise.all([elastic.close(), cloud.close()])
  await database.drop()
  await folder.remove()
})

function cli(...args: string[]): Promise<Finished> {
  return runCli(args, { env: cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token }) }) // oxfmt-ignore
}

interface Lane {
  ledger: string
  proved_to: number
  published: number
  parked: number
  redeliveries: { n: number; why: string; state: string }[]
}

async function unitOf(name: string): Promise<Lane> {
  const { body } = await ask(service, '/v1/destinations')
  const all = body['destinations'] as { name: string; ledgers: Lane[] }[]
  const lane = all.find((one) => one.name === name)?.ledgers.find(({ ledger }) => ledger === 'main/unit')
  if (lane === undefined) throw new Error(`${name} has not begun`)
  return lane
}

async function until(check: () => Promise<boolean>, what: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; !(await check().catch(() => false)); tries++) {
    if (tries === 400) throw new Error(`did not come about: ${JSON.stringify(await what())}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Everything of `unit` settled, with so many parked, and every order carried out. */
const settled = (name: string, parked: number): Promise<void> =>
  until(
    async () => {
      const lane = await unitOf(name)
      const done = lane.proved_to === lane.published && lane.redeliveries.every(({ state }) => state === 'ended')
      return done && lane.parked === parked
    },
    () => unitOf(name),
  )

const coverageIds = async (): Promise<string[]> =>
  (await readLedger(service, 'unit', 'coverage')).map(({ id }) => String(id))

it('begins where nothing is wrong: no dead letters, nothing to look up', async () => {
  expect((await pushRun(service, 'local.a.api.unit', anLcov(1))).status).toBe(201)
  await settled('elk', 0)
  await settled('cloud', 0)
  expect(await cli('dead-letters')).toMatchObject({ code: 0, stdout: 'no dead letters\n' })
  expect(await cli('destinations', 'lookup', 'cloud')).toMatchObject({ code: 0, stdout: '' })
  const none = await cli('destinations', 'redeliver', 'elk', '--missing', '--reason', 'nothing')
  expect(none).toMatchObject({ code: 0, stdout: 'nothing is missing that is not under way already\n' })
})

it('shows a record that was refused with its answer, sends it again when told, and takes one off the list when told', async () => {
  let refused = ''
  elastic.refuse = (id) => {
    refused ||= /unit-\d+/.test(id) ? id : ''
    return id === refused ? { status: 400, type: 'document_parsing_exception', reason: 'strict' } : undefined
  }
  await pushRun(service, 'local.b.api.unit', anLcov(2))
  await settled('elk', 1)
  const shown = await cli('dead-letters', '--destination', 'elk')
  expect(shown.code).toBe(1)
  expect(shown.stdout).toMatch(
    /^kind +since +letter +reason\nrefused +\S+ +parked:elk:main\/unit:\d+:1 +400 document_parsing/,
  )
  expect(JSON.parse((await cli('dead-letters', '--json')).stdout)).toMatchObject({
    dead_letters: [{ id: refused, kind: 'refused', answer: { status: 200 } }],
  })
  expect((await cli('dead-letters', 'retry', '--destination', 'elk')).code).toBe(2)
  expect((await cli('dead-letters', 'retry', '--reason', 'x')).code).toBe(2)
  const again = await cli('dead-letters', 'retry', '--destination', 'elk', '--reason', 'the template is right now')
  expect(again).toMatchObject({ code: 0, stdout: '1 are sent again\n' })
  await settled('elk', 1)
  const letter = /parked:\S+/.exec((await cli('dead-letters')).stdout)?.[0] ?? ''
  expect(letter).toMatch(/:2$/)
  expect(await cli('dead-letters', 'discard', letter, '--reason', 'ticket 4711')).toMatchObject({ code: 0, stdout: '1 are disposed of\n' }) // oxfmt-ignore
  expect(await cli('dead-letters', 'discard', letter, '--reason', 'again')).toMatchObject({ code: 1 })
  elastic.refuse = () => undefined
})

it('sends again what a comparison found missing', async () => {
  const [first = '', second = ''] = await coverageIds()
  elastic.forget(first)
  elastic.forget(second)
  expect((await cli('destinations', 'reconcile', 'elk')).code).toBe(1)
  expect((await cli('dead-letters', '--kind', 'missing')).stdout).toContain(`missing:elk:main/unit:${first}`)
  const order = await cli('destinations', 'redeliver', 'elk', '--missing', '--reason', 'the index was restored')
  expect(order.stdout).toMatch(/^order 2: main\/unit \d+-\d+\n2 records at most/)
  await settled('elk', 0)
  expect([elastic.copies(first), elastic.copies(second)]).toEqual([1, 1])
  expect((await cli('destinations')).stdout).toMatch(/order 2 to elk: main\/unit \d+-\d+ \(missing\) ended; by \S+: the index was restored/) // oxfmt-ignore
  expect((await cli('destinations', 'reconcile', 'elk')).code).toBe(0)
  expect(await cli('dead-letters')).toMatchObject({ code: 0 })
})

it('sends a stretch again, which Elastic knows already', async () => {
  const { conflicts } = elastic.counters
  const told = await cli('destinations', 'redeliver', 'elk', '--ledger', 'unit', '--from', '0', '--to', '2', '--reason', 'to be sure', '--json') // oxfmt-ignore
  expect(JSON.parse(told.stdout)).toMatchObject({ orders: [{ n: 3, first: 0, last: 2 }], records: 3 })
  await settled('elk', 0)
  expect(elastic.counters.conflicts).toBe(conflicts + 3)
  expect((await cli('destinations', 'redeliver', 'elk', '--ledger', 'unit', '--reason', 'x')).code).toBe(2)
  expect((await cli('destinations', 'redeliver', 'none', '--missing', '--reason', 'x')).code).toBe(1)
})

it('settles what a cloud was never asked about by the export of a search', async () => {
  const before = new Set(await coverageIds())
  cloud.failNext('drop-before-storing', 2)
  await pushRun(service, 'local.c.api.unit', anLcov(3))
  await until(
    async () => (await unitOf('cloud')).parked > 0,
    () => unitOf('cloud'),
  )
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const looked = await cli('destinations', 'lookup', 'cloud')
  const searches = looked.stdout.trim().split('\n')
  expect(searches.length).toBe(1)
  expect(searches[0]).toMatch(
    /^\| tstats count .* index="proofline_unit" .* earliest=\d+ latest=\d+ by proofline_id \| eval searched_at=now\(\)/,
  )
  expect(looked.stderr).toMatch(/\d+ records of main\/unit \d+-\d+, recorded from 20/)
  const scope = /proofline_id="(lookup [^"]+)"/.exec(searches[0] ?? '')?.[1] ?? ''
  const inTime = Math.floor(Date.now() / 1000) + 3_600
  const file = join(folder.path, 'export.csv')
  await writeFile(
    file,
    `\uFEFF"proofline_id","count","proofline_check","searched_at"\r\n"${scope}","0","","${inTime}"\r\n`,
  )
  const careful = await cli('destinations', 'settle', 'cloud', '--from', file)
  expect(careful.code).toBe(3)
  expect(careful.stdout).toContain('what is not in the export counts only with --complete')
  const done = await cli('destinations', 'settle', 'cloud', '--from', file, '--complete', '--reason', 'CHG-12')
  expect(done.code, done.stdout + done.stderr).toBe(0)
  await settled('cloud', 0)
  const after = (await coverageIds()).filter((id) => !before.has(id))
  expect(after.length).toBeGreaterThan(0)
  expect(after.map((id) => cloud.copies(id))).toEqual(after.map(() => 1))
  expect(after.some((id) => cloud.event(id)?.fields['proofline_possible_dup'] === '1')).toBe(true)
  expect(await cli('destinations', 'settle', 'cloud', '--from', join(folder.path, 'none.csv'))).toMatchObject({
    code: 2,
  })
  expect(await cli('destinations', 'settle', 'elk', '--from', file)).toMatchObject({ code: 2 })
})

it('estimates what each would get', async () => {
  const shown = await cli('destinations', 'estimate', 'cloud')
  expect(shown.code, shown.stderr).toBe(0)
  expect(shown.stdout).toMatch(/^ledger +days +records a day +bytes a record +GB a day +GB a month kept +GB a day on the wire\nmain\/unit +\S+ +\d+ +\d{3} /) // oxfmt-ignore
  const { ledgers } = JSON.parse((await cli('destinations', 'estimate', 'cloud', '--json')).stdout) as {
    ledgers: { ledger: string; recorded: number; selected: number; stored_bytes: number; wire_bytes: number }[]
  }
  const published = (await unitOf('cloud')).published
  expect(ledgers.find(({ ledger }) => ledger === 'main/unit')).toMatchObject({
    recorded: published,
    selected: published,
  })
  for (const { stored_bytes, wire_bytes } of ledgers) expect(wire_bytes).toBeGreaterThan(stored_bytes)
})

it('takes a puller that will not come again off the list, until it comes again', async () => {
  const pull = async () =>
    expect((await ask(service, '/v1/feed/unit?cursor=earliest&limit=1&consumer=old-indexer')).status).toBe(200)
  const listed = async (): Promise<boolean> => (await cli('consumers')).stdout.includes('old-indexer')
  const forget = () => cli('consumers', 'forget', 'old-indexer', '--reason', 'replaced')
  await pull()
  await expect.poll(listed).toBe(true)
  expect(await forget()).toMatchObject({ code: 0, stdout: 'old-indexer is forgotten; when it pulls again it is there again\n' }) // oxfmt-ignore
  expect(await listed()).toBe(false)
  expect(await forget()).toMatchObject({ code: 1, stderr: expect.stringContaining('[not_found]') })
  await pull()
  await expect.poll(listed).toBe(true)
})

it('has every word on record, with who and why, and says that an address is where it was', async () => {
  const same = await cli('destinations', 'moved', 'elk', '--reason', 'only asking')
  expect(same.stdout).toMatch(/^elk is at 127\.0\.0\.1:\d+, cluster [0-9a-f-]{36} \(as before\)\n$/)
  const commands = await readLedger(service, 'operations', 'command')
  expect(commands.map(({ command, destination, reason }) => [command, destination, reason])).toEqual([
    ['token.create', undefined, undefined], // the first start makes one
    ['destination.redeliver', 'elk', 'nothing'],
    ['dead_letters.retry', 'elk', 'the template is right now'],
    ['dead_letters.discard', 'elk', 'ticket 4711'],
    ['destination.reconcile', 'elk', undefined],
    ['destination.redeliver', 'elk', 'the index was restored'],
    ['destination.reconcile', 'elk', undefined],
    ['destination.redeliver', 'elk', 'to be sure'],
    ['destination.settle', 'cloud', 'settled by an export'],
    ['destination.settle', 'cloud', 'CHG-12'],
    ['consumer.forget', undefined, 'replaced'],
    ['destination.moved', 'elk', 'only asking'],
  ])
  expect(commands.find(({ command }) => command === 'consumer.forget')).toMatchObject({ consumer: 'old-indexer' })
  for (const { by } of commands.slice(1)) expect(by).toMatchObject({ method: 'token' })
})
