import type { Readable } from 'node:stream'
import type { Queryable } from '../database/database.ts'
import type { Objects } from '../objects/objects.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { dayKey, manifestFile } from '../verify/day-manifest.ts'
import type { Day } from './calendar.ts'
import { type ColdDay, findColdDay, isExpired, listColdDays } from './store.ts'

/** What of the archive is shown: only what was read back and verified. */
export interface DayFiles {
  /** In their order, from the day behind `after` on. */
  list(ledger: LedgerName, after: Day | undefined, limit: number): Promise<(ColdDay & { expired: boolean })[]>
  /** Reads nothing of it yet. Throws Problem not_found, and expired for what was deleted. */
  find(ledger: LedgerName, day: Day, file: string): Promise<DayFile>
}

export interface DayFile {
  /** A strong entity tag: the manifest of the day names the digests of its files. */
  tag: string
  /** Throws Problem not_found for a file that the day does not have. */
  open(): Promise<Readable>
}

export function createDayFiles(db: Queryable, objects: Objects): DayFiles {
  return {
    list: (ledger, after, limit) => listColdDays(db, ledger, after, limit),
    async find(ledger, day, file) {
      const found = await findColdDay(db, ledger, day)
      if (found === undefined) throw new Problem('not_found', `${day} of ${ledger} is not in the archive`)
      // Also while the storage still has them, locked or not deleted yet: what has expired is read by nobody. Manifests stay.
      if (file !== manifestFile && (await isExpired(db, ledger, day)))
        throw new Problem('expired', `the records of ${day} were deleted when their retention had passed`)
      return {
        tag: `"${found.manifest.toString('hex')}.${file}"`,
        async open() {
          const bytes = await objects.open(dayKey(ledger, day, file))
          if (bytes !== undefined) return bytes
          throw new Problem('not_found', `${day} has no ${file}`)
        },
      }
    },
  }
}
