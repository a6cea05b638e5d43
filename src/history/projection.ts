import type { Database } from '../database/database.ts'
import type { Reader } from '../ledger/read.ts'
import type { LedgerName } from '../record/record.ts'
import type { RunReadDeps } from './read-run.ts'
import { createMemory } from './memory.ts'
import { planStep } from './plan-step.ts'
import { type Position, dropHistory, insertRows, movePosition, readPosition } from './projection-store.ts'

/**
 * The follower that fills the history of a ledger. Every step inserts its rows and moves the position in one transaction, and only from where
 * this process believes it stands: a crash, a second process or a rebuild meanwhile leave either all of a step or nothing. What a step inserts
 * depends on the ledger alone, so a history that is filled again has the same content.
 */
export interface Projection {
  /** Steps until the position is at `size` or the signal aborts; the position. */
  catchUp(size: number, signal: AbortSignal): Promise<number>
}

export interface ProjectionDeps extends RunReadDeps {
  db: Database
  reader: Reader
}

export function createProjection(deps: ProjectionDeps, ledger: LedgerName): Projection {
  const { db } = deps
  let memory = createMemory(db, ledger)
  let position: Position | undefined

  const step = async (at: Position, size: number, signal: AbortSignal): Promise<Position | undefined> => {
    const { rows, next } = await planStep({ ...deps, ledger, memory, signal }, at.next, size)
    const moved = await db.transaction(async (tx) => {
      // First the position: whoever comes second waits for it, and inserts nothing.
      if (!(await movePosition(tx, ledger, at, next))) return false
      await insertRows(tx, ledger, rows)
      return true
    })
    if (!moved) return undefined
    memory.trim()
    return { ...at, next }
  }

  return {
    async catchUp(size, signal) {
      try {
        for (;;) {
          position ??= await readPosition(db, ledger)
          if (position.next >= size || signal.aborted) return position.next
          position = await step(position, size, signal)
          // Another process was faster, or began anew: what it did is read back.
          if (position === undefined) memory = createMemory(db, ledger)
        }
      } catch (error) {
        // What was planned is not in the tables, or perhaps it is: both are read back.
        memory = createMemory(db, ledger)
        position = undefined
        throw error
      }
    },
  }
}

/** Follows the ledger until the signal aborts. */
export async function runProjection(deps: ProjectionDeps, ledger: LedgerName, signal: AbortSignal): Promise<void> {
  const projection = createProjection(deps, ledger)
  while (!signal.aborted) {
    const size = (await deps.reader.published(ledger))?.size ?? 0
    const next = await projection.catchUp(size, signal)
    for await (const _ of deps.reader.tail(ledger, Math.max(size, next), signal, { maxRecords: 1 })) break
  }
}

/** Drops the history of a ledger and fills it again. A service that follows it meanwhile loses its place and finds the new one. */
export async function rebuildHistory(
  deps: ProjectionDeps,
  ledger: LedgerName,
  signal: AbortSignal,
): Promise<{ size: number }> {
  await deps.db.transaction((tx) => dropHistory(tx, ledger))
  const size = (await deps.reader.published(ledger))?.size ?? 0
  return { size: await createProjection(deps, ledger).catchUp(size, signal) }
}
