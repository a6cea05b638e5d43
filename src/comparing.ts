import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Keeper } from './keeping.ts'
import type { LedgerName } from './record/record.ts'
import type { Finding } from './watch/alerts.ts'

/** Each ledger's head against the guard and the published copy, every hour; at the start it was compared before anything was recorded. */
// In every process: what it finds stops the books of its own.
const name = `heads ${hostname()}-${process.pid}`

export const comparing: Keeper = async ({ books, heads, config, log }, work) => {
  const found = new Map<LedgerName, Finding>()
  work(name, async (signal) => {
    while (!signal.aborted) {
      for (const book of books.values()) {
        const { ledger, publisher } = book
        try {
          if (publisher.stopped() === undefined) await publisher.catchUp() // asks the guard first
          const finding = await heads.compare(book)
          if (finding === undefined) found.delete(ledger)
          else found.set(ledger, finding)
        } catch (error) {
          log.warn('heads.unread', { ledger, error }) // what was found stays until it is looked at again
        }
      }
      await sleep(config.watch.heads_every_ms, undefined, { signal }).catch(() => {})
    }
  })
  return async () => [...found.values()]
}
