import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openElasticAdmin } from '../../src/delivery/elastic-admin.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { setUpElastic } from '../../src/delivery/set-up.ts'
import { destinationSettings } from '../../src/delivery/settings.ts'
import type { StoredRecord } from '../../src/ledger/read.ts'
import { checkOf } from '../../src/record/record.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { attemptId } from '../delivery/contract.ts'
import { makeRecord } from '../delivery/records.ts'
import { elasticFolder } from '../deploy/elastic-files.ts'
import { askNode, changeNode, hitsOf, nodeUrl } from './opensearch-node.ts'

/** deploy/elastic/opensearch-monitors.json on a real node: each search and its condition, in the node's own languages, before and after what they are for. */

interface Monitor {
  name: string
  inputs: [{ search: { indices: string[]; query: object } }]
  triggers: [{ query_level_trigger: { condition: { script: { source: string } } } }]
}
const monitors = JSON.parse(readFileSync(join(elasticFolder, 'opensearch-monitors.json'), 'utf8')) as Monitor[]

/** Those that would tell now. The alerting plugin gives a condition `ctx`; the node's own trial of a script, `params`. */
async function telling(): Promise<string[]> {
  await askNode('POST', '/proofline-*/_refresh')
  const found: string[] = []
  for (const { name, inputs, triggers } of monitors) {
    const [{ search }] = inputs
    const answer = await askNode('POST', `/${search.indices.join(',')}/_search`, search.query)
    expect(answer.status, `${name}: ${JSON.stringify(answer.body)}`).toBe(200)
    const source = triggers[0].query_level_trigger.condition.script.source.replaceAll('ctx.', 'params.')
    const tried = await askNode('POST', '/_scripts/painless/_execute', {
      script: { source, params: { results: [answer.body] } },
    })
    expect(tried.status, `${name}: ${JSON.stringify(tried.body)}`).toBe(200)
    if (tried.body['result'] === 'true') found.push(name.replace('Proofline: ', ''))
  }
  return found
}

const settings = destinationSettings.parse({ type: 'elastic', url: nodeUrl() })

async function deliver(...records: StoredRecord[]): Promise<void> {
  const destination = await openDestination(settings, { publicHost: 'proofline.acme.example', now: () => new Date() })
  for (const record of records) {
    const now = performance.now()
    const rendered = destination.render([record], attemptId({ sendBeforeMs: now + 5_000, deadlineMs: now + 20_000 }))
    const outcomes = destination.classify(rendered, await destination.send(rendered, AbortSignal.timeout(20_000)))
    expect(outcomes).toMatchObject([{ kind: 'delivered' }])
  }
  await destination.close()
}

let operations = 0
const inOperations = (kind: 'heartbeat' | 'alert' | 'reconciliation', extra: Record<string, unknown>): StoredRecord =>
  makeRecord(operations++, { ledger: 'main/operations', kind, extra })

const unit = (['run', 'coverage', 'coverage', 'part'] as const).map((kind, seq) => makeRecord(seq, { kind }))
const seal = makeRecord(4, { kind: 'seal', extra: { records: { first: 0, last: 3, count: 4 } } })
const closed = {
  number: 0,
  records: 5,
  check_sum: [...unit, seal].reduce((sum, { bytes }) => sum + checkOf(sha256Hex(bytes)), 0),
}
const heartbeat = (): StoredRecord =>
  inOperations('heartbeat', {
    heads: [
      { ledger: 'main/unit', size: 5, block: closed, note: 'n' },
      { ledger: 'main/changes', size: 0, block: null, note: null },
    ],
  })

beforeAll(async () => {
  await changeNode('DELETE', '/proofline-*')
  if (settings.type !== 'elastic') throw new Error('it is an Elastic')
  const signal = AbortSignal.timeout(60_000)
  const admin = await openElasticAdmin(settings, {}, signal)
  await setUpElastic(admin, settings, async () => {}).finally(() => admin.close())
  for (const kind of ['unit', 'integration', 'changes', 'operations']) {
    await changeNode('PUT', `/proofline-${kind}-2026.11`)
  }
})

describe('the monitors for OpenSearch', () => {
  it('tell of silence before the first heartbeat, and of nothing while all is well', async () => {
    expect(await telling()).toEqual(['silence'])
    await deliver(...unit, seal, heartbeat(), heartbeat())
    const [beat] = await hitsOf('proofline-operations', { exists: { field: 'proofline.closed_blocks' } })
    expect(beat?._source.proofline['closed_blocks']).toEqual([`main/unit 0 5 ${closed.check_sum}`])
    expect(await telling()).toEqual([])
  })

  it('tell of a record that is missing, by its block and by the seal of its run', async () => {
    const gone = unit[1]?.id ?? ''
    const [hit] = await hitsOf('proofline-unit', { ids: { values: [gone] } })
    await changeNode('DELETE', `/proofline-unit-2026.11/_doc/${gone}?refresh=true`)
    expect(await telling()).toEqual(['block completeness', 'seal against records'])
    await changeNode('PUT', `/proofline-unit-2026.11/_create/${gone}`, hit?._source ?? {})
    expect(await telling()).toEqual([])
  })

  it('tell of one that is there twice, and of one that was exchanged', async () => {
    await changeNode('PUT', '/proofline-unit-2026.12')
    const [twin] = await hitsOf('proofline-unit', { ids: { values: [unit[2]?.id ?? ''] } })
    await changeNode('PUT', `/proofline-unit-2026.12/_create/${twin?._id}`, twin?._source ?? {})
    expect(await telling()).toEqual(['block completeness', 'duplicates'])
    await changeNode('DELETE', '/proofline-unit-2026.12')
    const changed = { doc: { proofline: { check: 1 } } }
    await changeNode('POST', `/proofline-unit-2026.11/_update/${unit[2]?.id}?refresh=true`, changed)
    expect(await telling()).toEqual(['block completeness'])
    await changeNode('POST', `/proofline-unit-2026.11/_update/${unit[2]?.id}?refresh=true`, {
      doc: { proofline: { check: checkOf(sha256Hex(unit[2]?.bytes ?? new Uint8Array())) } },
    })
  })

  it('tell of alerts, differences and conflicts, and not of what is closed or the same', async () => {
    await deliver(
      inOperations('alert', { state: 'closed', code: 'disk_low' }),
      inOperations('reconciliation', { verdict: 'same', of: 'main/unit', records: 5 }),
    )
    expect(await telling()).toEqual([])
    await deliver(
      inOperations('alert', { state: 'opened', code: 'disk_low' }),
      inOperations('reconciliation', { verdict: 'differs', of: 'main/unit', records: 5 }),
    )
    await deliver(makeRecord(70_000, { kind: 'rejection', extra: { reason: 'part_conflict' } }))
    expect(await telling()).toEqual(['alerts of the service', 'comparison differs', 'conflicting evidence'])
  })
})
