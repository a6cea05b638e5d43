import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RunningService, anLcov, ask, readLedger, startServe, temporaryFolder } from '../support/service.ts'

/** A database that answers nothing any more, and many who push: what comes is refused, and nothing is gathered for later. */

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let service: RunningService
beforeAll(async () => {
  folder = await temporaryFolder('frozen')
  service = await startServe({ dataDir: folder.path, env: { PROOFLINE_INTAKE_MAX_PARTS: '2' } })
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

it('takes no more parts of a run than it may have, and answers those that it has as ever', async () => {
  const run = 'ci.parts.api.unit'
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
  const part = (name: string) => put(`/parts?name=${name}`, anLcov(name.length))
  expect([(await part('a')).status, (await part('bb')).status]).toEqual([201, 201])
  const third = await part('ccc')
  expect([third.status, third.body['code']]).toEqual([422, 'too_many_parts'])
  expect((await part('a')).status).toBe(200)
  const rejections = await readLedger(service, 'unit', 'rejection')
  expect(rejections).toContainEqual(expect.objectContaining({ reason: 'too_many_parts' }))
})
