import { startEmbedded } from '../../src/database/embedded.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

/** Starts the embedded server in the folder given, says its URL, and stops it on SIGTERM. */
const server = await startEmbedded(process.argv[2] ?? '', { log: silentLogger })
const alive = setInterval(() => {}, 1_000)
process.once('SIGTERM', async () => {
  clearInterval(alive)
  await server.stop()
})
process.stdout.write(`${server.url}\n`)
