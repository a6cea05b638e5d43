import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { startFakeBulk } from '../support/bulk.ts'
import { startFakeHec } from '../support/hec.ts'
import { withDatabase } from '../support/postgres.ts'
import { type Finished, type RunningService, aDeclaration, anLcov, ask, cleanEnvironment, pushRun, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/** An older backup under a newer guard, and nobody has what is missing: it is given up, and the next generation goes on, with the real program. */

const { url: server } = inject('postgres')
const name = (suffix: string): string => `proofline_loss_${process.pid}_${suffix}`
const made = new Set<string>()
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let splunk: Awaited<ReturnType<typeof startFakeHec>>
let elastic: Awaited<ReturnType<typeof startFakeBulk>>
let service: RunningService | undefined
/** What a puller holds: ids in the order in which it got them, and its cursor. */
const pulled: string[] = []
let cursor = 'earliest'
let lostRecord = ''

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(statement).finally(() => client.end())
}
async function copyDatabase(from: string | undefined, to: string): Promise<void> {
  made.add(to)
  await administer(`create database ${to}${from === undefined ? '' : ` template ${from}`}`)
}
const dataDir = (): string => join(folder.path, 'data')
const copy = (): string => join(folder.path, 'copy')
const alertsEveryMs = 1_000
const quick = { PROOFLINE_WATCH_ALERTS_EVERY_MS: String(alertsEveryMs), PROOFLINE_WATCH_HEARTBEAT_EVERY_MS: '3600000' }
/** With published copy and SIEMs; or with neither, so that what is recorded is nowhere else. */
const configFile = (isWatched: boolean): string => join(folder.path, isWatched ? 'watched.json' : 'alone.json')

async function start(database: string, isWatched: boolean): Promise<RunningService> {
  service = await startServe({ dataDir: dataDir(), databaseUrl: withDatabase(server, database), env: quick, args: ['--config', configFile(isWatched)] }) // oxfmt-ignore
  return service
}
async function stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  service?.signal(signal)
  await service?.ended
  service = undefined
}
const cli = (database: string, ...args: string[]): Promise<Finished> =>
  runCli(args, { env: cleanEnvironment(dataDir(), { ...quick, DATABASE_URL: withDatabase(server, database), ...(service === undefined ? {} : { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token }) }) }) // oxfmt-ignore
const recover = (database: string, ...args: string[]): Promise<Finished> =>
  cli(database, 'recover', '--data-dir', dataDir(), '--config', configFile(true), ...args)

/** As far as there is anything, a page of seven at a time. */
async function pull({ url, token }: RunningService): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/x-ndjson' }
  for (;;) {
    const answer = await fetch(`${url}/v1/feed/unit?cursor=${cursor}&limit=7`, { headers })
    expect(answer.status).toBe(200)
    for (const line of (await answer.text()).split('\n').filter(Boolean)) pulled.push((JSON.parse(line) as { id: string }).id)
    const next = answer.headers.get('proofline-next-cursor') ?? ''
    if (next === cursor) return
    cursor = next
  }
} // oxfmt-ignore

/** Every published record of every ledger is at both. */
async function delivered(of: RunningService, lanes: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const { body } = await ask(of, '/v1/destinations')
    const found = (body['destinations'] as { ledgers: { sent_to: number; published: number; parked: number }[] }[]).flatMap(({ ledgers }) => ledgers) // oxfmt-ignore
    if (found.length === lanes && found.every(({ sent_to, published, parked }) => sent_to === published && parked === 0)) return // oxfmt-ignore
    if (tries === 300) throw new Error(`not delivered: ${JSON.stringify(body)}\n${of.log()}`)
    await sleep(50)
  }
}

async function published(of: RunningService, ledgers: readonly string[]): Promise<void> {
  for (const ledger of ledgers)
    for (let tries = 0; ; tries++) {
      const headers = { authorization: `Bearer ${of.token}` }
      const shown = await (await fetch(`${of.url}/log/${ledger}/checkpoint`, { headers })).text()
      if ((await readFile(join(copy(), ledger, 'checkpoint'), 'utf8').catch(() => '')) === shown) break
      if (tries === 200) throw new Error(`${ledger} is not published`)
      await sleep(50)
    }
}

/** Waits until no sign of life of a killed service stands in the way: two and a half rounds of alerts, and a little. */
async function untilQuiet(): Promise<void> {
  await sleep(alertsEveryMs * 2.5 + 100)
}

async function feedIds(of: RunningService, query: string): Promise<string[]> {
  const headers = { authorization: `Bearer ${of.token}`, accept: 'application/x-ndjson' }
  const text = await (await fetch(`${of.url}/v1/feed/unit?limit=10000&${query}`, { headers })).text()
  return text.split('\n').filter(Boolean).map((line) => (JSON.parse(line) as { id: string }).id)
} // oxfmt-ignore

beforeAll(async () => {
  folder = await temporaryFolder('loss')
  splunk = await startFakeHec()
  elastic = await startFakeBulk()
  const lane = { window_ms: 100, position_every_ms: 200 }
  const destinations = {
    elk: { type: 'elastic', url: elastic.url, api_key: elastic.apiKey, keeps: '400d', visible_after_ms: 500, ...lane },
    siem: {
      type: 'splunk',
      url: splunk.url,
      token: splunk.token,
      proof: 'answer',
      search: { url: splunk.searchUrl, token: splunk.searchToken },
      ...lane,
    },
  }
  await writeFile(configFile(true), JSON.stringify({ destinations, publish: { folder: copy(), every_ms: 150 } }))
  await writeFile(configFile(false), '{}')
  await copyDatabase(undefined, name('first'))
  const first = await start(name('first'), true)
  for (let run = 0; run < 3; run++) expect((await pushRun(first, `kept${run}.api.unit`, anLcov(run, 5), { build: `b${run}` })).status).toBe(201) // oxfmt-ignore
  await ask(first, '/v1/runs/open.api.unit', { method: 'PUT', body: aDeclaration() })
  await delivered(first, 8)
  await pull(first)
  await stop('SIGTERM')
  await copyDatabase(name('first'), name('older'))
  // What is recorded now is in no copy and no SIEM, and the puller has seen some of it.
  const alone = await start(name('first'), false)
  expect((await pushRun(alone, 'lost.api.unit', anLcov(7, 5), { build: 'b9' })).status).toBe(201)
  lostRecord = (await feedIds(alone, `cursor=${cursor}`)).at(-1) ?? ''
  await stop('SIGKILL')
})
afterAll(async () => {
  await stop('SIGKILL')
  await splunk.close()
  await elastic.close()
  for (const database of made) await administer(`drop database if exists ${database} with (force)`)
  await folder.remove()
})

describe('proofline recover --accept-loss', () => {
  let kept: string[] = []

  it('case 45: what is nowhere is not given up without being told to, nor while a service runs', async () => {
    const stopped = await start(name('older'), true)
    expect((await pushRun(stopped, 'x.api.unit', anLcov(1))).body).toMatchObject({ code: 'rollback_detected' })
    kept = await feedIds(stopped, 'cursor=earliest') // reading goes on
    expect(kept.length).toBeGreaterThan(15)
    expect(await recover(name('older'), '--accept-loss', '--reason', 'x')).toMatchObject({ code: 4 })
    await stop('SIGTERM')
    expect(await recover(name('older'))).toMatchObject({ code: 3, stdout: expect.stringContaining('nobody has') as string }) // oxfmt-ignore
    expect(await recover(name('older'), '--accept-loss')).toMatchObject({ code: 2 })
    const dry = await recover(name('older'), '--accept-loss', '--reason', 'x', '--dry-run')
    expect(dry).toMatchObject({ code: 3, stdout: expect.stringMatching(/would be closed, and main\/unit\/2 opened/) as string }) // oxfmt-ignore
  })

  it('closes the ledger with its evidence, and opens the next generation with a loss record', async () => {
    await untilQuiet()
    const done = await recover(name('older'), '--accept-loss', '--reason', 'disk gone, ticket 4711')
    expect(done.code, done.stdout + done.stderr).toBe(0)
    expect(done.stdout).toContain(`CLOSED      main/unit at ${kept.length}: the records ${kept.length} to `)
    const evidence = JSON.parse(await readFile(join(dataDir(), 'rollback', 'main.unit-closed.json'), 'utf8')) as object
    expect(evidence).toMatchObject({ ledger: 'main/unit', next: 'main/unit/2', size: kept.length, reason: 'disk gone, ticket 4711' }) // oxfmt-ignore
    const again = await recover(name('older'))
    expect(again.code, again.stdout + again.stderr).toBe(0)
    expect(again.stdout).toMatch(/^whole {7}main\/unit\/2/m)
  })

  it('goes on: records, signs, delivers to both SIEMs, and refuses what belongs to the closed ledger', async () => {
    const second = await start(name('older'), true)
    const { body: status } = await ask(second, '/v1/status')
    expect(status).toMatchObject({ closed: expect.arrayContaining([expect.objectContaining({ ledger: 'main/unit', next: 'main/unit/2' })]) as unknown }) // oxfmt-ignore
    const [first] = await feedIds(second, 'after=-1')
    expect(first).toMatch(/^main\.unit\.2-0-[0-9a-f]{16}$/)
    const { body: loss } = await ask(second, `/v1/records/${first ?? ''}`)
    expect(loss).toMatchObject({ kind: 'loss', ledger: 'main/unit/2', of: 'main/unit', size: kept.length, reason: 'disk gone, ticket 4711' }) // oxfmt-ignore
    // What was lost is taken as new; what is recorded in the closed ledger is not taken twice.
    expect((await pushRun(second, 'lost.api.unit', anLcov(7, 5), { build: 'b9' })).status).toBe(201)
    const repeated = await pushRun(second, 'kept1.api.unit', anLcov(1, 5), { build: 'b1' })
    expect(repeated).toMatchObject({ status: 409, body: { code: 'ledger_closed' } })
    const part = await ask(second, '/v1/runs/open.api.unit/parts?name=a', { method: 'PUT', body: anLcov(2) })
    expect(part).toMatchObject({ status: 409, body: { code: 'ledger_closed', detail: expect.stringContaining('another run') as string } }) // oxfmt-ignore
    // A build that is known keeps its number, and a new one gets none that was ever given.
    const builds = new Map<string, number>()
    for (const [run, build] of [
      ['again.api.unit', 'b1'],
      ['new.api.unit', 'b10'],
    ] as const) {
      const { body } = await pushRun(second, run, anLcov(3), { build })
      const { id } = (body as { run: { id: string } }).run
      builds.set(build, Number((await ask(second, `/v1/records/${id}`)).body['build_seq']))
    }
    expect(builds.get('b1')).toBe(1)
    expect(builds.get('b10')).toBeGreaterThan(3)
    // Proofs and records of both are there.
    for (const id of [kept.at(-1) ?? '', first ?? '']) {
      expect((await ask(second, `/v1/records/${id}`)).status).toBe(200)
      const headers = { authorization: `Bearer ${second.token}` }
      expect(await (await fetch(`${second.url}/v1/records/${id}/proof`, { headers })).text()).toContain('c2sp.org/tlog-proof') // oxfmt-ignore
    }
    expect((await ask(second, `/v1/records/${lostRecord}`)).status).toBe(404)
    const closed = (status['closed'] as unknown[]).length
    await delivered(second, 8 + 2 * closed)
    for (const id of [...kept, ...(await feedIds(second, 'after=-1'))]) {
      expect(splunk.copies(id), id).toBe(1)
      expect(elastic.copies(id), id).toBe(1)
    }
  })

  it('lets a puller pass over the seam with every record that is left exactly once', async () => {
    const second = service
    if (second === undefined) throw new Error('no service')
    await pull(second)
    const after = await feedIds(second, 'after=-1')
    expect(pulled).toEqual([...kept, ...after])
    expect(await feedIds(second, 'after=-1&generation=1')).toEqual(kept)
    expect(await feedIds(second, 'cursor=earliest')).toEqual(kept) // one generation a page
  })

  it('verifies database, service, published copy and pack, with a word about the loss', async () => {
    const second = service
    if (second === undefined) throw new Error('no service')
    const { body: status } = await ask(second, '/v1/status')
    await published(second, ['main/unit', 'main/unit/2', 'main/integration'])
    const word = /main\/unit[: ].*closed with a loss at \d+, signed up to \d+, as main\/unit\/2 says/
    const service2 = await cli(name('older'), 'verify', second.url, '--data-dir', dataDir())
    expect(service2.code, service2.stdout + service2.stderr).toBe(0)
    expect(service2.stdout).toMatch(word)
    const folder2 = await cli(name('older'), 'verify', '--published', copy(), '--data-dir', dataDir())
    expect(folder2.code, folder2.stdout + folder2.stderr).toBe(0)
    expect(folder2.stdout).toMatch(word)
    const pack = join(folder.path, 'pack.zip')
    const packed = await cli(name('older'), 'evidence', '--from', '2020-01-01', '-o', pack)
    expect(packed.code, packed.stdout + packed.stderr).toBe(0)
    const checked = await cli(name('older'), 'verify', pack, '--data-dir', dataDir())
    expect(checked.code, checked.stdout + checked.stderr).toBe(0)
    expect(checked.stdout).toContain('unit.2 records')
    expect(status['as_of']).toMatch(/^unit\/2:\d+,/)
  })

  it('answers the history of both generations', async () => {
    const second = service
    if (second === undefined) throw new Error('no service')
    const { status, body } = await ask(second, '/v1/history/lines?repository=github.com/acme/payments&path=src/file0.ts&line=3') // oxfmt-ignore
    expect(status, JSON.stringify(body)).toBe(200)
    const [{ series }] = body['lines'] as [{ series: { generation?: number }[] }]
    expect(series.map(({ generation }) => generation)).toEqual([undefined, 2])
    expect(body['as_of']).toMatch(/^unit\/2:\d+,integration:0,changes\/2:\d+$/)
  })

  it('opens the third generation after another loss', async () => {
    await stop('SIGTERM')
    const database = await cli(name('older'), 'verify', '--database', '--data-dir', dataDir())
    expect(database.code, database.stdout + database.stderr).toBe(0)
    expect(database.stdout).toMatch(/main\/unit: .*closed with a loss at \d+, signed up to \d+, as main\/unit\/2 says/)
    await copyDatabase(name('older'), name('third'))
    const alone = await start(name('older'), false)
    expect((await pushRun(alone, 'lost2.api.unit', anLcov(8), {})).status).toBe(201)
    await stop('SIGKILL')
    await untilQuiet()
    const done = await recover(name('third'), '--accept-loss', '--reason', 'again')
    expect(done.code, done.stdout + done.stderr).toBe(0)
    expect(done.stdout).toMatch(/CLOSED {6}main\/unit\/2 at \d+/)
    const third = await start(name('third'), true)
    expect((await pushRun(third, 'lost2.api.unit', anLcov(8), {})).status).toBe(201)
    await pull(third)
    const each = (await Promise.all([1, 2, 3].map((n) => feedIds(third, `after=-1&generation=${n}`)))).flat()
    expect(pulled).toEqual(each)
    expect(each.at(-1)).toMatch(/^main\.unit\.3-/)
    await stop('SIGTERM') // else it may be at work between a commit and its signature
    const verified = await cli(name('third'), 'verify', '--database', '--data-dir', dataDir())
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
    expect(verified.stdout).toMatch(/main\/unit\/2: .*as main\/unit\/3 says/)
  })
})
