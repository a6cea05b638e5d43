import { blockSize, type LedgerName, type Micros } from '../record/record.ts'
import { printScope } from './export-csv.ts'
import { quoteSpl } from './splunk-search.ts'

/** The searches that a person runs where we cannot: over everything unresolved, ready to be pasted. Pure. */

/** Rows of one search: a search head gives no more than 50,000 away by default, and an export may be cut below that. */
const widest = 10_000
const hourSeconds = 3_600

/** Spans of seqs of which each is one search. `seqs` ascending. */
export function spansOf(seqs: readonly number[]): { first: number; last: number }[] {
  const spans: { first: number; last: number }[] = []
  for (const seq of seqs) {
    const span = spans.at(-1)
    if (span === undefined || seq - span.first >= widest) spans.push({ first: seq, last: seq })
    else span.last = seq
  }
  return spans
}

export interface LookupSpan {
  ledger: LedgerName
  first: number
  last: number
  /** recorded_at of both. */
  from: Micros
  to: Micros
}

/**
 * One search. It ends with a line that says what was searched and when it was started, so that what an export does not hold can be told
 * from what was cut off it; a search that was stopped or cut short has no such line.
 */
export function printLookup(index: string, { ledger, first, last, from, to }: LookupSpan): string {
  const blocks: string[] = []
  for (let n = Math.floor(first / blockSize); n <= Math.floor(last / blockSize); n++) blocks.push(`"${n}"`)
  const [earliest, latest] = [Math.floor(from / 1e6) - hourSeconds, Math.ceil(to / 1e6) + hourSeconds]
  return (
    `| tstats count values(proofline_check) as proofline_check where index=${quoteSpl(index)} proofline_ledger=${quoteSpl(ledger)} ` +
    `proofline_block IN (${blocks.join(',')}) proofline_seq>=${first} proofline_seq<=${last} earliest=${earliest} latest=${latest} by proofline_id ` +
    `| eval searched_at=now() | append [| makeresults | eval proofline_id=${quoteSpl(printScope(ledger, first, last))}, count=0, searched_at=now()] ` +
    '| table proofline_id count proofline_check searched_at'
  )
}
