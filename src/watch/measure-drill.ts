import { hash } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import type { Destination } from '../delivery/destination.ts'
import type { Lane } from '../delivery/lane.ts'
import type { DestinationSettings } from '../delivery/settings.ts'
import type { Reader, StoredRecord } from '../ledger/read.ts'
import { createSpread, type DrillMeasure, type Side } from './drill.ts'
import { createExpected, type ExpectedSource } from './expected.ts'

export interface MeasureDeps {
  db: Queryable
  reader: Reader
  destination: Destination
  select: DestinationSettings['select']
}

/** Half-open. */
interface Range {
  from: number
  to: number
}

/** Records that are read back and hashed, of both sides together. */
const sample = 50

/**
 * Count, sum of `check` and read-back records of both sides of a lane. All that is selected is expected: what is refused of it goes to the list of
 * the parked, and a drill that loses records to it has not closed. Rejects when the destination cannot be asked.
 */
export async function measureDrill(
  deps: MeasureDeps,
  lane: Lane,
  { before, meanwhile }: { before: Range; meanwhile: Range },
  signal: AbortSignal,
): Promise<DrillMeasure> {
  const expected = createExpected({ ...deps, ledger: lane.ledger, parked: new Set() })
  return {
    before: await measureSide(deps, lane, expected, before, signal),
    meanwhile: await measureSide(deps, lane, expected, meanwhile, signal),
  }
}

async function measureSide(
  { reader, destination }: MeasureDeps,
  { ledger }: Lane,
  expected: ExpectedSource,
  { from, to }: Range,
  signal: AbortSignal,
): Promise<Side> {
  const side: Side = {
    expected: { count: 0, checkSum: 0 },
    there: { count: 0, checkSum: 0 },
    sampled: { right: 0, altered: 0, absent: 0 },
  }
  if (to <= from) return side
  const span = { first: from, last: to - 1 }
  const spread = createSpread(sample / 2)
  for await (const { seq, check } of expected.records(span)) {
    side.expected.count++
    side.expected.checkSum += check
    spread.offer(seq)
  }
  side.there = await destination.sum({ ledger, ...span }, signal)
  const records: StoredRecord[] = []
  for (const seq of spread.picked()) records.push(...(await reader.readBatch(ledger, seq, { maxRecords: 1 })).records)
  if (records.length === 0) return side
  const digests = await destination.digests(records, signal)
  for (const { id, bytes } of records) {
    const found = digests.get(id)
    if (found === undefined) side.sampled.absent++
    else if (found === hash('sha256', bytes, 'hex')) side.sampled.right++
    else side.sampled.altered++
  }
  return side
}
