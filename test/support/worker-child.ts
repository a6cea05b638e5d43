import { createDatabase } from '../../src/database/database.ts'
import { runWorker } from '../../src/database/worker.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

/** Holds the worker `name` and says `running` and `stopped`; ends on SIGTERM. Arguments: url, name, idle time-out in ms. */
const [, , url = '', name = '', idle = ''] = process.argv
const db = createDatabase({ url, sessionIdleTimeoutMs: Number(idle) })
const end = new AbortController()
process.once('SIGTERM', () => end.abort())

const run = async (signal: AbortSignal): Promise<void> => {
  process.stdout.write('running\n')
  const alive = setInterval(() => {}, 1_000)
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  clearInterval(alive)
  process.stdout.write('stopped\n')
}
await runWorker(name, run, { org: 'main', db, log: silentLogger, signal: end.signal, standbyMs: 100 })
await db.end()
