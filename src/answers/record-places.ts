import type { Queryable } from '../database/database.ts'
import type { LedgerHistory, RunFacts } from '../history/ledger-history.ts'
import { unpackLayout } from '../history/project-run.ts'
import { idHashesOf } from '../ledger/segments-by-kind.ts'
import type { LedgerName } from '../record/record.ts'
import type { HistoryDeps } from './open-file.ts'
import { recordId } from '../record/record.ts'

/** The ids of records that an answer names: seqs come from the history, and the hashes in ids from the ledger. */

/** Seqs of the records of a run about one path, by one definition. The layouts must be there. */
export function recordSeqs(history: LedgerHistory, { parts }: RunFacts, path: number | undefined, definition: string): number[] {
  const seqs: number[] = []
  if (path === undefined) return seqs
  for (const [layout, measured, ...ranges] of parts) {
    if (measured !== definition) continue
    const paths = history.layouts.get(layout) ?? []
    for (let at = paths.indexOf(path); at >= 0; at = paths.indexOf(path, at + 1)) seqs.push(seqInRanges(ranges, at))
  }
  return seqs
} // oxfmt-ignore

function seqInRanges(ranges: readonly number[], place: number): number {
  let left = place
  for (let i = 0; i < ranges.length; i += 2) {
    const [first, last] = ranges.slice(i, i + 2) as [number, number] // ranges come in pairs
    if (left <= last - first) return first + left
    left -= last - first + 1
  }
  throw new Error('a layout is longer than its part')
}

/** Reads the layouts of these runs that are not in memory yet. */
export async function readLayouts(db: Queryable, history: LedgerHistory, runs: readonly RunFacts[]): Promise<void> {
  const wanted = new Set(runs.flatMap(({ parts }) => parts.map(([layout]) => layout)))
  const missing = [...wanted].filter((layout) => !history.layouts.has(layout))
  if (missing.length === 0) return
  const { rows } = await db.query<{ layout: number; paths: Buffer }>({
    name: 'history_layouts_of',
    text: 'select layout_id as layout, paths from proofline_derived.history_layouts where ledger = $1 and repository_id = $2 and layout_id = any($3)',
    values: [history.ledger, history.id, missing],
  })
  for (const { layout, paths } of rows) history.layouts.set(layout, unpackLayout(paths))
}

/** Of records that have left the tables the whole is read, from the archive. Throws Problem('expired') for what is deleted there. */
export async function readIds(
  { db, reader }: Pick<HistoryDeps, 'db' | 'reader'>,
  ledger: LedgerName,
  seqs: Iterable<number>,
): Promise<(seq: number) => string> {
  const wanted = [...new Set(seqs)]
  const hashes = await idHashesOf(db, ledger, wanted)
  const ids = new Map([...hashes].map(([seq, hash]) => [seq, recordId(ledger, seq, hash)]))
  for (const seq of wanted) {
    if (ids.has(seq)) continue
    const { records } = await reader.readBatch(ledger, seq, { maxRecords: 1 })
    for (const { id } of records) ids.set(seq, id)
  }
  return (seq) => {
    const id = ids.get(seq)
    if (id === undefined) throw new Error(`${ledger}: record ${seq} of the history is not in the ledger`)
    return id
  }
}
