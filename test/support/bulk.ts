import { planted } from './secrets.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FakeCluster, type FakeClusterOptions, createFakeCluster } from './bulk-admin.ts'
import { createBulkDocuments } from './bulk-documents.ts'
import { createFailures, type FailMode, type Failures } from './fail-modes.ts'
import { type Counters, listen, readBody, sendHtml, sendJson } from './http-fake.ts'
import { failAfterStoring, failBeforeStoring, failWhileReading, type Words } from './misbehave.ts'

/**
 * An Elasticsearch of our own, as far as delivery talks to it: `_bulk` with `create`, `_mget`, and the two searches of `measure`. A real
 * HTTP server; one document per index and id, a second `create` answers 409. Bounded: it refuses more than `maxDocuments`.
 */

export interface FakeBulkOptions {
  port?: number
  apiKey?: string
  keep?: 'bytes' | 'ids'
  maxDocuments?: number
  maxBodyBytes?: number
  /** What a body over the limit meets: an answer, or a connection that is reset, as http.max_content_length shows. */
  onTooLarge?: 'answer' | 'reset'
  cluster?: FakeClusterOptions
}

export interface ItemFailure {
  status: number
  type: string
  reason?: string
}

/** What pipelines and the cluster make of a document that was asked to be created. */
export type ItemFate = 'failure-store' | 'drop' | { reroute: string }

export interface FakeBulk extends Omit<Failures, 'take'> {
  url: string
  apiKey: string
  /** What was set up. */
  cluster: FakeCluster
  counters: Counters & { conflicts: number; gets: number }
  /** Items that are answered with an error, nothing stored. */
  refuse: (id: string) => ItemFailure | undefined
  /** Items that an ingest pipeline treats in its own way. */
  fate: (id: string) => ItemFate | undefined
  answerNext(status: number, body: unknown, headers?: Record<string, string>): void
  /** `index/id` of every document. */
  documents(): string[]
  ids(): string[]
  indexes(): string[]
  copies(id: string): number
  source(id: string): Record<string, unknown> | undefined
  /** The `event.hash` the document carries. */
  digest(id: string): string | undefined
  /** Nothing that reads is answered. */
  searchDown: boolean
  /** Deletes a document, as an administrator would; false when it was not there. */
  forget(id: string): boolean
  /** Plants a document, as a foreign writer would. */
  plant(index: string, id: string, source: string): void
  /** That are open. */
  connections(): Promise<number>
  close(): Promise<void>
}

export const bulkWords: Words = {
  internal: { error: { type: 'internal' }, status: 500 },
  busy: { error: { type: 'unavailable_shards_exception' }, status: 503 },
  tooMany: { error: { type: 'es_rejected_execution_exception' }, status: 429 },
  wrongToken: { status: 401, body: { error: { type: 'security_exception' }, status: 401 } },
}

interface Item {
  create: { _index: string; _id: string; status: number } & Record<string, unknown>
}

export async function startFakeBulk(options: FakeBulkOptions = {}): Promise<FakeBulk> {
  const {
    apiKey = planted('elastic-key'),
    keep = 'bytes',
    maxDocuments = 4_000_000,
    maxBodyBytes = 100 * 1024 * 1024,
  } = options
  const failures = createFailures()
  const cluster = createFakeCluster(options.cluster)
  const documents = createBulkDocuments(keep, maxDocuments)
  const answers: { status: number; body: unknown; headers: Record<string, string> }[] = []
  const counters = { requests: 0, stored: 0, duplicates: 0, bytes: 0, conflicts: 0, gets: 0 }

  const fake: FakeBulk = {
    url: '', apiKey, cluster, counters,
    failNext: failures.failNext,
    failAtRandom: failures.failAtRandom,
    failed: failures.failed,
    refuse: () => undefined,
    fate: () => undefined,
    answerNext: (status, body, headers = {}) => void answers.push({ status, body, headers }),
    documents: () => documents.all().map(({ index, id }) => `${index}/${id}`),
    ids: () => documents.all().map(({ id }) => id),
    indexes: () => documents.indexes(),
    copies: (id) => documents.copies(id),
    source: (id) => documents.source(id),
    digest: (id) => documents.hash(id),
    forget: (id) => documents.forget(id),
    plant: (index, id, source) => documents.plant(index, id, source),
    searchDown: false,
    connections: () => listening.connections(),
    close: () => listening.close(),
  } // oxfmt-ignore

  function bulk(body: Buffer, mode?: FailMode): Item[] {
    return documents.read(body).map(({ index, id, source, create }, at): Item => {
      const item = (status: number, more: Record<string, unknown>): Item => ({
        create: { _index: index, _id: id, status, ...more },
      })
      const refused = failureOf(mode, at) ?? fake.refuse(id) ?? (cluster.put.size === 0 ? undefined : cluster.refusal(index, source())) // oxfmt-ignore
      if (refused !== undefined)
        return item(refused.status, { error: { type: refused.type, reason: refused.reason ?? '' } })
      const fate = fake.fate(id)
      if (fate === 'drop') return item(200, { result: 'noop' })
      if (fate === 'failure-store') return item(201, { result: 'created', failure_store: 'used' })
      if (fate !== undefined) {
        documents.plant(fate.reroute, id, JSON.stringify(source()))
        return item(201, { result: 'created', _index: fate.reroute })
      }
      if (!create()) {
        counters.conflicts++
        return item(409, { error: { type: 'version_conflict_engine_exception', reason: 'document already exists' } })
      }
      counters.stored++
      return item(201, { result: 'created' })
    })
  }

  async function takeBulk(request: IncomingMessage, response: ServerResponse): Promise<void> {
    counters.requests++
    const mode = failures.take()
    if (failWhileReading(mode, request, response)) return
    const body = await readBody(request, maxBodyBytes)
    if (body === 'too-large')
      return options.onTooLarge === 'reset' ? void request.socket.resetAndDestroy() : sendHtml(response, 413)
    counters.bytes += body.length
    const planned = answers.shift()
    if (planned !== undefined) return sendJson(response, planned.status, planned.body, planned.headers)
    if (failBeforeStoring(mode, request, response, bulkWords, () => bulk(body))) return
    if (mode === 'cluster-block')
      return sendJson(response, 403, { error: { type: 'cluster_block_exception', reason: 'flood stage' }, status: 403 })
    const items = bulk(body, mode)
    const told = toldOf(mode, items)
    const reply = JSON.stringify({ errors: items.some(({ create }) => create.status >= 300), items: told })
    if (await failAfterStoring(mode, request, response, bulkWords, reply)) return
    sendJson(response, 200, reply)
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? ''
    if (request.headers.authorization !== `ApiKey ${apiKey}`) {
      return sendJson(response, 401, {
        error: { type: 'security_exception', reason: 'unable to authenticate' },
        status: 401,
      })
    }
    if (path === '/_bulk') return takeBulk(request, response)
    if (fake.searchDown)
      return sendJson(response, 503, { error: { type: 'no_shard_available_action_exception' }, status: 503 })
    const body = await readBody(request, 16 * 1024 * 1024)
    const answer = cluster.answer(request.method ?? '', request.url ?? '', body.toString(), documents.indexes())
    if (answer !== undefined) return sendJson(response, answer.status, answer.body)
    const [, docIndex = '', docId = ''] = /^\/([^/]+)\/_doc\/(.+)$/.exec(path) ?? []
    if (docId !== '') {
      const _source = documents.source(docId, docIndex)
      if (_source === undefined) return sendJson(response, 404, { _index: docIndex, _id: docId, found: false })
      return sendJson(response, 200, { _id: docId, found: true, _source })
    }
    const question = JSON.parse(body.toString()) as Record<string, unknown>
    if (path === '/_mget') {
      counters.gets++
      const wantsOriginal = (request.url ?? '').includes('event.original')
      const docs = (question['docs'] as { _index: string; _id: string }[]).map(({ _index, _id }) => {
        const found = documents.hash(_id, _index)
        if (found === undefined) return { _index, _id, found: false }
        const event = wantsOriginal ? (documents.source(_id, _index)?.['event'] as { original?: unknown }) : undefined
        return { _index, _id, found: true, _source: { event: { hash: found, original: event?.original } } }
      })
      return sendJson(response, 200, { docs })
    }
    if (path.endsWith('/_search')) return sendJson(response, 200, documents.search(question))
    return sendJson(response, 404, { error: { type: 'not_found' }, status: 404 })
  }

  const listening = await listen(handle, options.port)
  fake.url = listening.url
  return fake
}

/** Items that fail alone. */
function failureOf(mode: FailMode | undefined, at: number): ItemFailure | undefined {
  if (mode === 'items-rejected' && at % 2 === 1) return { status: 429, type: 'es_rejected_execution_exception' }
  if (mode === 'items-unavailable' && at % 3 === 2) return { status: 503, type: 'unavailable_shards_exception' }
  return undefined
}

/** What of the items is told, and in which order. */
function toldOf(mode: FailMode | undefined, items: readonly Item[]): readonly Item[] {
  if (mode === 'items-missing') return items.slice(0, Math.floor(items.length / 2))
  return mode === 'items-shuffled' ? items.toReversed() : items
}
