import type { Database } from '../database/database.ts'
import { emptyRoot } from '../log/merkle.ts'
import type { LedgerName } from '../record/record.ts'
import type { Signer } from '../signing/signer.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Appender, type AppenderDeps, createAppender } from './appender.ts'
import { type Publisher, createPublisher } from './publisher.ts'
import type { LedgerReader } from './read.ts'
import { createChains } from './chains.ts'
import type { ChainLink } from './segments.ts'
import { insertGenesis } from './insert-append.ts'
import { type Tree, createTree } from './tree.ts'
import type { Watch } from './watch.ts'

/** One ledger, opened for recording. */
export interface Book {
  ledger: LedgerName
  appender: Appender
  publisher: Publisher
  tree: Tree
  /** Place of the next segment of a chain (repository, suite, part, number), and the dictionary it takes. */
  link(repository: string, suite: string, part: string, number: number): Promise<ChainLink>
  close(): Promise<void>
}

export interface BookDeps {
  ledger: LedgerName
  db: Database
  signer: Signer
  reader: LedgerReader
  watch: Watch
  node: string
  log: Logger
  onAppend?: AppenderDeps['onAppend']
}

/** Makes the genesis head if there is none and signs what a crash left unsigned. The ledger must not be recorded to before this returned. */
export async function openBook(deps: BookDeps): Promise<Book> {
  const { ledger, db, signer, reader, watch, node, log } = deps
  await insertGenesis(db, ledger, emptyRoot)
  const tree = createTree(db, ledger, reader)
  const chains = createChains(db, ledger, reader)
  const publisher = createPublisher({ ledger, db, signer, tree, node, log })
  publisher.onPublished(({ size }) => watch.published(ledger, size))
  await publisher.catchUp()
  const appender = createAppender({
    ledger,
    db,
    publisher,
    log,
    readPayload: (seq) => reader.payload(ledger, seq),
    leafHashes: tree.leafHashes,
    rawSegment: (firstSeq) => reader.rawSegment(ledger, firstSeq),
    edge: tree.edge,
    onCommitted(append) {
      tree.grew(append)
      reader.appended(append)
      chains.appended(append)
    },
    ...(deps.onAppend === undefined ? {} : { onAppend: deps.onAppend }),
  })
  return {
    ledger,
    appender,
    publisher,
    tree,
    link: chains.link,
    async close() {
      await appender.close()
      await publisher.close()
    },
  }
}
