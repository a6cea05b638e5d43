import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startFakeBulk } from '../support/bulk.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { startFakeHec } from '../support/hec.ts'
import {
  anLcov,
  cleanEnvironment,
  cli,
  endOf,
  pushRun,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** Longer than a session may be silent (15 s), so that a frozen node loses its workers and locks. PROOFLINE_FREEZE_S=60 in conformance. */
const frozenMs = Number(process.env['PROOFLINE_FREEZE_S'] ?? 18) * 1_000

let test: TestDatabase | undefined
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
  await test?.drop()
  test = undefined
})

const until = async (condition: () => boolean): Promise<void> => {
  for (const end = performance.now() + 120_000; !condition(); await new Promise((wake) => setTimeout(wake, 50))) {
    if (performance.now() > end) throw new Error('it did not happen within 120 s')
  }
}

/** A Splunk and an Elastic that answer late at times, so that something is on its way when a service is frozen; and a configuration for both. */
async function startSiem(config: string) {
  const splunk = await startFakeHec()
  const elastic = await startFakeBulk()
  for (const fake of [splunk, elastic])
    fake.failAtRandom(0.3, ['slow', 'drop-after-storing', 'drop-before-storing'], 44)
  const short = { window_ms: 20, send_before_ms: 1_000, request_timeout_ms: 2_000, position_every_ms: 500, unresolved_after_ms: 600_000 } // oxfmt-ignore
  const batch = { records: 10, bytes: 524_288 }
  const search = { url: splunk.searchUrl, token: splunk.searchToken, lag_ms: 3_000, timeout_ms: 10_000 }
  const destinations = {
    siem: { type: 'splunk', url: splunk.url, token: splunk.token, proof: 'answer', search, batch, ...short },
    elk: { type: 'elastic', url: elastic.url, api_key: elastic.apiKey, batch, ...short },
  }
  await writeFile(config, JSON.stringify({ destinations }))
  return { config, splunk, elastic, close: () => Promise.all([splunk.close(), elastic.close()]) }
}

describe('two services on one database, sharing one signer', () => {
  it(
    'case 44: record into the same ledgers and deliver every record once, also while the one that delivers is frozen',
    async () => {
      const database = (test = await createTestDatabase())
      const folder = await temporaryFolder('two')
      cleanups.push(folder.remove)
      const socket = join(folder.path, 'signer.sock')
      const signerData = join(folder.path, 'signer')
      const signer = spawn(process.execPath, [cli, 'signer', '--socket', socket, '--data-dir', signerData], {
        env: cleanEnvironment(folder.path),
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      cleanups.push(async () => {
        signer.kill('SIGKILL')
      })
      await new Promise((resolve) => signer.stdout.once('data', resolve))
      const env = { PROOFLINE_SIGNER_SOCKET: socket }
      const siem = await startSiem(join(folder.path, 'proofline.yaml'))
      cleanups.push(siem.close)
      const args = ['--config', siem.config]
      // The first one has all the work that one process does for all, deliveries among it, until it is frozen.
      const b = await startServe({ dataDir: join(folder.path, 'b'), databaseUrl: database.url, env, args })
      cleanups.push(async () => b.signal('SIGKILL'))
      const { token } = b // the first one made it; the second found it in the database
      await until(() => b.log().includes('delivery.started'))
      const a = await startServe({ dataDir: join(folder.path, 'a'), databaseUrl: database.url, env, args })
      cleanups.push(async () => a.signal('SIGKILL'))

      const receipts = new Map<string, unknown[]>()
      let pushing = true
      let isFrozen = false
      const done = { a: 0, b: 0 }
      const client = async (url: string, name: 'a' | 'b', mine: (i: number) => string): Promise<void> => {
        for (let i = 0; pushing; i++) {
          const run = mine(i)
          const answer = await pushRun({ url, token }, run, anLcov(i)).catch(() => undefined)
          if (answer === undefined || answer.status >= 500) {
            i--
            await new Promise((wake) => setTimeout(wake, 50))
            continue
          }
          expect(answer.status, `${name} ${run} ${JSON.stringify(answer.body)}`).toBeLessThan(300)
          receipts.set(run, [...(receipts.get(run) ?? []), answer.body['seal']])
          done[name]++
          // While one is frozen the other one has nothing to prove by haste: every push of these seconds is delivered and compared.
          if (isFrozen) await new Promise((wake) => setTimeout(wake, 100))
        }
      }
      const own =
        (name: string) =>
        (i: number): string =>
          `local.${name}-${i}.api.unit`
      const shared = (i: number): string => `local.shared-${i}.api.unit`
      const working = [
        client(a.url, 'a', own('a')),
        client(b.url, 'b', own('b')),
        client(a.url, 'a', shared),
        client(b.url, 'b', shared),
      ]
      await until(() => done.a > 4 && done.b > 4)
      const before = receipts.size
      const deliveredBefore = [siem.splunk.counters.stored, siem.elastic.counters.stored]
      b.signal('SIGSTOP')
      isFrozen = true
      const frozenAt = done.b
      await new Promise((wake) => setTimeout(wake, frozenMs))
      const during = receipts.size
      // The other one has taken the deliveries over, and goes on with them.
      await until(() =>
        [siem.splunk, siem.elastic].every(({ counters }, i) => counters.stored > (deliveredBefore[i] ?? 0)),
      )
      b.signal('SIGCONT')
      isFrozen = false
      for (const fake of [siem.splunk, siem.elastic]) fake.failAtRandom(0, [], 0)
      await until(() => done.b > frozenAt + 5)
      pushing = false
      await Promise.all(working)
      expect(before).toBeGreaterThan(4)
      expect(during).toBeGreaterThan(before + 10)
      for (const [run, seals] of receipts) for (const seal of seals) expect(seal, run).toEqual(seals[0])
      const unit = (await readLedger({ url: a.url, token }, 'unit')).map(({ id }) => String(id))
      const isUnit = (id: string): boolean => id.startsWith('main.unit-')
      await until(() => [siem.splunk, siem.elastic].every(({ ids }) => ids().filter(isUnit).length >= unit.length))
      for (const { ids } of [siem.splunk, siem.elastic])
        expect(ids().filter(isUnit).toSorted()).toEqual(unit.toSorted())
      expect(siem.splunk.counters.duplicates).toBe(0)
      const { rows: parked } = await database.db.query({ text: 'select id, reason from parked' })
      expect(parked).toEqual([])

      const stored = await database.db.query<{ n: number }>({
        text: `select count(*) as n from submissions where ledger = 'main/unit' and key like 'end:%'`,
      })
      expect(stored.rows[0]?.n).toBe(receipts.size)
      for (const service of [a, b]) {
        service.signal('SIGTERM')
        expect(await service.ended, service.log()).toBe(0)
      }
      signer.kill('SIGTERM')
      expect(await endOf(signer)).toBe(0)
      const verified = await runCli(['verify', '--database', '--data-dir', signerData, '--json'], {
        env: cleanEnvironment(folder.path, { DATABASE_URL: database.url }),
      })
      expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
    },
    frozenMs + 400_000,
  )

  it('is refused to a service with a guard of its own', async () => {
    const database = (test = await createTestDatabase())
    const folder = await temporaryFolder('guards')
    cleanups.push(folder.remove)
    const first = await startServe({ dataDir: join(folder.path, 'a'), databaseUrl: database.url })
    first.signal('SIGTERM')
    expect(await first.ended).toBe(0)
    await expect(startServe({ dataDir: join(folder.path, 'b'), databaseUrl: database.url })).rejects.toThrow(
      /signer_not_current|was opened with vkey/,
    )
  })
})
