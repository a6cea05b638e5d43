import type { FileFacts } from './file-facts.ts'
import { type Versions, versionOf } from './follow-line.ts'
import type { Presence, Timeline } from './timeline.ts'

/** Where one line of a file stands at every stretch of commits. Pure. */

export interface Placed {
  /** Index of the name under which the file is there; -1 where it is not. */
  path: number
  /** 0 where the file is there and the line is not. */
  line: number
  /** Not joined by line maps: the number is that of a neighbour. */
  byNumber: boolean
}

export interface Anchor {
  stretch: number
  /** Index of the name. */
  path: number
}

/** From the anchor on, one stretch after the other: towards the first, then towards the last. */
export function resolveLine(
  facts: Pick<FileFacts, 'paths'>,
  { stretches }: Pick<Timeline, 'stretches'>,
  versions: Versions,
  anchor: Anchor,
  line: number,
): Placed[] {
  const known = new Map<string, { line: number; byNumber: boolean }>()
  const names = namesOf(facts.paths, stretches)
  const learn = (stretch: number, path: number, number: number, byNumber: boolean): void => {
    const name = names[stretch]?.[path]
    if (name === undefined) return
    for (const [version, at] of versions.follow(name, number))
      if (!known.has(version)) known.set(version, { line: at, byNumber })
  }

  /** `before` is the nearest place towards the anchor at which the file was. */
  const resolve = (stretch: number, before: Placed): Placed => {
    const presence = stretches[stretch] ?? []
    let lost: Placed | undefined
    for (let path = 0; path < presence.length; path++) {
      const name = names[stretch]?.[path]
      const found = name === undefined ? undefined : known.get(name)
      if (found !== undefined && found.line > 0) return { path, ...found }
      if (found !== undefined) lost ??= { path, ...found }
    }
    if (lost !== undefined) return lost
    const isThere = (path: number): boolean => presence[path] !== undefined && presence[path].kind !== 'absent'
    const path = [before.path, ...presence.keys()].find(isThere)
    if (path === undefined) return { path: -1, line: 0, byNumber: false }
    if (before.line > 0) learn(stretch, path, before.line, true)
    return { path, line: before.line, byNumber: true }
  }

  const start: Placed = { path: anchor.path, line, byNumber: false }
  learn(anchor.stretch, anchor.path, line, false)
  const placed: Placed[] = stretches.map(() => start)
  const walk = (step: 1 | -1): void => {
    let before = start
    for (let i = anchor.stretch + step; i >= 0 && i < stretches.length; i += step) {
      const found = resolve(i, before)
      placed[i] = found
      if (found.path >= 0) before = found
    }
  }
  walk(-1)
  walk(1)
  return placed
}

/** The version at each stretch under each name, where its blob is known: the same for all lines of a question. */
const named = new WeakMap<Timeline['stretches'], (string | undefined)[][]>()

function namesOf(paths: readonly string[], stretches: Timeline['stretches']): (string | undefined)[][] {
  const nameOf = (one: Presence, path: number): string | undefined =>
    one.kind === 'blob' ? versionOf(paths[path] ?? '', one.blob) : undefined
  const names = named.get(stretches) ?? stretches.map((presence) => presence.map(nameOf))
  named.set(stretches, names)
  return names
}
