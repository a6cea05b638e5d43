import { hostname } from 'node:os'
import { type Config, withoutSecrets } from '../config.ts'
import type { Heads } from './heads.ts'
import { type Book, openBook } from '../ledger/book.ts'
import { recordConfiguration } from '../ledger/configuration-records.ts'
import { recordLoss } from '../ledger/loss-record.ts'
import { type KeyCare, createKeyCare } from '../ledger/key-care.ts'
import { statementKeyName } from '../log/statement.ts'
import type { LedgerName } from '../record/record.ts'
import type { Signer } from '../signing/signer.ts'
import type { Storage } from './storage.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** The ledgers of this service, open for recording. */
export interface Books {
  all: ReadonlyMap<LedgerName, Book>
  /** Throws for a ledger that is not one of them. */
  bookOf(ledger: LedgerName): Book
  operations: Book
  keys: KeyCare
  close(): Promise<void>
}

export interface BooksDeps {
  config: Config
  storage: Storage
  signer: Signer
  /** `<public host>/<org>/<ledger>` */
  originOf: (ledger: LedgerName) => string
  node: string
  version: string
  heads: Heads
  log: Logger
  metrics: Metrics
}

/** Throws Problem('signer_not_current') before anything is recorded by a service that has another key or guard than the ledgers were opened with. */
export async function openBooks({
  config,
  storage,
  signer,
  originOf,
  node,
  version,
  heads,
  log,
  metrics,
}: BooksDeps): Promise<Books> {
  const { db, reader, watch, ledgers, generations } = storage
  const operationsName = generations.now('operations')
  const statementName = statementKeyName(config.public_host, config.org)
  const keys = createKeyCare({ db, reader, signer, ledgers, operations: operationsName, earlier: generations.chain(operationsName).slice(0, -1), originOf, statementName }) // oxfmt-ignore
  await keys.check()

  const all = new Map<LedgerName, Book>()
  const close = async (): Promise<void> => {
    for (const book of [...all.values()].toReversed()) await book.close()
  }
  const open = async (ledger: LedgerName): Promise<void> => {
    const onAppend = (records: number, size: number, ms: number): void =>
      metrics.recorded(ledger, records, size, ms / 1000)
    const book = await openBook({ ledger, db, signer, reader, watch, node, log, onAppend })
    all.set(ledger, book)
    const closed = generations.closed.find(({ next }) => next === ledger)
    if (closed !== undefined && book.publisher.stopped() === undefined) await recordLoss(book, closed)
    const observe = async (): Promise<void> => {
      const published = await reader.published(ledger)
      if (published !== undefined) metrics.published(ledger, published.size, published.lastTime)
    }
    book.publisher.onPublished(() => void observe().catch(() => {})) // the next one tells
    await observe()
  }
  const bookOf = (ledger: LedgerName): Book => {
    const book = all.get(ledger)
    if (book === undefined) throw new Error(`${ledger} is not open`)
    return book
  }
  try {
    for (const ledger of ledgers) await open(ledger)
    for (const book of all.values()) await heads.keep(book)
    // At once: who cannot be reached costs a start its patience once.
    await Promise.all([...all.values()].map((book) => heads.compare(book)))
    const operations = bookOf(operationsName)
    if (operations.publisher.stopped() === undefined) {
      await keys.record(operations)
      await recordConfiguration(db, operations, hostname(), version, withoutSecrets(config))
    }
    return { all, bookOf, operations, keys, close }
  } catch (error) {
    await close()
    throw error
  }
}
