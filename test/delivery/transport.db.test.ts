import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { type AddressInfo, createServer as createTcp } from 'node:net'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ConnectError } from '../../src/delivery/connect-error.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import type { LookUp } from '../../src/delivery/resolve.ts'
import { createSteadyClock } from '../../src/delivery/steady-clock.ts'
import { startFakeBulk } from '../support/bulk.ts'
import type { FailMode } from '../support/fail-modes.ts'
import { startFakeHec } from '../support/hec.ts'
import { setUpCases, sixty } from './cases.ts'
import { elasticSettings, eventually, splunkSettings } from './lane.ts'
import { makeRecord } from './records.ts'

const { deliver } = setUpCases()
const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function splunk(options: Parameters<typeof startFakeHec>[0] = {}) {
  const fake = await startFakeHec(options)
  closing.push(fake.close)
  return fake
}

/** A port where nobody listens. */
async function freePort(): Promise<number> {
  const server = createTcp()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('before a byte has left', () => {
  it('case 1: a name that does not resolve leaves nothing in doubt, and what is sent later is no second copy', async () => {
    const fake = await splunk()
    let isKnown = false
    let asked = 0
    const lookUp: LookUp = async () => {
      asked++
      if (!isKnown) throw new ConnectError('resolve', 'ENOTFOUND', 'there is no such name', 'siem.acme.example')
      return ['127.0.0.1']
    }
    const settings = splunkSettings(fake, { url: fake.url.replace('127.0.0.1', 'siem.acme.example') })
    const destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now: () => new Date(), lookUp }) // oxfmt-ignore
    const { lane, until, status } = await deliver(settings, { destination })
    await until(({ next }) => next === 60)
    await eventually(() => asked > 2)
    expect(await status()).toMatchObject({ sentTo: 0, inDoubt: 0, parked: 0, state: 'running' })
    isKnown = true
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
    expect(sixty.filter(({ id }) => fake.event(id)?.fields['proofline_attempt'] !== '1')).toEqual([])
  })

  it('case 2: a port that refuses leaves nothing in doubt, and delivery goes on by itself when somebody listens', async () => {
    const port = await freePort()
    const nobody = await splunk()
    const { lane, until, status } = await deliver(splunkSettings(nobody, { url: `http://127.0.0.1:${port}` }))
    await until(({ next }) => next === 60)
    expect(await status()).toMatchObject({ sentTo: 0, inDoubt: 0 })
    const fake = await splunk({ port })
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
    expect(sixty.filter(({ id }) => fake.event(id)?.fields['proofline_attempt'] !== '1')).toEqual([])
  })

  it('case 2: a certificate that is not believed blocks and says which, nothing leaves, and one that is lets all of it through', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'proofline-case-'))
    closing.push(() => rmSync(folder, { recursive: true }))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '10', '-keyout', key, '-out', cert, '-subj', '/CN=siem.acme.example', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' }) // oxfmt-ignore
    const fake = await startFakeBulk()
    closing.push(fake.close)
    let requests = 0
    const front = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (incoming, outgoing) => {
      requests++
      const { method, headers, url = '' } = incoming
      const onward = request(`${fake.url}${url}`, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      })
      incoming.pipe(onward)
    })
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
    closing.push(() => front.close())
    const url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`
    const refused = await deliver(elasticSettings(fake, { url }))
    await refused.until(({ state }) => state === 'blocked')
    expect(await refused.status()).toMatchObject({ reason: 'certificate', sentTo: 0, inDoubt: 0 })
    expect((await refused.status())?.detail).toMatch(/tls 127\.0\.0\.1:\d+: DEPTH_ZERO_SELF_SIGNED_CERT/)
    await refused.lane.stop()
    expect(requests).toBe(0)
    const believed = await deliver(elasticSettings(fake, { url, ca_file: cert }), { name: refused.name })
    await believed.until(({ provedTo, state }) => provedTo === 60 && state === 'running')
    await believed.lane.stop()
    expect(fake.ids().length).toBe(60)
  })
})

describe('a clock that jumps', () => {
  it.each<[string, number, FailMode]>([
    ['an hour back', -3_600_000, 'acks-full'],
    ['an hour back', -3_600_000, 'drop-after-storing'],
    // What is stored late is stored within the lag window, if that is as long as it says.
    ['a day ahead', 86_400_000, 'store-late'],
  ])('case 11: %s holds nothing up, ends no window early, and dates no event', async (_, ms, mode) => {
    const fake = await splunk()
    let off = 0
    const now = createSteadyClock(() => new Date(Date.now() + off))
    const search = { url: fake.searchUrl, token: fake.searchToken, lag_ms: mode === 'store-late' ? 1_500 : 0, timeout_ms: 1_000 } // oxfmt-ignore
    const settings = splunkSettings(fake, {
      search,
      look_delays_ms: mode === 'store-late' ? [0, 10] : [200],
      retry_delays_ms: [200],
    })
    fake.failNext(mode)
    const { lane, reader, until, parked, status } = await deliver(settings, { now })
    await until(({ next }) => next === 60)
    await eventually(() => fake.failed() === 1)
    // Its outcome is known and it waits for what comes next.
    await eventually(async () => (await status())?.inFlight === 0)
    off = ms
    reader.add(makeRecord(60), makeRecord(61), makeRecord(62))
    await until(({ provedTo }) => provedTo === 63)
    await lane.stop()
    expect(await parked()).toEqual([])
    expect(fake.counters).toMatchObject({ stored: 63, duplicates: 0 })
    const times = sixty.map(({ id }) => fake.event(id)?.envelope?.['time'])
    expect(times).toEqual(sixty.map(({ recordedAt }) => Math.floor(recordedAt / 1_000) / 1_000))
  })
})
