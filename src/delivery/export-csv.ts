import { Problem } from '../record/problem.ts'
import { isLedgerName, type LedgerName, type Micros, parseRecordId } from '../record/record.ts'

/** What a person's search found, as Splunk exports it: CSV with a header, quotes, a byte order mark, columns in any order and of any number. */

export interface Copies {
  id: string
  count: number
  /** `proofline_check`, where the search asked for it; several where the copies differ. */
  checks: string[] | undefined
}

/** A search that came to its end: everything of these seqs that was there when it was started is in the export. Both included. */
export interface Searched {
  ledger: LedgerName
  first: number
  last: number
  at: Micros
}

export interface SearchExport {
  /** By ledger and seq. */
  copies: ReadonlyMap<LedgerName, ReadonlyMap<number, Copies>>
  searched: readonly Searched[]
  rows: number
}

const mostRows = 1_000_000
const mostCell = 4_096

/** The line that a search of `lookup` writes last: `lookup main/unit 0-59`. An export that was cut short does not have it. */
export const printScope = (ledger: LedgerName, first: number, last: number): string =>
  `lookup ${ledger} ${first}-${last}`

/** Throws Problem request_invalid for what is no such export. Lines of other ids are passed over. */
export async function readExport(chunks: AsyncIterable<Uint8Array>): Promise<SearchExport> {
  const copies = new Map<LedgerName, Map<number, Copies>>()
  const searched: Searched[] = []
  let columns: Map<string, number> | undefined
  let rows = 0
  for await (const row of readCsv(chunks)) {
    if (columns === undefined) {
      columns = new Map(row.map((name, at) => [name.trim(), at]))
      for (const name of ['proofline_id', 'count'])
        if (!columns.has(name)) throw new Problem('request_invalid', `the export has no column ${name}`)
      continue
    }
    if (row.length === 1 && row[0] === '') continue
    const known = columns
    const cell = (name: string): string | undefined => row[known.get(name) ?? -1]
    const id = cell('proofline_id') ?? ''
    if (id === 'proofline_id') continue // several exports, one behind the other
    if (++rows > mostRows) throw new Problem('body_too_large', `more than ${mostRows} lines: settle them in pieces`)
    const scope = readScope(id, cell('searched_at'))
    if (scope !== undefined) searched.push(scope)
    const parsed = parseRecordId(id)
    if (parsed === undefined) continue
    const count = Number(cell('count'))
    if (!Number.isSafeInteger(count) || count < 0)
      throw new Problem('request_invalid', `line ${rows + 1} of the export: count is no whole number`)
    const checks = cell('proofline_check') ?? cell('checks')
    const ofLedger = copies.get(parsed.ledger) ?? new Map<number, Copies>()
    copies.set(parsed.ledger, ofLedger)
    // A foreign id of the same seq does not take the place of another: the first is kept unless it is no copy at all.
    if (count > 0) {
      const before = ofLedger.get(parsed.seq)
      if (before === undefined || before.id === id)
        ofLedger.set(parsed.seq, { id, count: Math.max(count, before?.count ?? 0), checks: toList(checks) })
    }
  }
  if (columns === undefined) throw new Problem('request_invalid', 'the export is empty: not even a header')
  return { copies, searched, rows }
}

/** Several values of one field stand in one cell, one a line. */
function toList(cell: string | undefined): string[] | undefined {
  return cell === undefined || cell === '' ? undefined : cell.split(/[\n;,\s]+/).filter(Boolean)
}

function readScope(id: string, at: string | undefined): Searched | undefined {
  const [, ledger = '', first, last] = /^lookup (\S+) (\d{1,16})-(\d{1,16})$/.exec(id) ?? []
  if (!isLedgerName(ledger)) return undefined
  const micros = Math.floor(Number(at) * 1_000_000)
  if (!(micros > 0 && Number.isSafeInteger(micros)))
    throw new Problem('request_invalid', `the line "${id}" of the export has no searched_at`)
  const [from, to] = [Number(first), Number(last)]
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to))
    throw new Problem('request_invalid', `the line "${id}" of the export names no seqs`)
  return { ledger, first: from, last: to, at: micros }
}

/** RFC 4180, line ends of both kinds; a file that ends within quotes was cut short. */
export async function* readCsv(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true }) // takes the byte order mark away
  let row: string[] = []
  let cell = ''
  /** Within quotes; behind a quote within quotes, which ends them unless another follows. */
  const at: { state: 'plain' | 'quoted' | 'quote' } = { state: 'plain' }
  let any = false
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
    } catch (cause) {
      throw new Problem('request_invalid', 'the export is not UTF-8', { cause })
    }
  }
  function* take(text: string): Generator<string[]> {
    for (const c of text) {
      any = true
      if (at.state === 'quoted') {
        if (c === '"') at.state = 'quote'
        else cell += c
      } else if (c === '"') {
        if (at.state === 'quote') cell += c
        at.state = 'quoted'
      } else if (c === ',' || c === '\n') {
        row.push(cell.endsWith('\r') && c === '\n' ? cell.slice(0, -1) : cell)
        cell = ''
        at.state = 'plain'
        if (c === ',') continue
        yield row
        row = []
        any = false
      } else cell += c
      if (cell.length > mostCell)
        throw new Problem('request_invalid', `a cell of the export is longer than ${mostCell}`)
    }
  }
  for await (const chunk of chunks) yield* take(decode(chunk))
  yield* take(decode())
  if (at.state === 'quoted') throw new Problem('request_invalid', 'the export ends within quotes: it was cut short')
  if (any) yield [...row, cell]
}
