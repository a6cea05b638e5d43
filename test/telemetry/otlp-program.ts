import { once } from 'node:events'
import { createServer } from 'node:http'
import { trace } from '@opentelemetry/api'
import { startTelemetry } from '../../src/telemetry/telemetry.ts'

/**
 * A process of its own, since OpenTelemetry's registrations are global: prints which paths a collector was asked for. With an argument the
 * collector answers with that status, and sends them to another path.
 */
const seen = new Set<string>()
const status = Number(process.argv[2] ?? 200)
const collector = createServer((request, response) => {
  if (request.url !== undefined) seen.add(request.url)
  request.resume().on('end', () => response.writeHead(status, status < 300 ? {} : { location: '/elsewhere' }).end())
}).listen(0, '127.0.0.1')
await once(collector, 'listening')
const address = collector.address()
process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`

const telemetry = await startTelemetry({ log: 'json', level: 'info', otlp: true })
trace.getTracer('test').startSpan('a span').end()
telemetry.metrics.published('main/unit', 3, 0)
if ((await telemetry.prometheus()).includes('proofline_generation{schema_version="1"} 3'))
  process.stdout.write('prometheus\n')
await telemetry.shutdown()
process.stdout.write([...seen].map((path) => `${path}\n`).join(''))
collector.close()
collector.closeAllConnections()
