import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase } from '../../src/database/database.ts'
import { runWorker } from '../../src/database/worker.ts'
import type { WorkerDeps } from '../../src/database/worker.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let test: TestDatabase
beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(() => test.drop())

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
const deps = (end: AbortController, more: Partial<WorkerDeps> = {}): WorkerDeps => ({
  org: 'main',
  db: test.db,
  log: silentLogger,
  signal: end.signal,
  standbyMs: 50,
  backOffMs: 10,
  ...more,
})

describe('runWorker', () => {
  it('runs in one of two at a time, and the other takes over', async () => {
    const [first, second] = [new AbortController(), new AbortController()]
    let running = 0
    let most = 0
    let starts = 0
    const run = async (signal: AbortSignal) => {
      starts++
      running++
      most = Math.max(most, running)
      await aborted(signal)
      running--
    }
    const one = runWorker('pair', run, deps(first))
    await expect.poll(() => starts).toBe(1)
    const two = runWorker('pair', run, deps(second))
    await sleep(300)
    expect(starts).toBe(1)
    first.abort()
    await one
    await expect.poll(() => starts).toBe(2)
    second.abort()
    await two
    expect(most).toBe(1)
  })

  it('runs for each org that shares the database', async () => {
    const ends = [new AbortController(), new AbortController()]
    const running: string[] = []
    const workers = ['main', 'rival'].map((org, at) =>
      runWorker(
        'same',
        async (signal) => {
          running.push(org)
          await aborted(signal)
        },
        deps(ends[at] ?? ends[0]!, { org }),
      ),
    )
    await expect.poll(() => running.toSorted()).toEqual(['main', 'rival'])
    for (const end of ends) end.abort()
    await Promise.all(workers)
  })

  it('starts again after errors, more slowly each time, and tells', async () => {
    const end = new AbortController()
    const told: string[] = []
    const log = {
      ...silentLogger,
      error: (event: string, fields?: Record<string, unknown>) => told.push(`${event} ${String(fields?.['failures'])}`),
    }
    let runs = 0
    await runWorker(
      'failing',
      async () => {
        runs++
        if (runs < 4) throw new Error('no')
      },
      deps(end, { log }),
    )
    expect(runs).toBe(4)
    expect(told).toEqual(['worker.failed 1', 'worker.failed 2', 'worker.failed 3'])
  })

  it('aborts the run when its connection is terminated, and starts it again', async () => {
    const end = new AbortController()
    const states: string[] = []
    const metrics = { ...createMetrics([]), workerState: (_: string, state: string) => void states.push(state) }
    let runs = 0
    const worker = runWorker(
      'cut',
      async (signal) => {
        runs++
        await aborted(signal)
      },
      deps(end, { metrics }),
    )
    await expect.poll(() => runs).toBe(1)
    await test.owner.query({
      text: `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted`,
    })
    await expect.poll(() => runs).toBe(2)
    end.abort()
    await worker
    // The lock of a session that was terminated may stand for a moment: then it waits for it in between.
    expect(states.filter((state) => state !== 'standby')).toEqual(['running', 'running', 'ended'])
  })

  it(
    'ends while it stands by or backs off, without waiting for the end of the pause',
    { timeout: 12_000 },
    async () => {
      const end = new AbortController()
      const states: string[] = []
      const metrics = { ...createMetrics([]), workerState: (_: string, state: string) => void states.push(state) }
      // The pause lasts 15 to 45 s, longer than this test may.
      const worker = runWorker('idle', () => Promise.reject(new Error('no')), deps(end, { backOffMs: 60_000, metrics }))
      await expect.poll(() => states.at(-1)).toBe('backing_off')
      end.abort()
      await worker
      expect(states).toEqual(['running', 'backing_off', 'ended'])
    },
  )

  it('takes the work away from a frozen process, which learns of it when it thaws', async () => {
    const program = join(import.meta.dirname, '../support/worker-child.ts')
    const child = spawn(process.execPath, [program, test.url, 'frozen', '900'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const said: string[] = []
    createInterface(child.stdout).on('line', (line) => said.push(line))
    await expect.poll(() => said).toEqual(['running'])

    const end = new AbortController()
    let runs = 0
    const own = createDatabase({ url: test.url, sessionIdleTimeoutMs: 900 })
    const worker = runWorker(
      'frozen',
      async (signal) => {
        runs++
        await aborted(signal)
      },
      deps(end, { db: own }),
    )
    await sleep(1_500)
    expect(runs).toBe(0) // it waits, but it pings

    child.kill('SIGSTOP')
    await expect.poll(() => runs, { timeout: 5_000 }).toBe(1)
    child.kill('SIGCONT')
    await expect.poll(() => said, { timeout: 5_000 }).toEqual(['running', 'stopped'])
    expect(runs).toBe(1)

    child.kill('SIGTERM')
    end.abort()
    await Promise.all([worker, once(child, 'exit')])
    await own.end()
  })
})
