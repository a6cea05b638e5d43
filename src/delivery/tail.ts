import type { Reader, RecordBatch, StoredRecord } from '../ledger/read.ts'
import type { LedgerName } from '../record/record.ts'
import { sleep } from './gate.ts'
import type { DeliveryMetrics } from './metrics.ts'
import type { DestinationSettings } from './settings.ts'

/** Takes what lies in [its position, end) on; resolves with the new position. */
export type TakeOn = (records: readonly StoredRecord[], end: number) => Promise<number>

export interface Tail {
  /** Hands batches to `takeOn`, full ones at once, others when the window ends. Rejects when `signal` aborts. */
  follow(from: number, takeOn: TakeOn, signal: AbortSignal): Promise<void>
}

export interface TailDeps {
  name: string
  ledger: LedgerName
  reader: Reader
  settings: DestinationSettings
  /** Bytes of records in one batch, at most; asked for each record, since it is learnt. */
  maxBytes: () => number
  metrics: DeliveryMetrics
  monotonicMs: () => number
  /** Resolves when another cut may be made. */
  room: (signal: AbortSignal) => Promise<void>
  /** Called when everything is taken on and the tail begins to wait. */
  idle: () => Promise<void>
}

/** About four batches. */
const ahead = { maxRecords: 4_000, maxBytes: 2 * 1024 * 1024 }

export function createTail(deps: TailDeps): Tail {
  const { reader, ledger, settings, metrics, monotonicMs } = deps
  const { window_ms: windowMs, batch: limits } = settings

  interface Gathered {
    records: StoredRecord[]
    bytes: number
    next: number
  }

  let held: RecordBatch | undefined
  /** Records from `from` on, of which more are read than one batch needs: reading costs by the segment, and a batch is about one. */
  async function read(from: number): Promise<RecordBatch> {
    if (held === undefined || from < held.first || from >= held.next) held = await reader.readBatch(ledger, from, ahead)
    return held
  }

  /** Adds what there is, up to the limits; a reader may answer in smaller pieces. True when the limits are reached. */
  async function gather(into: Gathered): Promise<boolean> {
    for (;;) {
      const batch = await read(into.next)
      if (batch.next <= into.next) return false
      for (const record of batch.records) {
        if (record.seq < into.next) continue
        const bytes = into.bytes + record.size
        const isFull = into.records.length === limits.records || (into.records.length > 0 && bytes > deps.maxBytes())
        if (isFull) return true
        into.records.push(record)
        into.bytes = bytes
        into.next = record.seq + 1
      }
      into.next = batch.next
    }
  }

  return {
    async follow(from, takeOn, signal) {
      let next = from
      let windowEndsMs = monotonicMs() + windowMs
      for (;;) {
        signal.throwIfAborted()
        await deps.room(signal)
        const gathered: Gathered = { records: [], bytes: 0, next }
        let full = await gather(gathered)
        if (gathered.records.length === 0) {
          await deps.idle()
          await waitForRecords(reader, ledger, next, signal)
          windowEndsMs = monotonicMs() + windowMs
          continue
        }
        if (!full && monotonicMs() < windowEndsMs) {
          await sleep(windowEndsMs - monotonicMs(), undefined, signal)
          full = await gather(gathered)
        }
        // A flush that took longer than its window skips the next one; catching up with full batches skips none.
        const late = Math.floor((monotonicMs() - windowEndsMs) / windowMs)
        if (late > 0 && !full) metrics.skippedWindows(deps.name, ledger, late)
        if (late >= 0) windowEndsMs += (late + 1) * windowMs
        next = await takeOn(gathered.records, gathered.next)
      }
    },
  }
}

async function waitForRecords(reader: Reader, ledger: LedgerName, next: number, signal: AbortSignal): Promise<void> {
  for await (const batch of reader.tail(ledger, next, signal, { maxRecords: 1 })) {
    if (batch.next > next) return
  }
  signal.throwIfAborted()
}
