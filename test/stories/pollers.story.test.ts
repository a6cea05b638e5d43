import { type ChildProcess, spawn } from 'node:child_process'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { freePort } from '../conformance/free-port.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type RunningService, anLcov, ask, cleanEnvironment, endOf, pushRun, readLedger, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/** How many disturbances; PROOFLINE_POLLER_ROUNDS for more. */
const rounds = Number(process.env['PROOFLINE_POLLER_ROUNDS'] ?? 10)
const seed = Number(process.env['PROOFLINE_POLLER_SEED'] ?? Date.now() % 1_000_000)
const styles = ['link', 'token', 'window'] as const

const cleanups: (() => Promise<unknown>)[] = []
let test: TestDatabase | undefined
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
  await test?.drop()
  test = undefined
})

/** mulberry32 */
function numbers(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

it(`pullers by link, token and window have every record exactly once, though they and the service are killed and put back (seed ${seed})`, async () => {
  const random = numbers(seed)
  test = await createTestDatabase()
  const folder = await temporaryFolder('pollers')
  cleanups.push(folder.remove)
  const port = String(await freePort()) // a URL that a poller keeps must be good after a restart
  const serve = (): Promise<RunningService> =>
    startServe({ dataDir: folder.path, databaseUrl: test?.url ?? '', args: ['--port', port] })
  let service = await serve()
  cleanups.push(async () => (service.signal('SIGKILL'), service.ended))

  let growing = true
  const grow = async (): Promise<void> => {
    for (let i = 0; growing; i++) {
      const run = `local.${i}.api.unit`
      const answer = await pushRun(service, run, anLcov(i, 40)).catch(() => undefined)
      if (answer?.status !== 201 && answer?.status !== 200) i -= 1 // the same again until it is answered
      await sleep(100)
    }
  }

  const pollers = new Map<string, ChildProcess>()
  const start = (style: string): void => {
    const args = [
      join(import.meta.dirname, 'pollers/poller.ts'),
      style,
      `${service.url}/v1/feed/unit`,
      join(folder.path, style),
    ]
    const env = cleanEnvironment(folder.path, { POLLER_TOKEN: service.token })
    pollers.set(style, spawn(process.execPath, args, { env, stdio: ['ignore', 'inherit', 'inherit'] }))
  }
  const kill = async (style: string): Promise<void> => {
    const child = pollers.get(style)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = endOf(child)
    child.kill('SIGKILL')
    await ended
  }
  cleanups.push(() => Promise.all(styles.map(kill)))
  const sizeOf = async (style: string): Promise<number> => (await readFile(join(folder.path, style, 'records.ndjson'), 'utf8').catch(() => '')).length // oxfmt-ignore
  const moves = async (style: string): Promise<void> => {
    for (const before = await sizeOf(style); (await sizeOf(style)) <= before;) await sleep(20)
  }

  for (const style of styles) await mkdir(join(folder.path, style))
  for (const style of styles) start(style)
  const working = grow()
  for (let round = 0; round < rounds; round++) {
    const style = styles[round % styles.length] ?? 'link'
    const state = join(folder.path, style, 'state.json')
    await moves(style)
    if (round % 5 === 3) {
      service.signal('SIGKILL')
      await service.ended
      service = await serve()
      await moves(style)
      continue
    }
    await sleep(random() * 100)
    await kill(style)
    if (round % 5 === 1) await copyFile(state, `${state}.old`)
    // Put back to where it was some rounds ago, or to the very beginning; what it had by then goes with it.
    if (round % 5 === 2) await copyFile(`${state}.old`, state).catch(() => rm(state, { force: true }))
    if (round % 5 === 4) for (const file of [state, `${state}.old`]) await rm(file, { force: true })
    start(style)
  }
  growing = false
  await working
  for (const style of styles) {
    await kill(style)
    await writeFile(join(folder.path, style, 'drain'), '')
    start(style)
    const child = pollers.get(style)
    if (child !== undefined && child.exitCode === null) expect([style, await endOf(child)]).toEqual([style, 0])
  }

  const all = (await readLedger(service, 'unit')).map(({ id }) => id)
  expect(all.length).toBeGreaterThan(50)
  for (const style of styles) {
    const text = await readFile(join(folder.path, style, 'records.ndjson'), 'utf8')
    const ids = text.split('\n').slice(0, -1).map((line) => (JSON.parse(line) as { id: string }).id) // oxfmt-ignore
    expect([style, ids]).toEqual([style, all])
  }
  expect((await ask(service, '/v1/consumers')).body).toEqual({ consumers: [] }) // none gave itself a name
}, 300_000)
