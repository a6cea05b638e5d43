import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routes } from '../../src/api/routes.ts'
import { unzip } from '../evidence/memory-log.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { startFakeHec } from '../support/hec.ts'
import { startFakeS3 } from '../support/s3.ts'
import { findSecrets, planted } from '../support/secrets.ts'
import { type RunningService, anLcov, ask, cleanEnvironment, cli, endOf, pushRun, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/**
 * A service that is configured with every kind of secret, among others that send back what they were sent. What every test searches for
 * secrets is searched here too (test/support/no-secrets.ts): output, answers, rows, records, files. Here is what only this one makes happen.
 */

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
const closing: (() => unknown)[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('secrets')
})
afterAll(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
  await folder.remove()
  await database.drop()
})

const file = async (name: string, text: string): Promise<string> => {
  const path = join(folder.path, name)
  await writeFile(path, text)
  return path
}

/** Answers 500 with the whole request in it, and keeps what it got. */
async function startEcho(status = 500): Promise<{ url: string; got: string[] }> {
  const got: string[] = []
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      got.push(body.toString('latin1'))
      const said = `${request.method} ${request.url}\n${JSON.stringify(request.headers)}\n${request.rawHeaders.join('\n')}`
      response.writeHead(status, said.split('\n')[0]?.slice(0, 100), { 'content-type': 'text/plain' }).end(said)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, got }
}

/** The embedded server has a password of its own; another one lets everybody in, whatever the password. */
const withPassword = (url: string): string => url.replace(/:\/\/([^:/@]*)@/, `://$1:${planted('database-password')}@`)

const until = async (what: string, check: () => Promise<boolean> | boolean): Promise<void> => {
  for (let tries = 0; !(await check()); tries++) {
    if (tries === 600) throw new Error(`it did not come about: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe('secrets of a service that others answer with what they were sent', () => {
  let service: RunningService
  let collector: { url: string; got: string[] }
  let webhook: { url: string; got: string[] }

  it('it takes reports, delivers, alerts and answers all the same', async () => {
    const [hec, bulk, s3] = [await startFakeHec(), await startFakeBulk(), await startFakeS3()]
    closing.push(hec.close, bulk.close, s3.close)
    webhook = await startEcho()
    collector = await startEcho(200)
    const echo = (header: string): string => `<pre>POST / HTTP/1.1\r\nAuthorization: ${header}\r\n</pre>`
    for (const status of [500, 403]) hec.answerNext(status, echo(`Splunk ${hec.token}`))
    for (const status of [502, 401]) bulk.answerNext(status, echo(`ApiKey ${bulk.apiKey}`))
    bulk.refuse = (id) => (id.includes('.unit-0-') ? { status: 400, type: 'strict', reason: `ApiKey ${bulk.apiKey}` } : undefined) // oxfmt-ignore
    const quick = { window_ms: 50, position_every_ms: 100, probe_ms: { min: 100, max: 200 } }
    const search = { url: hec.searchUrl, token: hec.searchToken }
    const config = {
      destinations: {
        siem: { type: 'splunk', url: hec.url, token: hec.token, previous_token: planted('previous-token'), proof: 'answer', search, ...quick },
        elk: { type: 'elastic', url: bulk.url, api_key: bulk.apiKey, ...quick },
      },
      artifacts: { s3: { bucket: s3.bucket, endpoint: s3.url, path_style: true, access_key_id: s3.keys.accessKeyId, secret_access_key_file: await file('s3-secret', s3.keys.secretAccessKey) } },
      watch: { alerts_every_ms: 1_000, webhook: { url: `${webhook.url}/services/${planted('webhook-path')}`, token_file: await file('webhook-token', planted('webhook-token')) } },
    } // oxfmt-ignore
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${planted('otlp-token')}`,
      OTEL_BSP_SCHEDULE_DELAY: '200',
    }
    const yaml = await file('proofline.yaml', JSON.stringify(config))
    const dataDir = join(folder.path, 'data')
    service = await startServe({ dataDir, databaseUrl: withPassword(database.url), env, args: ['--config', yaml] })
    s3.fail('denied', /PUT/, 1)
    await pushRun(service, 'local.denied-1.api.unit', anLcov(1)).catch(() => undefined)
    expect((await pushRun(service, 'local.s-1.api.unit', anLcov(1))).status).toBe(201)
    await until('a dead letter', async () => (await ask(service, '/v1/dead-letters')).text.includes('parked:elk'))
    await until('an alert by the webhook', () => webhook.got.some((body) => body.includes('dead_letters')))
    const shown = await runCli(['config', '--config', yaml, '--json'], { env: cleanEnvironment(folder.path, { DATABASE_URL: withPassword(database.url) }) }) // oxfmt-ignore
    expect(shown.stdout).toContain('[secret]')
  })

  it('they are in no answer, whatever is asked with whatever credential, wherever that stands', async () => {
    const told: string[] = []
    const asked = routes.filter(({ method }) => method === 'GET').map(({ path }) => path.replace(/\{\w+\*?\}/g, 'x'))
    for (const path of [...asked, '/v1/destinations', '/metrics', '/v1/nothing']) {
      for (const [query, headers] of [
        ['', { authorization: `Bearer ${service.token}` }],
        [`?token=${service.token}`, { cookie: `session=${planted('cookie')}` }],
        ['', { authorization: `Basic ${Buffer.from(`x:${service.token}`).toString('base64')}` }],
        [`?access_token=${planted('query')}`, { authorization: `Bearer ${service.token}`, traceparent: planted('trace') }],
      ] as const) {
        const answer = await fetch(`${service.url}${path}${query}`, { headers, redirect: 'manual' })
        told.push(`${path} ${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`)
      }
    }
    for (const answer of told) expect(findSecrets(answer), answer.slice(0, 200)).toEqual([])
    for (const name of ['siem', 'elk']) {
      const body = { wait_s: 1 }
      expect((await ask(service, `/v1/destinations/${name}/check`, { method: 'POST', body })).text).toContain('steps')
    }
  }, 120_000) // oxfmt-ignore

  it('they are in no file of an evidence pack, no span, no alert', async () => {
    const answer = await fetch(`${service.url}/v1/evidence`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ from: '2026-01-01T00:00:00Z' }),
    })
    expect(answer.status).toBe(200)
    const files = await unzip(Buffer.from(await answer.arrayBuffer()))
    expect(files.size).toBeGreaterThan(3)
    for (const [name, bytes] of files) expect(findSecrets(bytes.toString('latin1')), name).toEqual([])
    service.signal('SIGTERM')
    expect(await service.ended, service.log()).toBe(0)
    expect(collector.got.join('')).toContain('/v1/push') // spans came
    for (const body of [...collector.got, ...webhook.got]) expect(findSecrets(body)).toEqual([])
    expect(service.log()).toContain('alert.untold')
  }, 60_000)
})

/** Throws when it is told to, as a bug would: an error on which hangs whatever was at hand. */
const bug = `process.on('SIGUSR2', () => {
  const cause = new Error('connect postgres://app:${planted('in-a-cause')}@db.example/x')
  const error = Object.assign(new Error('a bug', { cause }), { client: { password: '${planted('on-an-error')}', environment: process.env } })
  if (process.env.BUG === 'rejection') void Promise.reject(error)
  else throw error
})`

/** Has it write a diagnostic report, then makes it crash: what it ended with, and all that it said. */
async function crash(child: ChildProcess, report: string): Promise<{ code: number | string; said: string }> {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += String(chunk)))
  const ended = endOf(child)
  await Promise.race([ended, new Promise((resolve) => child.stdout?.once('data', resolve))])
  child.kill('SIGUSR1')
  await until('a report', async () => (await readFile(report, 'utf8').catch(() => '')).endsWith('}\n'))
  child.kill('SIGUSR2')
  const code = await ended
  await new Promise((resolve) => setTimeout(resolve, 100)) // what is in the pipe
  return { code, said }
}

describe('secrets of a process that crashes', () => {
  it.each([
    ['serve', 'exception'],
    ['serve', 'rejection'],
    ['signer', 'exception'],
  ])('are not in what %s says of an uncaught %s, and not in its report', async (command, how) => {
    const preload = await file('bug.mjs', bug)
    const reportFile = join(folder.path, `${command}-${how}.json`)
    const data = join(folder.path, command === 'serve' ? 'data' : 'signer')
    const own = command === 'serve' ? ['--port', '0'] : ['--socket', join(folder.path, `${how}.sock`)]
    const more = {
      NODE_OPTIONS: `--import ${preload} --report-on-signal --report-signal=SIGUSR1 --report-directory=${folder.path} --report-filename=${command}-${how}.json`,
      BUG: how,
      PROOFLINE_DEBUG: '1',
      ...(command === 'serve' ? { DATABASE_URL: withPassword(database.url) } : { A_SECRET: planted('environment') }),
    }
    const child = spawn(process.execPath, [cli, command, '--data-dir', data, ...own], {
      env: cleanEnvironment(data, more),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const { code, said } = await crash(child, reportFile)
    expect(code, said).toBe(1)
    expect(said).toContain(how === 'rejection' ? 'unhandledRejection: Error: a bug' : 'uncaughtException: Error: a bug')
    expect(said).toContain('caused by Error: connect postgres://app:[secret]@db.example/x')
    expect(findSecrets(said)).toEqual([])
    const report = await readFile(reportFile, 'utf8')
    expect(report).toContain('"javascriptHeap"')
    expect(findSecrets(report)).toEqual([])
  }, 60_000)

  it.each([
    ['a database that is not there', { DATABASE_URL: `postgres://app:${planted('password')}@127.0.0.1:1/x` }],
    ['a host that is not there', { DATABASE_URL: `postgres://app:${planted('password')}@no-such-host.invalid/x` }],
    ['an address that is none', { DATABASE_URL: `postgres://app:${planted('password')}@[::/x` }],
    ['a setting that is wrong', { PROOFLINE_DESTINATIONS: planted('password') }],
    ['a limit that is none', { PROOFLINE_HTTP_LIMITS_UPLOADS: planted('password') }],
  ])('are not in what a start says of %s', async (_what, more) => {
    const env = cleanEnvironment(folder.path, { ...more, PROOFLINE_DEBUG: '1' })
    const { code, stdout, stderr } = await runCli(['serve', '--port', '0', '--data-dir', join(folder.path, 'none')], { env })
    expect(code).not.toBe(0)
    expect(stderr).toContain('proofline: ')
    expect(findSecrets(stdout + stderr)).toEqual([])
  }, 60_000)
}) // oxfmt-ignore
