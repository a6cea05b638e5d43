import type { Queryable } from '../database/database.ts'
import { dispositionsAbout } from '../history/decision-pages.ts'
import type { Decision } from '../history/decision-store.ts'
import type { DispositionFields } from '../record/changes.ts'
import { type LedgerName, type Micros, printTime } from '../record/record.ts'

/** What people said about something, beside it: as of the sizes of a question, and with what has lapsed marked as that. */

export interface ShownDisposition {
  id: string
  recorded_at: string
  note: string
  verdict: NonNullable<DispositionFields['verdict']> | null
  until: string | null
  by: DispositionFields['by']
  /** Why it holds no more. */
  lapsed?: 'until' | 'blob'
}

export interface Disposed extends Omit<DispositionFields, 'by'> {
  shown: ShownDisposition
}

/** `moment` is the time of the as_of; `blobOf` the blob of a file at the commit that is asked about, where it is known. */
export function toDisposed(
  { id, recordedAt, fields }: Decision,
  moment: Micros,
  blobOf?: (path: string) => string | undefined,
): Disposed {
  const told = JSON.parse(fields) as DispositionFields // by dispositionPayload
  const lapsed = lapsedOf(told, moment, blobOf)
  const { note, verdict, until, by } = told
  const shown = { id, recorded_at: printTime(recordedAt), note, verdict: verdict ?? null, until: until ?? null, by }
  return { ...told, shown: lapsed === undefined ? shown : { ...shown, lapsed } }
}

/** The day of `until` is the last on which it holds. */
export function lapsedOf(
  { target, until, blob }: Pick<DispositionFields, 'target' | 'until' | 'blob'>,
  moment: Micros,
  blobOf?: (path: string) => string | undefined,
): 'until' | 'blob' | undefined {
  if (until !== undefined && moment >= (Date.parse(until) + dayMs) * 1000) return 'until'
  if (blob === undefined || blobOf === undefined || !('path' in target)) return undefined
  return blobOf(target.path) === blob ? undefined : 'blob'
}

const dayMs = 86_400_000

/** About these things of a repository, by the text of the target; the oldest first. */
export async function dispositionsBySubject(
  db: Queryable,
  changes: readonly { ledger: LedgerName; size: number }[],
  { repository, subjects, moment }: { repository: string; subjects: readonly string[]; moment: Micros },
): Promise<ReadonlyMap<string, ShownDisposition[]>> {
  const found = new Map<string, ShownDisposition[]>()
  for (const { ledger, size } of changes)
    for (const decision of await dispositionsAbout(db, ledger, size, repository, subjects)) {
      const { subject, shown } = toDisposed(decision, moment)
      found.set(subject, [...(found.get(subject) ?? []), shown])
    }
  return found
}
