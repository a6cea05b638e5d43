import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { isAlive } from '../../src/database/embedded-process.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type Finished,
  type RunningService,
  anLcov,
  ask,
  cleanEnvironment,
  cli,
  endOf,
  pushRun,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** The life of the program itself: started, stopped, killed, started twice, and asked beside. */

interface Folder {
  path: string
  remove(): Promise<void>
}

const postmaster = async (folder: Folder): Promise<number> =>
  Number((await readFile(join(folder.path, 'postgres', 'data', 'postmaster.pid'), 'utf8')).split('\n')[0])

const seals: { run: string; id: string }[] = []
const pushOne = async (service: RunningService): Promise<void> => {
  const run = `local.life-${seals.length}.api.unit`
  const { status, body } = await pushRun(service, run, anLcov(seals.length))
  expect(status, JSON.stringify(body)).toBe(201)
  seals.push({ run, id: (body['seal'] as { id: string }).id })
}
const assertNothingLost = async (service: RunningService): Promise<void> => {
  for (const { run, id } of seals)
    expect(await ask(service, `/v1/records/${id}`), run).toMatchObject({ status: 200, body: { run } })
}

/** One line that says what is wrong, and nothing of our insides. */
const isOneLine = ({ stderr }: Finished, message: RegExp): void => {
  const told = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{"time"'))
  expect(
    told.filter((line) => line.startsWith('proofline: ')),
    stderr,
  ).toHaveLength(1)
  expect(told[0]).toMatch(message)
  expect(stderr).not.toMatch(/\n\s+at /)
}

describe('on the embedded database', () => {
  let folder: Folder
  let service: RunningService | undefined
  const env = (): Record<string, string> => cleanEnvironment(folder.path)
  const start = async (): Promise<RunningService> =>
    (service = await startServe({ dataDir: folder.path, ownGroup: true }))
  const run = (...args: string[]): Promise<Finished> =>
    runCli([...args, '--data-dir', folder.path], { env: env(), cwd: folder.path })

  beforeAll(async () => {
    folder = await temporaryFolder('embedded')
  })
  afterAll(async () => {
    service?.signal('SIGTERM')
    await service?.ended
    await folder.remove()
  })

  it('makes tokens before the first start, and leaves no process', async () => {
    const made = await run('token', 'create', 'early', '--scope', 'push', '--json')
    expect(made, made.stderr).toMatchObject({ code: 0 })
    expect(existsSync(join(folder.path, 'postgres', 'data', 'postmaster.pid'))).toBe(false)
    const early = (JSON.parse(made.stdout) as { token: string }).token
    const running = await start()
    expect((await pushRun({ ...running, token: early }, 'local.early.api.unit', anLcov(1))).status).toBe(201)
  })

  it('ends with 0 on Ctrl-C, leaves no process, and starts again with everything', async () => {
    const running = service ?? (await start())
    await pushOne(running)
    const pid = await postmaster(folder)
    process.kill(-running.pid, 'SIGINT') // a terminal sends it to the whole group
    expect(await running.ended, running.log()).toBe(0)
    expect(isAlive(pid)).toBe(false)
    expect(await readdir(join(folder.path, 'postgres'))).not.toContain('lock.sock')
    expect(running.log()).not.toMatch(/"level":"error"/)
    await assertNothingLost(await start())
  })

  it('loses nothing when the service is killed, or the database with it', async () => {
    for (const both of [false, true]) {
      const running = service ?? (await start())
      await pushOne(running)
      const pid = await postmaster(folder)
      if (both) process.kill(pid, 'SIGKILL')
      running.signal('SIGKILL')
      await running.ended
      const next = await start()
      await pushOne(next)
      await assertNothingLost(next)
    }
  })

  it('ends with 4 when its database ends, and starts again', async () => {
    const running = service ?? (await start())
    process.kill(await postmaster(folder), 'SIGKILL')
    expect(await running.ended, running.log()).toBe(4)
    expect(running.log()).toMatch(/embedded (?:database|PostgreSQL)/)
    await assertNothingLost(await start())
  })

  it('refuses a second service on the same folder in one line, and the first goes on', async () => {
    const running = service ?? (await start())
    const second = await run('serve', '--port', '0')
    expect(second.code).toBe(4)
    isOneLine(
      second,
      new RegExp(
        `^proofline: The database in .* is in use by process ${running.pid}\\. Stop that one first, or choose another data folder\\. \\[in_use\\]$`,
      ),
    )
    await pushOne(running)
  })

  it('takes tokens, verification, migration and configuration beside the running service, and lets it be', async () => {
    const running = service ?? (await start())
    const pid = await postmaster(folder)
    const [made, verified, migrated, shown] = await Promise.all([
      run('token', 'create', 'beside', '--scope', 'push,feed', '--json'),
      run('verify', '--database', '--json'),
      run('migrate', '--json'),
      run('config', '--json'),
    ])
    for (const finished of [made, verified, migrated, shown])
      expect(finished, finished.stderr).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(verified.stdout)).toMatchObject({ verified: true })
    expect(JSON.parse(migrated.stdout)).toMatchObject({ migrated: true })
    expect(JSON.parse(shown.stdout)).toMatchObject({ org: 'main', data_dir: folder.path })

    const { token, id } = JSON.parse(made.stdout) as { token: string; id: string }
    expect((await pushRun({ ...running, token }, 'local.beside.api.unit', anLcov(1))).status).toBe(201)
    const listed = JSON.parse((await run('token', 'list', '--json')).stdout) as { tokens: { label: string }[] }
    expect(listed.tokens.map(({ label }) => label).toSorted()).toEqual(['beside', 'early', 'first operator'])
    expect((await run('token', 'revoke', id)).code).toBe(0)
    expect((await run('token', 'revoke', id)).code).toBe(1)
    await expect.poll(async () => (await ask({ ...running, token }, '/v1/feed/unit?after=-1')).status).toBe(401)

    expect(await postmaster(folder)).toBe(pid)
    await pushOne(running)
    await assertNothingLost(running)
  })

  it('verifies and stops its database again when no service runs', async () => {
    const running = service ?? (await start())
    running.signal('SIGTERM')
    expect(await running.ended).toBe(0)
    service = undefined
    const verified = await run('verify', '--database')
    expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
    expect(verified.stdout).toMatch(/^ok {5} main\/unit: \d+ records, signed to \d+$/m)
    expect(existsSync(join(folder.path, 'postgres', 'data', 'postmaster.pid'))).toBe(false)
  })

  it('refuses another public host than the one of its logs', async () => {
    const other = await run('serve', '--port', '0', '--public-host', 'other.example')
    expect(other.code).toBe(2)
    isOneLine(
      other,
      /^proofline: .*\.key is the key of localhost\/main\/\w+, not of other\.example\/main\/\w+: public_host and org are fixed by the first start; set them back, or choose another data folder \[request_invalid\]$/,
    )
    expect(existsSync(join(folder.path, 'postgres', 'data', 'postmaster.pid'))).toBe(false)
  })

  it('leaves no process when it is stopped while it starts for the first time', async () => {
    const fresh = await temporaryFolder('early')
    try {
      const child = spawn(process.execPath, [cli, 'serve', '--port', '0', '--data-dir', fresh.path], {
        cwd: tmpdir(),
        env: cleanEnvironment(fresh.path),
        stdio: 'ignore',
      })
      const ended = endOf(child)
      for (let tries = 0; tries < 2_400 && !existsSync(join(fresh.path, 'postgres', 'data', 'postmaster.pid')); tries++)
        await sleep(25)
      const pid = await postmaster(fresh)
      child.kill('SIGINT')
      expect([0, 130]).toContain(await ended)
      expect(isAlive(pid)).toBe(false)
      const next = await startServe({ dataDir: fresh.path })
      next.signal('SIGINT')
      expect(await next.ended).toBe(0)
    } finally {
      await fresh.remove()
    }
  })
})

describe('a folder without data', () => {
  it('is not found to be in order by verify --database, and nothing is made in it', async () => {
    const folder = await temporaryFolder('nothing')
    const data = join(folder.path, 'data')
    const ended = await runCli(['verify', '--database', '--data-dir', data], { env: cleanEnvironment(folder.path) })
    expect(ended.code).toBe(2)
    isOneLine(ended, /there is no database in .*--data-dir/)
    expect(existsSync(data)).toBe(false)
    await folder.remove()
  })
})

describe('on a database of its own', () => {
  let database: TestDatabase
  let folder: Folder
  const cleanups: (() => Promise<unknown>)[] = []
  const serve = (args: string[] = [], more: Record<string, string> = {}): Promise<Finished> =>
    runCli(['serve', '--port', '0', '--data-dir', folder.path, ...args], {
      cwd: folder.path,
      env: cleanEnvironment(folder.path, { DATABASE_URL: database.url, ...more }),
    })

  beforeAll(async () => {
    database = await createTestDatabase()
    folder = await temporaryFolder('given')
  })
  afterEach(async () => {
    for (const clean of cleanups.splice(0).toReversed()) await clean()
  })
  afterAll(async () => {
    await database.drop()
    await folder.remove()
  })

  it('starts with DATABASE_URL and makes none beside it', async () => {
    const running = await startServe({ dataDir: folder.path, databaseUrl: database.url })
    cleanups.push(async () => {
      running.signal('SIGKILL')
      await running.ended
    })
    expect(existsSync(join(folder.path, 'postgres'))).toBe(false)
    const { status, body } = await ask(running, '/v1/status')
    expect(status).toBe(200)
    expect(body['database']).toMatch(/^PostgreSQL \d+/)
    expect(body['database']).not.toMatch(/embedded/)
    const second = await serve()
    expect(second.code).toBe(4)
    isOneLine(
      second,
      /^proofline: .*guard is in use by another process\. Stop that one first, or choose another data folder\. \[in_use\]$/,
    )
    running.signal('SIGTERM')
    expect(await running.ended).toBe(0)
  })

  it('says in one line that its port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    cleanups.push(async () => taken.close())
    await new Promise((resolve) => taken.once('listening', resolve))
    const address = taken.address()
    const port = typeof address === 'object' ? String(address?.port) : ''
    const finished = await serve(['--port', port])
    expect(finished.code).toBe(4)
    isOneLine(
      finished,
      new RegExp(
        `^proofline: Port ${port} of 127\\.0\\.0\\.1 is in use by another program: stop that one, or choose another one with --port or http\\.port \\[in_use\\]$`,
      ),
    )
  })

  it('says in one line that its database cannot be reached', async () => {
    const finished = await serve([], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })
    expect(finished.code).toBe(4)
    isOneLine(
      finished,
      /^proofline: The database at .*127\.0\.0\.1:1.* cannot be reached: .*ECONNREFUSED.* \[unavailable\]$/,
    )
  })

  it.each<[string, string[], string | undefined, Record<string, string>, RegExp]>([
    [
      'an unknown key in the file',
      [],
      'http: { prot: 80 }',
      {},
      /^proofline: http\.prot: there is no such setting \[request_invalid\]$/,
    ],
    [
      'an unknown variable',
      [],
      undefined,
      { PROOFLINE_HTTP_PROT: '80' },
      /^proofline: PROOFLINE_HTTP_PROT: there is no such setting/,
    ],
    ['a port that is none', ['--port', 'http'], undefined, {}, /^proofline: http\.port: /],
    [
      'a secret that is missing',
      [],
      'destinations: { siem: { type: splunk, url: "https://localhost:1", proof: answer } }',
      {},
      /^proofline: destinations\.siem\.token: is missing: give token or token_file/,
    ],
    [
      'a secret whose file is not there',
      [],
      'destinations: { siem: { type: splunk, url: "https://localhost:1", proof: answer, token_file: /nowhere/token } }',
      {},
      /^proofline: destinations\.siem\.token_file: \/nowhere\/token cannot be read/,
    ],
    [
      'a certificate that is not there',
      [],
      'http: { tls: { certificate_file: /nowhere/a.pem, key_file: /nowhere/a.key } }',
      {},
      /^proofline: http\.tls\.certificate_file: \/nowhere\/a\.pem cannot be read/,
    ],
    [
      'a file that is not there',
      ['--config', '/nowhere/proofline.yaml'],
      undefined,
      {},
      /^proofline: the configuration \/nowhere\/proofline\.yaml cannot be read \(ENOENT\) /,
    ],
    [
      'an address of another machine',
      ['--host', '192.0.2.1'],
      undefined,
      {},
      /^proofline: 192\.0\.2\.1 is no address of this machine/,
    ],
  ])('ends with 2 and names %s', async (_what, args, file, more, message) => {
    const config = join(folder.path, 'given.yaml')
    if (file !== undefined) await writeFile(config, file)
    const finished = await serve([...args, ...(file === undefined ? [] : ['--config', config])], more)
    expect(finished.code, finished.stderr).toBe(2)
    isOneLine(finished, message)
  })
})
