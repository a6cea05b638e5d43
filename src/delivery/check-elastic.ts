import { hash, randomUUID } from 'node:crypto'
import { type ElasticAdmin, type Asked, dig, errorOf, objectionTo, readFlavour } from './elastic-admin.ts'
import { noIds } from './elastic-answers.ts'
import { dryRunVerdict } from './elastic-dry-run.ts'
import { basesOf, pipelineName } from './elastic-setup.ts'
import type { Steps, Verdict } from './preflight.ts'
import type { ElasticSettings } from './settings.ts'

export interface CheckDeps {
  publicHost: string
  now: () => Date
  /** How long a canary is waited for. */
  waitMs: number
  sleep: (ms: number) => Promise<void>
}

/** What Elastic and OpenSearch are asked before they are trusted with records, ledger by ledger. */
export async function checkElastic(
  steps: Steps,
  admin: ElasticAdmin,
  settings: ElasticSettings,
  deps: CheckDeps,
): Promise<void> {
  const isKnown = await steps.run('credential', () => credentialVerdict(admin, settings))
  if (!isKnown) return
  for (const base of basesOf(settings)) {
    const index = `${base}-${deps.now().toISOString().slice(0, 7).replace('-', '.')}`
    const isTarget = await steps.run(`${base}: target`, async () => {
      const objection = await objectionTo(admin, base)
      return objection === undefined
        ? { result: 'ok', detail: `plain indices by month: ${index}` }
        : { result: 'failed', detail: objection }
    })
    if (!isTarget) continue
    await steps.run(`${base}: template`, () => templateVerdict(admin, index))
    await steps.run(`${base}: mapping`, () => dryRunVerdict(admin, index, deps))
    await steps.run(`${base}: canary`, () => canaryVerdict(admin, settings, index, deps))
  }
}

async function credentialVerdict(admin: ElasticAdmin, settings: ElasticSettings): Promise<Verdict> {
  const { flavour, version, status } = await readFlavour(admin)
  if (flavour !== undefined) return { result: 'ok', detail: `${flavour} ${version}` }
  if (status === 401) return { result: 'failed', detail: `HTTP 401: ${settings.url} does not know this credential` }
  if (status === 403)
    return { result: 'warning', detail: 'HTTP 403: the credential is known, and may not ask what this server is' }
  if (status === 404)
    return { result: 'warning', detail: 'HTTP 404 to GET /: it does not say what it is, as OpenSearch Serverless' }
  return { result: 'failed', detail: `HTTP ${status} to GET /: is this an Elasticsearch or OpenSearch?` }
}

/** What an index made today would be: asked of the server, since other templates may go before ours. */
async function templateVerdict(admin: ElasticAdmin, index: string): Promise<Verdict> {
  const answer = await admin.ask('POST', `/_index_template/_simulate_index/${index}`)
  if (answer.status === 403)
    return { result: 'skipped', detail: 'the credential may not look at templates (manage_index_templates)' }
  if (answer.status === 404) return { result: 'skipped', detail: 'this server does not tell what an index would be' }
  if (answer.status !== 200) return { result: 'failed', detail: errorOf(answer) }
  const template = dig(answer.body, 'template')
  const wrong = [
    ['mapping is not strict', dig(template, 'mappings', 'dynamic') === 'strict'],
    ['@timestamp is not date_nanos', dig(template, 'mappings', 'properties', '@timestamp', 'type') === 'date_nanos'],
    [
      'missed_lines is not integer_range',
      dig(template, 'mappings', 'properties', 'proofline', 'properties', 'missed_lines', 'type') === 'integer_range',
    ],
  ].flatMap(([what, isRight]) => (isRight === true ? [] : [String(what)]))
  if (wrong.length > 0)
    return {
      result: 'failed',
      detail: `a new index would be another than ours (${wrong.join(', ')}): run \`proofline destinations setup\``,
    }
  const pipelines = ['default_pipeline', 'final_pipeline'].flatMap((name) => {
    const value = dig(template, 'settings', 'index', name)
    return typeof value === 'string' && value !== '_none' && value !== pipelineName ? [`${name} ${value}`] : []
  })
  return pipelines.length === 0
    ? { result: 'ok', detail: 'strict mapping, and no pipeline but ours' }
    : { result: 'warning', detail: `${pipelines.join(', ')}: records that it drops, renames or reroutes are refused` }
}

/** There is no question for the type of a collection that a data client may ask; the answer to an id is certain (opensearch-py#792). */
const ofSomeoneElse =
  'it takes no ids of ours: an OpenSearch Serverless collection of type TIMESERIES or VECTORSEARCH gives its own, so a repeat would be ' +
  'stored a second time. Take a collection of type SEARCH, or a domain'

/** One document is made, is not made a second time, is read back by id byte for byte, and is found by a search. */
async function canaryVerdict(
  admin: ElasticAdmin,
  settings: ElasticSettings,
  index: string,
  deps: CheckDeps,
): Promise<Verdict> {
  const id = `canary-${randomUUID()}`
  const original = JSON.stringify({ canary: id })
  const digest = hash('sha256', original, 'hex')
  const document = {
    '@timestamp': deps.now().toISOString(),
    ecs: { version: '9.3.0' },
    event: { kind: 'event', module: 'proofline', dataset: 'proofline.canary', action: 'canary-sent', type: ['info'], id, hash: digest, original },
    observer: { vendor: 'Proofline', product: 'Proofline', name: deps.publicHost },
  } // oxfmt-ignore
  const body = `${JSON.stringify({ create: { _index: index, _id: id } })}\n${JSON.stringify(document)}\n`
  const path = settings.pipeline === undefined ? '/_bulk' : `/_bulk?pipeline=${encodeURIComponent(settings.pipeline)}`
  const sentAt = deps.now().getTime()
  const first = await create(admin, path, body)
  if (first.problem !== undefined) return { result: 'failed', detail: first.problem }
  if (noIds.test(first.said)) return { result: 'failed', detail: ofSomeoneElse }
  if (first.failureStore) return { result: 'failed', detail: `went to a failure store, not to ${index}: ${first.said}` }
  if (first.status !== 201 || first.index !== index)
    return { result: 'failed', detail: `not made in ${index}: ${first.said}` }
  const second = await create(admin, path, body)
  if (second.status !== 409) return { result: 'failed', detail: `made a second time under the same id: ${second.said}` }
  const got = await admin.ask('GET', `/${index}/_doc/${id}?_source_includes=event`)
  if (got.status !== 200)
    return { result: 'failed', detail: `made, and not readable: ${errorOf(got)} (privilege read)` }
  if (
    dig(got.body, '_source', 'event', 'hash') !== digest ||
    dig(got.body, '_source', 'event', 'original') !== original
  )
    return { result: 'failed', detail: 'what is read back is not what was sent: a pipeline changes documents' }
  for (;;) {
    const found = await admin.ask('POST', `/${index}/_search`, { query: { ids: { values: [id] } }, _source: false })
    const lagMs = deps.now().getTime() - sentAt
    if (dig(found.body, 'hits', 'total', 'value') === 1)
      return { result: 'ok', detail: `made once, read back whole, found after ${lagMs} ms` }
    if (lagMs > deps.waitMs)
      return { result: 'failed', detail: `not found by a search for ${lagMs} ms: ${errorOf(found)}` }
    await deps.sleep(250)
  }
}

interface Created {
  problem?: string
  status?: unknown
  index?: unknown
  failureStore: boolean
  said: string
}

async function create(admin: ElasticAdmin, path: string, body: string): Promise<Created> {
  const answer: Asked = await admin.ask('POST', path, body)
  const item = dig(answer.body, 'items', '0', 'create')
  if (answer.status !== 200 || item === undefined) return { problem: errorOf(answer), failureStore: false, said: '' }
  const status = dig(item, 'status')
  const said = errorOf({ status: typeof status === 'number' ? status : 0, body: item })
  return { status, index: dig(item, '_index'), failureStore: dig(item, 'failure_store') === 'used', said }
}
