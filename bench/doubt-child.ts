import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase } from '../src/database/database.ts'
import { runDelivery } from '../src/delivery/deliver.ts'
import type { Destination } from '../src/delivery/destination.ts'
import { silentMetrics } from '../src/delivery/metrics.ts'
import { openDestination } from '../src/delivery/open-destination.ts'
import { destinationSettings } from '../src/delivery/settings.ts'
import { deliveryStatus } from '../src/delivery/status.ts'
import { type LedgerReader, createReader } from '../src/ledger/read.ts'
import { createWatch } from '../src/ledger/watch.ts'
import type { LedgerName } from '../src/record/record.ts'
import { silentLogger } from '../src/telemetry/logger.ts'
import { startFakeHec } from '../test/support/hec.ts'
import { childEnd, childInput } from './proc.ts'

export interface DoubtInput {
  databaseUrl: string
  ledger: LedgerName
  records: number
  /** Records of one attempt. */
  batch: number
}

export interface DoubtAnswer {
  /** Records that were in doubt when the clock was started, and seconds until none was. */
  inDoubt: number
  seconds: number
  searches: number
  duplicates: number
  left: number
}

/** Sends everything to a Splunk that stores it while every answer is lost; then looks, as after such a day, with the clock running. */
const { databaseUrl, ledger, records, batch } = childInput<DoubtInput>()
const db = createDatabase({ url: databaseUrl })
const reader = createReader(db, createWatch(db))
const limited: LedgerReader = {
  ...reader,
  readBatch: (from, at, options) =>
    reader.readBatch(from, at, { ...options, until: Math.min(records, options?.until ?? records) }),
}
const name = `doubt-${process.pid}-${batch}`
const hec = await startFakeHec({ keep: 'bytes' })

async function run(lookDelaysMs: number[], wrap: (of: Destination) => Destination, until: () => Promise<boolean>) {
  const settings = destinationSettings.parse({
    type: 'splunk', url: hec.url, token: hec.token, proof: 'search', search: { url: hec.searchUrl, token: hec.searchToken },
    batch: { records: batch, bytes: 524_288 }, look_delays_ms: lookDelaysMs, max_open_attempts: 100_000,
  }) // oxfmt-ignore
  const destination = wrap(await openDestination(settings, { publicHost: 'localhost', now: () => new Date() }))
  const ending = new AbortController()
  const running = runDelivery(
    { name, destination, settings, ledger, reader: limited, db, log: silentLogger, metrics: silentMetrics, now: () => new Date() },
    ending.signal,
  ) // oxfmt-ignore
  while (!(await until())) await Promise.race([sleep(50), running])
  ending.abort()
  await running
  await destination.close()
}

const status = async () => (await deliveryStatus(db, 'main')).find(({ destination }) => destination === name)
/** As when an answer names a bad event that nobody finds: that says nothing against the next send, so the gate stays open. */
const lossy = (of: Destination): Destination => ({
  ...of,
  classify: ({ records: sent }) =>
    sent.map(() => ({ kind: 'in_doubt', reason: 'the answer was lost', split: 'single' })),
})
await run([3_600_000], lossy, async () => (await status())?.inDoubt === records)
const inDoubt = (await status())?.inDoubt ?? 0
const began = performance.now()
await run(
  [0, 2_000, 5_000],
  (of) => of,
  async () => (await status())?.provedTo === records,
)
const seconds = (performance.now() - began) / 1000
const { searches, duplicates } = hec.counters
const left = (await status())?.inDoubt ?? records
await hec.close()
await db.end()
await childEnd({ inDoubt, seconds, searches, duplicates, left } satisfies DoubtAnswer)
