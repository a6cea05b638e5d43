import type { WrittenPath } from './paths.ts'
import type { Tally } from './tally.ts'

/** The files of a report by their names, which come again and again: classes of one file, methods of one class. */
export interface OpenedFiles {
  /** What is observed next is about the file of this name. False when its path is refused: that is listed once. */
  open(key: string, path: () => WrittenPath): boolean
  /** Forgets what was observed since, as if the file had not been opened. */
  drop(): void
  /** How many names there were, with those that are refused. */
  size(): number
}

const refusedFile = -1

export function createOpenedFiles(tally: Tally): OpenedFiles {
  const numbers = new Map<string, number>()
  let last: string | undefined
  return {
    open(key, path) {
      const known = numbers.get(key)
      last = undefined
      if (known === refusedFile) return false
      if (known === undefined) {
        const number = tally.add(path())
        numbers.set(key, number)
        if (number < 0) return false
        last = key
      } else tally.open(known)
      return true
    },
    drop() {
      tally.drop()
      if (last !== undefined) numbers.delete(last)
      last = undefined
    },
    size: () => numbers.size,
  }
}
