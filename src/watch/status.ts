import type { Database } from '../database/database.ts'
import type { ClosedLedger } from '../ledger/closed-store.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { type ScrubRow, listScrubs } from '../ledger/scrub-store.ts'
import { readHead } from '../ledger/store.ts'
import { type LedgerName, type Micros, ledgerLabel, printTime } from '../record/record.ts'

/** How each ledger stands, by the database's own word. */
export interface LedgerStatus {
  ledger: LedgerName
  recorded: number
  published: number
  /** recorded_at of the last published record; null for an empty ledger. */
  last_recorded_at: string | null
  /** When the last whole pass over all that is stored ended, how many records it had, and how far the one under way is. */
  scrub: { passed_at: string | null; passed: number; position: number }
  /** Why nothing is recorded now; null while recording goes on. */
  stopped: { code: string; detail: string } | null
}

export interface LedgersStatus {
  ledgers: LedgerStatus[]
  /** Sizes of the published ledgers, as `unit:184471,integration:99210`. */
  as_of: string
  /** Sum of the published sizes, and of what ledgers that were closed had been signed to: never falls. */
  generation: number
  /** Database time: never stands still. */
  emitted_at: Micros
  partitions_ahead: number
}

export async function readLedgers(
  db: Database,
  reader: LedgerReader,
  books: readonly { ledger: LedgerName; publisher: { stopped(): { code: string; message: string } | undefined } }[],
  generationBefore = 0,
): Promise<LedgersStatus> {
  const ledgers: LedgerStatus[] = []
  let emittedAt = 0
  const scrubs = new Map(
    (
      await listScrubs(
        db,
        books.map(({ ledger }) => ledger),
      )
    ).map((row) => [row.ledger, row]),
  )
  for (const { ledger, publisher } of books) {
    const [{ head, clock }, published] = await Promise.all([readHead(db, ledger), reader.published(ledger)])
    emittedAt = clock
    const stopped = publisher.stopped()
    ledgers.push({
      ledger,
      recorded: head?.size ?? 0,
      published: published?.size ?? 0,
      last_recorded_at: published === undefined || published.lastTime === 0 ? null : printTime(published.lastTime),
      scrub: describeScrub(scrubs.get(ledger)),
      stopped: stopped === undefined ? null : { code: stopped.code, detail: stopped.message },
    })
  }
  const { rows } = await db.query<{ ahead: number }>({
    name: 'partitions_ahead',
    text: `select partitions_ahead(date_trunc('month', to_timestamp($1 / 1000000.0) at time zone 'UTC')::date) as ahead`,
    values: [emittedAt],
  })
  return {
    ledgers,
    as_of: ledgers.map(({ ledger, published }) => `${ledgerLabel(ledger)}:${published}`).join(','),
    generation: ledgers.reduce((sum, { published }) => sum + published, generationBefore),
    emitted_at: emittedAt,
    partitions_ahead: rows[0]?.ahead ?? 0,
  }
}

const describeScrub = (row: ScrubRow | undefined): LedgerStatus['scrub'] => ({
  passed_at: row?.passedAt == null ? null : printTime(row.passedAt),
  passed: row?.passedTo ?? 0,
  position: row?.position ?? 0,
})

/** Ledgers that were closed with a loss, and what is recorded in instead. */
export const closedStatus = (closed: readonly ClosedLedger[]): ClosedStatus[] =>
  closed.map(({ ledger, next, size, signedSize, reason, byWhom: by, at }) => ({
    ledger,
    next,
    size,
    signed_size: signedSize,
    reason,
    by,
    at: printTime(at),
  }))

export interface ClosedStatus {
  ledger: LedgerName
  next: LedgerName
  size: number
  signed_size: number
  reason: string
  by: string
  at: string
}
