import { hash } from 'node:crypto'
import type { StoredRecord } from '../ledger/read.ts'
import type { SeqRange, Sum } from './destination.ts'
import { quoteSpl, type Row, type SplunkSearch } from './splunk-search.ts'

/** What is there, computed over there by searches over the indexed fields; and read back. Everything rejects when a search is incomplete. */

const hourSeconds = 3_600
/** Of a search for ids: Splunk's own limit on the rows of one answer is 50,000. */
const idsAtOnce = 10_000

export function createSplunkMeasure(
  search: SplunkSearch,
  indexOf: (ledger: SeqRange['ledger']) => string,
  now: () => Date,
) {
  /** Over all time until an hour from now: records from a clock that was ahead are there too. */
  async function rows(text: string, signal: AbortSignal, earliest = 0): Promise<readonly Row[]> {
    const found = await search.run(text, earliest, Math.ceil(now().getTime() / 1000) + hourSeconds, signal)
    if (!found.complete) throw new Error(found.reason ?? 'the search is incomplete')
    return found.rows
  }

  const where = ({ ledger, first, last }: SeqRange): string =>
    `where index=${quoteSpl(indexOf(ledger))} proofline_ledger=${quoteSpl(ledger)} proofline_seq>=${first} proofline_seq<=${last}`
  const sums = '| tstats count sum(proofline_check) as check_sum'
  const toSum = (row: Row | undefined): Sum => ({
    count: Number(row?.['count'] ?? 0),
    checkSum: Number(row?.['check_sum'] ?? 0),
  })

  return {
    sum: async (range: SeqRange, signal: AbortSignal): Promise<Sum> =>
      toSum((await rows(`${sums} ${where(range)}`, signal))[0]),
    async sumBlocks(range: SeqRange, signal: AbortSignal): Promise<Map<number, Sum>> {
      const found = await rows(`${sums} ${where(range)} by proofline_block`, signal)
      return new Map(found.map((row) => [Number(row['proofline_block']), toSum(row)]))
    },
    async ids(range: SeqRange, signal: AbortSignal): Promise<Map<string, number>> {
      const copies = new Map<string, number>()
      for (let first = range.first; first <= range.last; first += idsAtOnce) {
        const page = { ledger: range.ledger, first, last: Math.min(range.last, first + idsAtOnce - 1) }
        for (const row of await rows(`| tstats count ${where(page)} by proofline_id`, signal))
          copies.set(String(row['proofline_id']), Number(row['count']))
      }
      return copies
    },
    async originals({ ledger, first, last }: SeqRange, signal: AbortSignal): Promise<Map<string, Uint8Array>> {
      const text =
        `search index=${quoteSpl(indexOf(ledger))} proofline_ledger=${quoteSpl(ledger)} ` +
        `proofline_seq>=${first} proofline_seq<=${last} | table proofline_id _raw`
      const found = await rows(text, signal)
      return new Map(found.map((row) => [String(row['proofline_id']), Buffer.from(String(row['_raw'] ?? ''))]))
    },
    async digests(records: readonly StoredRecord[], signal: AbortSignal): Promise<Map<string, string>> {
      const [first] = records
      if (first === undefined) return new Map()
      const text =
        `search index=${quoteSpl(indexOf(first.ledger))} proofline_ledger=${quoteSpl(first.ledger)} ` +
        `proofline_id IN (${records.map(({ id }) => quoteSpl(id)).join(',')}) | table proofline_id _raw`
      const earliest = Math.floor(Math.min(...records.map(({ recordedAt }) => recordedAt)) / 1e6) - hourSeconds
      const digests = new Map<string, string>()
      for (const row of await rows(text, signal, earliest)) {
        const id = String(row['proofline_id'])
        const digest = hash('sha256', String(row['_raw'] ?? ''), 'hex')
        // Of several copies every one must be right.
        if (digests.has(id) && digests.get(id) !== digest) digests.set(id, 'several')
        else digests.set(id, digest)
      }
      return digests
    },
  }
}
