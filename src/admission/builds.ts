import type { Declaration } from '../api/runs.ts'
import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import type { Generations } from '../ledger/generations.ts'
import { packSegment } from '../ledger/segments.ts'
import { findSubmissions } from '../ledger/store.ts'
import type { LedgerName } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import { digestOf, keys } from './run.ts'

/**
 * Gives the number of a build; undefined for a declaration that names none. The first run that names a build makes its `build` record; that record's seq is the build's number, which only grows. Where `changes` was
 * closed with a loss the numbers go on behind all that was ever signed there, so that no number is given twice, also of what is lost.
 */
export function createBuilds(
  db: Queryable,
  generations: Pick<Generations, 'chain' | 'closing'>,
  book: Book,
): (declaration: Declaration) => Promise<number | undefined> {
  const chain = generations.chain(book.ledger)
  const before: { ledger: LedgerName; from: number }[] = []
  let from = 0
  for (const ledger of chain) {
    if (ledger === book.ledger) break
    before.push({ ledger, from })
    from += generations.closing(ledger)?.signedSize ?? 0
  }
  return async ({ build, repository, commit, ref }) => {
    if (build === undefined) return undefined
    const key = keys.build(repository, build)
    for (const closed of before) {
      const [known] = await findSubmissions(db, closed.ledger, [key], [])
      if (known !== undefined) return closed.from + known.firstSeq
    }
    const payload = printPayload('build', book.ledger, { repository, build, commit, ref })
    const [recorded] = await book.appender.submit([
      {
        key,
        digest: digestOf({ repository, build }),
        firstWins: true,
        conflict: 'internal',
        segments: [packSegment('build', [payload])],
      },
    ])
    if (recorded === undefined) throw new Error('the appender answered nothing')
    return from + recorded.firstSeq
  }
}
