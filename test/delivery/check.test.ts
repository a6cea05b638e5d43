import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createOperator } from '../../src/delivery/operate.ts'
import { checkConnection, createSteps } from '../../src/delivery/preflight.ts'
import { type DestinationSettings, destinationSettings } from '../../src/delivery/settings.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { startFakeHec } from '../support/hec.ts'
import { elasticSettings, splunkSettings } from './lane.ts'

const signal = AbortSignal.timeout(600_000)
const noDatabase = { query: () => Promise.reject(new Error('a check asks no database')) }
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** Step by step, as `result step: detail`. */
async function check(settings: DestinationSettings, waitMs = 1_000): Promise<string[]> {
  const operator = createOperator({
    db: noDatabase,
    destinations: { siem: settings },
    ledgers: [],
    publicHost: 'proofline.acme.example',
    now: () => new Date(),
  })
  return (await operator.check('siem', waitMs, signal)).map(
    ({ step, result, detail }) => `${result} ${step}: ${detail}`,
  )
}

async function hec(options: Parameters<typeof startFakeHec>[0] = {}) {
  const fake = await startFakeHec(options)
  closers.push(fake.close)
  return fake
}
async function bulk(options: Parameters<typeof startFakeBulk>[0] = {}) {
  const fake = await startFakeBulk(options)
  closers.push(fake.close)
  return fake
}
const oneLedger = { select: { ledgers: ['operations'] } }

describe('checking a Splunk', () => {
  it('goes from the name to a canary that is found again, byte for byte, in every index', async () => {
    const fake = await hec()
    const steps = await check(splunkSettings(fake))
    expect(
      steps.map((line) =>
        line
          .split(':')
          .slice(0, 2)
          .join(':')
          .replace(/ HEC.*/, ''),
      ),
    ).toEqual([
      'ok collector: resolve',
      'ok collector: connect',
      'ok management: resolve',
      'ok management: connect',
      'ok health: HTTP 200, code 17',
      'ok token: the token is known and enabled',
      'ok acknowledgement: switched off, and not asked for',
      ...['unit', 'integration', 'changes', 'operations'].map((kind) => `ok proofline_${kind}: canary`),
    ])
    expect(steps.at(-1)).toMatch(/found after \d+ ms, byte for byte$/)
    expect(fake.counters).toMatchObject({ canaries: 4, stored: 0 })
  })

  it.each(['object', 'string'])('knows the bytes of an event sent as %s', async (event_form) => {
    expect((await check(splunkSettings(await hec(), { event_form, ...oneLedger }))).at(-1)).toMatch(
      /^ok .*byte for byte$/,
    )
  })

  it('waits for the acknowledgement, and says when the token has none', async () => {
    const on = await check(
      splunkSettings(await hec({ useAck: true, ackAfterMs: 200 }), { proof: 'ack', ...oneLedger }),
      5_000,
    )
    expect(on.at(-1)).toMatch(/^ok proofline_operations: canary: acknowledged after \d+ ms, found/)
    const off = await check(splunkSettings(await hec(), { proof: 'ack', ...oneLedger }), 200)
    expect(off).toContainEqual(
      expect.stringMatching(/^failed acknowledgement: HTTP 400, code 14 .*switch acknowledgement on/),
    )
    const late = await check(
      splunkSettings(await hec({ useAck: true, ackAfterMs: Infinity }), { proof: 'ack', ...oneLedger }),
      200,
    )
    expect(late.at(-1)).toMatch(/^failed proofline_operations: canary: accepted, and not acknowledged/)
  })

  it('says of two tokens which is taken, and stops when none is', async () => {
    const fake = await hec()
    const both = { token: 'new-token', previous_token: fake.token, ...oneLedger }
    const steps = await check(splunkSettings(fake, both))
    expect(steps).toContainEqual(expect.stringMatching(/^warning token: HTTP 403, code 4 /))
    expect(steps).toContain('ok previous token: the token is known and enabled')
    expect(steps.at(-1)).toMatch(/^ok proofline_operations: canary/)
    fake.token = 'another'
    expect((await check(splunkSettings(fake, both))).at(-1)).toBe('failed tokens: none of them is taken')
  })

  it('stops at a token that is wrong or disabled', async () => {
    const fake = await hec()
    expect((await check(splunkSettings(fake, { token: 'wrong-token' }))).at(-1)).toMatch(
      /^failed token: HTTP 403, code 4 /,
    )
    fake.tokenDisabled = true
    expect((await check(splunkSettings(fake))).at(-1)).toMatch(/^failed token: HTTP 403, code 1 .*disabled$/)
    expect(fake.counters.canaries).toBe(0)
  })

  it('names the index that the token may not write to, and goes on with the others', async () => {
    const fake = await hec()
    fake.allowsIndex = (index) => index !== 'proofline_changes'
    const failed = (await check(splunkSettings(fake))).filter((line) => line.startsWith('failed'))
    expect(failed).toEqual([
      expect.stringMatching(/^failed proofline_changes: canary: HTTP 400, code 7 .*missing, or not allowed/),
    ])
  })

  it('says what a search that does not answer, or finds nothing, may mean', async () => {
    const down = await hec()
    down.searchDown = true
    expect((await check(splunkSettings(down, oneLedger), 200)).at(-1)).toMatch(
      /^failed .*not found \(search: HTTP 503\)/,
    )
    expect((await check(splunkSettings(await hec({ visibleAfterMs: 60_000 }), oneLedger), 200)).at(-1)).toMatch(
      /^failed .*the search finds nothing/,
    )
    const without = await check(
      destinationSettings.parse({ type: 'splunk', url: down.url, token: down.token, proof: 'answer', ...oneLedger }),
    )
    expect(without.slice(-2).map((line) => line.split(' ')[0])).toEqual(['warning', 'warning'])
  })
})

describe('checking an Elastic', () => {
  it('fails before setup, and passes after it', async () => {
    const fake = await bulk()
    const settings = elasticSettings(fake, oneLedger)
    expect(await check(settings)).toContainEqual(
      expect.stringMatching(/^failed proofline-operations: template: .*destinations setup/),
    )
    const operator = createOperator({
      db: noDatabase,
      destinations: { siem: settings },
      ledgers: [],
      publicHost: 'p',
      now: () => new Date(),
    })
    await operator.setUp('siem', async () => {}, signal)
    const steps = await check(settings)
    expect(steps.map((line) => line.split(' ')[0])).toEqual(Array(7).fill('ok'))
    expect(steps.at(-1)).toMatch(/^ok proofline-operations: canary: made once, read back whole, found after \d+ ms$/)
  })

  it('case 38: refuses a data stream, and writes nothing to it', async () => {
    const fake = await bulk({ cluster: { dataStreams: ['proofline-operations'] } })
    expect((await check(elasticSettings(fake, oneLedger))).at(-1)).toMatch(
      /^failed proofline-operations: target: proofline-operations is a data stream/,
    )
    expect(fake.documents()).toEqual([])
  })

  it('goes on where the credential may only write, and stops where it is unknown', async () => {
    const limited = await check(elasticSettings(await bulk({ cluster: { limited: true } }), oneLedger))
    expect(limited.map((line) => line.split(' ')[0])).toEqual(['ok', 'ok', 'warning', 'ok', 'skipped', 'skipped', 'ok'])
    expect((await check(elasticSettings(await bulk(), { api_key: 'wrong-key' }))).at(-1)).toMatch(
      /^failed credential: HTTP 401/,
    )
  })

  it.each([
    ['drops it', () => ({ result: 'noop' }), 'would be dropped'],
    ['reroutes it', (doc: object) => ({ ...doc, _index: 'elsewhere' }), 'stored in elsewhere instead'],
    ['changes its id', (doc: object) => ({ ...doc, _id: 'other' }), 'stored as other instead'],
    ['changes its bytes', (doc: object) => ({ ...doc, _source: { event: {} } }), 'changes event.hash'],
    ['ignores fields', (doc: object) => ({ ...doc, ignored_fields: [{ field: 'file.path' }] }), 'would be ignored'],
    [
      'refuses it',
      (doc: object) => ({ ...doc, error: { type: 'document_parsing_exception', reason: 'no' } }),
      'refused: HTTP 400 document_parsing_exception: no',
    ],
  ])('goes through mapping and pipelines with a record, and says when a pipeline %s', async (_, simulated, said) => {
    const fake = await bulk({ cluster: { simulated } })
    expect(await check(elasticSettings(fake, oneLedger))).toContainEqual(
      expect.stringMatching(new RegExp(`^failed proofline-operations: mapping: .*${said}`)),
    )
  })

  it('says that a mapping of others would refuse a record, and that an OpenSearch has no dry run', async () => {
    const guessed = await bulk()
    const mappings = { dynamic: 'strict', properties: { '@timestamp': { type: 'date' } } }
    guessed.cluster.put.set('/_index_template/others', { index_patterns: ['proofline-*'], template: { mappings } })
    expect(await check(elasticSettings(guessed, oneLedger))).toContainEqual(
      expect.stringMatching(/^failed .*: mapping: a record would be refused: .*\[ecs\] is not allowed/),
    )
    const opensearch = await bulk({ cluster: { distribution: 'opensearch' } })
    expect(await check(elasticSettings(opensearch, oneLedger))).toContainEqual(
      expect.stringMatching(/^skipped .*: mapping: this server has no dry run/),
    )
  })

  it('case 39: refuses a collection of OpenSearch Serverless that gives its own ids, with the reason', async () => {
    const collection = await bulk({ cluster: { distribution: 'collection' } })
    const settings = elasticSettings(collection, oneLedger)
    expect((await check(settings)).map((line) => line.split(' ')[0])).toEqual(['ok', 'ok', 'warning', 'ok', 'skipped', 'skipped', 'ok']) // oxfmt-ignore
    const reason = 'Document ID is not supported in create/index operation request'
    collection.refuse = () => ({ status: 400, type: 'illegal_argument_exception', reason })
    expect((await check(settings)).at(-1)).toMatch(
      /^failed .*: canary: it takes no ids of ours: .*TIMESERIES.*stored a second time/,
    )
  })

  it('case 32: refuses a canary that went to a failure store', async () => {
    const fake = await bulk()
    const stored = { create: { _index: '.fs-proofline', _id: 'x', status: 201, result: 'created', failure_store: 'used' } } // oxfmt-ignore
    fake.answerNext(200, { errors: false, items: [stored] })
    expect((await check(elasticSettings(fake, oneLedger))).at(-1)).toMatch(
      /^failed .*: canary: went to a failure store/,
    )
  })

  it('says what a cluster does to the canary', async () => {
    const blocked = await bulk()
    blocked.refuse = () => ({ status: 403, type: 'cluster_block_exception', reason: 'index read-only' })
    expect((await check(elasticSettings(blocked, oneLedger))).at(-1)).toMatch(
      /^failed .*HTTP 403 cluster_block_exception: index read-only/,
    )
    const stored = { create: { _index: 'elsewhere', _id: 'x', status: 201, result: 'created' } }
    const rerouting = await bulk()
    rerouting.answerNext(200, { errors: false, items: [stored] })
    expect((await check(elasticSettings(rerouting, oneLedger))).at(-1)).toMatch(
      /^failed .*not made in proofline-operations-/,
    )
  })
})

describe('checking a connection', () => {
  it('names the step that fails: name, port, address that nobody should send to', async () => {
    const at = (url: string): Promise<string[]> => check(destinationSettings.parse({ type: 'elastic', url }))
    expect(await at('http://no-such-host.invalid')).toEqual([
      expect.stringMatching(/^failed server: resolve: resolve no-such-host.invalid: E/),
    ])
    expect((await at('http://127.0.0.1:9')).at(-1)).toMatch(
      /^failed server: connect: connect 127.0.0.1:9: ECONNREFUSED/,
    )
    expect((await at('http://169.254.169.254')).at(-1)).toMatch(/^failed server: resolve: .*metadata address/)
  })

  it('goes through every address of the name, and warns of one that cannot be used beside one that can', async () => {
    const fake = await hec()
    const { port } = new URL(fake.url)
    const settings = destinationSettings.parse({ type: 'elastic', url: `http://siem.example:${port}` })
    const steps = createSteps()
    expect(await checkConnection(steps, 'server', settings, new Date(), async () => ['127.0.0.9', '127.0.0.1'])).toBe(true) // oxfmt-ignore
    expect(steps.list.map(({ step, result, detail }) => `${result} ${step}: ${detail}`)).toEqual([
      `ok server: resolve: siem.example leads to 127.0.0.9:${port}, 127.0.0.1:${port}`,
      expect.stringMatching(/^warning server: connect: connect 127\.0\.0\.9:\d+: ECONNREFUSED/),
      `ok server: connect: 127.0.0.1:${port}`,
      'warning server: tls: not encrypted: the credential travels in clear',
    ])
    const none = createSteps()
    expect(await checkConnection(none, 'server', settings, new Date(), async () => ['127.0.0.9', '127.0.0.8'])).toBe(false) // oxfmt-ignore
    expect(none.list.map(({ result }) => result)).toEqual(['ok', 'failed', 'failed'])
  })

  it('names the certificate, its days, and why it is not believed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'proofline-check-'))
    closers.push(() => rmSync(folder, { recursive: true }))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '10', '-keyout', key, '-out', cert, '-subj', '/CN=siem.acme.example', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' }) // oxfmt-ignore
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => {
      response.writeHead(401, { 'content-type': 'application/json' }).end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closers.push(() => server.close())
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    const refused = (await check(destinationSettings.parse({ type: 'elastic', url }))).at(-1)
    expect(refused).toMatch(
      /^failed server: tls: tls 127\.0\.0\.1:\d+: DEPTH_ZERO_SELF_SIGNED_CERT .*certificate CN=siem\.acme\.example, valid until \d{4}-/,
    )
    const believed = await check(destinationSettings.parse({ type: 'elastic', url, ca_file: cert }))
    expect(believed[2]).toMatch(
      /^warning server: tls: certificate CN=siem\.acme\.example, valid until .*, 9 days left, TLSv1\.3$/,
    )
  })
})
