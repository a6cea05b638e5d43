import { setTimeout as sleep } from 'node:timers/promises'
import type { Reader } from '../ledger/read.ts'
import { type LedgerName, ledgerKindOf } from '../record/record.ts'

/** A run is many records: what is looked at again after each of them is looked at again for nothing. */
const settleMs = 200

export interface WaitDeps {
  tail: Reader['tail']
  /** All generations of unit, integration and changes, oldest first. */
  ledgers: readonly LedgerName[]
}

/** Resolves when something was published of runs behind these sizes, when the time is over, or when the signal aborts. */
export async function waitForRuns(
  { tail, ledgers }: WaitDeps,
  sizes: ReadonlyMap<LedgerName, number>,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController()
  const waiting = AbortSignal.any([signal, ended.signal, AbortSignal.timeout(Math.ceil(ms))])
  const newest = ['unit', 'integration'].flatMap((kind) => ledgers.findLast((one) => ledgerKindOf(one) === kind) ?? [])
  const look = async (ledger: LedgerName): Promise<void> => {
    for await (const _ of tail(ledger, sizes.get(ledger) ?? 0, waiting, { maxRecords: 1 })) break
  }
  await Promise.race(newest.map(look))
  ended.abort()
  if (!signal.aborted) await sleep(Math.min(settleMs, ms), undefined, { signal }).catch(() => undefined)
}
