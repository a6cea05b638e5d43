import { type LedgerName, firstGeneration, printTime } from '../record/record.ts'

/** A puller that gave itself a name. `next` is the position it asked for: everything before is its own. */
export interface Consumer {
  consumer: string
  ledger: LedgerName
  next: number
  seen_at: string
}

/** Who pulls, and how far they are: what this process has seen since its start, the most recent thousand. */
export interface Consumers {
  saw(ledger: LedgerName, consumer: string, next: number): void
  list(org: string): Consumer[]
}

const maxConsumers = 1_000

export function createConsumers(now: () => Date): Consumers {
  const seen = new Map<string, Consumer>()
  return {
    saw(ledger, consumer, next) {
      const key = JSON.stringify([firstGeneration(ledger), consumer]) // it goes on from one generation to the next
      seen.delete(key) // put last again: the map is in the order of last sight
      seen.set(key, { consumer, ledger, next, seen_at: printTime(now().getTime() * 1000) })
      if (seen.size > maxConsumers) seen.delete(seen.keys().next().value ?? key)
    },
    list: (org) => [...seen.values()].filter(({ ledger }) => ledger.startsWith(`${org}/`)),
  }
}
