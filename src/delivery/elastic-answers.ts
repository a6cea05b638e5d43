import { isTooLarge } from './batch-limit.ts'
import type { Answer, Outcome } from './destination.ts'
import { httpOutcome } from './http-answers.ts'

/**
 * What a `_bulk` answer means. Items are matched by id, never by position or count, but to tell a pipeline that changes ids. In doubt is cheap here: the same bytes are sent
 * again, and a document that is already there answers 409, which is compared by digest before it counts as ours.
 */

/** As it came: `_id` and `status` are checked, the others may be anything. */
interface Item {
  _id: string
  status: number
  _index?: unknown
  result?: unknown
  failure_store?: unknown
  error?: unknown
}

/** One outcome per id, in order. `index`: the one they were sent to. */
export function classifyBulk(answer: Answer, ids: readonly string[], index: string, bodyBytes: number): Outcome[] {
  const all = (outcome: Outcome): Outcome[] => ids.map(() => outcome)
  if (answer.kind !== 'answer') return all(connectionOutcome(answer, ids.length, bodyBytes))
  const { status } = answer
  if (status !== 200) return all(requestOutcome(answer, ids.length))
  const done: Outcome = { kind: 'delivered', receipt: { by: 'create', index } }
  if (isAllCreated(answer.body, ids, index)) return all(done)
  const items = readItems(answer.body)
  if (items === undefined) return all({ kind: 'in_doubt', reason: 'HTTP 200 without a bulk answer' })
  let byId: Map<string, Item> | undefined
  return ids.map((id, i) => {
    // Items come in the order of the request, nearly always: then the ids agree here, and no map is needed.
    let item = items[i]
    if (item?._id !== id) {
      byId ??= new Map(items.map((other) => [other._id, other]))
      item = byId.get(id)
    }
    if (item === undefined) return unnamed(items.length === ids.length ? items[i] : undefined, ids)
    return isPlainSuccess(item, index) ? done : itemOutcome(item, index)
  })
}

/**
 * Of a member that no item names. Where there are as many items as members and the one in its place has an id that nobody sent, a
 * pipeline changes ids: sent again it could be stored once more, under one more id.
 */
function unnamed(inItsPlace: Item | undefined, ids: readonly string[]): Outcome {
  return inItsPlace === undefined || ids.includes(inItsPlace._id)
    ? { kind: 'in_doubt', reason: 'the answer does not name this id' }
    : { kind: 'refused', reason: `answered as ${inItsPlace._id.slice(0, 100)}: a pipeline changes ids` }
}

/**
 * Whether the answer is this: one item per id, in order, all alike but for the id, and each a plain success. Nearly every answer is, and
 * comparing text costs a seventh of parsing it (0.06 us a record).
 */
function isAllCreated(body: string, ids: readonly string[], index: string): boolean {
  const [first = '', second = first] = ids
  const start = body.indexOf('{"create":')
  const at = body.indexOf(first, start)
  const end = body.indexOf('}}', at) + 2
  if (start < 0 || at < 0 || end < 2) return false
  const before = body.slice(start, at)
  const after = body.slice(at + first.length, end)
  const all = `${before}${ids.join(`${after},${before}`)}${after}`
  if (body.slice(start, start + all.length) !== all) return false // twice as fast as startsWith
  // What is repeated is read once with each of two ids, so the id is known to stand where it should; and so is what is around the items.
  return [first, second].every((id) => {
    const items = readItems(`${body.slice(0, start)}${before}${id}${after}${body.slice(start + all.length)}`)
    const [item] = items ?? []
    return items?.length === 1 && item?._id === id && isPlainSuccess(item, index)
  })
}

function isPlainSuccess({ status, result, _index, failure_store }: Item, index: string): boolean {
  return status === 201 && result === 'created' && _index === index && failure_store === undefined
}

/** http.max_content_length shows as a reset while we write (elasticsearch#11899): a large body is halved before it is tried again. */
function connectionOutcome(answer: Exclude<Answer, { kind: 'answer' }>, count: number, bodyBytes: number): Outcome {
  const outcome = httpOutcome(answer)
  const tooLarge = answer.kind === 'failure' && isTooLarge(answer, bodyBytes) && count > 1
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
    const reason = `HTTP 400: ${body.slice(0, 200)}`
    // Not its word about a document: a proxy that wants https, a path that leads nowhere. Nothing would ever be taken that way.
    if (!isError(body)) return { kind: 'in_doubt', reason, block: 'settings' }
    // The request is read while it is carried out, so earlier members may be stored; of one, the answer is definite.
    return count === 1 ? { kind: 'refused', reason } : { kind: 'in_doubt', reason, split: 'halve' }
  }
  if (isBlockStatus(status) && body.includes('cluster_block_exception'))
    return { kind: 'unsent', reason: `HTTP ${status}: cluster block`, block: 'cluster_block' }
  if (status === 404 && body.includes('index_not_found'))
    return { kind: 'unsent', reason: 'HTTP 404: no such index', block: 'index' }
  return httpOutcome(answer)
}

function itemOutcome(item: Item, index: string): Outcome {
  const { status, error } = item
  const type = isObject(error) ? text(error['type']) : ''
  const reason = `${status} ${type} ${isObject(error) ? text(error['reason']) : ''}`.trim().slice(0, 300)
  if (typeof item._index === 'string' && item._index !== index)
    return { kind: 'refused', reason: `stored in ${item._index} instead of ${index}: a pipeline reroutes` }
  if (item.failure_store === 'used') return { kind: 'refused', reason: 'went to the failure store, not to the index' }
  if (status === 201 && item.result === 'created') return { kind: 'delivered', receipt: { by: 'create', index } }
  if (status === 200 && item.result === 'noop') return { kind: 'refused', reason: 'dropped by an ingest pipeline' }
  if (status === 409) return { kind: 'in_doubt', reason: 'a document of this id is there', held: true }
  // A pipeline's `fail` is answered with 500, and ends before anything is stored.
  if (status === 413 || type === 'fail_processor_exception') return { kind: 'refused', reason }
  if (isBlockStatus(status) && type === 'cluster_block_exception')
    return { kind: 'unsent', reason, block: 'cluster_block' }
  if (status === 429) return { kind: 'unsent', reason }
  if (status === 403) return { kind: 'unsent', reason, block: 'credentials' }
  if (status === 404 || ofIndex.has(type)) return { kind: 'unsent', reason, block: 'index' }
  if (type === 'illegal_argument_exception' && (noPipeline.test(reason) || noIds.test(reason)))
    return { kind: 'unsent', reason, block: 'settings' }
  if (status >= 400 && status < 500) return { kind: 'refused', reason }
  return { kind: 'in_doubt', reason }
}

/** As a server says what is wrong with a request that it understood; where no handler is found the error is a mere text. */
function isError(body: string): boolean {
  try {
    return text(dig(JSON.parse(body), 'error', 'type')) !== ''
  } catch {
    return false
  }
}

/** The block of a full disk is 429, since a node takes it away when there is room again; those of administrators are 403. */
const isBlockStatus = (status: number): boolean => status === 403 || status === 429

/** Answered with 400, and no fault of the document: the index is closed, or the cluster has no shard left for the index of a new month. */
const ofIndex = new Set(['index_closed_exception', 'validation_exception'])

/** What is told by its words only, and would have every document refused: a pipeline that is gone, a collection that takes no ids of ours. */
const noPipeline = /pipeline with id \[[^[\]]*\] does not exist/
export const noIds = /Document ID is not supported/

/** The `create` members of an answer that have an id and a status; undefined when it is no bulk answer. */
function readItems(body: string): Item[] | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return undefined
  }
  if (!isObject(parsed) || !Array.isArray(parsed['items'])) return undefined
  const items: Item[] = []
  for (const entry of parsed['items'] as unknown[]) {
    const create = isObject(entry) ? entry['create'] : undefined
    if (isItem(create)) items.push(create)
  }
  return items
}

function isItem(value: unknown): value is Item {
  return isObject(value) && typeof value['_id'] === 'string' && typeof value['status'] === 'number'
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The value at a path of keys; undefined where there is none. */
export function dig(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce((inner, key) => (isObject(inner) ? inner[key] : undefined), value)
}
