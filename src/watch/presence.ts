import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import { forgetNode, type NodeRow, touchNode } from './node-store.ts'

/** A node that is alive says so again and again, with what it runs: in every process, unlike the alerts that compare them. */
export interface Presence {
  /** Takes the word back. A process that is killed is forgotten by time. */
  stop(): Promise<void>
}

export function startPresence(
  db: Queryable,
  operations: LedgerName,
  row: NodeRow,
  everyMs: number,
  log: Logger,
): Presence {
  const failed = (error: unknown): void => log.warn('presence.failed', { error: String(error) }) // the next one tells
  let last = touchNode(db, operations, row).catch(failed)
  const timer = setInterval(() => (last = last.then(() => touchNode(db, operations, row)).catch(failed)), everyMs)
  return {
    async stop() {
      clearInterval(timer)
      await last
      await forgetNode(db, operations, row.node).catch(failed)
    },
  }
}
