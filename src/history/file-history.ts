import type { Queryable } from '../database/database.ts'
import { parseLines } from '../record/lines.ts'
import type { LedgerName } from '../record/record.ts'
import { openNames } from './file-index.ts'
import { ordinalsOf } from './file-state.ts'
import * as store from './file-store.ts'

/** One part that measured a file. */
export interface MeasuredPart {
  seq: number
  run: string
  /** Of the file's coverage records in this part. */
  records: number[]
  /** Parts with the same one say the same of the file; others may. */
  same: number
}

/**
 * The parts of a repository before `until` that measured `path`, in order of seq. Reads no record: from part to part it is known whether the
 * file's state is that of the part before.
 */
export async function measuredParts(
  db: Queryable,
  ledger: LedgerName,
  repository: string,
  path: string,
  until: number,
): Promise<MeasuredPart[]> {
  const rows = await store.partsBefore(db, ledger, repository, until)
  const ordinals = await ordinalsByLayout(db, ledger, rows, path)
  const sameBySeq = new Map<number, number>()
  const found: MeasuredPart[] = []
  for (const { seq, run, base, layout, changed, ranges } of rows) {
    const own = ordinals.get(layout.toString('hex')) ?? []
    if (own.length === 0) continue
    const before = base === null || own.some((i) => holds(changed, i + 1)) ? undefined : sameBySeq.get(base)
    const same = before ?? seq
    sameBySeq.set(seq, same)
    found.push({ seq, run, records: own.map((i) => nth(ranges, i)), same })
  }
  return found
}

async function ordinalsByLayout(
  db: Queryable,
  ledger: LedgerName,
  rows: readonly store.PartRow[],
  path: string,
): Promise<Map<string, number[]>> {
  const layouts = new Map(rows.map(({ layout }) => [layout.toString('hex'), layout]))
  const found = new Map<string, number[]>()
  const all = [...layouts.values()]
  for (let at = 0; at < all.length; at += 100)
    for (const { layout, names } of await store.layoutNames(db, ledger, all.slice(at, at + 100)))
      found.set(layout.toString('hex'), ordinalsOf(openNames(names), path))
  return found
}

function holds(ranges: string, n: number): boolean {
  const parsed = parseLines(ranges)
  for (let i = 0; i < parsed.length; i += 2) if (n >= (parsed[i] ?? 0) && n <= (parsed[i + 1] ?? 0)) return true
  return false
}

/** The n-th number, from 0, of the set. */
function nth(ranges: string, n: number): number {
  const parsed = parseLines(ranges)
  let left = n
  for (let i = 0; i < parsed.length; i += 2) {
    const [from = 0, to = 0] = parsed.slice(i, i + 2)
    if (left <= to - from) return from + left
    left -= to - from + 1
  }
  throw new Error(`a part has no record ${n}`)
}
