import type { Queryable } from '../database/database.ts'
import { dispositionsOnFiles } from '../history/decision-pages.ts'
import type { Reader } from '../ledger/read.ts'
import { type ShownDisposition, toDisposed } from './dispositions.ts'
import type { Measured } from './measured.ts'
import type { Question, Subject } from './subject.ts'
import { momentOf } from './window.ts'

/** What people said of files and lines of a commit, beside its report: it changes no number. */

export interface FileNote extends ShownDisposition {
  path: string
  /** Absent for a note on the whole file. */
  lines?: string
}

/** Of files that the commit has, by path, the oldest first. `prefix`: only of these. */
export async function notesOnFiles(
  { db, reader }: { db: Queryable; reader: Pick<Reader, 'readBatch'> },
  { changes, repository, resolved }: Question,
  { inventory }: Pick<Subject, 'inventory'>,
  { production, other }: Measured,
  prefix = '',
): Promise<FileNote[]> {
  const measured = new Map([...production, ...other].map((file) => [file.path, file]))
  const known = new Set([...measured.keys(), ...(inventory?.files.keys() ?? [])])
  const paths = [...known].filter((path) => path.startsWith(prefix))
  const found = await Promise.all(changes.map(({ ledger, size }) => dispositionsOnFiles(db, ledger, size, repository, paths))) // oxfmt-ignore
  const decisions = found.flat()
  if (decisions.length === 0) return []
  const moment = await momentOf({ db, reader }, resolved.ledgers)
  const blobOf = (path: string): string | undefined => measured.get(path)?.blob ?? inventory?.files.get(path)
  const notes = decisions.flatMap((decision): FileNote[] => {
    const { target, shown } = toDisposed(decision, moment)
    if (!('path' in target)) return []
    const { path } = target
    // Where the content of the file is not known, only its date says whether a note holds.
    const told = blobOf(path) === undefined ? shown : toDisposed(decision, moment, blobOf).shown
    return [{ path, ...(target.kind === 'lines' ? { lines: target.lines } : {}), ...told }]
  })
  return notes.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}
