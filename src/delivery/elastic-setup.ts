import { ledgersOf } from './select.ts'
import { mappings } from './elastic-mapping.ts'
import type { ElasticSettings } from './settings.ts'

/** What `destinations setup` installs, as requests; pure. Installing the same again changes nothing. */

export type Flavour = 'elasticsearch' | 'opensearch' | 'serverless'

export interface SetupRequest {
  method: 'PUT'
  path: string
  body: object
}

export const pipelineName = 'proofline-ingested'
export const policyName = 'proofline'

/** Base names of the ledgers that go there, one template and one alias each. */
export function basesOf(settings: ElasticSettings): string[] {
  const { indexes } = settings
  return ledgersOf(settings).map((kind) => indexes[kind] ?? `proofline-${kind}`)
}

export function setupRequests(settings: ElasticSettings, flavour: Flavour): SetupRequest[] {
  const days = settings.keeps === undefined ? undefined : Number(settings.keeps.slice(0, -1))
  const bases = basesOf(settings)
  return [
    { method: 'PUT', path: `/_ingest/pipeline/${pipelineName}`, body: pipeline },
    ...(days === undefined || flavour === 'serverless' ? [] : [lifecycle(flavour, bases, days)]),
    ...bases.map((base) => template(base, flavour, days !== undefined)),
  ]
}

/** What heartbeats and seals say about other records lies in lists and objects, where no rule can read it. Integers only: a script has no doubles here. */
const derived = `
def p = ctx.proofline;
if (p.kind == 'seal') {
  if (p.records instanceof Map) { p.sealed_records = p.records.count; }
} else if (p.heads instanceof List) {
  p.closed_blocks = [];
  for (def head : p.heads) {
    if (head.block instanceof Map) {
      p.closed_blocks.add(head.ledger + ' ' + head.block.number + ' ' + head.block.records + ' ' + head.block.check_sum);
    }
  }
}`

/**
 * Detection rules go by when a document came, not by when its record was made: a pause is then no blind spot. Nothing of it may refuse a
 * record: what fails is left out.
 */
const pipeline = {
  description: 'Proofline: when a document came, and what heartbeats and seals say where rules can read it',
  processors: [
    { set: { field: 'event.ingested', value: '{{{_ingest.timestamp}}}' } },
    {
      script: {
        if: "ctx.proofline?.kind == 'heartbeat' || ctx.proofline?.kind == 'seal'",
        source: derived.trim(),
        ignore_failure: true,
      },
    },
  ],
}

/** An index holds a month and its age counts from its making, so its last record is kept as long as it should be. Nothing but deletion. */
function lifecycle(flavour: Flavour, bases: readonly string[], days: number): SetupRequest {
  const age = `${days + 31}d`
  if (flavour === 'opensearch') {
    return {
      method: 'PUT',
      path: `/_plugins/_ism/policies/${policyName}`,
      body: {
        policy: {
          description: `Proofline: delete after ${age}`,
          default_state: 'keep',
          states: [
            { name: 'keep', actions: [], transitions: [{ state_name: 'delete', conditions: { min_index_age: age } }] },
            { name: 'delete', actions: [{ delete: {} }], transitions: [] },
          ],
          ism_template: [{ index_patterns: bases.map((base) => `${base}-*`), priority: 500 }],
        },
      },
    }
  }
  const policy = { phases: { hot: { min_age: '0ms', actions: {} }, delete: { min_age: age, actions: { delete: {} } } } }
  return { method: 'PUT', path: `/_ilm/policy/${policyName}`, body: { policy } }
}

function template(base: string, flavour: Flavour, hasLifecycle: boolean): SetupRequest {
  const sizing = flavour === 'serverless' ? {} : { number_of_shards: 1 }
  const lifecycle = hasLifecycle && flavour === 'elasticsearch' ? { lifecycle: { name: policyName } } : {}
  return {
    method: 'PUT',
    path: `/_index_template/${base}`,
    body: {
      index_patterns: [`${base}-*`],
      priority: 500,
      template: {
        settings: { index: { ...sizing, final_pipeline: pipelineName, ...lifecycle } },
        mappings,
        aliases: { [base]: {} },
      },
      _meta: { description: 'Proofline: plain indices by month of recorded_at; no data stream, no rollover' },
    },
  }
}
