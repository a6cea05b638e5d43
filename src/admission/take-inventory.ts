import type { Book } from '../ledger/book.ts'
import type { Submission } from '../ledger/decide.ts'
import type { PackedSegment } from '../ledger/segments.ts'
import type { RunIdentity } from '../record/run.ts'
import { RefusedBody, takeIn } from './intake.ts'
import type { ParsePool } from './pool.ts'
import { keys } from './run.ts'

/** The inventory of a commit as one submission; the first one stands, whoever brings it. A worker reads and cuts it, this thread hands it on. */
export async function takeInventory(
  pool: ParsePool,
  { link }: Pick<Book, 'link'>,
  { ledger, repository, commit, suite }: Pick<RunIdentity, 'ledger' | 'repository' | 'commit' | 'suite'>,
  body: AsyncIterable<Uint8Array>,
  maxFiles: number,
  credential?: string,
): Promise<Submission> {
  const job = { kind: 'inventory', ledger, repository, commit, maxFiles } as const
  const taken = await takeIn(pool, job, body, credential).catch((error: unknown) => {
    throw error instanceof RefusedBody ? error.problem : error
  })
  try {
    const segments: PackedSegment[] = []
    for await (const slice of taken.slices((number) => link(repository, suite, ':inventory', number)))
      segments.push(...slice)
    const digest = Buffer.from(taken.summary.digest, 'hex')
    return { key: keys.inventory(repository, commit), digest, firstWins: true, conflict: 'internal', segments }
  } finally {
    taken.free()
  }
}
