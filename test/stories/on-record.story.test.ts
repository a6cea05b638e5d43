import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { withDatabase } from '../support/postgres.ts'
import { type RunningService, anLcov, ask, cleanEnvironment, pushRun, readLedger, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
})

interface Place {
  dataDir: string
  test: TestDatabase
  url: string
}

async function aPlace(): Promise<Place> {
  const test = await createTestDatabase()
  cleanups.push(() => test.drop())
  const folder = await temporaryFolder('on-record')
  cleanups.push(folder.remove)
  return { dataDir: folder.path, test, url: test.url }
}

async function start({ dataDir, url }: Place): Promise<RunningService> {
  const service = await startServe({ dataDir, databaseUrl: url })
  cleanups.push(() => end(service, 'SIGKILL'))
  return service
}

async function end(service: RunningService, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  service.signal(signal)
  await service.ended
}

const cli = ({ dataDir, url }: Place, ...args: string[]) =>
  runCli([...args, '--data-dir', dataDir, '--json'], { env: cleanEnvironment(dataDir, { DATABASE_URL: url }) })

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 600; tries++) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error('it did not come about within a minute')
}

/** What of reads lies on disk: counts by route, the newest of each sum. */
async function kept(dataDir: string): Promise<Record<string, number>> {
  const counts = new Map<string, { route: string; count: number }>()
  for (const name of await readdir(join(dataDir, 'uses'))) {
    if (!name.endsWith('.ndjson')) continue
    const text = await readFile(join(dataDir, 'uses', name), 'utf8').catch(() => '')
    for (const line of text.split('\n').filter(Boolean)) {
      const { access, route, count } = JSON.parse(line) as { access: string; route: string; count: number }
      counts.set(access, { route, count })
    }
  }
  const sums: Record<string, number> = {}
  for (const { route, count } of counts.values()) sums[route] = (sums[route] ?? 0) + count
  return sums
}

async function read(service: RunningService, id: string, times: number): Promise<void> {
  for (let n = 0; n < times; n++) expect((await ask(service, `/v1/records/${id}`)).status).toBe(200)
}

const countOf = (records: Record<string, unknown>[], route: string): number =>
  records.filter((one) => one['route'] === route).reduce((sum, { count }) => sum + Number(count), 0)

describe('what people read', () => {
  it('is on record after the service was killed, once, also when it is killed again', async () => {
    const place = await aPlace()
    let service = await start(place)
    const { body } = await pushRun(service, 'local.1.api.unit', anLcov(1))
    const { id } = body['seal'] as { id: string }
    await read(service, id, 5)
    await until(async () => ((await kept(place.dataDir))['getRecord'] === 5 ? true : undefined))
    await end(service, 'SIGKILL')
    // Wherever the next life ends, between recorded and removed too, the sum is one record.
    for (let life = 0; life < 3; life++) {
      service = await start(place)
      await until(async () => (countOf(await readLedger(service, 'operations', 'access'), 'getRecord') > 0 ? true : undefined)) // oxfmt-ignore
      await end(service, 'SIGKILL')
    }
    service = await start(place)
    await until(async () => ((await kept(place.dataDir))['getRecord'] === undefined ? true : undefined))
    const access = await readLedger(service, 'operations', 'access')
    expect(access.filter(({ route }) => route === 'getRecord')).toMatchObject([
      { count: 5, by: expect.stringMatching(/^token:/), repository: 'github.com/acme/payments' },
    ])
  })

  it('goes on while recording is stopped, and is recorded when it goes on; what must be on record first does not happen', async () => {
    const place = await aPlace()
    let service = await start(place)
    const { body } = await pushRun(service, 'local.1.api.unit', anLcov(1))
    const { id } = body['seal'] as { id: string }
    const { artifact_sha256: digest } = body['part'] as { artifact_sha256: string }
    await end(service, 'SIGTERM')
    // A database of before, under a guard that knows more: every ledger is stopped, and what it holds can be read.
    const older = { ...place, url: await clone(place.test) }
    service = await start(place)
    expect((await ask(service, '/v1/archive/run', { method: 'POST', body: { what: 'archive' } })).status).toBe(200)
    await end(service, 'SIGTERM')

    service = await start(older)
    expect(service.log()).toContain('rollback_detected')
    await read(service, id, 3)
    const refused = { status: 503, body: { code: 'rollback_detected' } }
    expect(await ask(service, `/v1/artifacts/${digest}`)).toMatchObject(refused)
    expect(await ask(service, '/v1/evidence', { method: 'POST', body: { from: '2020-01-01T00:00:00Z' } })).toMatchObject(refused) // oxfmt-ignore
    expect(await ask(service, '/v1/archive/run', { method: 'POST', body: { what: 'archive' } })).toMatchObject(refused)
    // Whoever is locked out gets in again all the same.
    const made = JSON.parse((await cli(older, 'token', 'create', 'auditor', '--scope', 'audit')).stdout) as { token: string } // oxfmt-ignore
    expect((await ask(service, `/v1/records/${id}`, { token: made.token })).status).toBe(200)
    await until(async () => ((await kept(place.dataDir))['getRecord'] === 4 ? true : undefined))
    await end(service, 'SIGTERM')
    expect(await kept(place.dataDir)).toMatchObject({ getRecord: 4 })

    service = await start(place)
    await until(async () => ((await kept(place.dataDir))['getRecord'] === undefined ? true : undefined))
    const access = await readLedger(service, 'operations', 'access')
    expect(access.filter(({ route }) => route === 'getRecord').map(({ count }) => String(count)).toSorted()).toEqual(['1', '3']) // oxfmt-ignore
  })
})

describe('what is commanded on the database itself', () => {
  it('is on record without the service at its next start, and with it at once, never with a secret or a name', async () => {
    const place = await aPlace()
    const first = JSON.parse((await cli(place, 'token', 'create', 'Jane Doe', '--scope', 'audit,feed', '--repository', 'github.com/acme/*', '--days', '30')).stdout) as Record<string, string> // oxfmt-ignore
    const service = await start(place)
    const commands = () => readLedger(service, 'operations', 'command')
    const [made] = await until(async () => {
      const all = await commands()
      return all.length >= 2 ? all : undefined
    })
    expect(made).toMatchObject({ command: 'token.create', token: first['id'], scopes: ['audit', 'feed'], repositories: ['github.com/acme/*'], expires_at: first['expires_at'], by: { method: 'local', subject: `uid:${process.getuid?.()}` } }) // oxfmt-ignore
    const taken = join(place.dataDir, 'taken.key')
    await writeFile(taken, 'of somebody else')
    // No producer, and no command on record, where its key could not be written.
    expect(await cli(place, 'key', 'producer', 'create', '--repository', 'github.com/acme/payments', '--out', taken)).toMatchObject({ code: 2 }) // oxfmt-ignore
    expect(await readFile(taken, 'utf8')).toBe('of somebody else')
    const producer = JSON.parse((await cli(place, 'key', 'producer', 'create', 'jenkins', '--repository', 'github.com/acme/payments')).stdout) as Record<string, string> // oxfmt-ignore
    expect(await cli(place, 'token', 'revoke', `token:${first['id']}`)).toMatchObject({ code: 0 })
    expect(await cli(place, 'token', 'revoke', String(first['id']))).toMatchObject({ code: 1 })
    expect(await cli(place, 'key', 'producer', 'revoke', String(producer['id']))).toMatchObject({ code: 0 })
    const all = await until(async () => {
      const found = await commands()
      return found.length >= 5 ? found : undefined
    })
    // The first operator token is one that the service made for itself.
    expect(all.map(({ command, token, producer: of }) => [command, token ?? of])).toEqual([
      ['token.create', first['id']],
      ['token.create', expect.any(String)],
      ['producer.create', producer['id']],
      ['token.revoke', first['id']],
      ['producer.revoke', producer['id']],
    ])
    expect(all[1]).toMatchObject({ by: { method: 'local', subject: 'start' } })
    const text = JSON.stringify(all)
    for (const secret of [first['token'], producer['private_key'], service.token, 'Jane']) expect(text).not.toContain(secret) // oxfmt-ignore
  })
})

/** A copy of the database as it is now, which goes with the test. */
async function clone(test: TestDatabase): Promise<string> {
  const { rows } = await test.owner.query<{ source: string }>({ text: 'select current_database() as source' })
  const source = rows[0]?.source ?? ''
  const name = `${source}_older`
  const server = new pg.Client({ connectionString: withDatabase(test.url, 'postgres') })
  await server.connect()
  await server.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [source])
  await server.query(`create database ${name} template ${source}`)
  await server.end()
  cleanups.push(async () => {
    const client = new pg.Client({ connectionString: withDatabase(test.url, 'postgres') })
    await client.connect()
    await client.query(`drop database ${name} with (force)`)
    await client.end()
  })
  return withDatabase(test.url, name)
}
