import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { findEmbedded } from '../src/database/embedded.ts'
import { type RunningService, startServe } from '../test/support/service.ts'

/** A real `proofline serve` in a process of its own over its embedded PostgreSQL, fsync on, in a temporary data folder. */
export interface BenchService extends RunningService {
  dataDir: string
  /** From starting the process to listening. */
  startSeconds: number
  /** Superuser's URL of its database. */
  databaseUrl(): Promise<string>
  /** JSON in, JSON out; throws for anything but 200 and 201. */
  call(
    method: 'GET' | 'PUT' | 'POST',
    path: string,
    body?: Buffer | string | Record<string, unknown>,
  ): Promise<Record<string, unknown>>
  get(path: string, accept: string): Promise<{ headers: Record<string, string | string[] | undefined>; body: Buffer }>
  /** How the main thread fared since the last probe. */
  probe(): Promise<{ maxMs: number; p99Ms: number; threadSeconds: number }>
  stop(): Promise<void>
}

const running = new Set<BenchService>()
const folders = new Set<string>()

export async function makeDataDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'proofline-bench-'))
  folders.add(folder)
  return join(folder, 'data')
}

export async function startService(
  dataDir: string,
  nodeOptions = process.env['BENCH_NODE_OPTIONS'] ?? '',
): Promise<BenchService> {
  const began = performance.now()
  const probeFile = fileURLToPath(new URL('./probe.ts', import.meta.url))
  const service = await startServe({ dataDir, env: { NODE_OPTIONS: `--import ${probeFile} ${nodeOptions}` } })
  const startSeconds = (performance.now() - began) / 1000
  const agent = new Agent({ connections: 32, bodyTimeout: 0, headersTimeout: 0 })
  const headers = { authorization: `Bearer ${service.token}` }
  const bench: BenchService = {
    ...service,
    dataDir,
    startSeconds,
    async databaseUrl() {
      const found = await findEmbedded(join(dataDir, 'postgres'))
      if (found === undefined) throw new Error('the embedded PostgreSQL is not there')
      return found.url
    },
    async call(method, path, body) {
      const isJson = body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body)
      const answer = await request(`${service.url}${path}`, {
        method,
        dispatcher: agent,
        headers: isJson ? { ...headers, 'content-type': 'application/json' } : headers,
        body: isJson ? JSON.stringify(body) : (body ?? null),
      })
      const text = await answer.body.text()
      if (answer.statusCode !== 200 && answer.statusCode !== 201)
        throw new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 500)}`)
      return text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {}
    },
    async get(path, accept) {
      const answer = await request(path.startsWith('http') ? path : `${service.url}${path}`, {
        dispatcher: agent,
        headers: { ...headers, accept },
      })
      const body = Buffer.from(await answer.body.arrayBuffer())
      if (answer.statusCode !== 200)
        throw new Error(`GET ${path}: ${answer.statusCode} ${body.subarray(0, 500).toString()}`)
      return { headers: answer.headers, body }
    },
    async probe() {
      const from = service.log().length
      service.signal('SIGUSR2')
      for (let tries = 0; tries < 500; tries++) {
        const found = /^probe (\{.*\})$/m.exec(service.log().slice(from))?.[1]
        if (found !== undefined) return JSON.parse(found) as { maxMs: number; p99Ms: number; threadSeconds: number } // written by probe.ts
        await sleep(10)
      }
      throw new Error('the probe does not answer')
    },
    async stop() {
      await agent.destroy()
      service.signal('SIGINT')
      await service.ended
      running.delete(bench)
    },
  }
  running.add(bench)
  return bench
}

/** Stops what is left and removes every data folder; for the end, however it comes. */
export async function cleanUp(): Promise<void> {
  await Promise.all([...running].map((service) => service.stop()))
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
}

/** The verifier key as the service published it in its data folder. */
export async function vkeyOf(dataDir: string, ledger: string): Promise<string> {
  return (await readFile(join(dataDir, 'keys', `${ledger.replace('/', '.')}.vkey`), 'utf8')).trim()
}

export interface Run {
  run: string
  repository: string
  suite: string
  commit: string
  testType: 'unit' | 'integration'
}

/** The first two steps of a run: declaration, and the inventory of its commit unless it is known. */
export async function declareRun(
  service: BenchService,
  { run, repository, suite, commit, testType }: Run,
  inventory?: string,
): Promise<void> {
  await service.call('PUT', `/v1/runs/${run}`, {
    repository,
    test_type: testType,
    suite,
    commit,
    ref: 'refs/heads/main',
  })
  if (inventory !== undefined) await service.call('PUT', `/v1/runs/${run}/inventory`, inventory)
}

export async function sealRun(service: BenchService, run: string): Promise<Record<string, unknown>> {
  return service.call('PUT', `/v1/runs/${run}/seal`, {
    outcome: 'completed',
    tests: { total: 412, passed: 410, failed: 0, skipped: 2 },
  })
}
