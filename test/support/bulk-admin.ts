import { randomUUID } from 'node:crypto'

/**
 * What an Elasticsearch or OpenSearch answers to whoever sets it up: resolve, pipelines, lifecycle, templates, simulation, mappings; and
 * what a strict mapping does with a document. Bodies are kept as they came.
 */

export interface FakeClusterOptions {
  /** `collection`: OpenSearch Serverless, which has no more than documents and searches. */
  distribution?: 'elasticsearch' | 'opensearch' | 'serverless' | 'collection'
  /** OpenSearch's minimal distribution. */
  withoutStateManagement?: boolean
  /** What a pipeline does to the document that is simulated. */
  simulated?: (doc: Record<string, unknown>) => Record<string, unknown>
  /** Data streams that are there. */
  dataStreams?: string[]
  /** GET / and templates are not allowed, as to a credential that may only write. */
  limited?: boolean
}

export interface FakeCluster {
  /** What it calls itself. */
  uuid: string
  /** Path to the body that was put there last. */
  put: Map<string, Record<string, unknown>>
  /** Undefined for what is no path of administration. */
  answer(
    method: string,
    url: string,
    body: string,
    indexes: readonly string[],
  ): { status: number; body: unknown } | undefined
  /** What a strict mapping says against a document; undefined when it takes it. */
  refusal(index: string, document: unknown): { status: number; type: string; reason: string } | undefined
}

type Tree = Record<string, unknown>

const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce((inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Tree)[key] : undefined), value)

const error = (status: number, type: string, reason: string) => ({ status, body: { error: { type, reason }, status } })

export function createFakeCluster({
  distribution = 'elasticsearch',
  dataStreams = [],
  limited = false,
  withoutStateManagement = false,
  simulated = (doc) => doc,
}: FakeClusterOptions = {}): FakeCluster {
  const put = new Map<string, Tree>()
  const versions = new Map<string, number>()
  const flags: Tree = distribution === 'opensearch' ? { distribution } : distribution === 'serverless' ? { build_flavor: distribution } : { build_flavor: 'default' } // oxfmt-ignore

  const templateOf = (index: string): Tree | undefined =>
    [...put]
      .filter(([path]) => path.startsWith('/_index_template/'))
      .map(([, body]) => body)
      .find((body) => (body['index_patterns'] as string[]).some((pattern) => index.startsWith(pattern.slice(0, -1))))

  const store = (path: string, query: string, body: string): { status: number; body: unknown } => {
    const parsed = JSON.parse(body) as Tree
    if (path.startsWith('/_plugins/_ism/')) {
      const version = versions.get(path)
      if (distribution !== 'opensearch') return error(400, 'invalid_index_name_exception', 'no handler')
      if (version !== undefined && query !== `if_seq_no=${version}&if_primary_term=1`)
        return error(409, 'version_conflict_engine_exception', 'document already exists')
      versions.set(path, (version ?? 0) + 1)
    }
    if (path.startsWith('/_ilm/') && distribution !== 'elasticsearch')
      return error(400, 'invalid_request', 'no handler')
    const pipeline = at(parsed, 'template', 'settings', 'index', 'final_pipeline')
    if (typeof pipeline === 'string' && !put.has(`/_ingest/pipeline/${pipeline}`))
      return error(400, 'illegal_argument_exception', `pipeline ${pipeline} does not exist`)
    put.set(path, parsed)
    return { status: 200, body: { acknowledged: true } }
  }

  const simulate = (body: string): { status: number; body: unknown } => {
    if (distribution === 'opensearch') return { status: 400, body: { error: 'no handler found for uri [/_ingest/_simulate]' } } // oxfmt-ignore
    if (limited) return error(403, 'security_exception', 'unauthorized')
    const [asked] = at(JSON.parse(body), 'docs') as Tree[]
    const index = String(asked?.['_index'])
    const refused = refusalBy((at(templateOf(index), 'template', 'mappings') ?? {}) as Tree, asked?.['_source'] as Tree, '', true) // oxfmt-ignore
    const pipeline = at(templateOf(index), 'template', 'settings', 'index', 'final_pipeline')
    const doc = { ...asked, executed_pipelines: pipeline === undefined ? [] : [pipeline], ...(refused === undefined ? {} : { error: refused }) } // oxfmt-ignore
    return { status: 200, body: { docs: [{ doc: simulated(doc) }] } }
  }

  const cluster: FakeCluster = {
    uuid: randomUUID(),
    put,
    answer(method, url, body, indexes) {
      const [path = '', query = ''] = url.split('?')
      if (distribution === 'collection' && /^\/(?:$|_ingest|_index_template|_resolve)/.test(path))
        return { status: 404, body: {} }
      if (withoutStateManagement && path.startsWith('/_plugins/'))
        return { status: 400, body: { error: `no handler found for uri [${path}] and method [${method}]` } }
      if (path === '/_ingest/_simulate') return simulate(body)
      if (path === '/') {
        if (limited) return error(403, 'security_exception', 'action [cluster:monitor/main] is unauthorized')
        return { status: 200, body: { cluster_uuid: cluster.uuid, version: { number: '9.1.0', ...flags } } }
      }
      if (method === 'PUT' && /^\/_(?:ingest\/pipeline|ilm\/policy|plugins\/_ism|index_template)\//.test(path)) return store(path, query, body) // oxfmt-ignore
      if (method === 'GET' && path.startsWith('/_plugins/_ism/'))
        return {
          status: 200,
          body: { _seq_no: versions.get(path), _primary_term: 1, policy: put.get(path)?.['policy'] },
        }
      const resolved = /^\/_resolve\/index\/(.+)\*$/.exec(path)?.[1]
      if (resolved !== undefined) {
        const those = (names: readonly string[]) =>
          names.filter((name) => name.startsWith(resolved)).map((name) => ({ name }))
        return { status: 200, body: { indices: those(indexes), aliases: [], data_streams: those(dataStreams) } }
      }
      const simulated = /^\/_index_template\/_simulate_index\/(.+)$/.exec(path)?.[1]
      if (simulated !== undefined) {
        if (limited) return error(403, 'security_exception', 'unauthorized')
        return {
          status: 200,
          body: { template: templateOf(simulated)?.['template'] ?? { settings: {}, mappings: {} } },
        }
      }
      const mapped = /^\/(.+)-\*\/_mapping$/.exec(path)?.[1]
      if (mapped !== undefined) {
        const found = indexes.filter((name) => name.startsWith(`${mapped}-`))
        const mappings = (index: string): unknown => at(templateOf(index), 'template', 'mappings') ?? { properties: {} }
        return { status: 200, body: Object.fromEntries(found.map((index) => [index, { mappings: mappings(index) }])) }
      }
      return undefined
    },
    refusal(index, document) {
      const mappings = at(templateOf(index), 'template', 'mappings')
      return mappings === undefined ? undefined : refusalBy(mappings as Tree, document as Tree, '', true)
    },
  }
  return cluster
}

/** Of an object against its mapping; `dynamic` is inherited from above. */
function refusalBy(mapping: Tree, document: Tree, path: string, above: unknown): ReturnType<FakeCluster['refusal']> {
  const dynamic = mapping['dynamic'] ?? above
  const properties = (mapping['properties'] ?? {}) as Record<string, Tree>
  for (const [key, value] of Object.entries(document)) {
    const here = `${path}${key}`
    const field = properties[key]
    if (field === undefined) {
      if (dynamic === 'strict')
        return {
          status: 400,
          type: 'strict_dynamic_mapping_exception',
          reason: `[1:1] mapping set to strict, dynamic introduction of [${here}] is not allowed`,
        }
      continue
    }
    for (const one of [value].flat()) {
      const isObject = typeof one === 'object' && one !== null
      if (one === null) continue
      if (field['type'] === undefined || field['type'] === 'object') {
        if (!isObject) return parsing(here, 'object mapping tried to parse as object, but found a concrete value')
        const refused = refusalBy(field, one as Tree, `${here}.`, dynamic)
        if (refused !== undefined) return refused
      } else if (isObject !== (field['type'] === 'integer_range')) {
        return parsing(here, `failed to parse field of type ${JSON.stringify(field['type'])}`)
      } else if (field['type'] === 'long' && !Number.isSafeInteger(one)) return parsing(here, 'no long')
      else if (field['type'] === 'boolean' && typeof one !== 'boolean') return parsing(here, 'no boolean')
    }
  }
  return undefined
}

const parsing = (field: string, reason: string) => ({
  status: 400,
  type: 'document_parsing_exception',
  reason: `[${field}] ${reason}`,
})
