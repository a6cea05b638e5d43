import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Destination } from '../delivery/destination.ts'
import type { Keeper } from './keeping.ts'
import type { LedgerName } from '../record/record.ts'
import { notesInHeartbeats } from '../watch/heartbeat-notes.ts'
import { isAskable } from '../watch/run-reconciliation.ts'
import type { Finding } from '../watch/alerts.ts'

// In every process: what it finds stops the books of its own.
const name = `heads ${hostname()}-${process.pid}`

/** Records of `operations` behind our end: what two weeks of heartbeats are at most. */
const lookAhead = 4_096

/**
 * Each ledger's head against the guard, the published copy, the witnesses and the heartbeats in the SIEMs, every hour; with all but the last
 * it was compared at the start already, before anything was recorded.
 */
export const comparing: Keeper = async ({ books, heads, operations, reader, destinations, config, log }, work) => {
  const found = new Map<LedgerName, Finding[]>()
  /** A heartbeat over there that we do not have, with heads that our keys signed. */
  async function lookIn(where: string, destination: Destination, signal: AbortSignal): Promise<void> {
    const first = (await reader.published(operations.ledger))?.size ?? 0
    const held = await destination.originals({ ledger: operations.ledger, first, last: first + lookAhead - 1 }, signal)
    for (const [ledger, note] of notesInHeartbeats(held.values())) {
      const book = books.get(ledger)
      if (book !== undefined && book.publisher.stopped() === undefined)
        await heads.compareWith(book, Buffer.from(note), `a heartbeat in destination ${where}`, true)
    }
  }
  work(name, async (signal) => {
    while (!signal.aborted) {
      for (const book of books.values()) {
        const { ledger, publisher } = book
        try {
          if (publisher.stopped() === undefined) await publisher.catchUp() // asks the guard first
          await heads.keep(book) // also of what stopped it since the start
          found.set(ledger, await heads.compare(book))
        } catch (error) {
          log.warn('heads.unread', { ledger, error }) // what was found stays until it is looked at again
        }
      }
      for (const [where, { destination, settings }] of destinations) {
        if (!isAskable(settings)) continue
        await lookIn(where, destination, signal).catch((error: unknown) => log.warn('heads.unread', { where, error }))
      }
      await sleep(config.watch.heads_every_ms, undefined, { signal }).catch(() => {})
    }
  })
  return async () => [...found.values()].flat()
}
