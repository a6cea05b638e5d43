import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { commit, write } from '../commands/run-program.ts'

/** A git repository whose every line has a text of its own, so that what became of a line is known without any diff. */

export interface Snapshot {
  commit: string
  /** Where each text stands; line numbers from 1. */
  places: ReadonlyMap<string, Place>
  /** Texts that were moved within their file since the commit before: no diff can follow all of those. */
  moved: ReadonlySet<string>
}

export interface Place {
  path: string
  line: number
}

/** What no record may hold. */
export const secret = 'SECRET'

/** Commits random changes: lines inserted, deleted, changed and moved, files added, deleted, renamed, and renamed with changes. */
export function createMovingRepository(folder: string, seed: number): { next(): Snapshot } {
  const random = createRandom(seed)
  const files = new Map<string, string[]>()
  let made = 0
  const line = (): string => `  ${secret}-${made++} = ${random(1_000)}`
  const lines = (count: number): string[] => Array.from({ length: count }, line)
  const pick = (): string | undefined => [...files.keys()][random(files.size)]
  const save = (path: string): void =>
    void write(folder, path, (files.get(path) ?? []).map((text) => `${text}\n`).join(''))
  const add = (): void => {
    const path = `src/file ${made}.ts`
    files.set(path, lines(5 + random(60)))
    save(path)
  }
  const edit = (path: string, moved: Set<string>): void => {
    const texts = files.get(path) ?? []
    const at = random(texts.length + 1)
    const what = random(4)
    if (what === 0) texts.splice(at, 0, ...lines(1 + random(5)))
    else if (what === 1) texts.splice(at, 1 + random(3))
    else if (what === 2) texts.splice(at, 1, line())
    else {
      for (const text of texts) moved.add(text)
      texts.splice(random(texts.length), 0, ...texts.splice(at, 1 + random(4)))
    }
    save(path)
  }
  const rename = (from: string): string => {
    const to = `src/${random(2) === 0 ? 'deep/' : ''}renamed ${made++} ä.ts`
    files.set(to, files.get(from) ?? [])
    files.delete(from)
    write(folder, to, '')
    renameSync(join(folder, from), join(folder, to))
    return to
  }
  for (let i = 0; i < 12; i++) add()
  return {
    next() {
      const moved = new Set<string>()
      const edits = made === 0 ? 0 : 2 + random(6)
      for (let i = 0; i < edits; i++) {
        const path = pick()
        if (path !== undefined) edit(path, moved)
      }
      if (random(2) === 0) add()
      const gone = random(4) === 0 ? pick() : undefined
      if (gone !== undefined) {
        files.delete(gone)
        rmSync(join(folder, gone))
      }
      const renamed = random(2) === 0 ? [...files].find(([, texts]) => texts.length > 20)?.[0] : undefined
      if (renamed !== undefined) {
        const to = rename(renamed)
        if (random(2) === 0) files.get(to)?.splice(3, 0, line())
        save(to)
      }
      const places = new Map<string, Place>()
      for (const [path, texts] of files)
        for (const [i, text] of texts.entries()) places.set(text, { path, line: i + 1 })
      return { commit: commit(folder, `change ${made}`), places, moved }
    },
  }
}

/** The same numbers for the same seed, below `limit`. */
function createRandom(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}
