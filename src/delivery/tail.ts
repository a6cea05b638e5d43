import type { Reader, StoredRecord } from '../ledger/read.ts'
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
  metrics: DeliveryMetrics
  monotonicMs: () => number
  open: ReadonlySet<unknown>
  /** Called when everything is taken on and the tail begins to wait. */
  idle: () => Promise<void>
}

export function createTail(deps: TailDeps): Tail {
  const { reader, ledger, settings, metrics, monotonicMs } = deps
  const { window_ms: windowMs, batch: limits } = settings

  interface Gathered {
    records: StoredRecord[]
    bytes: number
    next: number
  }

  /** Adds what there is, up to the limits; a reader may answer in smaller pieces. True when the limits are reached. */
  async function gather(into: Gathered): Promise<boolean> {
    for (;;) {
      const maxRecords = limits.records - into.records.length
      const maxBytes = limits.bytes - into.bytes
      const batch =
        maxRecords > 0 && maxBytes > 0 ? await reader.readBatch(ledger, into.next, { maxRecords, maxBytes }) : undefined
      if (batch === undefined) return true
      if (batch.next <= into.next) return false
      let bytes = 0
      for (const record of batch.records) bytes += record.bytes.length
      // `maxBytes` is about, and a batch holds at least one: what would lead over the limit waits for the next.
      if (into.records.length > 0 && into.bytes + bytes > limits.bytes) return true
      for (const record of batch.records) into.records.push(record)
      into.bytes += bytes
      into.next = batch.next
    }
  }

  return {
    async follow(from, takeOn, signal) {
      let next = from
      let windowEndsMs = monotonicMs() + windowMs
      for (;;) {
        signal.throwIfAborted()
        while (deps.open.size >= settings.max_open_attempts) await sleep(100, undefined, signal)
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
