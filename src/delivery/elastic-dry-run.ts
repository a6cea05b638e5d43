import type { StoredRecord } from '../ledger/read.ts'
import { encodeRecord } from '../record/record.ts'
import { type ElasticAdmin, dig, errorOf } from './elastic-admin.ts'
import { renderElastic } from './elastic-render.ts'
import type { Verdict } from './preflight.ts'

/**
 * Has Elasticsearch go through everything that it would do with a document of ours, pipelines and mapping, without storing it: a canary has
 * few fields, and what a mapping or a pipeline does to a real record would show with the first refused one.
 */
export async function dryRunVerdict(
  admin: ElasticAdmin,
  index: string,
  { publicHost, now }: { publicHost: string; now: () => Date },
): Promise<Verdict> {
  const record = sampleRecord(now())
  const rendered = renderElastic({ publicHost, indexes: {} }, [record], noAttempt)
  const source: unknown = JSON.parse(rendered.body.toString().split('\n')[1] ?? '')
  const answer = await admin.ask('POST', '/_ingest/_simulate', {
    docs: [{ _index: index, _id: record.id, _source: source }],
  })
  if (answer.status === 403)
    return { result: 'skipped', detail: 'the credential may not simulate (index privilege create or index)' }
  if (answer.status !== 200)
    return { result: 'skipped', detail: 'this server has no dry run of a document (Elasticsearch 8.12 and newer have)' }
  const doc = dig(answer.body, 'docs', '0', 'doc')
  const wrong = wrongWith(doc, record.id, index, source)
  if (wrong !== undefined) return { result: 'failed', detail: wrong }
  const pipelines = dig(doc, 'executed_pipelines')
  const through = Array.isArray(pipelines) && pipelines.length > 0 ? `, through ${pipelines.join(', ')}` : ''
  return { result: 'ok', detail: `a record is taken as it is${through}` }
}

function wrongWith(doc: unknown, id: string, index: string, source: unknown): string | undefined {
  if (dig(doc, 'error') !== undefined) return `a record would be refused: ${errorOf({ status: 400, body: doc })}`
  if (dig(doc, 'result') === 'noop') return 'a record would be dropped by an ingest pipeline'
  const [toIndex, toId] = [dig(doc, '_index'), dig(doc, '_id')]
  if (toIndex !== index) return `a record would be stored in ${String(toIndex)} instead: a pipeline reroutes`
  if (toId !== id) return `a record would be stored as ${String(toId)} instead: a pipeline changes ids`
  const changed = ['hash', 'original', 'sequence'].find(
    (name) => dig(doc, '_source', 'event', name) !== dig(source, 'event', name),
  )
  if (changed !== undefined) return `a pipeline changes event.${changed}`
  const ignored = dig(doc, 'ignored_fields')
  return Array.isArray(ignored) && ignored.length > 0
    ? `fields of a record would be ignored: ${JSON.stringify(ignored).slice(0, 200)}`
    : undefined
}

const noAttempt = {
  ledger: 'main/unit',
  firstSeq: 0,
  try: 1,
  mark: 0,
  channel: '',
  sendBeforeMs: 0,
  deadlineMs: 0,
} as const

/** A coverage record with every kind of field; never sent as one. */
function sampleRecord(now: Date): StoredRecord {
  const payload = {
    schema: 'proofline.coverage.v1', kind: 'coverage', ledger: 'main/unit', run: 'local.preflight.unit', part: 'lcov.info', ordinal: 0,
    repository: 'preflight.invalid/preflight', commit: '0'.repeat(40), ref: 'refs/heads/main', build: 'preflight', build_seq: 0, suite: 'preflight',
    test_type: 'unit', path: 'src/preflight.ts', blob: '0'.repeat(40), metric: 'line', definition: 'lcov.da@1', tool: { name: 'preflight', version: '1' },
    lines: { found: 3, covered: 1, partial: 1, missed: 1 }, branches: { found: 2, covered: 1 }, functions: { found: 1, covered: 1 },
    artifact_sha256: '0'.repeat(64), ranges: { covered: '1', partial: '2', missed: '3' },
  } // oxfmt-ignore
  const place = { ledger: 'main/unit', seq: 0, recordedAt: now.getTime() * 1000 } as const
  const bytes = encodeRecord(new TextEncoder().encode(JSON.stringify(payload)), place)
  const { id } = JSON.parse(new TextDecoder().decode(bytes)) as { id: string } // as encodeRecord writes it
  const copyTo = (target: Uint8Array, at: number): number => {
    target.set(bytes, at)
    return bytes.length
  }
  return { ...place, id, kind: 'coverage', bytes, size: bytes.length, copyTo }
}
