import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { chooseGarbage } from '../garbage/kinds.ts'
import { head, statusesOf } from '../garbage/wire.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { createRandom } from '../support/fail-modes.ts'
import { type RunningService, anLcov, cleanEnvironment, pushRun, readLedger, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/** Hundreds of requests that are none, beside pushes that are right. PROOFLINE_GARBAGE_SEED repeats what was sent; PROOFLINE_GARBAGE sends more. */

const seed = Number(process.env['PROOFLINE_GARBAGE_SEED'] ?? 20_261_130)
const pieces = Number(process.env['PROOFLINE_GARBAGE'] ?? 300)
const [lanes, pushes] = [16, 40]

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let database: TestDatabase
let service: RunningService
let env: Record<string, string>
beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('garbage')
  service = await startServe({
    dataDir: folder.path,
    databaseUrl: database.url,
    // Those who push have the address of those who guess tokens; half a head is given up soon, and a stop waits not long.
    env: {
      PROOFLINE_TELEMETRY_LOG: 'json',
      PROOFLINE_HTTP_LIMITS_REFUSALS_PER_MINUTE: '100000',
      PROOFLINE_HTTP_LIMITS_HEADERS_TIMEOUT_MS: '2000',
      PROOFLINE_HTTP_LIMITS_CHECK_MS: '500',
      PROOFLINE_HTTP_LIMITS_SHUTDOWN_MS: '2000',
    },
  })
  env = cleanEnvironment(folder.path, { DATABASE_URL: database.url })
})
afterAll(async () => {
  service.signal('SIGKILL')
  await service.ended
  await database.drop()
  await folder.remove()
})

const descriptors = (): number => readdirSync(`/proc/${service.pid}/fd`).length

it('garbage is no fault of the service, holds no descriptor, and keeps nobody out', async () => {
  const created = await runCli(['token', 'create', '--scope', 'push', '--data-dir', folder.path, '--json'], { env })
  expect(created).toMatchObject({ code: 0 })
  const { token } = JSON.parse(created.stdout) as { token: string }
  let pushed = 0
  const push = () => pushRun({ url: service.url, token }, `ci.${++pushed}.api.unit`, anLcov(pushed))
  expect((await push()).status).toBe(201)
  const before = descriptors()

  const faults: string[] = []
  const answered = new Map<string, number>()
  const lane = async (number: number): Promise<void> => {
    const random = createRandom(seed + number)
    for (let i = number; i < pieces; i += lanes) {
      const { kind, send } = chooseGarbage(random)
      const answer = await send(service)
      for (const status of statusesOf(answer)) {
        answered.set(`${status}`, (answered.get(`${status}`) ?? 0) + 1)
        if (status >= 500 && status !== 503) faults.push(`${kind}: ${answer.slice(0, 2_000)}`)
      }
    }
  }
  const statuses: number[] = []
  const honest = async (): Promise<void> => {
    while (statuses.length < pushes) statuses.push((await push()).status)
  }
  await Promise.all([...Array.from({ length: lanes }, (_, number) => lane(number)), honest()])

  expect(faults, `seed ${seed}`).toEqual([])
  expect(statuses).toEqual(Array.from({ length: pushes }, () => 201))
  // What was sent did reach the parser, the limits, the credentials, the routes and the formats.
  expect([...answered.keys()]).toEqual(expect.arrayContaining(['200', '400', '401', '404', '413', '415', '422', '431']))
  // Far fewer than were opened; the database may have some more connections than before.
  await expect.poll(descriptors, { timeout: 20_000, interval: 250 }).toBeLessThanOrEqual(before + 16)
  const seals = await readLedger(service, 'unit', 'seal')
  expect(new Set(seals.map(({ run }) => run))).toEqual(expect.objectContaining({ size: seals.length }))
  for (let n = 1; n <= pushed; n++) expect(seals.map(({ run }) => run)).toContain(`ci.${n}.api.unit`)
  expect(
    service
      .log()
      .split('\n')
      .filter((line) => line.includes('"level":"error"')),
  ).toEqual([])
})

it('a service that is stopped while clients hang in the middle of everything ends all the same, and its book is in order', async () => {
  const port = Number(new URL(service.url).port)
  const path =
    '/v1/push?run=local.hanging.api.unit&name=x&repository=github.com/acme/a&test_type=unit&suite=api&commit='
  const hanging = [
    Buffer.alloc(0),
    Buffer.from('GET /v1/sta'),
    head(service, 'POST', path + 'a'.repeat(40), { 'content-length': '100000' }, 'TN:\n'),
    head(service, 'POST', path + 'b'.repeat(40), { 'transfer-encoding': 'chunked' }, '5\r\nTN:'),
    head(service, 'GET', '/v1/feed/unit?cursor=latest&wait=30'),
    Buffer.concat(Array.from({ length: 5 }, () => head(service, 'GET', '/v1/feed/unit?after=-1&limit=10000'))),
  ]
  const sockets = hanging.map((bytes) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {}).pause() // oxfmt-ignore
    socket.write(bytes)
    return socket
  })
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  await sleep(300)
  service.signal('SIGTERM')
  const ended = await Promise.race([service.ended, sleep(60_000, 'it runs on', { ref: false })])
  for (const socket of sockets) socket.destroy()
  expect(ended).toBe(0)
  const verified = await runCli(['verify', '--database', '--data-dir', folder.path], { env })
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
})
