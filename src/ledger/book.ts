import type { Database } from '../database/database.ts'
import { emptyRoot } from '../log/merkle.ts'
import type { LedgerName } from '../record/record.ts'
import type { Signer } from '../signing/signer.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Appender, type AppenderDeps, createAppender } from './appender.ts'
import { type Publisher, createPublisher } from './publisher.ts'
import type { LedgerReader } from './read.ts'
import { type ChainLink, chainOf, dictionaryIndex } from './segments.ts'
import { insertGenesis } from './insert-append.ts'
import * as store from './store.ts'
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

const maxDepth = 6

/** Makes the genesis head if there is none and signs what a crash left unsigned. The ledger must not be recorded to before this returned. */
export async function openBook(deps: BookDeps): Promise<Book> {
  const { ledger, db, signer, reader, watch, node, log } = deps
  await insertGenesis(db, ledger, emptyRoot)
  const tree = createTree(db, ledger, reader)
  const publisher = createPublisher({ ledger, db, signer, tree, node, log })
  publisher.onPublished(({ size }) => watch.published(ledger, size))
  await publisher.catchUp()
  const appender = createAppender({
    ledger,
    db,
    publisher,
    log,
    readPayload: (seq) => reader.payload(ledger, seq),
    ...(deps.onAppend === undefined ? {} : { onAppend: deps.onAppend }),
  })
  return {
    ledger,
    appender,
    publisher,
    tree,
    async link(repository, suite, part, number) {
      const chain = chainOf(ledger, repository, suite, part, number)
      const recorded = await store.chainSegments(db, ledger, chain)
      const index = (recorded[0]?.index ?? -1) + 1
      const wanted = dictionaryIndex(index)
      const found = recorded.find((segment) => segment.index === wanted && segment.depth < maxDepth)
      if (found === undefined) return { chain, index, dictionary: undefined }
      return {
        chain,
        index,
        dictionary: { seq: found.seq, depth: found.depth, raw: await reader.rawSegment(ledger, found.seq) },
      }
    },
    async close() {
      await appender.close()
      await publisher.close()
    },
  }
}
