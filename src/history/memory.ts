import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import { countRepositories, findRepository, loadInventoryState, loadRepository, loadRunState } from './load-memory.ts'
import { type InventoryState, type RepositoryMemory, type RunState, emptyMemory } from './repository-memory.ts'
import type { Rows } from './rows.ts'

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

/** Entries of all states together: a state that differs little from another shares nearly all of what its entries hold. */
const maxEntries = 1_000_000
const maxRepositories = 200

export function createMemory(db: Queryable, ledger: LedgerName): HistoryMemory {
  const repositories = new Map<string, RepositoryMemory>()
  const runStates = new Map<string, RunState>()
  const inventoryStates = new Map<string, InventoryState>()
  let known: number | undefined

  const touch = <T>(cache: Map<string, T>, key: string, value: T): T => {
    cache.delete(key)
    cache.set(key, value)
    return value
  }
  const keyOf = ({ id }: RepositoryMemory, seq: number): string => `${id}/${seq}`

  return {
    async repository(name, rows) {
      const held = repositories.get(name)
      if (held !== undefined) return touch(repositories, name, held)
      known ??= await countRepositories(db, ledger)
      const id = await findRepository(db, ledger, name)
      if (id !== undefined) return touch(repositories, name, await loadRepository(db, ledger, id))
      const made = emptyMemory(known)
      known += 1
      rows.repositories.push({ id: made.id, repository: name })
      return touch(repositories, name, made)
    },
    async runState(memory, seq) {
      if (seq < 0) return new Map()
      const key = keyOf(memory, seq)
      return touch(runStates, key, runStates.get(key) ?? (await loadRunState(db, ledger, memory, seq)))
    },
    rememberRunState: (memory, seq, state) => void touch(runStates, keyOf(memory, seq), state),
    async inventoryState(memory, seq) {
      if (seq < 0) return new Map()
      const key = keyOf(memory, seq)
      return touch(
        inventoryStates,
        key,
        inventoryStates.get(key) ?? (await loadInventoryState(db, ledger, memory, seq)),
      )
    },
    rememberInventoryState: (memory, seq, state) => void touch(inventoryStates, keyOf(memory, seq), state),
    trim() {
      for (const cache of [runStates, inventoryStates] as Map<string, ReadonlyMap<number, unknown>>[]) {
        let entries = 0
        for (const { size } of cache.values()) entries += size
        for (const [key, { size }] of cache) {
          if (entries <= maxEntries || cache.size === 1) break
          cache.delete(key)
          entries -= size
        }
      }
      for (const name of repositories.keys()) {
        if (repositories.size <= maxRepositories) break
        repositories.delete(name)
      }
    },
  }
}
