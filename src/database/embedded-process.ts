import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { chmod, lstat, mkdir, open, readFile, readlink, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { giveTo, mayUse } from './embedded-account.ts'
import type { Account } from './embedded-account.ts'
import type { Binaries } from './embedded-binaries.ts'

/** Everything that a server process needs to know. `data` and `log` are absolute and free of links. */
export interface Place {
  data: string
  /** 0700, of the account; the only way in. */
  sockets: string
  log: string
  account: Account
  binaries: Binaries
}

/** A server, ours or one that survived the process that started it. */
export interface ServerProcess {
  pid: number
  /** Resolves when it has ended. */
  ended: Promise<void>
}

/** The whole environment: nothing of ours (locale, PG..., secrets) reaches the server. */
const environment = { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' }

const settings: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  wal_compression: 'on',
  jit: 'off',
  // A service takes about 20 and five for each destination; several may share the database.
  max_connections: '200',
  log_checkpoints: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/**
 * Makes the data folder. It gets its name only when it is whole, so a crash in here is repeated from the start.
 * The builtin locale keeps indexes valid when the system's libraries change; nothing is taken from the host's locale.
 */
export async function initialise(place: Place, password: string): Promise<void> {
  const fresh = `${place.data}.new`
  const passwordFile = join(place.sockets, 'password')
  await rm(fresh, { recursive: true, force: true })
  await makePrivate(place.account, fresh)
  await writeFile(passwordFile, password, { mode: 0o600 })
  await giveTo(place.account, passwordFile)
  const flags = [
    '-U',
    'postgres',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ]
  try {
    const child = run(place, fresh, [
      place.binaries.initdb,
      ...flags,
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--no-instructions',
    ])
    const { ended } = follow(child)
    await ended
    if (child.exitCode !== 0) throw new Error(`initdb failed in ${fresh}: ${await lastLines(place.log)}`)
  } finally {
    await rm(passwordFile, { force: true })
  }
  await rename(fresh, place.data)
}

/** Starts the server; it is not ready yet. On Linux it shuts down cleanly when this thread dies, even of SIGKILL. */
export function launch(place: Place): ServerProcess {
  const flags = Object.entries({ ...settings, unix_socket_directories: place.sockets }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  const setpriv =
    process.platform === 'linux' ? ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path)) : undefined
  const guard = setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'INT', '--']
  const child = run(place, place.data, [...guard, place.binaries.postgres, ...flags])
  child.unref()
  return follow(child)
}

/**
 * Appends `-D data` and runs the command as the account. A data folder below one that the account may not enter (a home of mode 0700) is
 * handed over as an open descriptor: /proc/self/fd/3 leads there without asking the folders above.
 */
function run({ account, log }: Place, data: string, [command = '', ...rest]: string[]): ChildProcess {
  const reachable = mayUse(account, data, 'enter')
  if (!reachable && process.platform !== 'linux')
    throw new Error(`The user ${account.uid} may not enter ${data}: choose another data folder`)
  const directory = openSync(data, 'r')
  const output = openSync(log, 'a', 0o600)
  try {
    return spawn(command, [...rest, '-D', reachable ? data : '/proc/self/fd/3'], {
      ...account,
      cwd: '/',
      env: environment,
      detached: true, // Ctrl-C goes to the whole group of a terminal, and we want to write until we stop it
      stdio: ['ignore', output, output, directory],
    })
  } finally {
    closeSync(directory)
    closeSync(output)
  }
}

function follow(child: ChildProcess): ServerProcess {
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  child.once('exit', () => resolve())
  child.once('error', () => resolve())
  return { pid: child.pid ?? -1, ended }
}

/** What postmaster.pid says. */
export interface Survivor {
  pid: number
  sockets: string
}

/**
 * The server that runs on this data folder although nobody here started it. Never deletes postmaster.pid: PostgreSQL judges it itself.
 * Where process 1 does not reap, a killed server stays a zombie for seconds, and PostgreSQL will not start meanwhile: waits 10 s for it.
 */
export async function findSurvivor(data: string): Promise<Survivor | undefined> {
  for (let tries = 0; tries < 100; tries++) {
    const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
    const [first, folder, , , sockets] = text.split('\n')
    const pid = Number(first)
    if (!Number.isSafeInteger(pid) || pid <= 0 || folder === undefined || !isAlive(pid)) return undefined
    if (!(await isZombie(pid)))
      return (await servesFolder(pid, data, folder)) ? { pid, sockets: sockets ?? '' } : undefined
    await sleep(100)
  }
  return undefined
}

/** PostgreSQL changes into its data folder, and that cannot be faked by a process that got the same number later. */
async function servesFolder(pid: number, data: string, written: string): Promise<boolean> {
  if (process.platform !== 'linux') return written === data
  return (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === data
}

async function isZombie(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return text.slice(text.lastIndexOf(')')).startsWith(') Z')
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

export function watchSurvivor(pid: number): ServerProcess {
  const gone = async (): Promise<void> => {
    while (isAlive(pid) && !(await isZombie(pid))) await sleep(100, undefined, { ref: false })
  }
  return { pid, ended: gone() }
}

/** Ends connections, writes a checkpoint and waits; the hard way, which costs a recovery at the next start, only after a minute. */
export async function shutDown({ pid, ended }: ServerProcess): Promise<void> {
  for (const [signal, waitMs] of [
    ['SIGINT', 60_000],
    ['SIGQUIT', 10_000],
  ] as const) {
    if (isAlive(pid)) process.kill(pid, signal)
    const late = new AbortController()
    const timeout = sleep(waitMs, 'late', { signal: late.signal }).catch(() => 'ended')
    const outcome = await Promise.race([ended, timeout])
    late.abort()
    if (outcome !== 'late') return
  }
  throw new Error(`PostgreSQL (process ${pid}) does not stop`)
}

/** `initdb` makes it at random; the first eight bytes of global/pg_control hold it. */
export async function systemIdentifier(data: string): Promise<string> {
  const file = await open(join(data, 'global', 'pg_control'))
  try {
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 0)
    return buffer.readBigUInt64LE().toString()
  } finally {
    await file.close()
  }
}

/** A folder that only the account may enter; one that is there already must be its own or ours. */
export async function makePrivate(account: Account, folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  })
  const found = await lstat(folder)
  const owner = account.uid ?? process.getuid?.()
  if (!found.isDirectory() || (found.uid !== owner && found.uid !== process.getuid?.())) {
    throw new Error(`${folder} belongs to somebody else; remove it`)
  }
  await giveTo(account, folder)
  await chmod(folder, 0o700)
}

/** The end of the server's log, for messages. */
export async function lastLines(log: string): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-8).join('\n')
}

/** The log starts anew when it has grown over 10 MiB. */
export async function trimLog(log: string): Promise<void> {
  const { size } = await stat(log).catch(() => ({ size: 0 }))
  if (size > 10 * 1024 * 1024) await rename(log, join(log, '..', `${basename(log)}.1`))
}
