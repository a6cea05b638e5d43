import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from './database/database.ts'
import { filePosition, mapsBetween, runsBetween } from './history/file-store.ts'
import { createFileIndex } from './history/file-index.ts'
import { measuredParts } from './history/file-history.ts'
import type { FileSource } from './evidence/sources.ts'
import type { Keeper } from './keeping.ts'
import { readIds } from './ledger/read-ids.ts'
import type { LedgerReader } from './ledger/read.ts'
import { Problem } from './record/problem.ts'
import { type LedgerName, ledgerKindOf } from './record/record.ts'

const isOfRuns = (ledger: LedgerName): boolean => ['unit', 'integration'].includes(ledgerKindOf(ledger))
/** How often it looks for more, and how long a question waits for it. */
const idleMs = 500
const waitMs = 10_000

/** Follows the ledgers of runs with the index of files, each by a worker of its own. */
export const indexingFiles: Keeper = async ({ db, reader, ledgers }, work) => {
  const index = createFileIndex(db, reader)
  for (const ledger of ledgers) {
    if (!isOfRuns(ledger)) continue
    work(`file-index ${ledger}`, async (signal) => {
      for (let next = 0; !signal.aborted;) {
        const size = (await reader.published(ledger))?.size ?? 0
        next = await index.step(ledger, size)
        if (next >= size) await sleep(idleMs, undefined, { signal }).catch(() => undefined)
      }
    })
  }
  return async () => []
}

/** What packs ask of it. */
export function createFileSource(db: Database, reader: LedgerReader): FileSource {
  return {
    async reach(ledger, until) {
      if (!isOfRuns(ledger)) return
      for (let tries = 0; ; tries++) {
        const next = await filePosition(db, ledger)
        if (next >= until) return
        if (tries * idleMs > waitMs) throw new Problem('unavailable', `the index of files is at record ${next} of ${until} in ${ledger}`) // oxfmt-ignore
        await sleep(idleMs)
      }
    },
    measured: (ledger, repository, path, until) => measuredParts(db, ledger, repository, path, until),
    runs: (ledger, repository, from, to) => runsBetween(db, ledger, repository, from, to),
    maps: (ledger, repository, path, from, to) => mapsBetween(db, ledger, repository, path, from, to),
    ids: (ledger, seqs) => readIds({ db, reader }, ledger, seqs),
  }
}
