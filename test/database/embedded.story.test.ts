import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createDatabase } from '../../src/database/database.ts'
import { findEmbedded, startEmbedded } from '../../src/database/embedded.ts'
import type { Embedded } from '../../src/database/embedded.ts'
import { isAlive } from '../../src/database/embedded-process.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proofline-embedded-'))
})
// A server whose process was killed ends by itself, and may write until then.
afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }))

const start = (where = folder) => startEmbedded(where, { log: silentLogger })

/** A folder of a server that was started once and stopped: to make one takes as long as all the rest of most tests. */
let made: string
beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), 'proofline-embedded-'))
  await (await start(made)).stop()
})
afterAll(() => rm(made, { recursive: true, force: true }))

/** `cp` keeps owners and rights, which node's does not. */
function startedOnce(where = folder): void {
  const { status } = spawnSync('cp', ['-a', `${made}/.`, where])
  if (status !== 0) throw new Error(`${made} cannot be copied`)
}

async function ask(server: Pick<Embedded, 'url'>, text: string): Promise<Record<string, unknown>[]> {
  const db = createDatabase({ url: server.url, role: 'none' })
  try {
    return (await db.query({ text })).rows
  } finally {
    await db.end()
  }
}

async function startChild(): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../support/embedded-child.ts'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { child, url }
}

async function postmasterPid(): Promise<number> {
  return Number((await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0])
}

describe('startEmbedded', () => {
  it('starts the first time and the next, keeps the data, and leaves nothing behind when stopped', async () => {
    const first = await start()
    expect(first.version).toMatch(/^18\./)
    await ask(first, 'create table public.kept as select 1 as n')
    const pid = await postmasterPid()
    await first.stop()
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(join(folder, 'lock.sock'))).toBe(false)

    const next = await start()
    expect(await ask(next, 'select n from public.kept')).toEqual([{ n: 1 }])
    await next.stop()
    await next.stop()
  })

  it('is durable, on a Unix socket only, and asks for a password', async () => {
    startedOnce()
    const server = await start()
    const text = `select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'listen_addresses', 'data_checksums', 'jit')`
    const settings = Object.fromEntries((await ask(server, text)).map(({ name, setting }) => [name, setting]))
    expect(settings).toEqual({
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      listen_addresses: '',
      data_checksums: 'on',
      jit: 'off',
    })
    const guess = { url: server.url.replace(/:[0-9a-f]+@/, ':guess@') }
    await expect(ask(guess, 'select 1')).rejects.toThrow('password authentication failed')
    await server.stop()
  })

  it('refuses a second start and names the process, and lets a command in beside it', async () => {
    expect(await findEmbedded(folder)).toBeUndefined()
    const { child, url } = await startChild()
    await expect(start()).rejects.toThrow(new RegExp(`in use by process ${child.pid}\\b`))
    expect((await findEmbedded(folder))?.url).toBe(url)
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect(await findEmbedded(folder)).toBeUndefined()
    const own = await start()
    await expect(start()).rejects.toThrow(`in use by process ${process.pid}`)
    await own.stop()
  })

  it('says that the folder is in use also when the process that has it is frozen', async () => {
    startedOnce()
    const { child } = await startChild()
    child.kill('SIGSTOP')
    await expect(start()).rejects.toThrow('another process, which does not answer')
    child.kill('SIGCONT')
    child.kill('SIGTERM')
    await once(child, 'exit')
  })

  it('comes back after its process was killed, at once or later, with everything that was committed', async () => {
    startedOnce()
    const { child, url } = await startChild()
    await ask({ url }, 'create table public.kept as select 2 as n')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const next = await start()
    expect(await ask(next, 'select n from public.kept')).toEqual([{ n: 2 }])
    await next.stop()
  })

  it('comes back after server and process were killed together', async () => {
    startedOnce()
    const { child, url } = await startChild()
    await ask({ url }, 'create table public.kept as select 3 as n')
    process.kill(await postmasterPid(), 'SIGKILL')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const next = await start()
    expect(await ask(next, 'select n from public.kept')).toEqual([{ n: 3 }])
    await next.stop()
  })

  it('takes over a server that survived', async () => {
    startedOnce()
    const first = await start()
    const pid = await postmasterPid()
    // As if its process had died where nothing binds the server to it: only the lock is gone.
    await rm(join(folder, 'lock.sock'))
    const warnings: unknown[] = []
    const second = await startEmbedded(folder, {
      log: { ...silentLogger, warn: (event, fields) => warnings.push([event, fields]) },
    })
    expect(warnings).toEqual([['postgres.taken_over', { pid }]])
    expect(await ask(second, 'select 1 as one')).toEqual([{ one: 1 }])
    await second.stop()
    expect(isAlive(pid)).toBe(false)
    await expect.poll(() => first.lost.aborted).toBe(true)
    await first.stop()
  })

  it('tells when the server ends by itself', async () => {
    startedOnce()
    const server = await start()
    const lost = once(server.lost, 'abort')
    process.kill(await postmasterPid(), 'SIGQUIT')
    await lost
    await server.stop()
  })

  it('starts anew when making the data folder was interrupted', async () => {
    await mkdir(join(folder, 'data.new'))
    await writeFile(join(folder, 'data.new', 'half'), '')
    const server = await start()
    await server.stop()
  })

  it('refuses data of another major version', async () => {
    startedOnce()
    await writeFile(join(folder, 'data', 'PG_VERSION'), '17\n')
    await expect(start()).rejects.toThrow('made by PostgreSQL 17, this program has 18')
  })

  it('works in a folder whose path is too long for a socket', async () => {
    const deep = join(folder, 'd'.repeat(60), 'e'.repeat(60))
    await mkdir(deep, { recursive: true })
    startedOnce(deep)
    const server = await start(deep)
    await expect(start(deep)).rejects.toThrow(`in use by process ${process.pid}`)
    expect(await ask(server, 'select 1 as one')).toEqual([{ one: 1 }])
    await server.stop()
  })

  it.runIf(process.getuid?.() === 0)('works as root below a home that nobody else may enter', async () => {
    const home = await mkdtemp(join(homedir(), '.proofline-test-'))
    try {
      const server = await start(join(home, 'x', 'database'))
      expect(await ask(server, 'select 1 as one')).toEqual([{ one: 1 }])
      await server.stop()
      const next = await start(join(home, 'x', 'database'))
      await next.stop()
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })
})
