import {
  type LedgerKind,
  type LedgerName,
  firstGeneration,
  generationOf,
  ledgerKindOf,
  ledgerKinds,
  toLedgerName,
} from '../record/record.ts'
import type { ClosedLedger } from './closed-store.ts'

/**
 * Which generation of each ledger of an org is recorded in, and which were closed before it. Decided once, at the start, from the rows of
 * closed_ledgers: a ledger is closed only while no service runs.
 */
export interface Generations {
  readonly org: string
  /** What is recorded in, in the order of the kinds. */
  readonly current: readonly LedgerName[]
  /** Those that were closed as well: of each kind its generations, oldest first. */
  readonly every: readonly LedgerName[]
  readonly closed: readonly ClosedLedger[]
  now(kind: LedgerKind): LedgerName
  /** The generations of the same kind, oldest first; of another org just this one. */
  chain(ledger: LedgerName): readonly LedgerName[]
  /** The one that this number names, of a ledger of any org; the current one without a number. Undefined when there is none. */
  find(ledger: LedgerName, generation: number | undefined): LedgerName | undefined
  /** Undefined for a ledger that is recorded in. */
  closing(ledger: LedgerName): ClosedLedger | undefined
}

export function createGenerations(org: string, closed: readonly ClosedLedger[]): Generations {
  const closings = new Map(closed.map((row) => [row.ledger, row]))
  const chains = new Map<LedgerName, LedgerName[]>()
  for (const kind of ledgerKinds) {
    const first = toLedgerName(`${org}/${kind}`)
    const chain = [first]
    for (let row = closings.get(first); row !== undefined; row = closings.get(row.next)) {
      if (ledgerKindOf(row.next) !== kind || generationOf(row.next) !== generationOf(row.ledger) + 1)
        throw new Error(`${row.ledger} is said to be followed by ${row.next}`)
      chain.push(row.next)
    }
    chains.set(first, chain)
  }
  const chain = (ledger: LedgerName): readonly LedgerName[] => chains.get(firstGeneration(ledger)) ?? [ledger]
  const newest = (list: readonly LedgerName[]): LedgerName => {
    const last = list.at(-1)
    if (last === undefined) throw new Error('a ledger has a generation')
    return last
  }
  const all = [...chains.values()]
  return {
    org,
    current: all.map(newest),
    every: all.flat(),
    closed,
    now: (kind) => newest(chain(toLedgerName(`${org}/${kind}`))),
    chain,
    find(ledger, generation) {
      const list = chain(ledger)
      return generation === undefined ? newest(list) : list.find((one) => generationOf(one) === generation)
    },
    closing: (ledger) => closings.get(ledger),
  }
}
