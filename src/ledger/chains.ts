import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { Append } from './batch.ts'
import type { LedgerReader } from './read.ts'
import { type ChainLink, chainOf, dictionaryIndex } from './segments.ts'
import * as store from './store.ts'

/**
 * Where the chains of one ledger stand (repository, suite, part, number within the part). What this process appended itself it need not
 * look up; when another node appended to a chain meanwhile, two segments get the same index, which costs compression and nothing else.
 * No dictionary is much older than six months: a month that leaves the tables (at twelve or more) has none that somebody is just using.
 */
export interface Chains {
  /** Place of the next segment of a chain, and the dictionary it takes. */
  link(repository: string, suite: string, part: string, number: number): Promise<ChainLink>
  /** An append whose commit came back clean. */
  appended(append: Pick<Append, 'segments'>): void
}

interface Link {
  index: number
  seq: number
  depth: number
}

const maxDepth = 6
/** Older segments of a chain are dictionaries for nobody: six months. */
const dictionaryMicros = 184 * 86_400_000_000
const maxChains = 4_096
/** So long what was looked up is used; what was appended since is younger anyway. */
const freshMs = 30 * 86_400_000

export function createChains(db: Queryable, ledger: LedgerName, reader: Pick<LedgerReader, 'rawSegment'>): Chains {
  /** Newest first; only those that a later segment can take as its dictionary. */
  const known = new Map<bigint, { links: Link[]; lookedMs: number }>()

  const keep = (chain: bigint, links: readonly Link[], lookedMs: number): Link[] => {
    const useful = usefulAfter(links)
    known.delete(chain)
    known.set(chain, { links: useful, lookedMs })
    if (known.size > maxChains) known.delete(known.keys().next().value ?? chain)
    return useful
  }

  return {
    async link(repository, suite, part, number) {
      const chain = chainOf(ledger, repository, suite, part, number)
      const looked = known.get(chain)
      const links =
        looked !== undefined && performance.now() - looked.lookedMs < freshMs
          ? looked.links
          : keep(chain, await store.chainSegments(db, ledger, chain, dictionaryMicros), performance.now())
      const index = (links[0]?.index ?? -1) + 1
      const wanted = dictionaryIndex(index)
      const found = links.find((link) => link.index === wanted && link.depth < maxDepth)
      if (found === undefined) return { chain, index, dictionary: undefined }
      const raw = await reader.rawSegment(ledger, found.seq)
      return { chain, index, dictionary: { seq: found.seq, depth: found.depth, raw } }
    },
    appended({ segments }) {
      for (const { firstSeq, segment } of segments) {
        const { chain, chainIndex: index, depth } = segment
        const found = chain === undefined ? undefined : known.get(chain)
        if (chain === undefined || index === undefined || found === undefined) continue
        const { links, lookedMs } = found
        if (index > (links[0]?.index ?? -1)) keep(chain, [{ index, seq: firstSeq, depth }, ...links], lookedMs)
      }
    },
  }
}

/** Of links, newest first, those whose index is that of the newest with some of its last binary digits set to zero. */
function usefulAfter(links: readonly Link[]): Link[] {
  const newest = links[0]?.index ?? 0
  const wanted = new Set(Array.from({ length: 7 }, (_, bits) => newest - (newest % 2 ** bits)))
  return links.filter(({ index }) => wanted.delete(index))
}
