import { setImmediate as breathe } from 'node:timers/promises'
import type { LedgerReader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { InventoryWindow } from './judge-maps.ts'

export interface InventorySpan {
  ledger: LedgerName
  firstSeq: number
  lastSeq: number
}

const newline = 10

/**
 * The payloads of a recorded inventory in order, those of a segment at a time: a segment is fetched and decompressed as a whole, so asking
 * for one record after the other would do that again for each of the hundreds in it.
 */
export async function* readInventoryPayloads(
  reader: LedgerReader,
  { ledger, firstSeq, lastSeq }: InventorySpan,
): AsyncGenerator<Buffer[]> {
  for (let seq = firstSeq; seq <= lastSeq;) {
    const raw = await reader.rawSegment(ledger, seq)
    const payloads: Buffer[] = []
    for (let start = 0; start < raw.length;) {
      const end = raw.indexOf(newline, start)
      payloads.push(raw.subarray(start, end))
      start = end + 1
    }
    seq += payloads.length
    yield payloads
    await breathe() // up to a MiB of JSON: between two segments others have their turn
  }
}

/** The files of a recorded inventory in path order, window by window. */
export async function* readInventoryWindows(
  reader: LedgerReader,
  span: InventorySpan,
): AsyncGenerator<InventoryWindow> {
  for await (const payloads of readInventoryPayloads(reader, span))
    for (const payload of payloads) yield toWindow(payload)
}

function toWindow(payload: Buffer): InventoryWindow {
  const { files } = JSON.parse(payload.toString()) as { files?: InventoryWindow } // written by inventoryPayloads
  if (files === undefined) throw new Problem('integrity', 'a record of an inventory holds no files')
  return files
}
