import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FakeCluster, type FakeClusterOptions, createFakeCluster } from './bulk-admin.ts'
import {
  type Counters,
  createFailures,
  type Failures,
  listen,
  readBody,
  sendCut,
  sendHtml,
  sendJson,
} from './http-fake.ts'

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
  cluster?: FakeClusterOptions
}

export interface ItemFailure {
  status: number
  type: string
  reason?: string
}

export interface FakeBulk extends Pick<Failures, 'failNext'> {
  url: string
  apiKey: string
  /** What was set up. */
  cluster: FakeCluster
  counters: Counters & { conflicts: number; gets: number }
  /** Items that are answered with an error, nothing stored. */
  refuse: (id: string) => ItemFailure | undefined
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
  close(): Promise<void>
}

const idMark = Buffer.from('"_id":"')
const indexMark = Buffer.from('"_index":"')
const hashMark = Buffer.from('"hash":"')

export async function startFakeBulk(options: FakeBulkOptions = {}): Promise<FakeBulk> {
  const { apiKey = 'elastic-key', keep = 'bytes', maxDocuments = 4_000_000, maxBodyBytes = 100 * 1024 * 1024 } = options
  const failures = createFailures()
  const cluster = createFakeCluster(options.cluster)
  /** index -> id -> source, or the hash alone. */
  const store = new Map<string, Map<string, Buffer | string>>()
  const answers: { status: number; body: unknown; headers: Record<string, string> }[] = []
  const counters = { requests: 0, stored: 0, duplicates: 0, bytes: 0, conflicts: 0, gets: 0 }
  const find = (id: string): Buffer | string | undefined =>
    [...store.values()].map((index) => index.get(id)).find((doc) => doc !== undefined)

  const fake: FakeBulk = {
    url: '', apiKey, cluster, counters,
    failNext: failures.failNext,
    refuse: () => undefined,
    answerNext: (status, body, headers = {}) => void answers.push({ status, body, headers }),
    documents: () => [...store].flatMap(([index, docs]) => [...docs.keys()].map((id) => `${index}/${id}`)),
    ids: () => [...store.values()].flatMap((docs) => [...docs.keys()]),
    indexes: () => [...store.keys()],
    copies: (id) => [...store.values()].filter((docs) => docs.has(id)).length,
    source(id) {
      const doc = find(id)
      return doc instanceof Buffer ? (JSON.parse(doc.toString()) as Record<string, unknown>) : undefined
    },
    digest(id) {
      const doc = find(id)
      return doc === undefined ? undefined : hashOf(doc)
    },
    forget: (id) => [...store.values()].some((docs) => docs.delete(id)),
    plant: (index, id, source) => void indexOf(index).set(id, Buffer.from(source)),
    searchDown: false,
    close: () => listening.close(),
  } // oxfmt-ignore

  function indexOf(name: string): Map<string, Buffer | string> {
    const docs = store.get(name) ?? new Map<string, Buffer | string>()
    store.set(name, docs)
    return docs
  }

  function hashOf(doc: Buffer | string): string {
    if (typeof doc === 'string') return doc
    const at = doc.indexOf(hashMark) + hashMark.length
    return at < hashMark.length ? '' : doc.toString('latin1', at, doc.indexOf(0x22, at))
  }

  const originalOf = (doc: Buffer | string): unknown =>
    typeof doc === 'string'
      ? undefined
      : (JSON.parse(doc.toString()) as { event?: { original?: unknown } }).event?.original

  /** Reads text after a mark, without parsing: a benchmark's receiver should not be what is measured. */
  function after(line: Buffer, mark: Buffer): string {
    const at = line.indexOf(mark) + mark.length
    return line.toString('latin1', at, line.indexOf(0x22, at))
  }

  function bulk(body: Buffer): { errors: boolean; items: unknown[] } {
    const items: unknown[] = []
    let errors = false
    for (let at = 0; at < body.length;) {
      const actionEnd = body.indexOf(0x0a, at)
      const sourceEnd = body.indexOf(0x0a, actionEnd + 1)
      if (actionEnd < 0 || sourceEnd < 0) throw new Error('the last line does not end')
      const action = body.subarray(at, actionEnd)
      const id = after(action, idMark)
      const index = after(action, indexMark)
      const source = body.subarray(actionEnd + 1, sourceEnd)
      at = sourceEnd + 1
      const refused =
        fake.refuse(id) ?? (cluster.put.size === 0 ? undefined : cluster.refusal(index, JSON.parse(source.toString())))
      const docs = indexOf(index)
      if (refused !== undefined) {
        errors = true
        items.push({
          create: {
            _index: index,
            _id: id,
            status: refused.status,
            error: { type: refused.type, reason: refused.reason ?? '' },
          },
        })
      } else if (docs.has(id)) {
        errors = true
        counters.conflicts++
        items.push({
          create: {
            _index: index,
            _id: id,
            status: 409,
            error: { type: 'version_conflict_engine_exception', reason: 'document already exists' },
          },
        })
      } else {
        if (counters.stored >= maxDocuments) throw new Error('the fake is full')
        if (keep === 'bytes') JSON.parse(source.toString())
        docs.set(id, keep === 'bytes' ? Buffer.from(source) : after(source, hashMark))
        counters.stored++
        items.push({ create: { _index: index, _id: id, status: 201, result: 'created' } })
      }
    }
    return { errors, items }
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
    const answer = cluster.answer(request.method ?? '', request.url ?? '', body.toString(), [...store.keys()])
    if (answer !== undefined) return sendJson(response, answer.status, answer.body)
    const [, docIndex = '', docId = ''] = /^\/([^/]+)\/_doc\/(.+)$/.exec(path) ?? []
    if (docId !== '') {
      const doc = store.get(docIndex)?.get(docId)
      if (doc === undefined) return sendJson(response, 404, { _index: docIndex, _id: docId, found: false })
      return sendJson(response, 200, { _id: docId, found: true, _source: JSON.parse(doc.toString()) })
    }
    const question = JSON.parse(body.toString()) as Record<string, unknown>
    if (path === '/_mget') {
      counters.gets++
      const docs = (question['docs'] as { _index: string; _id: string }[]).map(({ _index, _id }) => {
        const doc = store.get(_index)?.get(_id)
        return doc === undefined
          ? { _index, _id, found: false }
          : { _index, _id, found: true, _source: { event: { hash: hashOf(doc), original: originalOf(doc) } } }
      })
      return sendJson(response, 200, { docs })
    }
    if (path.endsWith('/_search')) return sendJson(response, 200, search(question))
    return sendJson(response, 404, { error: { type: 'not_found' }, status: 404 })
  }

  function search(question: Record<string, unknown>): unknown {
    const text = JSON.stringify(question)
    const wanted = /"ids":\{"values":\["([^"]+)"\]/.exec(text)?.[1]
    if (wanted !== undefined) return { hits: { total: { value: fake.copies(wanted), relation: 'eq' } } }
    const ledger = /"proofline.ledger":"([^"]+)"/.exec(text)?.[1]
    const [, gte = '0', lte = '0'] = /"gte":(\d+),"lte":(\d+)/.exec(text) ?? []
    const hits = [...store].flatMap(([index, docs]) =>
      [...docs].flatMap(([id, doc]) => {
        if (typeof doc === 'string') throw new Error('searching needs keep: bytes')
        const source = JSON.parse(doc.toString()) as {
          event: { sequence: number }
          proofline?: { ledger: string; check: number; block: number }
        }
        const { proofline } = source // a canary has none
        if (proofline === undefined) return []
        const { sequence } = source.event
        return proofline.ledger === ledger && sequence >= Number(gte) && sequence <= Number(lte)
          ? [{ _index: index, _id: id, check: proofline.check, block: proofline.block }]
          : []
      }),
    )
    const sumOf = (some: typeof hits): number => some.reduce((total, { check }) => total + check, 0)
    const buckets = [...Map.groupBy(hits, ({ block }) => block)].map(([key, members]) => ({
      key,
      doc_count: members.length,
      check: { value: sumOf(members) },
    }))
    const list = question['size'] === 0 ? [] : hits
    return {
      hits: { total: { value: hits.length, relation: 'eq' }, hits: list },
      aggregations: { check: { value: sumOf(hits) }, blocks: { sum_other_doc_count: 0, buckets } },
    }
  }

  async function takeBulk(request: IncomingMessage, response: ServerResponse): Promise<void> {
    counters.requests++
    const mode = failures.take()
    if (mode === 'drop-while-writing') return void request.socket.destroy()
    const body = await readBody(request, maxBodyBytes)
    if (body === 'too-large' || mode === 'too-large') return sendHtml(response, 413)
    counters.bytes += body.length
    const planned = answers.shift()
    if (planned !== undefined) return sendJson(response, planned.status, planned.body, planned.headers)
    switch (mode) {
      case 'drop-before-storing':
        return void request.socket.destroy()
      case 'timeout-before-storing':
        return
      case '500-before-storing':
        return sendJson(response, 500, { error: { type: 'internal' }, status: 500 })
      case 'not-json-before-storing':
        return sendHtml(response, 200)
      case 'busy':
        return sendJson(response, 503, { error: { type: 'unavailable_shards_exception' }, status: 503 })
      case 'too-many':
        return sendJson(
          response,
          429,
          { error: { type: 'es_rejected_execution_exception' }, status: 429 },
          { 'retry-after': '0' },
        )
      case 'wrong-token':
        return sendJson(response, 401, { error: { type: 'security_exception' }, status: 401 })
      case 'redirect':
        return sendHtml(response, 302, { location: 'http://127.0.0.1:9/login?session=1' })
      default:
    }
    const reply = bulk(body)
    switch (mode) {
      case 'drop-after-storing':
        return void request.socket.destroy()
      case 'timeout-after-storing':
        return
      case '500-after-storing':
        return sendJson(response, 500, { error: { type: 'internal' }, status: 500 })
      case 'html-502-after-storing':
        return sendHtml(response, 502)
      case 'garbled-after-storing':
        return sendJson(response, 200, JSON.stringify(reply).slice(0, 20))
      case 'cut-after-storing':
        return sendCut(response, JSON.stringify(reply))
      case 'slow':
        await new Promise((resolve) => setTimeout(resolve, 150))
        break
      default:
    }
    sendJson(response, 200, reply)
  }

  const listening = await listen(handle, options.port)
  fake.url = listening.url
  return fake
}
