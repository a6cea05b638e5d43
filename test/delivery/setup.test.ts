import { afterEach, describe, expect, it } from 'vitest'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { openElasticAdmin } from '../../src/delivery/elastic-admin.ts'
import { setUpElastic } from '../../src/delivery/set-up.ts'
import { type ElasticSettings, destinationSettings } from '../../src/delivery/settings.ts'
import { recordKinds } from '../../src/record/record.ts'
import type { FakeClusterOptions } from '../support/bulk-admin.ts'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { attemptId } from './contract.ts'
import { makeRecord } from './records.ts'

const signal = AbortSignal.timeout(600_000)
let fake: FakeBulk
afterEach(() => fake.close())

function settings(extra: Record<string, unknown> = {}): ElasticSettings {
  const parsed = destinationSettings.parse({ type: 'elastic', url: fake.url, api_key: fake.apiKey, ...extra })
  if (parsed.type !== 'elastic') throw new Error('it is an Elastic')
  return parsed
}

async function setUp(cluster: FakeClusterOptions, extra: Record<string, unknown> = {}, dryRun = false) {
  fake = await startFakeBulk({ cluster })
  return again(extra, dryRun)
}

async function again(extra: Record<string, unknown> = {}, dryRun = false) {
  const admin = await openElasticAdmin(settings(extra), {}, signal)
  return setUpElastic(admin, settings(extra), dryRun ? undefined : async () => {}).finally(() => admin.close())
}

describe('setting up Elasticsearch', () => {
  it('installs pipeline, lifecycle and a template with its alias for each ledger', async () => {
    await setUp({}, { keeps: '400d' })
    expect([...fake.cluster.put.keys()]).toEqual([
      '/_ingest/pipeline/proofline-ingested',
      '/_ilm/policy/proofline',
      ...['unit', 'integration', 'changes', 'operations'].map((kind) => `/_index_template/proofline-${kind}`),
    ])
    expect(fake.cluster.put.get('/_ilm/policy/proofline')).toMatchObject({
      policy: { phases: { delete: { min_age: '431d', actions: { delete: {} } } } },
    })
    expect(fake.cluster.put.get('/_index_template/proofline-unit')).toMatchObject({
      index_patterns: ['proofline-unit-*'],
      template: {
        settings: { index: { final_pipeline: 'proofline-ingested', lifecycle: { name: 'proofline' } } },
        aliases: { 'proofline-unit': {} },
        mappings: { dynamic: 'strict' },
      },
    })
    expect(JSON.stringify([...fake.cluster.put.values()])).not.toMatch(/"(?:data_stream|rollover)"/)
  })

  it('installs the same a second time, for those ledgers and names that the settings have', async () => {
    const extra = { select: { ledgers: ['unit'] }, indexes: { unit: 'acme-coverage' } }
    const { notes } = await setUp({}, extra)
    await again(extra)
    expect([...fake.cluster.put.keys()]).toEqual([
      '/_ingest/pipeline/proofline-ingested',
      '/_index_template/acme-coverage',
      '/_index_template/proofline-operations', // heartbeats go there whatever is selected
    ])
    expect(notes).toEqual(['nothing is ever deleted: give `keeps` for a lifecycle that deletes'])
  })

  it('changes nothing in a dry run, and tells every request', async () => {
    const { requests } = await setUp({}, { keeps: '90d' }, true)
    expect(fake.cluster.put.size).toBe(0)
    expect(requests.map(({ path }) => path)).toHaveLength(6)
  })

  it('uses state management on OpenSearch, also to replace a policy, and no lifecycle on serverless', async () => {
    await setUp({ distribution: 'opensearch' }, { keeps: '90d' })
    await again({ keeps: '120d' })
    expect(fake.cluster.put.get('/_plugins/_ism/policies/proofline')).toMatchObject({
      policy: { states: [{ transitions: [{ conditions: { min_index_age: '151d' } }] }, { actions: [{ delete: {} }] }] },
    })
    await fake.close()
    const { notes } = await setUp({ distribution: 'serverless' }, { keeps: '90d' })
    expect([...fake.cluster.put.keys()].filter((path) => /_ilm|_ism/.test(path))).toEqual([])
    expect(notes.join()).toContain('serverless')
  })

  it('installs no lifecycle where OpenSearch has no state management, and says so', async () => {
    const cluster = { distribution: 'opensearch', withoutStateManagement: true } as const
    const { notes } = await setUp(cluster, { keeps: '90d' })
    expect([...fake.cluster.put.keys()]).toEqual([
      '/_ingest/pipeline/proofline-ingested',
      ...['unit', 'integration', 'changes', 'operations'].map((kind) => `/_index_template/proofline-${kind}`),
    ])
    expect(notes).toEqual(['this OpenSearch has no index state management (a plugin): old months are yours to delete'])
  })

  it('case 38: refuses a data stream, and an index where the alias has to be, before anything is changed', async () => {
    await expect(setUp({ dataStreams: ['proofline-unit'] })).rejects.toMatchObject({
      code: 'destination_refused',
      message: expect.stringMatching(/proofline-unit is a data stream: a repeat after its rollover/) as string,
    })
    await fake.close()
    fake = await startFakeBulk()
    fake.plant('proofline-changes', 'x', '{}')
    await expect(again()).rejects.toMatchObject({ code: 'destination_refused' })
    expect(fake.cluster.put.size).toBe(0)
  })

  it('refuses names of which one is how another begins, since their templates would fit the same indices', () => {
    const parse = (indexes: object) => destinationSettings.safeParse({ type: 'elastic', url: 'http://elk', indexes })
    expect(parse({ unit: 'acme', operations: 'acme-operations' }).error?.issues).toMatchObject([
      { path: ['indexes', 'unit'], message: 'is how acme-operations begins: name them apart' },
    ])
    expect(parse({ changes: 'proofline' }).success).toBe(false)
    expect(parse({ unit: 'acme', operations: 'acmeoperations' }).success).toBe(true)
  })

  it('names the privilege that is missing, the wrong credential, and nothing that listens', async () => {
    await expect(setUp({ limited: true })).rejects.toThrow('monitor')
    await expect(again({ api_key: 'wrong-key' })).rejects.toThrow('HTTP 401')
    await expect(again({ url: 'http://127.0.0.1:9' })).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('names indices that were made before there was a template', async () => {
    fake = await startFakeBulk()
    fake.plant('proofline-unit-2026.10', 'x', '{}')
    const { notes } = await again({}, true)
    expect(notes).toContainEqual(expect.stringContaining('proofline-unit-2026.10 was made without this template'))
  })

  it('takes records of every kind under the strict mapping, and refuses what is not ours', async () => {
    await setUp({})
    const destination = await openDestination(settings(), {
      publicHost: 'proofline.acme.example',
      now: () => new Date(),
    })
    const records = recordKinds.map((kind, seq) => makeRecord(seq, { kind }))
    const rendered = destination.render(records, attemptId())
    const outcomes = destination.classify(rendered, await destination.send(rendered, signal))
    await destination.close()
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['delivered']))
    expect(fake.cluster.refusal('proofline-unit-2026.11', { foreign: 1 })?.type).toBe(
      'strict_dynamic_mapping_exception',
    )
    expect(fake.cluster.refusal('proofline-unit-2026.11', { proofline: { newer: { any: 1 } } })).toBeUndefined()
  })
})
