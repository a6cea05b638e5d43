import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, realpath, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Problem } from '../record/problem.ts'
import type { Logger } from '../telemetry/logger.ts'
import { chooseAccount, mayUse } from './embedded-account.ts'
import type { Account } from './embedded-account.ts'
import { findBinaries } from './embedded-binaries.ts'
import { lockFolder, maxSocketPathBytes } from './embedded-lock.ts'
import * as server from './embedded-process.ts'
import { sqlState } from './failure.ts'

export interface Embedded {
  /** Of the superuser, database proofline; holds the password. */
  url: string
  /** As the server tells it, such as 18.4. */
  version: string
  /** Aborts when the server ended without stop(). */
  lost: AbortSignal
  stop(): Promise<void>
}

/**
 * Starts a real PostgreSQL in `folder`, made at the first start: one node without replica, on a Unix socket only. Call it from the main
 * thread: the server is bound to the life of the thread that started it.
 * A process that was killed leaves the server shutting down (Linux with setpriv) or running: the next start waits for the one and takes
 * over the other.
 * @throws when the folder is in use (naming the process), on a network file system, of another major version; or nothing runs here
 *   (Windows, musl, root without another user, dependency missing) - each saying what to do
 */
export async function startEmbedded(folder: string, { log }: { log: Logger }): Promise<Embedded> {
  await mkdir(folder, { recursive: true })
  const home = await realpath(folder)
  await assertLocal(home)
  const unlock = await lockFolder(home)
  try {
    const startedAt = performance.now()
    const data = join(home, 'data')
    const account = await chooseAccount(data)
    const binaries = await findBinaries(home, account)
    const place: server.Place = {
      data,
      account,
      binaries,
      log: join(home, 'postgres.log'),
      sockets: await socketFolder(home, account),
    }
    await server.trimLog(place.log)
    const isNew = !existsSync(data)
    const password = await passwordOf(home, isNew)
    if (isNew) await server.initialise(place, password)
    await assertVersion(data, binaries.major)

    const { started, version, url } = (await attach(place, password, log)) ?? (await start(place, password, log))
    log.info('postgres.started', {
      pid: started.pid,
      version,
      replicas: 0,
      ms: Math.round(performance.now() - startedAt),
    })
    const lost = new AbortController()
    let stopping = false
    const atExit = (): void => {
      if (server.isAlive(started.pid)) process.kill(started.pid, 'SIGINT')
    }
    process.once('exit', atExit)
    void started.ended.then(async () => {
      process.removeListener('exit', atExit)
      if (stopping) return
      log.error('postgres.ended', { pid: started.pid, last: await server.lastLines(place.log) })
      lost.abort(new Error('The embedded PostgreSQL ended'))
    })
    return {
      url,
      version,
      lost: lost.signal,
      async stop() {
        if (stopping) return
        stopping = true
        await server.shutDown(started)
        if (!place.sockets.startsWith(home)) await rm(place.sockets, { recursive: true, force: true })
        await unlock()
        log.info('postgres.stopped', { pid: started.pid })
      },
    }
  } catch (error) {
    await unlock()
    throw error
  }
}

/**
 * The server in `folder`, for a command: the one that a service beside it runs, which is neither owned nor stopped here; else one of its own.
 * Throws like startEmbedded; Problem in_use only when the other process does not get its server up within 20 s.
 */
export async function joinEmbedded(
  folder: string,
  { log }: { log: Logger },
): Promise<Pick<Embedded, 'url' | 'version' | 'stop'>> {
  const startedAt = performance.now()
  for (;;) {
    const found = await findEmbedded(folder)
    if (found !== undefined) return { ...found, stop: async () => {} }
    try {
      return await startEmbedded(folder, { log })
    } catch (error) {
      const isStarting = error instanceof Problem && error.code === 'in_use' && performance.now() - startedAt < 20_000
      if (!isStarting) throw error
      await sleep(250)
    }
  }
}

/**
 * The server that another process runs in `folder`, for commands beside a running service; undefined when there is none. Whoever uses it
 * neither owns nor stops it, and loses it when that process ends.
 */
export async function findEmbedded(folder: string): Promise<Pick<Embedded, 'url' | 'version'> | undefined> {
  const home = await realpath(folder).catch(() => undefined)
  const survivor = home === undefined ? undefined : await server.findSurvivor(join(home, 'data'))
  if (home === undefined || survivor === undefined) return undefined
  const url = urlOf(survivor.sockets, await passwordOf(home, false))
  const version = await untilReady(url, server.watchSurvivor(survivor.pid))
  return version === undefined ? undefined : { url, version }
}

interface Running {
  started: server.ServerProcess
  version: string
  url: string
}

/** Takes over a server that survived its starter; waits while it is shutting down, and then there is nothing to take over. */
async function attach(place: server.Place, password: string, log: Logger): Promise<Running | undefined> {
  const survivor = await server.findSurvivor(place.data)
  if (survivor === undefined) return undefined
  const started = server.watchSurvivor(survivor.pid)
  const url = urlOf(survivor.sockets, password)
  const version = await untilReady(url, started, log)
  if (version === undefined) return undefined
  const { rows } = await ask(url, 'select system_identifier::text as id from pg_control_system()')
  if (rows[0]?.['id'] !== (await server.systemIdentifier(place.data))) {
    throw new Error(`Process ${survivor.pid} claims to serve ${place.data} but serves other data: stop it first`)
  }
  log.warn('postgres.taken_over', { pid: survivor.pid })
  return { started, version, url }
}

async function start(place: server.Place, password: string, log: Logger): Promise<Running> {
  const url = urlOf(place.sockets, password)
  for (let tries = 0; ; tries++) {
    const started = server.launch(place)
    const version = await untilReady(url, started, log).catch(async (error: unknown) => {
      await server.shutDown(started)
      throw error
    })
    if (version !== undefined) return { started, version, url }
    const last = await server.lastLines(place.log)
    // A predecessor that is dead but not reaped, or on its last instructions.
    const isHeld = last.includes('lock file ') && last.includes(' already exists')
    if (!isHeld || tries >= 20) throw new Error(`PostgreSQL did not start in ${place.data}: ${last}`)
    await sleep(500)
  }
}

/** Version of the server once it answers, by asking and not by reading its log; undefined when it ended. Recovery may take its time. */
async function untilReady(url: string, started: server.ServerProcess, log?: Logger): Promise<string | undefined> {
  let over = false
  void started.ended.then(() => {
    over = true
  })
  const startedAt = performance.now()
  for (let toldAt = startedAt; !over; await sleep(20)) {
    try {
      const { rows } = await ask(
        url.replace('/proofline?', '/postgres?'),
        `select current_setting('server_version') as version`,
      )
      const existing = await ask(
        url.replace('/proofline?', '/postgres?'),
        `select from pg_database where datname = 'proofline'`,
      )
      if (existing.rowCount === 0) await ask(url.replace('/proofline?', '/postgres?'), 'create database proofline')
      return String(rows[0]?.['version'])
    } catch (error) {
      if (over) return undefined
      // 57P03: starting up, recovering or shutting down. Without a code: no socket yet, or no longer.
      const state = sqlState(error)
      if (state !== undefined && state !== '57P03' && state !== '57P01') throw error
      if (performance.now() - toldAt > 5_000) {
        toldAt = performance.now()
        log?.info('postgres.awaited', {
          seconds: Math.round((toldAt - startedAt) / 1_000),
          error: error instanceof Error ? error.message : '',
        })
      }
    }
  }
  return undefined
}

async function ask(url: string, text: string): Promise<pg.QueryResult<Record<string, unknown>>> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return await client.query(text)
  } finally {
    void client.end().catch(() => {})
  }
}

function urlOf(sockets: string, password: string): string {
  return `postgresql://postgres:${password}@/proofline?host=${encodeURIComponent(sockets)}`
}

/** The socket's folder guards the server; the password also keeps out other programs that run as the same user. */
async function passwordOf(home: string, isNew: boolean): Promise<string> {
  const path = join(home, 'password')
  if (!isNew) {
    return await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new Error(`The password of the embedded PostgreSQL cannot be read from ${path}`, { cause })
    })
  }
  const password = randomBytes(24).toString('hex')
  const file = await open(path, 'w', 0o600)
  await file.writeFile(password)
  await file.sync()
  await file.close()
  return password
}

/** Beside the data if the path is short enough and the account can get there, else a folder of that account in the temporary folder. */
async function socketFolder(home: string, account: Account): Promise<string> {
  const short = `proofline-${createHash('sha256').update(home).digest('hex').slice(0, 12)}`
  for (const folder of [join(home, 'run'), join(tmpdir(), short), join('/tmp', short)]) {
    if (Buffer.byteLength(`${folder}/.s.PGSQL.5432.lock`) > maxSocketPathBytes) continue
    await server.makePrivate(account, folder)
    if (mayUse(account, folder, 'enter')) return folder
    await rm(folder, { recursive: true, force: true })
  }
  throw new Error(`The user ${account.uid} may use neither ${home} nor ${tmpdir()} for its socket`)
}

async function assertVersion(data: string, major: string): Promise<void> {
  const found = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim()
  if (found !== major) {
    throw new Error(
      `${data} was made by PostgreSQL ${found}, this program has ${major}: start it with the program that made it and move the data`,
    )
  }
}

/** Neither our lock nor PostgreSQL's own holds between machines: NFS, SMB, CIFS. */
async function assertLocal(home: string): Promise<void> {
  const { type } = await statfs(home)
  if (process.platform === 'linux' && [0x6969, 0x517b, 0xff534d42, 0xfe534d42].includes(type >>> 0)) {
    throw new Error(
      `${home} is on a network file system, which cannot keep a second server out. Choose a local folder, or set DATABASE_URL.`,
    )
  }
}
