import { createDatabase } from '../../src/database/database.ts'
import { destinationSettings } from '../../src/delivery/settings.ts'
import { startLane } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

/** One forwarding process: records appear at a steady rate, by the clock, so that every process sees the same ones. */
export interface LaneChild {
  databaseUrl: string
  name: string
  settings: unknown
  total: number
  perSecond: number
  startMs: number
}

const { databaseUrl, name, settings, total, perSecond, startMs } = JSON.parse(process.argv[2] ?? '') as LaneChild // the test's
const db = createDatabase({ url: databaseUrl })
const reader = createMemoryReader([])

function publish(): void {
  const size = Math.min(total, Math.floor(((Date.now() - startMs) / 1000) * perSecond))
  const more = []
  for (let seq = reader.records.length; seq < size; seq++) more.push(makeRecord(seq))
  if (more.length > 0) reader.add(...more)
}
publish()
setInterval(publish, 10)
process.once('disconnect', () => process.exit(1))

// Whatever fails is started again, as the service's worker does it.
for (;;) {
  const lane = await startLane({ name, db, reader, settings: destinationSettings.parse(settings) })
  await lane.done.catch(() => new Promise((resolve) => setTimeout(resolve, 50)))
}
