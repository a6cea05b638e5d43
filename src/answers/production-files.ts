import { productionFilter } from '../contract/effective.ts'
import type { Contract } from '../contract/form.ts'
import { createPause } from '../ledger/pause.ts'
import type { Inventory } from './inventories.ts'

/**
 * Which files are production files by a contract. A repository has two hundred thousand files and a contract globs that take milliseconds
 * for each, so nothing is matched twice, and lists are looked at ahead.
 */
export type IsProduction = (path: string) => boolean

/** Undefined where the contract does not say. */
export async function openProduction(
  contract: Contract | undefined,
  inventory: Inventory | undefined,
): Promise<IsProduction | undefined> {
  if (contract === undefined) return undefined
  const takes = productionFilter(contract)
  if (takes === undefined) return undefined
  const ofCommit = await inventory?.production(contract)
  const others = new Map<string, boolean>()
  return (path) => {
    if (ofCommit !== undefined && inventory?.files.has(path) === true) return ofCommit.paths.has(path)
    const answer = others.get(path) ?? takes(path)
    others.set(path, answer)
    return answer
  }
}

/** Afterwards the same question costs a look into a table. */
export async function lookAhead(isProduction: IsProduction | undefined, paths: Iterable<string>): Promise<void> {
  if (isProduction === undefined) return
  const pause = createPause()
  for (const path of paths) {
    isProduction(path)
    if (pause.isDue()) await pause.take()
  }
}
