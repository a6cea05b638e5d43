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
  /** As it is on record and published; undefined where nothing named it yet. */
  find(repository: string, build: string): Promise<KnownBuild | undefined>
}

export interface KnownBuild extends BuildFields {
  build_seq: number
}

export function createBuilds(
  db: Queryable,
  generations: Pick<Generations, 'chain' | 'closing'>,
  book: Book,
  reader: Pick<LedgerReader, 'payload' | 'published'>,
): Builds {
  const places: { ledger: LedgerName; from: number }[] = []
  let from = 0
  for (const ledger of generations.chain(book.ledger)) {
    places.push({ ledger, from })
    if (ledger === book.ledger) break
    from += generations.closing(ledger)?.signedSize ?? 0
  }

  /** Under either key, and of this very build: another one may stand under the plain one. `taken`: it does, where this one would be recorded. */
  const look = async (repository: string, build: string) => {
    const digest = digestOf({ repository, build })
    const plain = keys.plainBuild(repository, build)
    let taken = false
    for (const place of places) {
      const rows = await findSubmissions(db, place.ledger, [plain, keys.hashedBuild(repository, build)], [])
      const known = rows.find((row) => digest.equals(row.digest))
      if (known !== undefined) return { known: { ...place, seq: known.firstSeq }, taken }
      taken = place.ledger === book.ledger && rows.some(({ key }) => key === plain)
    }
    return { known: undefined, taken }
  }

  return {
    async numberOf(fields) {
      const { repository, build } = fields
      const { known, taken } = await look(repository, build)
      if (known !== undefined) return known.from + known.seq
      const [recorded] = await book.appender.submit([
        {
          key: (taken ? keys.hashedBuild : keys.build)(repository, build),
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
      const { known } = await look(repository, build)
      if (known === undefined) return undefined
      // Committed a moment ago by another: whoever is told of it looks for it in what is published.
      const published = (await reader.published(known.ledger))?.size ?? 0
      if (known.ledger === book.ledger && published <= known.seq) await book.publisher.covering(known.seq + 1)
      const payload = await reader.payload(known.ledger, known.seq)
      const { commit, ref } = JSON.parse(payload.toString()) as BuildFields // by buildPayload
      return { repository, build, commit, ref, build_seq: known.from + known.seq }
    },
  }
}
