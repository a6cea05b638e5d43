import { hash } from 'node:crypto'
import type { StoredRecord } from '../ledger/read.ts'
import { blockSize, type LedgerName, ledgerKindOf, maxRecordBytes, type Micros } from '../record/record.ts'
import {
  type BodyMemory,
  createBody,
  createBodyMemory,
  finish,
  put,
  putEscaped,
  putNumber,
  readRawCheck,
  setNumber,
  viewOf,
} from './body.ts'
import { type AttemptId, type Rendered, renderVersion } from './destination.ts'

/** What of the settings reaches the bytes. */
export interface SplunkRendering {
  /** The log's public host name: Splunk's `host`, and the first part of `source`. */
  publicHost: string
  indexes: Readonly<Partial<Record<ReturnType<typeof ledgerKindOf>, string>>>
  eventForm: 'object' | 'string'
}

/** Index and sourcetype, one of each per request: a token that lacks an index then refuses all members of a request alike. */
export function splunkTarget(rendering: SplunkRendering, record: Pick<StoredRecord, 'ledger' | 'kind'>): string {
  return `${splunkIndex(rendering, record.ledger)} proofline:${record.kind}`
}

export function splunkIndex(rendering: SplunkRendering, ledger: LedgerName): string {
  const kind = ledgerKindOf(ledger)
  return rendering.indexes[kind] ?? `proofline_${kind}`
}

/** Seconds with three decimals, cut and not rounded, from integers only. */
export function printSeconds(at: Micros): string {
  const ms = Math.floor(at / 1000)
  const seconds = Math.floor(ms / 1000)
  return `${seconds}.${String(ms - seconds * 1000).padStart(3, '0')}`
}

/** What stands around id and seq in each envelope of a request. */
interface Constants {
  before: string
  ledger: string
  after: string
}

function constantsOf(rendering: SplunkRendering, first: StoredRecord, target: string, mark: number): Constants {
  const json = JSON.stringify
  const index = target.slice(0, target.indexOf(' '))
  const dup = mark > 0 ? ',"proofline_possible_dup":"1"' : ''
  return {
    before:
      `,"host":${json(rendering.publicHost)},"source":${json(`${rendering.publicHost}/${first.ledger}`)},` +
      `"sourcetype":${json(`proofline:${first.kind}`)},"index":${json(index)},"fields":{"proofline_id":"`,
    ledger: `","proofline_ledger":"${first.ledger}","proofline_seq":"`,
    after: `","proofline_attempt":"${1 + mark}"${dup}},"event":`,
  }
}

/** An envelope up to its check, for records of one second and block, and where in it stands what is a record's own. */
interface Front {
  bytes: Buffer
  second: number
  block: number
  ms: number
  id: number
  idLength: number
  seq: number
  seqLength: number
  /** From here on a seq has more digits. */
  below: number
}

/** The record in work: hashed, and copied from here. Used synchronously only. */
const scratch = new Uint8Array(maxRecordBytes)
const scratchView = viewOf(scratch)

/** Where its id stands in a record: `{"id":"..."`. */
const idInRecord = 7

function frontOf({ id, seq }: StoredRecord, second: number, block: number, { before, ledger }: Constants): Front {
  const time = `{"time":${second}.`
  const beforeId = Buffer.from(`${time}000${before}`)
  const rest = Buffer.from(`${id}${ledger}${seq}","proofline_block":"${block}","proofline_check":"`)
  return {
    bytes: Buffer.concat([beforeId, rest]),
    second,
    block,
    ms: time.length,
    id: beforeId.length,
    idLength: id.length,
    seq: beforeId.length + id.length + ledger.length,
    seqLength: String(seq).length,
    below: 10 ** String(seq).length,
  }
}

/**
 * HEC envelopes around the record bytes, one a line. The record is copied, never parsed: at 600 bytes an event parsing and printing
 * would cost more than everything else together (rendering 0.2 us a record, its SHA-256 0.75).
 */
export function renderSplunk(
  rendering: SplunkRendering,
  records: readonly StoredRecord[],
  attempt: AttemptId,
  memory: Pick<BodyMemory, 'take'> = createBodyMemory(0),
): Rendered {
  const [first] = records
  if (first === undefined) throw new Error('an attempt has members')
  const target = splunkTarget(rendering, first)
  const constants = constantsOf(rendering, first, target, attempt.mark)
  const isString = rendering.eventForm === 'string'
  const after = Buffer.from(isString ? `${constants.after}"` : constants.after)
  const end = Buffer.from(isString ? '"}\n' : '}\n')

  let total = 0
  for (const { size } of records) total += size
  const perRecord = constants.before.length + constants.ledger.length + constants.after.length + 300
  const body = createBody(memory, (isString ? 2 : 1) * total + records.length * perRecord)
  let front: Front | undefined
  let hashes = ''
  for (const record of records) {
    const { recordedAt, seq } = record
    const second = Math.floor(recordedAt / 1_000_000)
    const block = Math.floor(seq / blockSize)
    if (front?.second !== second || front.block !== block || seq >= front.below)
      front = frontOf(record, second, block, constants)
    const { at } = body
    const bytes = scratch.subarray(0, record.copyTo(scratch, 0))
    const digest = hash('sha256', bytes, 'latin1')
    hashes += digest
    put(body, front.bytes)
    setNumber(body.view, at + front.ms, Math.floor((recordedAt - second * 1_000_000) / 1000), 3)
    for (let i = 0; i < front.idLength; i++) body.view.setUint8(at + front.id + i, scratchView.getUint8(idInRecord + i))
    setNumber(body.view, at + front.seq, seq, front.seqLength)
    putNumber(body, readRawCheck(digest))
    put(body, after)
    if (isString) putEscaped(body, scratchView, 0, bytes.length)
    else put(body, bytes)
    put(body, end)
  }
  // The bytes follow from these: hashing them instead of half a megabyte saves a sixth of the work of a request.
  const named = `${renderVersion}\n${rendering.eventForm}\n${constants.before}${constants.ledger}${constants.after}\n`
  const digest = Buffer.from(hash('sha256', named + hashes, 'latin1'), 'latin1')
  return { attempt, records, target, body: finish(body), digest }
}
