import type { LedgerName } from '../record/record.ts'

/** What delivery reports; the service wires it to instruments. Called often: do no I/O in it. */
export interface DeliveryMetrics {
  /** Where a lane stands: `next` is the end of its cuts, `open` the attempts without a final outcome; inDoubtSince in microseconds. */
  progress(
    destination: string,
    ledger: LedgerName,
    progress: {
      next: number
      sentTo: number
      provedTo: number
      inDoubt: number
      inDoubtSince: number | undefined
      open: number
    },
  ): void
  /** Records that reached a final outcome, or one that waits for proof. */
  settled(
    destination: string,
    ledger: LedgerName,
    kind: 'delivered' | 'accepted' | 'refused' | 'unresolved' | 'unproved',
    count: number,
  ): void
  /** Copies beyond the first that a look found over there. */
  duplicates(destination: string, ledger: LedgerName, count: number): void
  /** Records in doubt that are not any more: by `ack`, `search`, `compare`, `look` or `policy`. */
  resolved(destination: string, ledger: LedgerName, by: string, result: string, count: number): void
  /** A look proved an attempt, so long after it was opened. */
  proved(destination: string, by: string, seconds: number): void
  skippedWindows(destination: string, ledger: LedgerName, count: number): void
  state(destination: string, ledger: LedgerName, state: 'running' | 'paused' | 'blocked'): void
}

export const silentMetrics: DeliveryMetrics = {
  progress() {},
  settled() {},
  duplicates() {},
  resolved() {},
  proved() {},
  skippedWindows() {},
  state() {},
}
