import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { Generations } from './generations.ts'
import type { LedgerReader } from './read.ts'
import { type Tree, createTree } from './tree.ts'

/** The tree of every generation: those of the open books, and of those that were closed one that grows no more. */
export function createTrees(
  db: Queryable,
  reader: LedgerReader,
  generations: Pick<Generations, 'closed'>,
  books: ReadonlyMap<LedgerName, { tree: Tree }>,
): (ledger: LedgerName) => Tree | undefined {
  const closed = new Map(generations.closed.map(({ ledger }) => [ledger, createTree(db, ledger, reader)]))
  return (ledger) => books.get(ledger)?.tree ?? closed.get(ledger)
}
