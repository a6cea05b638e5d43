import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listen, type Listening } from '../support/http-fake.ts'
import { clients, type OutgoingClient } from './clients.ts'
import { fakeDns, type FakeDns } from './fake-dns.ts'

let folder: string
let dns: FakeDns
let server: Listening
let elsewhere: Listening
let seen: { path: string; to: 'server' | 'elsewhere' }[]
let status: number
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'proofline-outgoing-'))
  seen = []
  status = 404
  elsewhere = await listen(async (request, response) => {
    seen.push({ path: request.url ?? '', to: 'elsewhere' })
    response.end('{}')
  })
  server = await listen(async (request, response) => {
    seen.push({ path: request.url ?? '', to: 'server' })
    request.resume()
    response.writeHead(status, status < 400 ? { location: `${elsewhere.url}/taken` } : {}).end()
  })
  // A proxy is asked by CONNECT.
  server.server.on('connect', (_, socket) => {
    seen.push({ path: 'CONNECT', to: 'server' })
    socket.end(`HTTP/1.1 ${status} No\r\nlocation: ${elsewhere.url}/taken\r\ncontent-length: 0\r\n\r\n`)
  })
  dns = fakeDns()
})
afterEach(async () => {
  dns.restore()
  await Promise.all([server.close(), elsewhere.close()])
  rmSync(folder, { recursive: true })
})

const portOf = ({ url }: Listening): string => new URL(url).port
/** What came of it, in words, whether it threw or not. */
const outcome = (client: OutgoingClient, url: string, allowed = false): Promise<string> =>
  client.send(url, allowed, folder).catch((error: unknown) => (error instanceof Error ? error.message : String(error)))

const metadata = /^(?:169\.254\.|fe80:|fd00:ec2:|::ffff:a9fe|100\.100\.100\.200)/i
/** None was begun; the test itself connects to this machine only. */
const expectNoneReached = (): void => expect(dns.connections.filter((ip) => metadata.test(ip))).toEqual([])

const numbers = [
  'http://169.254.169.254',
  'https://169.254.169.254',
  'http://169.254.170.2:8080',
  'http://2852039166',
  'http://0xa9fea9fe',
  'http://0251.0376.0251.0376',
  'http://169.254.43518',
  'http://[::ffff:169.254.169.254]',
  'http://[::ffff:a9fe:a9fe]',
  'http://[fe80::1]',
  'http://[fd00:ec2::254]',
  'http://100.100.100.200',
]
const refused = /link-local or metadata address|ADDRESS_REFUSED/

describe.each(clients)('$name', (client) => {
  it('connects to no metadata address, in whatever form it is written', async () => {
    for (const url of numbers) expect.soft(await outcome(client, url), url).toMatch(refused)
    expectNoneReached()
  })

  it('connects to no metadata address that a name leads to', async () => {
    for (const [i, address] of ['169.254.169.254', '::ffff:a9fe:a9fe', 'fd00:ec2::254', 'fe80::1%1'].entries()) {
      dns.answer(`metadata${i}.test`, [address])
      expect.soft(await outcome(client, `http://metadata${i}.test`), address).toMatch(refused)
      expect(dns.questions).toContain(`metadata${i}.test`)
    }
    expectNoneReached()
  })

  it('goes where a name leads to when it was looked at, whatever it leads to a moment later', async () => {
    dns.answer('rebound.test', ['127.0.0.1'], ['169.254.169.254'])
    for (const _ of [1, 2, 3]) await outcome(client, `http://rebound.test:${portOf(server)}`)
    expect(dns.questions).toContain('rebound.test')
    expectNoneReached()
    // The control: the first answer was believed, and asked.
    if (client.does === 'send') expect(seen).not.toEqual([])
  })

  it('leaves out of several addresses those of metadata', async () => {
    dns.answer('several.test', ['169.254.169.254', '127.0.0.1'])
    for (const _ of [1, 2, 3]) await outcome(client, `http://several.test:${portOf(server)}`)
    expectNoneReached()
    if (client.does === 'send') expect(seen.length).toBeGreaterThanOrEqual(3)
  })

  it('connects there all the same where the operator allows it', async () => {
    dns.answer('meant.test', ['169.254.77.77'])
    expect(await outcome(client, 'http://meant.test:9', true)).not.toMatch(refused)
    if (client.does !== 'look') expect(dns.connections).toContain('169.254.77.77')
  })

  if (client.does === 'send')
    it.each([301, 302, 303, 307, 308])('takes %i for no success and follows it nowhere', async (code) => {
      status = code
      expect(await outcome(client, server.url)).toMatch(new RegExp(String(code)))
      expect(seen.map(({ to }) => to)).toContain('server')
      expect(seen.filter(({ to }) => to === 'elsewhere')).toEqual([])
    })
})
