import { createDatabase } from '../src/database/database.ts'
import { runDelivery } from '../src/delivery/deliver.ts'
import { silentMetrics } from '../src/delivery/metrics.ts'
import { openDestination } from '../src/delivery/open-destination.ts'
import { destinationSettings } from '../src/delivery/settings.ts'
import { deliveryStatus } from '../src/delivery/status.ts'
import { type LedgerReader, createReader } from '../src/ledger/read.ts'
import { createWatch } from '../src/ledger/watch.ts'
import type { LedgerName } from '../src/record/record.ts'
import { silentLogger } from '../src/telemetry/logger.ts'
import { childEnd, childInput } from './proc.ts'

export interface ForwardInput {
  databaseUrl: string
  ledger: LedgerName
  type: 'splunk' | 'elastic'
  proof: 'ack' | 'answer'
  url: string
  secret: string
  runs: number
  /** The ledger is forwarded up to here. */
  maxRecords: number
}

export interface ForwardAnswer {
  records: number
  bytes: number
  passes: Pass[]
}

export interface Pass {
  /** Seconds. */
  cpu: number
  wall: number
  /** What was in doubt or parked at the end. */
  left: number
  /** Highest resident set in bytes while each half of the backlog was forwarded. */
  peaks: [number, number]
}

const { databaseUrl, ledger, type, proof, url, secret, runs, maxRecords } = childInput<ForwardInput>()
const db = createDatabase({ url: databaseUrl })

/** One for all, as in a service: what it checked once it knows. */
const reader = createReader(db, createWatch(db))

/** The real reader, which ends where the benchmark ends. */
function readerUpTo(size: number): LedgerReader {
  return {
    ...reader,
    readBatch: (from, at, options) =>
      reader.readBatch(from, at, { ...options, until: Math.min(size, options?.until ?? size) }),
  }
}

async function sizeAndBytes(): Promise<{ size: number; bytes: number }> {
  const size = Math.min(maxRecords, (await reader.published(ledger))?.size ?? 0)
  let bytes = 0
  for (let at = 0; at < size;) {
    const batch = await reader.readBatch(ledger, at, { until: size })
    for (const record of batch.records) bytes += record.bytes.length
    at = batch.next
  }
  return { size, bytes }
}

async function pass(number: number, size: number): Promise<Pass> {
  const name = `bench-${type}-${number}`
  const own =
    type === 'splunk' ? { token: secret, proof } : { api_key: secret, indexes: { integration: `proofline-${number}` } }
  const settings = destinationSettings.parse({ type, url, position_every_ms: 200, ...own })
  const destination = await openDestination(settings, { publicHost: 'localhost', now: () => new Date() })
  const ending = new AbortController()
  let proved = 0
  const metrics = {
    ...silentMetrics,
    progress: (_: string, __: string, { provedTo }: { provedTo: number }) => void (proved = provedTo),
  }
  const used = process.cpuUsage()
  const began = performance.now()
  const deps = {
    name,
    destination,
    settings,
    ledger,
    reader: readerUpTo(size),
    db,
    log: silentLogger,
    metrics,
    now: () => new Date(),
  }
  const running = runDelivery(deps, ending.signal)
  let failed = false
  running.catch(() => (failed = true))
  const peaks: Pass['peaks'] = [0, 0]
  while (proved < size && !failed && performance.now() - began < 300_000) {
    await new Promise((done) => setTimeout(done, 20))
    const half = proved < size / 2 ? 0 : 1
    peaks[half] = Math.max(peaks[half], process.memoryUsage.rss())
  }
  const { user, system } = process.cpuUsage(used)
  const wall = (performance.now() - began) / 1000
  ending.abort()
  await running
  await destination.close()
  const status = (await deliveryStatus(db, 'main')).find((lane) => lane.destination === name)
  return {
    cpu: (user + system) / 1e6,
    wall,
    left: status === undefined || status.provedTo < size ? size : status.inDoubt + status.parked,
    peaks,
  }
}

const { size, bytes } = await sizeAndBytes()
const answer: ForwardAnswer = { records: size, bytes, passes: [] }
for (let number = 0; number < runs; number++) answer.passes.push(await pass(number, size))
await db.end()
await childEnd(answer)
