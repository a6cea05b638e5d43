import { hash } from 'node:crypto'
import type { LedgerName } from '../record/record.ts'
import type { StoredRecord } from '../ledger/read.ts'
import type { Answer, SeqRange, Sum } from './destination.ts'
import { dig, isObject } from './elastic-answers.ts'

/** What is there, computed over there by `_search`; and read back by `_mget`. Everything rejects when it cannot be known. */

export interface ElasticMeasure {
  /** Sends a JSON question to a path of the cluster. */
  ask(path: string, question: unknown, signal: AbortSignal): Promise<Answer>
  /** The indices that can hold records of the ledger. */
  pattern(ledger: LedgerName): string
  /** The index that holds this record. */
  target(record: StoredRecord): string
}

const pageSize = 1_000
/** About 1 MiB of answer. */
const originalsAtOnce = 256
/** Buckets of one answer; Elasticsearch's own limit is 65,536. */
const maxBlocks = 10_000

export function createElasticMeasure({ ask, pattern, target }: ElasticMeasure) {
  async function search(range: SeqRange, extra: object, signal: AbortSignal): Promise<unknown> {
    const filter = [
      { term: { 'proofline.ledger': range.ledger } },
      { range: { 'event.sequence': { gte: range.first, lte: range.last } } },
    ]
    const path = `/${pattern(range.ledger)}/_search?allow_partial_search_results=false`
    return parse(await ask(path, { query: { bool: { filter } }, track_total_hits: true, ...extra }, signal))
  }

  const check = { check: { sum: { field: 'proofline.check' } } }

  return {
    async sum(range: SeqRange, signal: AbortSignal): Promise<Sum> {
      const found = await search(range, { size: 0, aggs: check }, signal)
      if (isEmpty(found)) return { count: 0, checkSum: 0 }
      return toSum(dig(found, 'hits', 'total', 'value'), dig(found, 'aggregations', 'check', 'value'))
    },
    async sumBlocks(range: SeqRange, signal: AbortSignal): Promise<Map<number, Sum>> {
      const blocks = { terms: { field: 'proofline.block', size: maxBlocks }, aggs: check }
      const found = await search(range, { size: 0, aggs: { blocks } }, signal)
      const sums = new Map<number, Sum>()
      if (isEmpty(found)) return sums
      if (dig(found, 'aggregations', 'blocks', 'sum_other_doc_count') !== 0)
        throw new Error('there are more blocks than one answer holds')
      for (const bucket of listOf(dig(found, 'aggregations', 'blocks', 'buckets'))) {
        sums.set(Number(dig(bucket, 'key')), toSum(dig(bucket, 'doc_count'), dig(bucket, 'check', 'value')))
      }
      return sums
    },
    async ids(range: SeqRange, signal: AbortSignal): Promise<Map<string, number>> {
      const copies = new Map<string, number>()
      for (let first = range.first; first <= range.last; first += pageSize) {
        // One id per index at most, so a page of sequence numbers holds few more hits than numbers.
        const page = { ledger: range.ledger, first, last: Math.min(range.last, first + pageSize - 1) }
        const found = await search(page, { size: 10_000, _source: false }, signal)
        const hits = listOf(dig(found, 'hits', 'hits'))
        if (dig(found, 'hits', 'total', 'value') !== hits.length)
          throw new Error('there are more documents than one answer holds')
        for (const hit of hits) {
          const id = dig(hit, '_id')
          if (typeof id === 'string') copies.set(id, (copies.get(id) ?? 0) + 1)
        }
      }
      return copies
    },
    async originals(range: SeqRange, signal: AbortSignal): Promise<Map<string, Uint8Array>> {
      const originals = new Map<string, Uint8Array>()
      for (let first = range.first; first <= range.last; first += originalsAtOnce) {
        const page = { ledger: range.ledger, first, last: Math.min(range.last, first + originalsAtOnce - 1) }
        const found = await search(page, { size: 10_000, _source: ['event.original'] }, signal)
        for (const hit of listOf(dig(found, 'hits', 'hits'))) {
          const [id, original] = [dig(hit, '_id'), dig(hit, '_source', 'event', 'original')]
          if (typeof id === 'string' && typeof original === 'string') originals.set(id, Buffer.from(original))
        }
      }
      return originals
    },
    async digests(records: readonly StoredRecord[], signal: AbortSignal): Promise<Map<string, string>> {
      const docs = records.map((record) => ({ _index: target(record), _id: record.id }))
      const path = '/_mget?_source_includes=event.original&filter_path=docs._id,docs.found,docs._source,docs.error.type'
      const found = parse(await ask(path, { docs }, signal))
      const digests = new Map<string, string>()
      for (const doc of listOf(dig(found, 'docs'))) {
        const id = dig(doc, '_id')
        const original = dig(doc, '_source', 'event', 'original')
        if (typeof id === 'string' && dig(doc, 'found') === true)
          digests.set(id, typeof original === 'string' ? hash('sha256', original, 'hex') : 'no event.original')
      }
      return digests
    },
  }
}

/** Where no index fits the pattern, as after a deletion over there, the answer has a total of 0 and no aggregations at all. */
const isEmpty = (found: unknown): boolean => dig(found, 'hits', 'total', 'value') === 0

function toSum(count: unknown, checkSum: unknown): Sum {
  if (typeof count !== 'number' || typeof checkSum !== 'number')
    throw new Error('the search was answered without count and sum')
  return { count, checkSum }
}

function parse(answer: Answer): unknown {
  if (answer.kind !== 'answer' || answer.status !== 200)
    throw new Error(`the search was not answered: ${describeAnswer(answer)}`)
  const parsed: unknown = JSON.parse(answer.body)
  if (!isObject(parsed)) throw new Error('the search was answered without an object')
  return parsed
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('the search was answered without a list')
  return value as readonly unknown[]
}

export function describeAnswer(answer: Answer): string {
  if (answer.kind === 'expired') return 'not begun in time'
  return answer.kind === 'failure' ? `${answer.phase} ${answer.address}: ${answer.code}` : `HTTP ${answer.status}`
}
