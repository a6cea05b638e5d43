import { hash } from 'node:crypto'
import type { StoredRecord } from '../ledger/read.ts'
import { blockSize, checkOf, type LedgerName, ledgerKindOf, type Micros } from '../record/record.ts'
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

/**
 * HEC envelopes around the record bytes, one a line. The record is copied, never parsed: at 600 bytes an event parsing and printing
 * would cost more than everything else together.
 */
export function renderSplunk(
  rendering: SplunkRendering,
  records: readonly StoredRecord[],
  attempt: AttemptId,
): Rendered {
  const [first] = records
  if (first === undefined) throw new Error('an attempt has members')
  const target = splunkTarget(rendering, first)
  const index = target.slice(0, target.indexOf(' '))
  const json = JSON.stringify
  const before =
    `,"host":${json(rendering.publicHost)},"source":${json(`${rendering.publicHost}/${first.ledger}`)},` +
    `"sourcetype":${json(`proofline:${first.kind}`)},"index":${json(index)},"fields":{"proofline_id":"`
  const ledger = `","proofline_ledger":"${first.ledger}","proofline_seq":"`
  const dup = attempt.mark > 0 ? ',"proofline_possible_dup":"1"' : ''
  const after = `","proofline_attempt":"${1 + attempt.mark}"${dup}},"event":`

  let size = 0
  for (const record of records) size += record.bytes.length
  const slack = records.length * (before.length + ledger.length + after.length + 200)
  let body = Buffer.allocUnsafe(rendering.eventForm === 'string' ? 6 * size + slack : size + slack)
  let at = 0
  let hashes = ''
  for (const record of records) {
    const digest = hash('sha256', record.bytes, 'hex')
    hashes += digest
    const { seq } = record
    const head =
      `{"time":${printSeconds(record.recordedAt)}${before}${record.id}${ledger}${seq}` +
      `","proofline_block":"${Math.floor(seq / blockSize)}","proofline_check":"${checkOf(digest)}${after}`
    at += body.write(head, at)
    if (rendering.eventForm === 'object') {
      body.set(record.bytes, at)
      at += record.bytes.length
    } else {
      at += body.write(json(Buffer.from(record.bytes).toString('utf8')), at)
    }
    body[at++] = 0x7d // }
    body[at++] = 0x0a
  }
  body = body.subarray(0, at)
  // The bytes follow from these: hashing them instead of half a megabyte saves a sixth of the work of a request.
  const constants = `${renderVersion}\n${rendering.eventForm}\n${before}${ledger}${after}\n`
  return { attempt, records, target, body, digest: Buffer.from(hash('sha256', constants + hashes, 'latin1'), 'latin1') }
}
