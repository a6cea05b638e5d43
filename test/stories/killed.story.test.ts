import { afterEach, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type RunningService,
  anLcov,
  cleanEnvironment,
  pushRun,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

const kills = Number(process.env['PROOFLINE_KILLS'] ?? 10)
const clients = 6

let test: TestDatabase | undefined
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
  await test?.drop()
  test = undefined
})

interface Answered {
  run: string
  status: number
  seal: { id: string; seq: number; recorded_at: string }
}

describe('the service', () => {
  it(
    `loses nothing and doubles nothing when it is killed ${kills} times at random moments under load`,
    async () => {
      test = await createTestDatabase()
      const folder = await temporaryFolder('killed')
      cleanups.push(folder.remove)
      let service: RunningService | undefined
      let pushing = true
      const answered: Answered[] = []
      let asked = 0

      // Each client repeats one push until it is answered, over however many lives of the service, and then makes the next one.
      const client = async (name: number): Promise<void> => {
        for (let i = 0; pushing; i++) {
          const run = `local.${name}-${i}.api.${i % 2 === 0 ? 'unit' : 'integration'}`
          asked++
          for (;;) {
            if (!pushing) return
            const target = service
            const answer =
              target === undefined
                ? undefined
                : await pushRun(target, run, anLcov(name * 1000 + i)).catch(() => undefined)
            if (answer !== undefined && (answer.status === 201 || answer.status === 200)) {
              answered.push({ run, status: answer.status, seal: answer.body['seal'] as Answered['seal'] })
              break
            }
            if (answer !== undefined && answer.status !== 503) throw new Error(`${run}: ${JSON.stringify(answer)}`)
            await new Promise((done) => setTimeout(done, 20))
          }
        }
      }
      service = await startServe({ dataDir: folder.path, databaseUrl: test.url })
      const working = Array.from({ length: clients }, (_, name) => client(name))
      cleanups.push(async () => service?.signal('SIGKILL'))
      for (let kill = 0; kill < kills; kill++) {
        // Three lives of four get to answer something before they end at a random moment; one ends while it warms up.
        const before = answered.length
        const patience = performance.now() + (kill % 4 === 0 ? 0 : 15_000)
        while (answered.length === before && performance.now() < patience)
          await new Promise((done) => setTimeout(done, 5))
        await new Promise((done) => setTimeout(done, Math.random() * 300))
        service.signal('SIGKILL')
        await service.ended
        service = await startServe({ dataDir: folder.path, databaseUrl: test.url })
      }
      await new Promise((done) => setTimeout(done, 300))
      pushing = false
      await Promise.all(working)

      expect(answered.length).toBeGreaterThan(kills / 2)
      const headers = { authorization: `Bearer ${service.token}` }
      for (const { run, seal } of answered) {
        const record = await fetch(`${service.url}/v1/records/${seal.id}`, { headers })
        expect(record.status, run).toBe(200)
        expect(await record.json()).toMatchObject({ run, seq: seal.seq, recorded_at: seal.recorded_at, kind: 'seal' })
      }
      const doubles = await test.db.query<{ n: number }>({
        text: `select count(*) as n from submissions where key like 'end:%'`,
      })
      expect(doubles.rows[0]?.n).toBeGreaterThanOrEqual(answered.length)
      expect(doubles.rows[0]?.n).toBeLessThanOrEqual(asked)
      service.signal('SIGTERM')
      expect(await service.ended).toBe(0)
      const verified = await runCli(['verify', '--database', '--data-dir', folder.path, '--json'], {
        env: cleanEnvironment(folder.path, { DATABASE_URL: test.url }),
      })
      expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
    },
    kills * 6_000 + 60_000,
  )
})
