import type { Hunks } from '../record/hunks.ts'
import { type LineRanges, appendRange } from '../record/lines.ts'
import type { VersionMap } from './follow-line.ts'

/**
 * Which lines two versions of a file have in common, as stretches: for questions about all lines of many files, which line by line would take too
 * long. Pure, and a function of the maps, never of the order in which they came.
 */

/** `length` lines from `from` on in one version are those from `to` on in the other; in ascending order on both sides. */
export interface Stretch {
  from: number
  to: number
  length: number
}

/** Behind the last hunk everything is kept, however long the file is. */
const endless = 2 ** 52

export const allLines: readonly Stretch[] = [{ from: 1, to: 1, length: endless }]

/** What a map keeps; `back` exchanges the sides. */
export function keptByHunks(hunks: Hunks, back = false): Stretch[] {
  const kept: Stretch[] = []
  let [from, to] = [1, 1]
  const keepUntil = (end: number): void => {
    if (end > from) kept.push(back ? { from: to, to: from, length: end - from } : { from, to, length: end - from })
  }
  for (let i = 0; i < hunks.length; i += 4) {
    const [at, count, newAt, newCount] = hunks.slice(i, i + 4) as [number, number, number, number] // hunks are fours
    // As in git, the number of an empty side is that of the line before it.
    keepUntil(count === 0 ? at + 1 : at)
    from = count === 0 ? at + 1 : at + count
    to = newCount === 0 ? newAt + 1 : newAt + newCount
  }
  keepUntil(endless)
  return kept
}

/** What is kept along both. */
export function joinKept(first: readonly Stretch[], second: readonly Stretch[]): Stretch[] {
  const kept: Stretch[] = []
  let j = 0
  for (const { from, to, length } of first) {
    while (j < second.length && endOf(second[j] as Stretch) <= to) j += 1
    for (let k = j; k < second.length; k++) {
      const next = second[k] as Stretch
      const begin = Math.max(to, next.from)
      const end = Math.min(to + length, endOf(next))
      if (next.from >= to + length) break
      if (end > begin) kept.push({ from: from + begin - to, to: next.to + begin - next.from, length: end - begin })
    }
  }
  return kept
}

const endOf = ({ from, length }: Stretch): number => from + length

/** These lines by their numbers in the other version; those that it does not have are left out. */
export function moveLines(lines: LineRanges, kept: readonly Stretch[]): LineRanges {
  if (kept === allLines) return lines
  const moved: number[] = []
  let i = 0
  for (const { from, to, length } of kept) {
    while (i < lines.length && (lines[i + 1] as number) < from) i += 2
    for (let k = i; k < lines.length && (lines[k] as number) < from + length; k += 2) {
      const [begin, end] = [Math.max(from, lines[k] as number), Math.min(from + length - 1, lines[k + 1] as number)]
      appendRange(moved, to + begin - from, to + end - from)
    }
  }
  return moved
}

export interface KeptLines {
  /** Along the fewest maps between two versions, of several such ways the first by the names of versions; undefined where no way leads. */
  between(from: string, to: string): readonly Stretch[] | undefined
  /** The versions that maps join to this one, itself among them. */
  reach(version: string): ReadonlySet<string>
}

interface Edge {
  to: string
  map: VersionMap
  back: boolean
}

export function createKeptLines(maps: readonly VersionMap[]): KeptLines {
  const edges = new Map<string, Edge[]>()
  const add = (from: string, edge: Edge): void => void edges.set(from, [...(edges.get(from) ?? []), edge])
  for (const map of maps) {
    add(map.from, { to: map.to, map, back: false })
    add(map.to, { to: map.from, map, back: true })
  }
  const keyOf = ({ to, map, back }: Edge): string => `${to}\n${back ? 1 : 0} ${map.hunks.join()}`
  for (const list of edges.values()) list.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  /** For each version that is reached the way to it; ends with `to`. */
  const search = (from: string, to?: string): Map<string, Edge[]> => {
    const reached = new Map<string, Edge[]>([[from, []]])
    for (let level = [from]; level.length > 0 && (to === undefined || !reached.has(to));) {
      const next: string[] = []
      for (const at of level)
        for (const edge of edges.get(at) ?? []) {
          if (reached.has(edge.to)) continue
          reached.set(edge.to, [...(reached.get(at) ?? []), edge])
          next.push(edge.to)
        }
      level = next.sort()
    }
    return reached
  }
  return {
    between(from, to) {
      const way = search(from, to).get(to)
      return way?.reduce<readonly Stretch[]>(
        (kept, { map, back }) => joinKept(kept, keptByHunks(map.hunks, back)),
        allLines,
      )
    },
    reach: (version) => new Set(search(version).keys()),
  }
}
