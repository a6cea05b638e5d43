import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type RunningService, anLcov, ask, pushRun, startServe, temporaryFolder } from '../support/service.ts'

/** A superuser changes what a running service has stored, read and cached. None of it may ever leave the service again. */

let test: TestDatabase
let service: RunningService
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  test = await createTestDatabase()
  const folder = await temporaryFolder('altered')
  cleanups.push(folder.remove)
  service = await startServe({
    dataDir: folder.path,
    databaseUrl: test.url,
    env: { PROOFLINE_SCRUB_EVERY_MS: '1000', PROOFLINE_SCRUB_RECORDS_PER_S: '1000000', PROOFLINE_WATCH_ALERTS_EVERY_MS: '1000' },
  }) // oxfmt-ignore
  expect((await pushRun(service, 'github.1.api.unit', anLcov(1, 60))).status).toBe(201)
  expect((await pushRun(service, 'github.2.api.unit', anLcov(2, 60))).status).toBe(201)
}, 120_000)
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  for (const clean of cleanups.toReversed()) await clean()
  await test.drop()
})

const eventually = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
  for (const end = performance.now() + 60_000; ; await new Promise((wake) => setTimeout(wake, 200))) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > end) throw new Error('it did not happen within 60 s')
  }
}

async function forge(change: string): Promise<void> {
  await test.owner.query({ text: 'alter table proofline.segments disable trigger user' })
  expect((await test.owner.query({ text: change })).rowCount).toBe(1)
}

/** Every way by which record bytes, or what is made from them, leave over HTTP. */
const asked = async (id: string, seq: number): Promise<[string, number, string][]> => {
  const paths = [`/v1/feed/unit?after=${seq - 1}&limit=1`, '/v1/feed/unit?after=-1&limit=100', `/v1/records/${id}`, `/log/main/unit/tile/entries/000.p/${size}`] // oxfmt-ignore
  return Promise.all(
    paths.map(async (path) => {
      const answer = await fetch(`${service.url}${path}`, { headers: { authorization: `Bearer ${service.token}`, accept: path.includes('feed') ? 'application/x-ndjson' : '*/*' } }) // oxfmt-ignore
      return [path, answer.status, await answer.text().catch(() => 'broken off')] as [string, number, string]
    }),
  )
}
let size = 0

describe('what a superuser changed under a running service', () => {
  it('case 1, 3, 46: is served by no route, is told as an alert, and the alert closes when the bytes are back', async () => {
    const { body } = await ask(service, '/v1/status')
    size = (body['ledgers'] as { ledger: string; published: number }[]).find(({ ledger }) => ledger === 'main/unit')?.published ?? 0
    const page = await fetch(`${service.url}/v1/feed/unit?after=-1&limit=10000`, { headers: { authorization: `Bearer ${service.token}`, accept: 'application/x-ndjson' } }) // oxfmt-ignore
    const lines = (await page.text()).trimEnd().split('\n')
    const victim = JSON.parse(lines[5] ?? '') as { id: string; seq: number; recorded_at: string }
    for (const [path, status] of await asked(victim.id, victim.seq)) expect([path, status]).toEqual([path, 200])
    const passed = async (): Promise<string | undefined> => ((await ask(service, '/v1/status')).body['ledgers'] as { ledger: string; scrub: { passed_at: string | null } }[]).find(({ ledger }) => ledger === 'main/unit')?.scrub.passed_at ?? undefined // oxfmt-ignore
    await eventually(passed)

    const where = `where ledger = 'main/unit' and first_seq <= ${victim.seq} and first_seq + count > ${victim.seq}`
    for (const [change, undo] of [
      ['payloads = set_byte(payloads, 40, get_byte(payloads, 40) # 1)', 'payloads = set_byte(payloads, 40, get_byte(payloads, 40) # 1)'],
      ['first_time = first_time + 1', 'first_time = first_time - 1'],
      [`kind = 'seal'`, `kind = 'coverage'`],
    ] as const) {
      await forge(`update proofline.segments set ${change} ${where}`)
      const answers = await asked(victim.id, victim.seq)
      // Of a payload that this process wrote itself it has the right bytes still; time and kind it takes from the row.
      if (!change.startsWith('payloads')) expect(answers.map(([, status]) => status)).toEqual([500, 500, 500, 500])
      for (const [path, status, text] of answers) {
        // What this process still remembers from before is right, and may be served; what was changed is not.
        for (const line of text.split('\n').filter((one) => one.startsWith('{"id"'))) expect(lines, path).toContain(line)
        if (status !== 200) expect([path, status, text]).toEqual([path, 500, expect.stringContaining('integrity')])
      }
      const alert = await eventually(async () => {
        const { alerts } = (await ask(service, '/v1/alerts')).body as { alerts: Record<string, string>[] }
        return alerts.find(({ subject, state }) => subject === 'stored main/unit' && state === 'opened')
      })
      expect(alert).toMatchObject({ code: 'log_mismatch', severity: 'critical', owner: 'security', detail: expect.stringMatching(/^first bad seq \d+: [a-z-]+: expected .+, found .+/) }) // oxfmt-ignore
      await forge(`update proofline.segments set ${undo} ${where}`)
      await eventually(async () => {
        const { alerts } = (await ask(service, '/v1/alerts')).body as { alerts: Record<string, string>[] }
        return alerts.some(({ subject }) => subject === 'stored main/unit') ? undefined : true
      })
    }
    for (const [path, status] of await asked(victim.id, victim.seq)) expect([path, status]).toEqual([path, 200])
  }) // oxfmt-ignore
})
