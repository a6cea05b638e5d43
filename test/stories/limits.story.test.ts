import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  type RunningService,
  anLcov,
  ask,
  cleanEnvironment,
  pushRun,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** A database that answers nothing any more, and many who push: what comes is refused, and nothing is gathered for later. */

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let service: RunningService
beforeAll(async () => {
  folder = await temporaryFolder('frozen')
  service = await startServe({
    dataDir: folder.path,
    env: { PROOFLINE_INTAKE_MAX_PARTS: '2', PROOFLINE_INTAKE_WORKERS: '3' },
  })
})
afterAll(async () => {
  freeze('SIGCONT')
  service.signal('SIGTERM')
  await service.ended
  await folder.remove()
})

const parentOf = (pid: string): string => {
  try {
    return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? ''
  } catch {
    return '' // it has ended meanwhile
  }
}

/** The server and all that it forked. */
function freeze(signal: 'SIGSTOP' | 'SIGCONT'): void {
  const pidFile = readdirSync(folder.path, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith('postmaster.pid'),
  )
  const server = readFileSync(join(folder.path, pidFile ?? 'none'), 'utf8').split('\n')[0] ?? ''
  const children = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && parentOf(pid) === server)
  for (const pid of [server, ...children]) process.kill(Number(pid), signal)
}

const megabytes = (): number =>
  Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))?.[1]) / 1_024

it('refuses pushes while its database stands still, with a time to come back, in the same memory, and goes on when it moves', async () => {
  const report = anLcov(1, 400, 200)
  let pushed = 0
  const statuses = new Map<string, number>()
  const push = async (): Promise<number> => {
    const query = new URLSearchParams({
      run: `ci.${++pushed}.api.unit`,
      name: 'lcov.info',
      repository: 'github.com/acme/payments',
      test_type: 'unit',
      suite: 'api',
      commit: '4'.repeat(40),
      tests: '3,3,0,0',
    })
    const answer = await fetch(`${service.url}/v1/push?${query.toString()}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.token}` },
      body: report,
    })
    const { code = 'none' } = (await answer.json()) as { code?: string }
    const waits = answer.headers.get('retry-after') === null ? '' : ' later'
    const key = `${answer.status} ${code}${waits}`
    statuses.set(key, (statuses.get(key) ?? 0) + 1)
    return answer.status
  }
  for (let i = 0; i < 5; i++) expect(await push()).toBe(201)
  await Promise.all(Array.from({ length: 12 }, push))
  statuses.clear()

  freeze('SIGSTOP')
  let going = true
  const clients = Array.from({ length: 100 }, async () => {
    while (going) await push()
  })
  const seen: number[] = []
  for (let i = 0; i < 10; i++) {
    await sleep(2_000)
    seen.push(megabytes())
  }
  going = false
  await Promise.all(clients)
  // Nobody is told that they asked too often because we cannot answer.
  expect([...statuses.keys()].filter((key) => !/^503 (?:unavailable|overloaded) later$/.test(key))).toEqual([])
  expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100)
  // Measured: 373 to 419 MB, of bodies that are being read; one of 100 reports kept would be 2 MB more.
  expect(Math.max(...seen.slice(5)) - Math.max(...seen.slice(0, 5))).toBeLessThan(100)
  freeze('SIGCONT')
  await expect.poll(push, { timeout: 60_000, interval: 500 }).toBe(201)
  const seals = await readLedger(service, 'unit', 'seal')
  expect(new Set(seals.map(({ run }) => run)).size).toBe(seals.length)
})

/** Declares it, and answers how to send parts of it. */
async function declareRun(run: string) {
  const put = (path: string, body: string) =>
    ask(service, `/v1/runs/${run}${path}`, {
      method: 'PUT',
      body,
      headers: { 'content-type': path === '' ? 'application/json' : 'text/plain' },
    })
  const declared = await put(
    '',
    JSON.stringify({ repository: 'github.com/acme/payments', test_type: 'unit', suite: 'api', commit: '4'.repeat(40) }),
  )
  expect(declared.status).toBe(201)
  return (name: string) => put(`/parts?name=${name}`, anLcov(name.length))
}

it('takes no more parts of a run than it may have, and answers those that it has as ever', async () => {
  const part = await declareRun('ci.parts.api.unit')
  expect([(await part('a')).status, (await part('bb')).status]).toEqual([201, 201])
  const third = await part('ccc')
  expect([third.status, third.body['code']]).toEqual([422, 'too_many_parts'])
  expect((await part('a')).status).toBe(200)
  const rejections = await readLedger(service, 'unit', 'rejection')
  expect(rejections).toContainEqual(expect.objectContaining({ reason: 'too_many_parts' }))
})

it('takes no more parts of a run than it may have of many that are under way at once, and the run ends', async () => {
  const run = 'ci.at-once.api.unit'
  const part = await declareRun(run)
  const answers = await Promise.all(Array.from('abcdef', part))
  const told = answers.map(({ status, body }) => (status === 201 ? 'recorded' : String(body['code'])))
  expect(told.toSorted()).toEqual(['recorded', 'recorded', ...Array<string>(4).fill('too_many_parts')])
  const parts = await readLedger(service, 'unit', 'part')
  expect(parts.filter((one) => one['run'] === run)).toHaveLength(2)
  const sealed = await ask(service, `/v1/runs/${run}/seal`, {
    method: 'PUT',
    body: { outcome: 'completed', tests: null },
  })
  expect(sealed.status).toBe(201)
})

it('takes what others push while the bodies of one credential do not end, whatever repositories these are of', async () => {
  const made = await runCli(['token', 'create', 'other', '--scope', 'push', '--data-dir', folder.path], {
    env: cleanEnvironment(folder.path),
  })
  expect(made).toMatchObject({ code: 0 })
  const token = made.stdout.trim()
  const gate = Promise.withResolvers<void>()
  let begun = 0
  async function* slowly(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(anLcov(1))
    begun++
    await gate.promise
  }
  const slow = ['x', 'y', 'z'].map((name) => {
    const query = new URLSearchParams({ run: `ci.slow-${name}.api.unit`, name: 'lcov.info', repository: `github.com/acme/${name}`, test_type: 'unit', suite: 'api', commit: '4'.repeat(40), tests: '3,3,0,0' }) // oxfmt-ignore
    return ask(service, `/v1/push?${query.toString()}`, { method: 'POST', body: slowly() })
  })
  await expect.poll(() => begun).toBe(3)
  await sleep(500) // until they have their threads
  expect((await pushRun({ ...service, token }, 'ci.beside.api.unit', anLcov(2))).status).toBe(201)
  gate.resolve()
  expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([201, 201, 201])
})
