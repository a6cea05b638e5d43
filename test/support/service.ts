import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { compileCache } from './compile-cache.ts'
import { type Form, searchFolder, searchSecrets } from './secrets.ts'

/** The real program in a process of its own, as a user starts it. */
export const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

export interface RunningService {
  url: string
  token: string
  pid: number
  /** Everything it wrote to stderr so far. */
  log(): string
  signal(name: NodeJS.Signals): void
  /** Resolves with the exit code, or the signal that ended it. */
  ended: Promise<number | string>
}

export interface ServiceSettings {
  dataDir: string
  databaseUrl?: string
  env?: Record<string, string>
  args?: string[]
  /** In a process group of its own, as a shell starts it: Ctrl-C is `process.kill(-pid, 'SIGINT')`. */
  ownGroup?: boolean
}

/** Environment of a child: nothing of ours that would configure it, and a home of its own. */
export function cleanEnvironment(dataDir: string, more: Record<string, string> = {}): Record<string, string> {
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: dataDir,
    XDG_STATE_HOME: join(dataDir, 'state'),
    ...compileCache,
    ...more,
  }
  return env
}

/** Starts `proofline serve` and waits until it says where it listens. Rejects with its output when it ends before that. */
export async function startServe({
  dataDir,
  databaseUrl,
  env = {},
  args = [],
  ownGroup = false,
}: ServiceSettings): Promise<RunningService> {
  const child = spawn(process.execPath, [cli, 'serve', '--port', '0', '--data-dir', dataDir, ...args], {
    cwd: tmpdir(),
    env: cleanEnvironment(dataDir, { ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }), ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: ownGroup,
  })
  let out = ''
  let log = ''
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  child.stderr.on('data', (chunk) => (log += String(chunk)))
  const ended = endOf(child)
  lives.add(followLife(child, dataDir, () => `${out}\n${log}`))
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', () => {
      const found = /listens at (https?:\S+)/.exec(out)?.[1]
      if (found !== undefined) resolve(found)
    })
    void ended.then((code) => reject(new Error(`serve ended with ${code} before it was ready:\n${out}\n${log}`)))
  })
  const token = (await readFile(join(dataDir, 'operator-token'), 'utf8').catch(() => '')).trim()
  return { url, token, pid: child.pid ?? -1, log: () => log, signal: (name) => void child.kill(name), ended }
}

/** Services that may still say something. */
const lives = new Set<Promise<void>>()

/** Resolves when every service of this file has ended, was searched, or does not end. */
export async function livesEnded(): Promise<void> {
  await Promise.race([Promise.all(lives), new Promise((resolve) => setTimeout(resolve, 5_000).unref())])
  lives.clear()
}

/** Its output to the last byte, and the files that it leaves, are searched for secrets. */
async function followLife(child: ChildProcess, dataDir: string, said: () => string): Promise<void> {
  await new Promise((resolve) => child.once('exit', resolve)).then(() => searchFolder(dataDir))
  await Promise.race([new Promise((resolve) => child.once('close', resolve)), new Promise((resolve) => setTimeout(resolve, 1_000).unref())]) // oxfmt-ignore
  searchSecrets(`the output of a service in ${dataDir}`, said())
}

/** What a command is there to show once. */
function shownBy(args: readonly string[]): readonly Form[] {
  const [first, second, third] = args
  if (first === 'token' && second === 'create') return ['a token']
  return first === 'key' && second === 'producer' && third === 'create' ? ['a private key'] : []
}

export function endOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown')))
}

export interface Finished {
  code: number
  stdout: string
  stderr: string
}

/** Runs one command to its end. */
export async function runCli(
  args: string[],
  options: { cwd?: string; env: Record<string, string> },
): Promise<Finished> {
  const run = promisify(execFile)(process.execPath, [cli, ...args], { ...options, maxBuffer: 64 * 1_048_576 })
  const { code, stdout, stderr } = await run.then(
    (done) => ({ code: 0, ...done }),
    (error: unknown) => error as Finished, // execFile's rejection
  )
  searchSecrets(`stdout of proofline ${args.join(' ')}`, stdout, shownBy(args))
  searchSecrets(`stderr of proofline ${args.join(' ')}`, stderr)
  return { code, stdout, stderr }
}

export async function temporaryFolder(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `proofline-${name}-`))
  // The database of a service that was killed ends by itself, and may write until then.
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }) }
}

/** A small LCOV report: `files` files of `lines` lines, its states decided by `seed`. */
export function anLcov(seed: number, files = 3, lines = 20): string {
  let text = 'TN:\n'
  for (let f = 0; f < files; f++) {
    text += `SF:src/file${f}.ts\n`
    for (let line = 1; line <= lines; line++) text += `DA:${line},${(line * 7 + f * 13 + seed) % 3}\n`
    text += 'end_of_record\n'
  }
  return text
}

/** One atomic push over HTTP. Rejects when the connection breaks. */
export async function pushRun(
  service: { url: string; token: string },
  run: string,
  lcov: string,
  more: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  const testType = run.slice(run.lastIndexOf('.') + 1)
  const query = new URLSearchParams({
    run,
    name: 'coverage/lcov.info',
    repository: 'github.com/acme/payments',
    test_type: testType,
    suite: 'api',
    commit: '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b',
    tests: '3,3,0,0',
    ...more,
  })
  const answer = await fetch(`${service.url}/v1/push?${query.toString()}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.token}` },
    body: lcov,
  })
  const text = await answer.text()
  searchSecrets(`the answer to a push of ${run}`, text)
  return { status: answer.status, body: JSON.parse(text) as Record<string, unknown> }
}

export interface Answered {
  status: number
  type: string | null
  /** As it came. */
  text: string
  body: Record<string, unknown>
}

export interface Asked {
  method?: 'GET' | 'PUT' | 'POST'
  headers?: Record<string, string>
  body?: RequestInit['body'] | Record<string, unknown>
  token?: string
}

/** One request to a service; an object is sent as JSON. Rejects when the connection breaks. */
export async function ask(
  service: Credentials,
  path: string,
  { method = 'GET', headers = {}, body, token = service.token }: Asked = {},
): Promise<Answered> {
  const isJson = typeof body === 'object' && body !== null && Object.getPrototypeOf(body) === Object.prototype
  const answer = await fetch(`${service.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(isJson ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    ...(body === undefined
      ? {}
      : { body: isJson ? JSON.stringify(body) : (body as RequestInit['body']), duplex: 'half' }),
  } as RequestInit)
  const text = await answer.text()
  searchSecrets(`the answer to ${method} ${path}`, text)
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    text,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
  }
}

export interface Credentials {
  url: string
  token: string
}

/** Every published record of a ledger, in order, or those of some kinds. */
export async function readLedger(
  service: Credentials,
  ledger: string,
  kinds?: string,
): Promise<Record<string, unknown>[]> {
  const records: Record<string, unknown>[] = []
  for (let path = `/v1/feed/${ledger}?after=-1&limit=10000${kinds === undefined ? '' : `&kind=${kinds}`}`; ;) {
    const { status, body } = await ask(service, path)
    if (status !== 200) throw new Error(`${path}: ${JSON.stringify(body)}`)
    const page = body as { records: Record<string, unknown>[]; next_cursor: string; has_more?: boolean }
    records.push(...page.records)
    if (page.has_more === false) return records
    path = `/v1/feed/${ledger}?cursor=${encodeURIComponent(page.next_cursor)}&limit=10000${kinds === undefined ? '' : `&kind=${kinds}`}`
  }
}

/** A declaration of a run of this test type; the smallest that is complete. */
export function aDeclaration(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    repository: 'github.com/acme/payments',
    test_type: 'unit',
    suite: 'api',
    commit: '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b',
    ...more,
  }
}
