import { afterAll, beforeAll } from 'vitest'
import { type LaneStatus, listDeadLetters } from '../../src/delivery/status.ts'
import type { DestinationSettings } from '../../src/delivery/settings.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually, findStatus, type LaneOptions, type RunningLane, startLane } from './lane.ts'
import { createMemoryReader, makeRecord, type MemoryReader } from './records.ts'

/** What tests of single hard cases have in common: one database, and lanes of their own in it. */

export const sixty = Array.from({ length: 60 }, (_, seq) => makeRecord(seq))

export interface CaseLane {
  name: string
  lane: RunningLane
  reader: MemoryReader
  status(): Promise<LaneStatus | undefined>
  /** Until the lane is as told; fails with its status. */
  until(is: (status: LaneStatus) => boolean): Promise<void>
  /** Seq, kind and reason of what is parked. */
  parked(): Promise<{ seq: number; kind: string; reason: string }[]>
}

export interface Cases {
  database(): TestDatabase
  /** Starts a lane; `name` goes on with an earlier one. It is stopped at the end of the file if nobody did so before. */
  deliver(settings: DestinationSettings, options?: Partial<LaneOptions> & { reader?: MemoryReader }): Promise<CaseLane>
}

export function setUpCases(): Cases {
  let database: TestDatabase
  let lanes = 0
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(async () => {
    await database.drop()
  })
  return {
    database: () => database,
    async deliver(settings, options = {}) {
      const name = options.name ?? `siem-${++lanes}`
      const reader = options.reader ?? createMemoryReader([...sixty])
      const lane = await startLane({ db: database.db, settings, ...options, name, reader })
      const status = (): Promise<LaneStatus | undefined> => findStatus(database.db, name)
      return {
        name,
        lane,
        reader,
        status,
        until: (is) =>
          eventually(async () => {
            const now = await status()
            return now !== undefined && is(now)
          }, status),
        parked: async () =>
          (await listDeadLetters(database.db, { org: 'main', destination: name })).map(({ seq, kind, reason }) => ({
            seq,
            kind,
            reason,
          })),
      }
    },
  }
}
