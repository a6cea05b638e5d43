import type { InventoryState, Known, RunState } from './repository-memory.ts'

/** States that were looked at last, bounded by what they hold: a state shares with its base whatever did not change, and that is counted once. */
export interface StateCache<S> {
  get(key: string): S | undefined
  /** As the newest. Nothing goes before `trim`. */
  set(key: string, state: S): S
  trim(): void
}

/** What a state adds to those that are held, and what is free when it goes; in bytes. */
export interface Counting<S> {
  add(state: S): number
  remove(state: S): number
}

export function createStateCache<S>(maxBytes: number, counting: Counting<S>): StateCache<S> {
  const cache = new Map<string, S>()
  let held = 0
  const drop = (key: string): void => {
    const state = cache.get(key)
    if (state === undefined) return
    cache.delete(key)
    held -= counting.remove(state)
  }
  return {
    get(key) {
      const state = cache.get(key)
      if (state === undefined) return undefined
      cache.delete(key)
      cache.set(key, state)
      return state
    },
    set(key, state) {
      held += counting.add(state)
      drop(key)
      cache.set(key, state)
      return state
    },
    trim() {
      for (const key of cache.keys()) {
        if (held <= maxBytes || cache.size === 1) break
        drop(key)
      }
    },
  }
}

/** About what V8 takes: for a place in a map, and for an entry with its objects beside its text and bytes. */
const placeBytes = 48
const entryBytes = 400

/** What several states share is free when the last of them goes. */
export function countRunStates(): Counting<RunState> {
  const holders = new Map<Known, number>()
  const bytesOf = ({ text, states }: Known): number =>
    entryBytes + (text?.length ?? 0) + states.reduce((sum, { packed }) => sum + packed.length, 0)
  return {
    add(state) {
      let bytes = placeBytes * state.size
      for (const known of state.values()) {
        const before = holders.get(known) ?? 0
        holders.set(known, before + 1)
        if (before === 0) bytes += bytesOf(known)
      }
      return bytes
    },
    remove(state) {
      let bytes = placeBytes * state.size
      for (const known of state.values()) {
        const left = (holders.get(known) ?? 1) - 1
        if (left > 0) holders.set(known, left)
        else {
          holders.delete(known)
          bytes += bytesOf(known)
        }
      }
      return bytes
    },
  }
}

/** A blob's name is mostly that of the base. */
const bytesOfInventory = (state: InventoryState): number => 2 * placeBytes * state.size
export const inventoryStates: Counting<InventoryState> = { add: bytesOfInventory, remove: bytesOfInventory }
