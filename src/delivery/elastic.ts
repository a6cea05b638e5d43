import { createBodyMemory, keptBodies } from './body.ts'
import { classifyBulk, isObject } from './elastic-answers.ts'
import { elasticBase, type ElasticRendering, elasticIndex, renderElastic } from './elastic-render.ts'
import type { Answer, Attempt, Destination, Finding, Measure, SeqRange } from './destination.ts'
import type { Outgoing } from './outgoing.ts'
import { type ElasticCredential, elasticHeaders } from './wire.ts'

export interface ElasticDeps {
  rendering: ElasticRendering
  outgoing: Outgoing
  credential: ElasticCredential
  requestTimeoutMs: number
  pipeline: string | undefined
}

/** Only what is read: the whole answer would be as long as the request. */
const filter =
  'filter_path=errors,items.*._index,items.*._id,items.*.status,items.*.result,items.*.failure_store,items.*.error.type,items.*.error.reason'
const pageSize = 1_000

/** Elasticsearch and OpenSearch by `_bulk`. */
export function createElastic(deps: ElasticDeps): Destination {
  const { rendering, outgoing, credential } = deps
  const memory = createBodyMemory(keptBodies)
  const bulkPath = `/_bulk?${filter}${deps.pipeline === undefined ? '' : `&pipeline=${encodeURIComponent(deps.pipeline)}`}`

  const headers = (type: string): Record<string, string> => elasticHeaders(credential, type)

  async function ask(path: string, question: unknown, signal: AbortSignal): Promise<Answer> {
    const body = Buffer.from(JSON.stringify(question))
    const request = { method: 'POST', path, headers: headers('application/json'), body } as const
    return outgoing.request({ ...request, timeoutMs: deps.requestTimeoutMs }, signal)
  }

  async function search(range: SeqRange, extra: object, signal: AbortSignal): Promise<Record<string, unknown>> {
    const query = {
      bool: {
        filter: [
          { term: { 'proofline.ledger': range.ledger } },
          { range: { 'event.sequence': { gte: range.first, lte: range.last } } },
        ],
      },
    }
    const path = `/${elasticBase(rendering, range.ledger)}-*/_search?allow_partial_search_results=false`
    const answer = await ask(path, { query, track_total_hits: true, ...extra }, signal)
    if (answer.kind !== 'answer' || answer.status !== 200)
      throw new Error(`the search was not answered: ${describe(answer)}`)
    const parsed: unknown = JSON.parse(answer.body)
    if (!isObject(parsed)) throw new Error('the search was answered without an object')
    return parsed
  }

  /** The index by ledger and day: printing a time for every record would cost a tenth of the forwarding. */
  const targets = new Map<string, { day: number; index: string }>()
  const dayMicros = 86_400_000_000

  return {
    target(record) {
      const day = Math.floor(record.recordedAt / dayMicros)
      const known = targets.get(record.ledger)
      if (known?.day === day) return known.index
      const index = elasticIndex(rendering, record)
      targets.set(record.ledger, { day, index })
      return index
    },
    render: (records, attempt) => renderElastic(rendering, records, attempt, memory),
    send({ attempt, body }, signal) {
      const { sendBeforeMs, deadlineMs } = attempt
      const request = { method: 'POST', path: bulkPath, headers: headers('application/x-ndjson'), body } as const
      return outgoing.request({ ...request, sendBeforeMs, deadlineMs, left: memory.giveBack }, signal)
    },
    classify({ records, target, body }, answer) {
      return classifyBulk(
        answer,
        records.map(({ id }) => id),
        target,
        body.length,
      )
    },
    async look(attempt, signal) {
      const docs = attempt.records.map(({ id }) => ({ _index: attempt.target, _id: id }))
      const path = '/_mget?_source_includes=event.hash&filter_path=docs._id,docs.found,docs._source,docs.error.type'
      return readDocs(attempt, await ask(path, { docs }, signal))
    },
    async measure(range, what, signal): Promise<Measure> {
      if (what === 'sum') {
        const found = await search(range, { size: 0, aggs: { check: { sum: { field: 'proofline.check' } } } }, signal)
        const count = dig(found, 'hits', 'total', 'value')
        const checkSum = dig(found, 'aggregations', 'check', 'value')
        if (typeof count !== 'number' || typeof checkSum !== 'number')
          throw new Error('the search was answered without count and sum')
        return { kind: 'sum', count, checkSum, complete: true }
      }
      const copies = new Map<string, number>()
      for (let first = range.first; first <= range.last; first += pageSize) {
        // One id per index at most, so a page of sequence numbers holds few more hits than numbers.
        const page = { ledger: range.ledger, first, last: Math.min(range.last, first + pageSize - 1) }
        const found = await search(page, { size: 10_000, _source: false }, signal)
        const hits = dig(found, 'hits', 'hits')
        if (!Array.isArray(hits)) throw new Error('the search was answered without hits')
        for (const hit of hits as unknown[]) {
          const id = isObject(hit) ? hit['_id'] : undefined
          if (typeof id === 'string') copies.set(id, (copies.get(id) ?? 0) + 1)
        }
      }
      return { kind: 'ids', copies, complete: true }
    },
    close: () => outgoing.close(),
  }
}

function dig(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce((inner, key) => (isObject(inner) ? inner[key] : undefined), value)
}

function describe(answer: Answer): string {
  if (answer.kind === 'expired') return 'not begun in time'
  return answer.kind === 'failure' ? `${answer.phase} ${answer.address}: ${answer.code}` : `HTTP ${answer.status}`
}

/** `_mget` is realtime: what it does not find was not there when it looked. */
function readDocs(attempt: Attempt, answer: Answer): Finding[] {
  const unknown = (reason: string): Finding[] => attempt.records.map(() => ({ kind: 'unknown', reason }))
  if (answer.kind !== 'answer' || answer.status !== 200) return unknown(describe(answer))
  let parsed: unknown
  try {
    parsed = JSON.parse(answer.body)
  } catch {
    return unknown('the answer does not parse')
  }
  const docs = dig(parsed, 'docs')
  if (!Array.isArray(docs)) return unknown('the answer holds no documents')
  const byId = new Map((docs as unknown[]).map((doc) => [dig(doc, '_id'), doc]))
  return attempt.records.map(({ id }): Finding => {
    const doc = byId.get(id)
    const found = dig(doc, 'found')
    const digest = dig(doc, '_source', 'event', 'hash')
    if (found === true) {
      // Without a hash it is no document of ours.
      return {
        kind: 'present',
        copies: 1,
        digest: typeof digest === 'string' ? digest : 'none',
        receipt: { by: 'compare', index: attempt.target },
      }
    }
    return found === false
      ? { kind: 'absent' }
      : { kind: 'unknown', reason: `_mget: ${JSON.stringify(dig(doc, 'error', 'type') ?? 'no answer')}` }
  })
}
