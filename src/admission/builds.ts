import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import type { Generations } from '../ledger/generations.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { packSegment } from '../ledger/segments.ts'
import { findSubmissions } from '../ledger/store.ts'
import { type BuildFields, buildPayload } from '../record/changes.ts'
import type { LedgerName } from '../record/record.ts'
import { digestOf, keys } from './run.ts'

/**
 * The numbers of builds. The first run, gate or deployment that names a build makes its `build` record; that record's seq is the build's number,
 * which only grows. Where `changes` was closed with a loss the numbers go on behind all that was ever signed there, so that no number is given
 * twice, also of what is lost.
 */
export interface Builds {
  /** Of the build, which is on record then. */
  numberOf(build: BuildFields): Promise<number>
  /** As it is on record; undefined where nothing named it yet. */
  find(repository: string, build: string): Promise<KnownBuild | undefined>
}

export interface KnownBuild extends BuildFields {
  build_seq: number
}

export function createBuilds(
  db: Queryable,
  generations: Pick<Generations, 'chain' | 'closing'>,
  book: Book,
  reader: Pick<LedgerReader, 'payload'>,
): Builds {
  const places: { ledger: LedgerName; from: number }[] = []
  let from = 0
  for (const ledger of generations.chain(book.ledger)) {
    places.push({ ledger, from })
    if (ledger === book.ledger) break
    from += generations.closing(ledger)?.signedSize ?? 0
  }
  const closed = places.filter(({ ledger }) => ledger !== book.ledger)

  const look = async (some: typeof places, key: string) => {
    for (const place of some) {
      const [known] = await findSubmissions(db, place.ledger, [key], [])
      if (known !== undefined) return { ...place, seq: known.firstSeq }
    }
    return undefined
  }

  return {
    async numberOf(fields) {
      const { repository, build } = fields
      const key = keys.build(repository, build)
      const known = await look(closed, key)
      if (known !== undefined) return known.from + known.seq
      const [recorded] = await book.appender.submit([
        {
          key,
          digest: digestOf({ repository, build }),
          firstWins: true,
          conflict: 'internal',
          segments: [packSegment('build', [buildPayload(book.ledger, fields)])],
        },
      ])
      if (recorded === undefined) throw new Error('the appender answered nothing')
      return from + recorded.firstSeq
    },
    async find(repository, build) {
      const known = await look(places, keys.build(repository, build))
      if (known === undefined) return undefined
      const payload = await reader.payload(known.ledger, known.seq)
      const { commit, ref } = JSON.parse(payload.toString()) as BuildFields // by buildPayload
      return { repository, build, commit, ref, build_seq: known.from + known.seq }
    },
  }
}
