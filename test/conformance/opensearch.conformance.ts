import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../delivery/lane.ts'
import {
  type Finished,
  type RunningService,
  anLcov,
  ask,
  cleanEnvironment,
  pushRun,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'
import { type FailingProxy, startFailingProxy } from './failing-proxy.ts'
import { askNode, changeNode, hitsOf, nodeUrl } from './opensearch-node.ts'

/** An operator with a real OpenSearch node (TEST_OPENSEARCH_URL), step by step: the real program, real records of every ledger. */

const ledgers = ['unit', 'integration', 'changes', 'operations']
const month = new Date().toISOString().slice(0, 7).replace('-', '.')
const indexOf = (ledger: string): string => `story-${ledger}-${month}`
let folder: { path: string; remove(): Promise<void> }
let proxy: FailingProxy
let service: RunningService

beforeAll(async () => {
  folder = await temporaryFolder('opensearch')
  proxy = await startFailingProxy(nodeUrl(), '/_bulk')
  const elk = {
    type: 'elastic',
    url: proxy.url,
    keeps: '400d',
    indexes: Object.fromEntries(ledgers.map((ledger) => [ledger, `story-${ledger}`])),
    window_ms: 50,
    position_every_ms: 100,
    request_timeout_ms: 2_000,
    visible_after_ms: 1_500,
    retry_delays_ms: [50, 200],
    probe_ms: { min: 200, max: 500 },
  }
  const watch = { heartbeat_every_ms: 2_000, reconcile_sample: 1_000 }
  const file = join(folder.path, 'proofline.yaml')
  // Delivery waits for its set-up: the indices would be made with a guessed mapping.
  await changeNode('PUT', '/_cluster/settings', { transient: { 'action.auto_create_index': '-story-*,+*' } })
  await writeFile(file, JSON.stringify({ destinations: { elk }, watch }))
  service = await startServe({ dataDir: join(folder.path, 'data'), args: ['--config', file] })
})

afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await proxy.close()
  await folder.remove()
})

function cli(...args: string[]): Promise<Finished> {
  const env = cleanEnvironment(folder.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
  return runCli(['destinations', ...args], { env })
}

interface Lane {
  state: string
  sent_to: number
  published: number
  parked: number
  ledger: string
}

async function lanes(): Promise<Lane[]> {
  const { body } = await ask(service, '/v1/destinations')
  return (body['destinations'] as { ledgers: Lane[] }[]).flatMap(({ ledgers: some }) => some)
}

/** All that is published up to now of unit, integration and changes is settled; operations goes on with every heartbeat. */
async function delivered(): Promise<void> {
  await eventually(
    async () => {
      const all = await lanes()
      return (
        all.length === 4 &&
        all.every(({ sent_to, published, ledger }) => ledger === 'main/operations' || sent_to === published)
      )
    },
    lanes,
    30_000,
  )
}

describe('an operator with a real OpenSearch', () => {
  it('is refused a data stream by setup, before anything is changed', async () => {
    const stream = { index_patterns: ['story-unit*'], data_stream: {}, priority: 900 }
    await changeNode('PUT', '/_index_template/streams', stream)
    await changeNode('PUT', '/_data_stream/story-unit')
    const refused = await cli('setup', 'elk')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('story-unit is a data stream')
    expect((await askNode('GET', '/_index_template/story-changes')).status).toBe(404)
    await changeNode('DELETE', '/_data_stream/story-unit')
    await changeNode('DELETE', '/_index_template/streams')
  })

  it('sets it up, twice the same, and delivery that waited for its indices goes on', async () => {
    await eventually(async () => (await lanes()).some(({ state }) => state === 'blocked'), lanes)
    for (const _ of [1, 2]) {
      const done = await cli('setup', 'elk')
      expect(done.code, done.stderr).toBe(0)
      expect(done.stdout).toMatch(/^opensearch \d+\.\d+\.\d+\ninstalled \/_ingest\/pipeline\/proofline-ingested\n/)
      expect(done.stdout).toContain('no index state management') // the minimal distribution
    }
    await changeNode('PUT', '/_cluster/settings', { transient: { 'action.auto_create_index': null } })
    const checked = await cli('check', 'elk')
    expect(checked.code, checked.stdout).toBe(0)
    expect(checked.stdout).not.toMatch(/^(?:failed|warning)/m)
    await eventually(async () => (await lanes()).every(({ state }) => state === 'running'), lanes)
  })

  it('delivers records of every ledger, byte for byte, each once', async () => {
    expect((await pushRun(service, 'local.story.api.unit', anLcov(1, 30), { build: 'b1' })).status).toBe(201)
    expect((await pushRun(service, 'local.story.api.integration', anLcov(2, 5))).status).toBe(201)
    expect((await pushRun(service, 'local.story.api.unit', anLcov(3), { build: 'b1' })).status).toBe(409)
    await delivered()
    const kinds = new Set<unknown>()
    for (const ledger of ledgers) {
      const hits = await hitsOf(indexOf(ledger), { term: { 'event.module': 'proofline' } })
      const there = new Map(hits.map(({ _id, _source }) => [_id, _source]))
      for (const record of await readLedger(service, ledger)) {
        const document = there.get(record['id'] as string)
        if (document === undefined && ledger === 'operations') continue // newer than the search
        expect(document?.event['original']).toBe(JSON.stringify(record))
        expect(document?.event).toHaveProperty('ingested')
        kinds.add(record['kind'])
      }
      expect(new Set(hits.map(({ _version }) => _version))).toEqual(new Set([1]))
    }
    for (const kind of ['run', 'part', 'coverage', 'seal', 'rejection', 'build', 'key', 'command', 'heartbeat'])
      expect(kinds).toContain(kind)
  })

  it('finds a line in the set of those that were missed, through the alias', async () => {
    const records = await readLedger(service, 'unit', 'coverage')
    const misses = (ranges: unknown, line: number): boolean =>
      String((ranges as Record<string, string>)['missed'])
        .split(',')
        .some((range) => {
          const [first = '0', last = first] = range.split('-')
          return Number(first) <= line && line <= Number(last)
        })
    for (const line of [2, 6, 19, 500]) {
      const found = (await hitsOf('story-unit', { term: { 'proofline.missed_lines': line } })).map(({ _id }) => _id)
      const wanted = records.filter(({ ranges }) => misses(ranges, line)).map(({ id }) => id as string)
      expect(found.toSorted()).toEqual(wanted.toSorted())
    }
  })

  it('case 36: stores each record once though answers are lost, cut and garbled', async () => {
    const modes = ['drop-after-storing', 'cut-after-storing', '500-after-storing', 'timeout-after-storing'] as const
    for (const [n, mode] of modes.entries()) {
      proxy.failNext(mode, 3)
      await pushRun(service, `local.lost${n}.api.unit`, anLcov(10 + n, 20))
    }
    await delivered()
    expect(proxy.lost).toBe(3 * modes.length)
    const records = await readLedger(service, 'unit')
    const hits = await hitsOf(indexOf('unit'), { range: { 'event.sequence': { gte: 0 } } })
    expect(hits.map(({ _id }) => _id).toSorted()).toEqual(records.map(({ id }) => id as string).toSorted())
    expect((await lanes()).map(({ parked }) => parked)).toEqual([0, 0, 0, 0])
  })

  it('case 33: is blocked by a full disk, keeps everything, and resumes by itself', async () => {
    const block = (value: boolean | null): Promise<void> =>
      changeNode('PUT', `/${indexOf('unit')}/_settings`, { 'index.blocks.read_only_allow_delete': value })
    await block(true)
    await pushRun(service, 'local.blocked.api.unit', anLcov(20))
    await eventually(async () => (await lanes()).some(({ state }) => state === 'blocked'), lanes)
    expect((await cli('list')).stdout).toMatch(/elk takes nothing of main\/unit: cluster_block: 429 /)
    await block(null)
    await delivered()
    expect((await lanes()).map(({ parked }) => parked)).toEqual([0, 0, 0, 0])
  })

  it('compares it: the same, then what was deleted and what was altered over there, then a whole index', async () => {
    await new Promise((resolve) => setTimeout(resolve, 2_500)) // visible_after_ms
    const same = await cli('reconcile', 'elk')
    expect(same.code, same.stdout).toBe(0)
    const [gone, other] = (await readLedger(service, 'unit', 'coverage')).map(({ id }) => id as string)
    await changeNode('DELETE', `/${indexOf('unit')}/_doc/${gone}?refresh=true`)
    const altered = { doc: { event: { original: '{"id":"something else"}' } } }
    await changeNode('POST', `/${indexOf('unit')}/_update/${other}?refresh=true`, altered)
    const differs = await cli('reconcile', 'elk')
    expect(differs.code, differs.stdout).toBe(1)
    expect(differs.stdout).toMatch(/main\/unit +differs/)
    const { body } = await ask(service, '/v1/reconciliations')
    const unit = (body['reconciliations'] as Record<string, unknown>[]).find(({ ledger }) => ledger === 'main/unit')
    expect(unit).toMatchObject({ missing: 1, altered: 1, duplicated: 0, foreign: 0 })
  })

  it('case 40: says what is missing when an index was deleted over there', async () => {
    await changeNode('DELETE', `/${indexOf('integration')}`)
    const differs = await cli('reconcile', 'elk')
    expect(differs.code, differs.stdout).toBe(1)
    const records = await readLedger(service, 'integration')
    const { body } = await ask(service, '/v1/reconciliations')
    const found = (body['reconciliations'] as Record<string, unknown>[]).find(
      ({ ledger }) => ledger === 'main/integration',
    )
    expect(found).toMatchObject({ verdict: 'differs', missing: records.length })
  })
})
