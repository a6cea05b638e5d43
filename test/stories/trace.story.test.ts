import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startFakeBulk } from '../support/bulk.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { anLcov, cleanEnvironment, runCli, startServe, temporaryFolder } from '../support/service.ts'

let test: TestDatabase | undefined
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
  await test?.drop()
  test = undefined
})

interface Span {
  name: string
  traceId: string
}

/** An OpenTelemetry collector that takes OTLP over HTTP as JSON. */
async function startCollector(): Promise<{ url: string; spans: Span[] }> {
  const spans: Span[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (request.url === '/v1/traces') {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as {
          resourceSpans: { scopeSpans: { spans: Span[] }[] }[]
        }
        spans.push(...body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)))
      }
      response.setHeader('content-type', 'application/json').end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans }
}

describe('a push', () => {
  it('is one trace from its first request to its delivery', async () => {
    const database = (test = await createTestDatabase())
    const folder = await temporaryFolder('trace')
    cleanups.push(folder.remove)
    const collector = await startCollector()
    const bulk = await startFakeBulk()
    cleanups.push(bulk.close)
    const config = join(folder.path, 'proofline.yaml')
    await writeFile(
      config,
      JSON.stringify({
        destinations: { elastic: { type: 'elastic', url: bulk.url, api_key: bulk.apiKey, window_ms: 50 } },
      }),
    )
    const otlp = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    }
    const service = await startServe({
      dataDir: folder.path,
      databaseUrl: database.url,
      env: otlp,
      args: ['--config', config],
    })
    cleanups.push(async () => {
      service.signal('SIGKILL')
      await service.ended
    })
    await writeFile(join(folder.path, 'lcov.info'), anLcov(1))
    const env = cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
    const args = [
      'push',
      'lcov.info',
      '--test-type',
      'unit',
      '--tests',
      '1,1,0,0',
      '--repository',
      'github.com/acme/payments',
      '--commit',
      '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b',
    ]
    const pushed = await runCli(args, { cwd: folder.path, env })
    expect(pushed, pushed.stderr).toMatchObject({ code: 0 })
    const wanted = ['PUT /v1/runs/{run}', 'PUT /v1/runs/{run}/parts', 'PUT /v1/runs/{run}/seal', 'deliver elastic']
    let names: string[] = []
    for (
      const end = performance.now() + 20_000;
      performance.now() < end && !wanted.every((name) => names.includes(name));
    ) {
      await new Promise((done) => setTimeout(done, 100))
      const trace = collector.spans.find(({ name }) => name === 'deliver elastic')?.traceId
      names = collector.spans.filter(({ traceId }) => traceId === trace).map(({ name }) => name)
    }
    expect(names.toSorted()).toEqual(expect.arrayContaining(wanted.toSorted()))
  })
})
