import { hash, randomBytes } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { findSubmissions } from '../ledger/store.ts'
import { Problem } from '../record/problem.ts'
import { printPayload } from '../record/run.ts'
import { type HoldRow, type NewHold, findHold, holdKey, insertHold, insertRelease, listHolds } from './hold-store.ts'

/**
 * Holds: nothing that one names leaves the archive. One person puts it down; to release it takes one who asks and another who confirms.
 * A hold is in force before it is on record and released only after that is on record, so a crash in between keeps more, never less.
 */
export interface Holds {
  add(wanted: Omit<NewHold, 'hold' | 'byWhom'>, by: string): Promise<HoldRow>
  list(all: boolean): Promise<HoldRow[]>
  /** The first call asks, one by somebody else confirms. Throws Problem not_found and second_person. */
  release(hold: string, reason: string, by: string): Promise<HoldRow>
  /** Makes the records of holds that a crash left without one. */
  recordMissing(): Promise<void>
}

export function createHolds(db: Queryable, operations: Book): Holds {
  const { ledger } = operations
  const get = async (hold: string): Promise<HoldRow> => {
    const row = await findHold(db, ledger, hold)
    if (row === undefined) throw new Problem('not_found', `there is no hold ${hold}`)
    return row
  }

  const record = async (act: 'added' | 'release_asked' | 'released', row: HoldRow | NewHold, by: string, reason: string): Promise<void> => {
    const { hold, repository, path, from, to, ticket } = row
    const fields = { act, hold, repository, path: path ?? undefined, from_day: from ?? undefined, to_day: to ?? undefined, ticket, reason, by }
    await operations.appender.submit([
      {
        key: holdKey(hold, act, by),
        digest: hash('sha256', holdKey(hold, act, by), 'buffer'),
        firstWins: true,
        conflict: 'internal',
        segments: [packSegment('hold', [printPayload('hold', ledger, fields)])],
      },
    ])
  } // oxfmt-ignore

  return {
    async add(wanted, by) {
      const row: NewHold = { ...wanted, hold: `hold-${randomBytes(6).toString('hex')}`, byWhom: by }
      await insertHold(db, ledger, row)
      await record('added', row, by, row.reason)
      return get(row.hold)
    },
    list: (all) => listHolds(db, ledger, all),
    async release(hold, reason, by) {
      const row = await get(hold)
      if (row.releasedBy !== null) return row
      if (row.askedBy === null) {
        await record('release_asked', row, by, reason)
        await insertRelease(db, ledger, hold, 'asked', by, reason)
        return get(hold)
      }
      if (row.askedBy === by) {
        const detail = `${by} asked for the release of ${hold}: somebody else has to confirm it, with a credential of their own`
        throw new Problem('second_person', detail)
      }
      await record('released', row, by, reason)
      await insertRelease(db, ledger, hold, 'confirmed', by, reason)
      return get(hold)
    },
    async recordMissing() {
      for (const row of await listHolds(db, ledger, true)) {
        const [there] = await findSubmissions(db, ledger, [holdKey(row.hold, 'added', row.byWhom)], [])
        if (there === undefined) await record('added', row, row.byWhom, row.reason)
      }
    },
  }
}
