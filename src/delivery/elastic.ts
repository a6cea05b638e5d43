import { createBodyMemory, keptBodies } from './body.ts'
import { classifyBulk, dig } from './elastic-answers.ts'
import { elasticBase, type ElasticRendering, elasticIndex, renderElastic } from './elastic-render.ts'
import type { Answer, Destination, Finding } from './destination.ts'
import { createElasticMeasure, describeAnswer } from './elastic-measure.ts'
import type { StoredRecord } from '../ledger/read.ts'
import type { Outgoing } from './outgoing.ts'
import { sendWith, type Source } from './source.ts'
import { type ElasticCredential, elasticHeaders } from './wire.ts'

export interface ElasticDeps {
  rendering: ElasticRendering
  outgoing: Outgoing
  credential: Source<ElasticCredential>
  requestTimeoutMs: number
  pipeline: string | undefined
}

/** Only what is read: the whole answer would be as long as the request. */
const filter =
  'filter_path=errors,items.*._index,items.*._id,items.*.status,items.*.result,items.*.failure_store,items.*.error.type,items.*.error.reason'

/** Elasticsearch and OpenSearch by `_bulk`. */
export function createElastic(deps: ElasticDeps): Destination {
  const { rendering, outgoing, credential } = deps
  const memory = createBodyMemory(keptBodies)
  const bulkPath = `/_bulk?${filter}${deps.pipeline === undefined ? '' : `&pipeline=${encodeURIComponent(deps.pipeline)}`}`

  async function ask(path: string, question: unknown, signal: AbortSignal): Promise<Answer> {
    const body = Buffer.from(JSON.stringify(question))
    const request = { method: 'POST', path, body, timeoutMs: deps.requestTimeoutMs } as const
    return sendWith(credential, (known) =>
      outgoing.request({ ...request, headers: elasticHeaders(known, 'application/json') }, signal),
    )
  }

  /** The index by ledger and day: printing a time for every record would cost a tenth of the forwarding. */
  const targets = new Map<string, { day: number; index: string }>()
  const dayMicros = 86_400_000_000

  function target(record: StoredRecord): string {
    const day = Math.floor(record.recordedAt / dayMicros)
    const known = targets.get(record.ledger)
    if (known?.day === day) return known.index
    const index = elasticIndex(rendering, record)
    targets.set(record.ledger, { day, index })
    return index
  }

  return {
    ...createElasticMeasure({ ask, target, pattern: (ledger) => `${elasticBase(rendering, ledger)}-*` }),
    target,
    render: (records, attempt) => renderElastic(rendering, records, attempt, memory),
    async send({ attempt, body }, signal) {
      const { sendBeforeMs, deadlineMs } = attempt
      const request = { method: 'POST', path: bulkPath, body, sendBeforeMs, deadlineMs } as const
      let tries = 0
      let letGo = 0
      const answer = await sendWith(credential, (known) => {
        tries++
        const headers = elasticHeaders(known, 'application/x-ndjson')
        return outgoing.request({ ...request, headers, left: () => letGo++ }, signal)
      })
      // Not before the last try that may read it.
      if (letGo === tries) memory.giveBack(body)
      return answer
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
      const records = await attempt.records()
      const docs = records.map(({ id }) => ({ _index: attempt.target, _id: id }))
      const path = '/_mget?_source_includes=event.hash&filter_path=docs._id,docs.found,docs._source,docs.error.type'
      return readDocs(attempt.target, records, await ask(path, { docs }, signal))
    },
    async cluster(signal) {
      const request = { method: 'GET', path: '/', timeoutMs: Math.min(deps.requestTimeoutMs, patienceMs) } as const
      const answer = await sendWith(credential, (known) =>
        outgoing.request({ ...request, headers: elasticHeaders(known, 'application/json') }, signal),
      )
      return readCluster(answer)
    },
    certificates: () => outgoing.certificates(),
    close: () => outgoing.close(),
  }
}

/** Delivery waits for it before it begins, and does without it. */
const patienceMs = 5_000

/**
 * `cluster_uuid` of GET /, which needs the privilege `monitor`: OpenSearch has it too, its serverless collections have no such route.
 * Elastic's serverless moves projects between clusters as it likes. `_na_` is what a node says that is in none yet.
 */
function readCluster(answer: Answer): string | undefined {
  if (answer.kind !== 'answer' || answer.status !== 200) return undefined
  try {
    const told: unknown = JSON.parse(answer.body)
    const uuid = dig(told, 'cluster_uuid')
    const isOne = typeof uuid === 'string' && uuid !== '' && uuid !== '_na_' && uuid.length <= 64
    return isOne && dig(told, 'version', 'build_flavor') !== 'serverless' ? uuid : undefined
  } catch {
    return undefined
  }
}

/** `_mget` is realtime: what it does not find was not there when it looked. */
function readDocs(target: string, records: readonly StoredRecord[], answer: Answer): Finding[] {
  const unknown = (reason: string): Finding[] => records.map(() => ({ kind: 'unknown', reason }))
  if (answer.kind !== 'answer' || answer.status !== 200) return unknown(describeAnswer(answer))
  let parsed: unknown
  try {
    parsed = JSON.parse(answer.body)
  } catch {
    return unknown('the answer does not parse')
  }
  const docs = dig(parsed, 'docs')
  if (!Array.isArray(docs)) return unknown('the answer holds no documents')
  const byId = new Map((docs as unknown[]).map((doc) => [dig(doc, '_id'), doc]))
  return records.map(({ id }): Finding => {
    const doc = byId.get(id)
    const found = dig(doc, 'found')
    const digest = dig(doc, '_source', 'event', 'hash')
    if (found === true) {
      // Without a hash it is no document of ours.
      return {
        kind: 'present',
        copies: 1,
        digest: typeof digest === 'string' ? digest : 'none',
        receipt: { by: 'compare', index: target },
      }
    }
    const error = dig(doc, 'error', 'type')
    // An index is made by its first document, so one that is not there has held none.
    return found === false || error === 'index_not_found_exception'
      ? { kind: 'absent' }
      : { kind: 'unknown', reason: `_mget: ${JSON.stringify(error ?? 'no answer')}` }
  })
}
