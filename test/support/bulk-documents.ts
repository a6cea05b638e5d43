import { type Bodies, createBodies, type Span } from './bodies.ts'

/** The documents of an Elasticsearch of our own: one per index and id. Sources are kept compressed, what searches ask for beside them. */

interface Document {
  hash: string
  at: Span | undefined
  /** Absent in what is no record of ours: a canary, a foreign document without these members. */
  place: Place | undefined
}

interface Place {
  ledger: string
  seq: number
  check: number
  block: number
}

export interface BulkItem {
  index: string
  id: string
  /** Parses; only when it is asked for. */
  source(): unknown
}

export interface BulkDocuments {
  /** The actions of a `_bulk` body, in order, each with a way to make its document: false when one is there. */
  read(body: Buffer): (BulkItem & { create(): boolean })[]
  plant(index: string, id: string, source: string): void
  forget(id: string): boolean
  /** In this index, or in any. */
  hash(id: string, index?: string): string | undefined
  source(id: string, index?: string): Record<string, unknown> | undefined
  all(): { index: string; id: string }[]
  indexes(): string[]
  copies(id: string): number
  search(question: Record<string, unknown>): unknown
}

const idMark = Buffer.from('"_id":"')
const indexMark = Buffer.from('"_index":"')
const hashMark = Buffer.from('"hash":"')

export function createBulkDocuments(keep: 'bytes' | 'ids', maxDocuments: number): BulkDocuments {
  const store = new Map<string, Map<string, Document>>()
  const bodies: Bodies = createBodies()
  let stored = 0

  function indexOf(name: string): Map<string, Document> {
    const docs = store.get(name) ?? new Map<string, Document>()
    store.set(name, docs)
    return docs
  }

  /** Reads text after a mark, without parsing: a benchmark's receiver should not be what is measured. */
  function after(line: Buffer, mark: Buffer): string {
    const at = line.indexOf(mark) + mark.length
    return at < mark.length ? '' : line.toString('latin1', at, line.indexOf(0x22, at))
  }

  function make(source: Buffer, at: () => Span): Document {
    if (keep === 'ids') return { hash: after(source, hashMark), at: undefined, place: undefined }
    return { hash: after(source, hashMark), at: at(), place: placeOf(source) }
  }

  const find = (id: string, index?: string): Document | undefined =>
    index === undefined
      ? [...store.values()].map((docs) => docs.get(id)).find((doc) => doc !== undefined)
      : store.get(index)?.get(id)

  return {
    read(body) {
      const items: (BulkItem & { create(): boolean })[] = []
      let ref: number | undefined
      for (let at = 0; at < body.length;) {
        const actionEnd = body.indexOf(0x0a, at)
        const sourceEnd = body.indexOf(0x0a, actionEnd + 1)
        if (actionEnd < 0 || sourceEnd < 0) throw new Error('the last line does not end')
        const action = body.subarray(at, actionEnd)
        const source = body.subarray(actionEnd + 1, sourceEnd)
        const id = after(action, idMark)
        const index = after(action, indexMark)
        items.push({
          id,
          index,
          source: () => JSON.parse(source.toString()),
          create() {
            const docs = indexOf(index)
            if (docs.has(id)) return false
            if (++stored > maxDocuments) throw new Error('the fake is full')
            const place = (): Span => ({ body: (ref ??= bodies.keep(body)), from: actionEnd + 1, to: sourceEnd })
            docs.set(id, make(source, place))
            return true
          },
        })
        at = sourceEnd + 1
      }
      return items
    },
    plant(index, id, text) {
      const source = Buffer.from(text)
      indexOf(index).set(
        id,
        make(source, () => ({ body: bodies.keep(source), from: 0, to: source.length })),
      )
    },
    forget: (id) => [...store.values()].some((docs) => docs.delete(id)),
    hash: (id, index) => find(id, index)?.hash,
    source(id, index) {
      const at = find(id, index)?.at
      return at === undefined ? undefined : (JSON.parse(bodies.read(at).toString()) as Record<string, unknown>)
    },
    all: () => [...store].flatMap(([index, docs]) => [...docs.keys()].map((id) => ({ index, id }))),
    indexes: () => [...store.keys()],
    copies: (id) => [...store.values()].filter((docs) => docs.has(id)).length,
    search(question) {
      const text = JSON.stringify(question)
      const wanted = /"ids":\{"values":\["([^"]+)"\]/.exec(text)?.[1]
      if (wanted !== undefined) return { hits: { total: { value: this.copies(wanted), relation: 'eq' } } }
      if (keep === 'ids') throw new Error('searching needs keep: bytes')
      const ledger = /"proofline.ledger":"([^"]+)"/.exec(text)?.[1]
      const [, gte = '0', lte = '0'] = /"gte":(\d+),"lte":(\d+)/.exec(text) ?? []
      const hits: { _index: string; _id: string; place: Place }[] = []
      for (const [_index, docs] of store)
        for (const [_id, { place }] of docs)
          if (place?.ledger === ledger && place !== undefined && place.seq >= Number(gte) && place.seq <= Number(lte))
            hits.push({ _index, _id, place })
      const sumOf = (some: typeof hits): number => some.reduce((total, { place }) => total + place.check, 0)
      const buckets = [...Map.groupBy(hits, ({ place }) => place.block)].map(([key, members]) => ({
        key,
        doc_count: members.length,
        check: { value: sumOf(members) },
      }))
      const list =
        question['size'] === 0
          ? []
          : hits.map(({ _index, _id }) => ({
              _index,
              _id,
              ...(question['_source'] === false ? {} : { _source: this.source(_id, _index) }),
            }))
      return {
        hits: { total: { value: hits.length, relation: 'eq' }, hits: list },
        aggregations: { check: { value: sumOf(hits) }, blocks: { sum_other_doc_count: 0, buckets } },
      }
    },
  }
}

/** What our searches ask for. Also proves that the source parses. */
function placeOf(source: Buffer): Place | undefined {
  const { event, proofline } = JSON.parse(source.toString()) as {
    event?: { sequence?: number }
    proofline?: { ledger: string; check: number; block: number }
  }
  if (proofline === undefined) return undefined
  return {
    ledger: proofline.ledger,
    seq: event?.sequence ?? -1,
    check: proofline.check,
    block: proofline.block,
  }
}
