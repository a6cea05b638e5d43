import { setImmediate as breathe } from 'node:timers/promises'
import type { LedgerReader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { InventoryWindow } from './judge-maps.ts'

const newline = 10

/** The files of a recorded inventory in path order, window by window; segment by segment, since each is decompressed as a whole. */
export async function* readInventoryWindows(
  reader: LedgerReader,
  ledger: LedgerName,
  firstSeq: number,
  lastSeq: number,
): AsyncGenerator<InventoryWindow> {
  for (let seq = firstSeq; seq <= lastSeq;) {
    const raw = await reader.rawSegment(ledger, seq)
    for (let start = 0; start < raw.length; seq++) {
      const end = raw.indexOf(newline, start)
      yield toWindow(ledger, seq, raw.toString('utf8', start, end))
      start = end + 1
    }
    await breathe() // a segment is up to a MiB of JSON: between two of them others have their turn
  }
}

function toWindow(ledger: LedgerName, seq: number, payload: string): InventoryWindow {
  const { files } = JSON.parse(payload) as { files?: InventoryWindow } // written by inventoryPayloads
  if (files === undefined) throw new Problem('integrity', `${ledger}: record ${seq} is no inventory`)
  return files
}
