import { hash } from 'node:crypto'
import type { StoredRecord } from '../ledger/read.ts'
import { blockSize, checkOf, type LedgerName, ledgerKindOf, printTime } from '../record/record.ts'
import {
  type Body,
  type BodyMemory,
  createBody,
  createBodyMemory,
  finish,
  latin1Of,
  makeRoom,
  putEscaped,
  putText,
  viewOf,
} from './body.ts'
import { type AttemptId, type Rendered, renderVersion } from './destination.ts'
import { putCoverage, takeRecord } from './elastic-coverage.ts'
import { ecsOf, eventHead, ownOf } from './elastic-document.ts'
import { type CoverageShape, type DocumentFrame, shapeOf } from './elastic-shape.ts'
import { scanMembers } from './members.ts'

/** What of the settings reaches the bytes. */
export interface ElasticRendering {
  publicHost: string
  /** Base name per ledger; the month of recorded_at is put behind it. */
  indexes: Readonly<Partial<Record<ReturnType<typeof ledgerKindOf>, string>>>
}

/** A plain index by ledger and month of the record, so that a retry after midnight or a rollover meets its own document. */
export function elasticIndex(rendering: ElasticRendering, record: Pick<StoredRecord, 'ledger' | 'recordedAt'>): string {
  return `${elasticBase(rendering, record.ledger)}-${printTime(record.recordedAt).slice(0, 7).replace('-', '.')}`
}

export function elasticBase(rendering: ElasticRendering, ledger: LedgerName): string {
  const kind = ledgerKindOf(ledger)
  return rendering.indexes[kind] ?? `proofline-${kind}`
}

/** `_bulk` lines: action, then document, for each record. */
export function renderElastic(
  rendering: ElasticRendering,
  records: readonly StoredRecord[],
  attempt: AttemptId,
  memory: Pick<BodyMemory, 'take'> = createBodyMemory(0),
): Rendered {
  const [first] = records
  if (first === undefined) throw new Error('an attempt has members')
  const target = elasticIndex(rendering, first)
  const { ledger } = first
  const org = ledger.slice(0, ledger.indexOf('/'))
  const frame: DocumentFrame = {
    action: `{"create":{"_index":${JSON.stringify(target)},"_id":"`,
    observer: Buffer.from(
      `},"observer":{"vendor":"Proofline","product":"Proofline","name":${JSON.stringify(rendering.publicHost)}},"organization":{"id":"${org}"}`,
      'utf8',
    ).toString('latin1'),
    proofline: `,"proofline":{"render":${renderVersion},"ledger":"${ledger}","block":`,
  }
  let total = 0
  for (const { size } of records) total += size
  const body = createBody(memory, 3 * total + records.length * 1_000)
  let hashes = ''
  let shape: CoverageShape | undefined
  for (const record of records) {
    const bytes = takeRecord(record)
    const digest = hash('sha256', bytes, 'hex')
    hashes += digest
    if (shape !== undefined && record.kind === 'coverage' && putCoverage(body, shape, record.seq, bytes.length, digest))
      continue
    const members = scanMembers(latin1Of(bytes))
    putRecord(body, frame, record, bytes, members, digest)
    if (record.kind === 'coverage') shape = shapeOf(record, members, frame)
  }
  // The bytes follow from these: hashing them instead of two megabytes saves a fifth of the work of a request.
  const constants = `${renderVersion}\n${frame.action}"${frame.observer}\n`
  const digest = Buffer.from(hash('sha256', constants + hashes, 'latin1'), 'latin1')
  return { attempt, records, target, body: finish(body), digest }
}

/** The general way, for a record of any kind and form. */
function putRecord(
  body: Body,
  { action, observer, proofline }: DocumentFrame,
  { kind, id, seq }: StoredRecord,
  bytes: Uint8Array,
  members: ReadonlyMap<string, string>,
  digest: string,
): void {
  const head =
    `${action}${id}"}}\n{"@timestamp":${members.get('recorded_at') ?? '""'}${eventHead(kind, members)}${id}` +
    `","sequence":${seq},"hash":"${digest}","original":"`
  const tail =
    `"${observer}${ecsOf(kind, members)}${proofline}${Math.floor(seq / blockSize)},` +
    `"check":${checkOf(digest)},"kind":"${kind}"${ownOf(members)}}}\n`
  makeRoom(body, head.length + tail.length + 2 * bytes.length)
  putText(body, head)
  putEscaped(body, viewOf(bytes), 0, bytes.length)
  putText(body, tail)
}
