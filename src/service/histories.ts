import { text } from 'node:stream/consumers'
import type { Database } from '../database/database.ts'
import { runDecisions } from '../history/decisions.ts'
import { type ProjectionDeps, runProjection } from '../history/projection.ts'
import type { Keeper } from './keeping.ts'
import type { Reader } from '../ledger/read.ts'
import { createArtifacts, type Objects } from '../objects/objects.ts'
import { type LedgerName, ledgerKindOf } from '../record/record.ts'

/** The history follows the ledgers of runs and of changes, in one process at a time. */
export const keepHistory: Keeper = async ({ db, reader, objects, generations }, work) => {
  const deps = historyDeps(db, reader, objects)
  for (const ledger of ledgersOfRuns(generations.every))
    work(`history ${ledger}`, (signal) => runProjection(deps, ledger, signal))
  for (const ledger of ledgersOfDecisions(generations.every))
    work(`history ${ledger}`, (signal) => runDecisions(deps, ledger, signal))
  return async () => []
}

export function ledgersOfRuns(ledgers: readonly LedgerName[]): LedgerName[] {
  return ledgers.filter((ledger) => ['unit', 'integration'].includes(ledgerKindOf(ledger)))
}

export function ledgersOfDecisions(ledgers: readonly LedgerName[]): LedgerName[] {
  return ledgers.filter((ledger) => ledgerKindOf(ledger) === 'changes')
}

export function historyDeps(db: Database, reader: Reader, objects: Objects): ProjectionDeps {
  const artifacts = createArtifacts(objects)
  return {
    db,
    reader,
    async readList(sha256) {
      const bytes = await artifacts.open(sha256)
      if (bytes === undefined) return undefined
      const lines = (await text(bytes)).split('\n').filter((line) => line !== '')
      return lines.map((line): unknown => JSON.parse(line)) // printed by record/run.ts
    },
  }
}
