import type { InventoryState, Known, RunState } from './repository-memory.ts'

/**
 * States that were looked at last, bounded by what they hold: a state shares with its base whatever did not change, and that is counted once.
 * What outlives the state that it was counted for is at most one whole state a suite.
 */
export interface StateCache<S> {
  get(key: string): S | undefined
  /** As the newest. Nothing goes before `trim`. */
  set(key: string, state: S): S
  trim(): void
}

export function createStateCache<S>(maxBytes: number, bytesOf: (state: S) => number): StateCache<S> {
  const cache = new Map<string, { state: S; bytes: number }>()
  let held = 0
  const newest = (key: string, entry: { state: S; bytes: number }): S => {
    cache.delete(key)
    cache.set(key, entry)
    return entry.state
  }
  return {
    get(key) {
      const entry = cache.get(key)
      return entry === undefined ? undefined : newest(key, entry)
    },
    set(key, state) {
      const bytes = bytesOf(state)
      held += bytes - (cache.get(key)?.bytes ?? 0)
      return newest(key, { state, bytes })
    },
    trim() {
      for (const [key, { bytes }] of cache) {
        if (held <= maxBytes || cache.size === 1) break
        cache.delete(key)
        held -= bytes
      }
    },
  }
}

/** About what V8 takes: for a place in a map, and for an entry with its objects beside its text and bytes. */
const placeBytes = 48
const entryBytes = 400

export function runStateBytes(): (state: RunState) => number {
  const counted = new WeakSet<Known>()
  return (state) => {
    let bytes = placeBytes * state.size
    for (const known of state.values()) {
      if (counted.has(known)) continue
      counted.add(known)
      bytes += entryBytes + (known.text?.length ?? 0) + known.states.reduce((sum, { packed }) => sum + packed.length, 0)
    }
    return bytes
  }
}

/** A blob's name is mostly that of the base. */
export const inventoryStateBytes = (state: InventoryState): number => 2 * placeBytes * state.size
