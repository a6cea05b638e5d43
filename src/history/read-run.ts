import type { Queryable } from '../database/database.ts'
import type { Reader } from '../ledger/read.ts'
import { findSubmissions } from '../ledger/store.ts'
import type { LedgerName } from '../record/record.ts'
import { fieldsAt } from './read-records.ts'

/** Which records of a ledger make up a run that has ended: read off its seal and its parts. */

export interface CountingPart {
  part: string
  seq: number
  metric: string
  definition: string
  /** First and last seq of each. */
  ranges: readonly (readonly [first: number, last: number])[]
}

export interface RunParts {
  parts: CountingPart[]
  /** A list that the seal or a part names by its digest cannot be read: which parts count is then not known. */
  unreadable: boolean
}

export interface RunReadDeps {
  db: Queryable
  reader: Pick<Reader, 'readBatch'>
  /** A list that did not fit its record; undefined when nothing is kept under this digest. */
  readList: (sha256: string) => Promise<unknown[] | undefined>
}

interface Earlier {
  run: string
  part: string
  seq: number
}

/** Own parts but those that the seal leaves out, and the parts of earlier attempts that it names; in order of their names, then of their seqs. */
export async function readParts(
  { db, reader, readList }: RunReadDeps,
  ledger: LedgerName,
  run: string,
  seal: Readonly<Record<string, unknown>>,
): Promise<RunParts> {
  let unreadable = false
  const whole = async <T>(shown: unknown, digest: unknown): Promise<T[]> => {
    if (digest === undefined) return (shown ?? []) as T[] // written by admission/submissions.ts
    const kept = await readList((digest as { sha256: string }).sha256)
    if (kept === undefined) unreadable = true
    return (kept ?? []) as T[]
  }
  const earlier = await whole<Earlier>(seal['earlier'], seal['earlier_digest'])
  const leftOut = new Set(await whole<string>(seal['left_out'], seal['left_out_digest']))
  const own = (await findSubmissions(db, ledger, [], [run])).filter(({ key }) => key.startsWith('part:'))
  const seqs = [...own.map(({ firstSeq }) => firstSeq), ...earlier.map(({ seq }) => seq)]
  const parts: CountingPart[] = []
  for (const seq of seqs) {
    const fields = await fieldsAt(reader, ledger, seq)
    const part = String(fields['part'])
    if (fields['run'] === run && leftOut.has(part)) continue
    const ranges = await whole<[number, number]>(fields['ranges'], fields['ranges_digest'])
    parts.push({
      part,
      seq,
      metric: typeof fields['metric'] === 'string' ? fields['metric'] : 'line',
      definition: String(fields['definition']),
      ranges,
    })
  }
  parts.sort((a, b) => (a.part < b.part ? -1 : a.part > b.part ? 1 : a.seq - b.seq))
  return { parts, unreadable }
}
