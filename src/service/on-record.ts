import { join } from 'node:path'
import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import { recordLocalCommands } from '../watch/local-commands.ts'
import { openUseFiles } from '../watch/use-files.ts'
import { type Uses, createUses } from '../watch/uses.ts'

/** What people read, and what they command on the database itself, goes on record; also what was left when it could not. */
export interface OnRecord {
  recordUse: Uses['record']
  /** Records what can be recorded; the rest is found by the next start. */
  close(): Promise<void>
}

export interface OnRecordDeps {
  db: Queryable
  operations: Book
  /** Of `operations`, oldest first. */
  generations: readonly LedgerName[]
  dataDir: string
  log: Logger
}

const keepMs = 1_000
const commandsMs = 5_000
const flushMs = 60_000

export async function openOnRecord({ db, operations, generations, dataDir, log }: OnRecordDeps): Promise<OnRecord> {
  const files = await openUseFiles(join(dataDir, 'uses'))
  const uses = createUses({ operations, files, now: () => new Date(), log })
  let recording: Promise<void> | undefined
  const recordCommands = (): void => {
    if (recording !== undefined || operations.publisher.stopped() !== undefined) return
    recording = recordLocalCommands(db, operations, generations)
      .catch((error: unknown) => log.warn('command.delayed', { error: String(error) }))
      .finally(() => (recording = undefined))
  }
  recordCommands()
  void uses.flush()
  const timers = [
    setInterval(() => void uses.keep(), keepMs),
    setInterval(recordCommands, commandsMs),
    setInterval(() => void uses.flush(), flushMs),
  ]
  return {
    recordUse: uses.record,
    async close() {
      for (const timer of timers) clearInterval(timer)
      await recording
      await uses.end()
      await files.close()
    },
  }
}
