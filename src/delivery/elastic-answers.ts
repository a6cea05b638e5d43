import type { Answer, Outcome } from './destination.ts'
import { httpOutcome } from './http-answers.ts'

/**
 * What a `_bulk` answer means. Items are matched by id, never by position or count. In doubt is cheap here: the same bytes are sent
 * again, and a document that is already there answers 409, which is compared by digest before it counts as ours.
 */

interface Item {
  status: number
  index: string | undefined
  result: string | undefined
  failureStore: string | undefined
  type: string
  reason: string
}

/** One outcome per id, in order. `index`: the one they were sent to. */
export function classifyBulk(answer: Answer, ids: readonly string[], index: string, bodyBytes: number): Outcome[] {
  const all = (outcome: Outcome): Outcome[] => ids.map(() => outcome)
  if (answer.kind !== 'answer') return all(connectionOutcome(answer, ids.length, bodyBytes))
  const { status } = answer
  if (status !== 200) return all(requestOutcome(answer, ids.length))
  const items = readItems(answer.body)
  if (items === undefined) return all({ kind: 'in_doubt', reason: 'HTTP 200 without a bulk answer' })
  return ids.map((id) => {
    const item = items.get(id)
    return item === undefined
      ? { kind: 'in_doubt', reason: 'the answer does not name this id' }
      : itemOutcome(item, index)
  })
}

/** http.max_content_length shows as a reset while we write (elasticsearch#11899): a large body is halved before it is tried again. */
function connectionOutcome(answer: Exclude<Answer, { kind: 'answer' }>, count: number, bodyBytes: number): Outcome {
  const outcome = httpOutcome(answer)
  const tooLarge =
    answer.kind === 'failure' &&
    answer.phase === 'write' &&
    answer.code !== 'TIMEOUT' &&
    bodyBytes > 1_048_576 &&
    count > 1
  return tooLarge && outcome.kind === 'in_doubt' ? { ...outcome, split: 'halve' } : outcome
}

function requestOutcome(answer: Extract<Answer, { kind: 'answer' }>, count: number): Outcome {
  const { status, body } = answer
  if (status === 413) {
    return count === 1
      ? { kind: 'refused', reason: 'HTTP 413: a single document is over the limit' }
      : { kind: 'unsent', reason: 'HTTP 413', split: 'halve' }
  }
  if (status === 400) {
    // The request is read while it is carried out, so earlier members may be stored; of one, the answer is definite.
    const reason = `HTTP 400: ${body.slice(0, 200)}`
    return count === 1 ? { kind: 'refused', reason } : { kind: 'in_doubt', reason, split: 'halve' }
  }
  if (status === 403 && body.includes('cluster_block_exception'))
    return { kind: 'unsent', reason: 'HTTP 403: cluster block', block: 'cluster_block' }
  if (status === 404 && body.includes('index_not_found'))
    return { kind: 'unsent', reason: 'HTTP 404: no such index', block: 'index' }
  return httpOutcome(answer)
}

function itemOutcome(item: Item, index: string): Outcome {
  const { status, type } = item
  const reason = `${status} ${type} ${item.reason}`.trim().slice(0, 300)
  if (item.index !== undefined && item.index !== index)
    return { kind: 'refused', reason: `stored in ${item.index} instead of ${index}: a pipeline reroutes` }
  if (item.failureStore === 'used') return { kind: 'refused', reason: 'went to the failure store, not to the index' }
  if (status === 201 && item.result === 'created') return { kind: 'delivered', receipt: { by: 'create', index } }
  if (status === 200 && item.result === 'noop') return { kind: 'refused', reason: 'dropped by an ingest pipeline' }
  if (status === 409) return { kind: 'in_doubt', reason: 'a document of this id is there', held: true }
  if (status === 413) return { kind: 'refused', reason }
  if (status === 429) return { kind: 'unsent', reason }
  if (status === 403)
    return { kind: 'unsent', reason, block: type === 'cluster_block_exception' ? 'cluster_block' : 'credentials' }
  if (status === 404) return { kind: 'unsent', reason, block: 'index' }
  if (status >= 400 && status < 500) return { kind: 'refused', reason }
  return { kind: 'in_doubt', reason }
}

function readItems(body: string): Map<string, Item> | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return undefined
  }
  if (!isObject(parsed) || !Array.isArray(parsed['items'])) return undefined
  const items = new Map<string, Item>()
  for (const entry of parsed['items'] as unknown[]) {
    const create = isObject(entry) ? entry['create'] : undefined
    if (!isObject(create) || typeof create['_id'] !== 'string' || typeof create['status'] !== 'number') continue
    const error = create['error']
    items.set(create['_id'], {
      status: create['status'],
      index: text(create['_index']),
      result: text(create['result']),
      failureStore: text(create['failure_store']),
      type: isObject(error) ? (text(error['type']) ?? '') : '',
      reason: isObject(error) ? (text(error['reason']) ?? '') : '',
    })
  }
  return items
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

export { isObject }
