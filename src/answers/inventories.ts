import { createHash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { productionFilter, productionLine } from '../contract/effective.ts'
import type { Contract } from '../contract/form.ts'
import { type AsOfLedger } from '../history/file-facts.ts'
import { fieldsAt, fieldsOf, readSpan } from '../history/read-records.ts'
import { createPause } from '../ledger/pause.ts'
import type { Reader } from '../ledger/read.ts'
import type { LedgerName } from '../record/record.ts'
import { createKept } from './kept.ts'

/** The files of a commit as its inventory has them, read off its records; they never change, so what was read is kept for a while. */
export interface Inventories {
  /** Blobs by path, in the order of paths; undefined where no inventory of the commit is recorded as of these sizes. */
  of(views: readonly AsOfLedger[], commit: string): Promise<Inventory | undefined>
}

export interface Inventory {
  files: ReadonlyMap<string, string>
  /** By a contract that names production files; undefined for one that does not. */
  production(contract: Contract): Promise<ProductionOfCommit> | undefined
}

export interface ProductionOfCommit {
  paths: ReadonlySet<string>
  /** The same as a seal's. */
  digest: string
}

/** About: some 300,000 files, of one commit or of a hundred. The newest is kept whatever it takes. */
const usualBytes = 64 * 1_048_576
/** Of a file beside its path and its blob: two strings, an entry of a map, and one of each set of production files that is kept. */
const fileBytes = 200
/** Contracts by which the production files of one commit are kept: that of today, and the one before that somebody compares with. */
const maxContracts = 2
const recordsAtOnce = 32

export function createInventories(reader: Pick<Reader, 'readBatch'>, maxBytes = usualBytes): Inventories {
  const kept = createKept<Inventory>(maxBytes)
  return {
    async of(views, commit) {
      for (const { history, inventories } of views) {
        const found = history.inventories.slice(0, inventories).findLast((one) => one.commit === commit)
        if (found === undefined) continue
        return kept(`${history.ledger} ${found.seq}`, () => readInventory(reader, history.ledger, found.seq), bytesOf)
      }
      return undefined
    },
  }
}

function bytesOf({ files }: Inventory): number {
  let bytes = 0
  for (const [path, blob] of files) bytes += path.length + blob.length + fileBytes
  return bytes
}

/** `last` is the seq of its last window; the others stand before it, without a gap. */
async function readInventory(reader: Pick<Reader, 'readBatch'>, ledger: LedgerName, last: number): Promise<Inventory> {
  const { window } = (await fieldsAt(reader, ledger, last)) as { window?: { index: number } } // written by inventoryPayloads
  const files = new Map<string, string>()
  let records = 0
  for await (const record of readSpan(reader, ledger, last - (window?.index ?? 0), last)) {
    for (const [path, blob] of fieldsOf(record)['files'] as [string, string][]) files.set(path, blob)
    if (++records % recordsAtOnce === 0) await breathe()
  }
  const selected = new Map<string, Promise<ProductionOfCommit>>()
  return {
    files,
    production(contract) {
      const isProduction = productionFilter(contract)
      if (isProduction === undefined) return undefined
      const key = JSON.stringify(contract.production)
      const found = selected.get(key) ?? selectProduction(files, isProduction)
      selected.delete(key)
      selected.set(key, found)
      for (const oldest of selected.keys()) if (selected.size > maxContracts) selected.delete(oldest)
      return found
    },
  }
}

async function selectProduction(
  files: ReadonlyMap<string, string>,
  isProduction: (path: string) => boolean,
): Promise<ProductionOfCommit> {
  const pause = createPause()
  const paths = new Set<string>()
  const digest = createHash('sha256')
  for (const [path, blob] of files) {
    if (isProduction(path)) {
      paths.add(path)
      digest.update(productionLine(path, blob))
    }
    if (pause.isDue()) await pause.take()
  }
  return { paths, digest: digest.digest('hex') }
}
