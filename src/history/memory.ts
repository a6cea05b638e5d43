import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import { countRepositories, findRepository, loadInventoryState, loadRepository, loadRunState } from './load-memory.ts'
import { type InventoryState, type RepositoryMemory, type RunState, emptyMemory } from './repository-memory.ts'
import type { Rows } from './rows.ts'
import { countRunStates, createStateCache, inventoryStates } from './state-cache.ts'

/**
 * The projection's memory of a ledger: repositories, and the states of the runs and inventories that were looked at last. What is planned is
 * remembered before it is committed, so a step that fails throws all of it away.
 */
export interface HistoryMemory {
  /** Known by name, or from now on. */
  repository(name: string, rows: Rows): Promise<RepositoryMemory>
  /** Of a counting seal; empty for -1. */
  runState(memory: RepositoryMemory, seq: number): Promise<RunState>
  rememberRunState(memory: RepositoryMemory, seq: number, state: RunState): void
  inventoryState(memory: RepositoryMemory, seq: number): Promise<InventoryState>
  rememberInventoryState(memory: RepositoryMemory, seq: number, state: InventoryState): void
  /** After a step was committed: what is not in the tables yet must not go before. */
  trim(): void
}

/** Of one ledger. The last state of each kind is kept whatever it takes. */
const maxRunBytes = 32 * 1_048_576
const maxInventoryBytes = 16 * 1_048_576
const maxRepositories = 200

export function createMemory(db: Queryable, ledger: LedgerName): HistoryMemory {
  const repositories = new Map<string, RepositoryMemory>()
  const runStates = createStateCache(maxRunBytes, countRunStates())
  const inventories = createStateCache(maxInventoryBytes, inventoryStates)
  let known: number | undefined

  const touch = (name: string, memory: RepositoryMemory): RepositoryMemory => {
    repositories.delete(name)
    repositories.set(name, memory)
    return memory
  }
  const keyOf = ({ id }: RepositoryMemory, seq: number): string => `${id}/${seq}`

  return {
    async repository(name, rows) {
      const held = repositories.get(name)
      if (held !== undefined) return touch(name, held)
      known ??= await countRepositories(db, ledger)
      const id = await findRepository(db, ledger, name)
      if (id !== undefined) return touch(name, await loadRepository(db, ledger, id))
      const made = emptyMemory(known)
      known += 1
      rows.repositories.push({ id: made.id, repository: name })
      return touch(name, made)
    },
    async runState(memory, seq) {
      if (seq < 0) return new Map()
      const key = keyOf(memory, seq)
      return runStates.get(key) ?? runStates.set(key, await loadRunState(db, ledger, memory, seq))
    },
    rememberRunState: (memory, seq, state) => void runStates.set(keyOf(memory, seq), state),
    async inventoryState(memory, seq) {
      if (seq < 0) return new Map()
      const key = keyOf(memory, seq)
      return inventories.get(key) ?? inventories.set(key, await loadInventoryState(db, ledger, memory, seq))
    },
    rememberInventoryState: (memory, seq, state) => void inventories.set(keyOf(memory, seq), state),
    trim() {
      runStates.trim()
      inventories.trim()
      for (const name of repositories.keys()) {
        if (repositories.size <= maxRepositories) break
        repositories.delete(name)
      }
    },
  }
}
