import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Destination, Outcome } from '../../src/delivery/destination.ts'
import { openElasticAdmin } from '../../src/delivery/elastic-admin.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { setUpElastic } from '../../src/delivery/set-up.ts'
import { type ElasticSettings, destinationSettings } from '../../src/delivery/settings.ts'
import type { StoredRecord } from '../../src/ledger/read.ts'
import { recordKinds } from '../../src/record/record.ts'
import { attemptId, destinationContract, type Fixture } from '../delivery/contract.ts'
import { makeRecord } from '../delivery/records.ts'
import { type FailingProxy, startFailingProxy } from './failing-proxy.ts'
import { askNode, changeNode, hitsOf, nodeUrl } from './opensearch-node.ts'

/** The contract of a destination, and the hard cases of a `_bulk` answer, over a real OpenSearch node (TEST_OPENSEARCH_URL). */

const deps = { publicHost: 'proofline.acme.example', now: () => new Date() }
const signal = AbortSignal.timeout(600_000)

function settings(more: Record<string, unknown> = {}): ElasticSettings {
  const parsed = destinationSettings.parse({
    type: 'elastic',
    url: nodeUrl(),
    select: { ledgers: ['unit'] },
    request_timeout_ms: 10_000,
    ...more,
  })
  if (parsed.type !== 'elastic') throw new Error('it is an Elastic')
  return parsed
}

async function setUp(extra: Record<string, unknown>): Promise<void> {
  const admin = await openElasticAdmin(settings(extra), {}, signal)
  await setUpElastic(admin, settings(extra), async () => {}).finally(() => admin.close())
}

let proxy: FailingProxy
beforeAll(async () => {
  proxy = await startFailingProxy(nodeUrl(), '/_bulk')
  await setUp({ indexes: { unit: 'contract', operations: 'operations-of-contract' } })
})
afterAll(() => proxy.close())

const session = Date.now().toString(36)
let made = 0
/** An index of its own, made beforehand: the first document would take longer than the deadlines of the contract. */
async function freshBase(): Promise<string> {
  const base = `contract-${session}-${++made}`
  await changeNode('PUT', `/${base}-2026.11`)
  return base
}

describe('the contract, by a real OpenSearch', () => {
  const start = async (): Promise<Fixture> => {
    const base = await freshBase()
    const destination = await openDestination(settings({ url: proxy.url, indexes: { unit: base } }), deps)
    const ids = async (): Promise<string[]> => (await hitsOf(`${base}-*`)).map(({ _id }) => _id)
    return {
      destination: visible(destination, base),
      failNext: proxy.failNext,
      ids,
      copies: async (id) => (await ids()).filter((one) => one === id).length,
      blind: () => void (proxy.blind = true),
      connections: proxy.connections,
      secrets: [],
      close: async () => void (proxy.blind = false),
    }
  }
  destinationContract({ by: 'any', yes: 'delivered', start })
})

/** Searches wait for a refresh, as those of a service do by `visible_after_ms`. */
function visible(destination: Destination, base: string): Destination {
  const refresh = () => askNode('POST', `/${base}-*/_refresh`)
  return {
    ...destination,
    sum: async (...question) => refresh().then(() => destination.sum(...question)),
    sumBlocks: async (...question) => refresh().then(() => destination.sumBlocks(...question)),
    ids: async (...question) => refresh().then(() => destination.ids(...question)),
    originals: async (...question) => refresh().then(() => destination.originals(...question)),
  }
}

/** Sends these records once; their outcomes and documents. */
async function send(records: StoredRecord[], more: Record<string, unknown>): Promise<Outcome[]> {
  const destination = await openDestination(settings(more), deps)
  try {
    const now = performance.now()
    const rendered = destination.render(records, attemptId({ sendBeforeMs: now + 5_000, deadlineMs: now + 20_000 }))
    return destination.classify(rendered, await destination.send(rendered, signal))
  } finally {
    await destination.close()
  }
}

describe('a _bulk answer of a real OpenSearch', () => {
  it('takes every kind of record under the strict mapping, and refuses what is not ours', async () => {
    const base = await freshBase()
    const outcomes = await send(
      recordKinds.map((kind, seq) => makeRecord(seq, { kind })),
      { indexes: { unit: base } },
    )
    expect(outcomes.filter(({ kind }) => kind !== 'delivered')).toEqual([])
    const foreign = `{"create":{"_index":"${base}-2026.11","_id":"x"}}\n{"@timestamp":"2026-11-23T05:00:00Z","foreign":1}\n`
    expect(JSON.stringify((await askNode('POST', '/_bulk', foreign)).body)).toContain(
      'strict_dynamic_mapping_exception',
    )
    const newer = makeRecord(900, { extra: { newer: { than: ['this', { template: 1 }] }, lines_of_text: 'kept' } })
    expect(await send([newer], { indexes: { unit: base } })).toMatchObject([{ kind: 'delivered' }])
  })

  it('case 30, 31: answers each member for itself: a second one 409, an altered one found by its digest', async () => {
    const base = await freshBase()
    const [first, second] = [makeRecord(1), makeRecord(2)]
    const planted = `{"create":{"_index":"${base}-2026.11","_id":"${second.id}"}}\n{"@timestamp":"2026-11-23T05:00:00Z","event":{"hash":"other"}}\n`
    await changeNode('POST', '/_bulk', planted)
    await send([first], { indexes: { unit: base } })
    const outcomes = await send([first, second, makeRecord(3)], { indexes: { unit: base } })
    expect(outcomes).toMatchObject([
      { kind: 'in_doubt', held: true },
      { kind: 'in_doubt', held: true },
      { kind: 'delivered' },
    ])
    const destination = await openDestination(settings({ indexes: { unit: base } }), deps)
    const now = new Date()
    const attempt = {
      id: attemptId(),
      target: `${base}-2026.11`,
      members: 2,
      records: async () => [first, second],
      openedAt: now,
      deadline: now,
    }
    const [same, other] = await destination.look(attempt, signal)
    await destination.close()
    expect(same).toMatchObject({ kind: 'present', digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string })
    expect(other).toMatchObject({ kind: 'present', digest: 'other' })
  })

  it('sees a pipeline that drops, reroutes, changes ids, or fails', async () => {
    const base = await freshBase()
    const pipeline = async (name: string, processor: object): Promise<Outcome[]> => {
      await changeNode('PUT', `/_ingest/pipeline/${name}`, { processors: [processor] })
      return send([makeRecord(1), makeRecord(2)], { indexes: { unit: base }, pipeline: name })
    }
    expect(await pipeline('drops', { drop: { if: 'ctx.event.sequence == 1' } })).toMatchObject([
      { kind: 'refused', reason: 'dropped by an ingest pipeline' },
      { kind: 'delivered' },
    ])
    const rerouted = await pipeline('reroutes', { set: { field: '_index', value: `${base}-elsewhere` } })
    expect(rerouted).toMatchObject(
      Array(2).fill({
        kind: 'refused',
        reason: `stored in ${base}-elsewhere instead of ${base}-2026.11: a pipeline reroutes`,
      }),
    )
    const renamed = await pipeline('renames', { set: { field: '_id', value: '{{{event.hash}}}' } })
    expect(renamed).toMatchObject(
      Array(2).fill({
        kind: 'refused',
        reason: expect.stringMatching(/^answered as .*: a pipeline changes ids$/) as string,
      }),
    )
    expect(await pipeline('breaks', { fail: { message: 'no' } })).toMatchObject(
      Array(2).fill({ kind: 'refused', reason: expect.stringMatching(/fail_processor_exception/) as string }),
    )
  })

  it('case 33: takes a cluster block for one that passes, of an item and of the request', async () => {
    const base = await freshBase()
    const block = async (name: string, value: boolean | null): Promise<void> =>
      changeNode('PUT', `/${base}-2026.11/_settings`, { index: { blocks: { [name]: value } } })
    for (const name of ['read_only_allow_delete', 'write', 'read_only']) {
      await block(name, true)
      expect(await send([makeRecord(1)], { indexes: { unit: base } }), name).toMatchObject([
        { kind: 'unsent', block: 'cluster_block' },
      ])
      await block(name, name === 'read_only' ? false : null)
    }
    expect(await send([makeRecord(1)], { indexes: { unit: base } })).toMatchObject([{ kind: 'delivered' }])
  })

  it('parks nothing for what an administrator did: a closed index, no shards left, a pipeline that is gone', async () => {
    const base = await freshBase()
    const one = (more = {}): Promise<Outcome[]> => send([makeRecord(1)], { indexes: { unit: base }, ...more })
    await changeNode('POST', `/${base}-2026.11/_close`)
    expect(await one()).toMatchObject([{ kind: 'unsent', block: 'index' }])
    await changeNode('POST', `/${base}-2026.11/_open`)
    expect(await one({ pipeline: 'gone' })).toMatchObject([{ kind: 'unsent', block: 'settings' }])
    const limit = (most: number | null): Promise<void> =>
      changeNode('PUT', '/_cluster/settings', { transient: { 'cluster.max_shards_per_node': most } })
    await limit(1)
    expect(await one({ indexes: { unit: `contract-${session}-next-month` } })).toMatchObject([{ kind: 'unsent', block: 'index' }]) // oxfmt-ignore
    await limit(null)
    expect(await one()).toMatchObject([{ kind: 'delivered' }])
  })

  it('case 34: makes no index by guessing where that is switched off', async () => {
    await changeNode('PUT', '/_cluster/settings', { transient: { 'action.auto_create_index': 'false' } })
    try {
      expect(await send([makeRecord(1)], { indexes: { unit: 'contract-never' } })).toMatchObject([
        { kind: 'unsent', block: 'index' },
      ])
    } finally {
      await changeNode('PUT', '/_cluster/settings', { transient: { 'action.auto_create_index': null } })
    }
    expect((await askNode('HEAD', '/contract-never-2026.11')).status).toBe(404)
  })

  it('case 35: halves what is over the limit of the node, by its own 413', async () => {
    const base = await freshBase()
    const records = Array.from({ length: 800 }, (_, seq) => makeRecord(seq))
    expect(await send(records, { indexes: { unit: base } })).toMatchObject(
      Array(800).fill({ kind: 'unsent', split: 'halve' }),
    )
    expect(await send(records.slice(0, 200), { indexes: { unit: base } })).toMatchObject(
      Array(200).fill({ kind: 'delivered' }),
    )
  })

  it('tells which cluster it is, the same each time', async () => {
    const destination = await openDestination(settings(), deps)
    const uuid = await destination.cluster(signal)
    expect(uuid).toMatch(/^[\w-]{20,24}$/)
    expect(await destination.cluster(signal)).toBe(uuid)
    await destination.close()
  })

  it('finds an index that is not there empty', async () => {
    const destination = await openDestination(settings({ indexes: { unit: 'contract-nowhere' } }), deps)
    const now = new Date()
    const [record] = [makeRecord(1)]
    const attempt = {
      id: attemptId(),
      target: 'contract-nowhere-2026.11',
      members: 1,
      records: async () => [record],
      openedAt: now,
      deadline: now,
    }
    expect(await destination.look(attempt, signal)).toEqual([{ kind: 'absent' }])
    const range = { ledger: 'main/unit', first: 0, last: 10 } as const
    expect(await destination.sum(range, signal)).toEqual({ count: 0, checkSum: 0 })
    expect(await destination.sumBlocks(range, signal)).toEqual(new Map())
    expect(await destination.ids(range, signal)).toEqual(new Map())
    expect(await destination.digests([record], signal)).toEqual(new Map())
    await destination.close()
  })
})
