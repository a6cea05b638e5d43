import { randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { Reader, StoredRecord } from '../ledger/read.ts'
import type { LedgerName } from '../record/record.ts'
import type { Destination } from './destination.ts'
import { isSelected } from './plan-cut.ts'
import { selectOf } from './select.ts'
import type { DestinationSettings } from './settings.ts'

/** What a destination would get a day, from what was recorded: rendered as it would be, not guessed. Reads only. */

export interface Estimate {
  ledger: LedgerName
  /** How many days were looked at: fewer than asked for when the ledger is younger. */
  days: number
  /** Records of that time, those that were looked into, and how many of them the destination selects. */
  recorded: number
  sampled: number
  selected: number
  /** A day; bytes that are kept (Splunk: what the license counts), and bytes of the requests as they are sent. */
  records: number
  storedBytes: number
  wireBytes: number
}

export interface EstimateDeps {
  reader: Pick<Reader, 'published' | 'seqAt' | 'readBatch'>
  destination: Pick<Destination, 'target' | 'render'>
  settings: DestinationSettings
  now: () => Date
}

const dayMicros = 86_400_000_000
const shortestDays = 1 / 24
const pieces = 20
const pieceRecords = 50

/** Undefined for a ledger of which nothing goes there, and for one without a record in that time. */
export async function estimateLedger(
  { reader, destination, settings, now }: EstimateDeps,
  ledger: LedgerName,
  days: number,
): Promise<Estimate | undefined> {
  const select = selectOf(settings, ledger)
  if (select === undefined) return undefined
  const at = now().getTime() * 1000
  const from = await reader.seqAt(ledger, at - days * dayMicros)
  const to = (await reader.published(ledger))?.size ?? 0
  const [oldest] = (await reader.readBatch(ledger, from, { maxRecords: 1 })).records
  if (oldest === undefined) return undefined
  const covered = from > 0 ? days : Math.min(days, Math.max(shortestDays, (at - oldest.recordedAt) / dayMicros))
  const sample = await sampleOf(reader, ledger, from, to)
  const selected = sample.filter((record) => isSelected(record, select))
  const perRecord = sizesOf(selected, destination, settings)
  const records = ((to - from) * selected.length) / sample.length / covered
  return {
    ledger,
    days: covered,
    recorded: to - from,
    sampled: sample.length,
    selected: selected.length,
    records: Math.round(records),
    storedBytes: Math.round(records * perRecord.stored),
    wireBytes: Math.round(records * perRecord.wire),
  }
}

/** Evenly over the range, in pieces: neighbours are alike, and a piece shows what a request of them compresses to. */
async function sampleOf(
  reader: EstimateDeps['reader'],
  ledger: LedgerName,
  from: number,
  to: number,
): Promise<StoredRecord[]> {
  const sample: StoredRecord[] = []
  const step = Math.max(pieceRecords, Math.floor((to - from) / pieces))
  for (let at = from; at < to; at += step)
    sample.push(...(await reader.readBatch(ledger, at, { maxRecords: Math.min(pieceRecords, to - at) })).records)
  return sample
}

function sizesOf(
  records: readonly StoredRecord[],
  destination: EstimateDeps['destination'],
  settings: DestinationSettings,
): { stored: number; wire: number } {
  if (records.length === 0) return { stored: 0, wire: 0 }
  let stored = 0
  let wire = 0
  for (const group of Map.groupBy(records, (record) => destination.target(record)).values()) {
    const [first] = group
    if (first === undefined) continue
    const attempt = { ledger: first.ledger, firstSeq: first.seq, try: 1, mark: 0, channel: randomUUID(), sendBeforeMs: 0, deadlineMs: 0 } // oxfmt-ignore
    const { body } = destination.render(group, attempt)
    wire += settings.compression === 'gzip' ? gzipSync(body).length : body.length
    // A license counts _raw, which is the record; Elastic keeps the whole document as _source, before its own compression.
    stored += settings.type === 'splunk' ? group.reduce((sum, { size }) => sum + size, 0) : body.length
  }
  return { stored: stored / records.length, wire: wire / records.length }
}
