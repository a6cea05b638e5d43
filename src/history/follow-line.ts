import type { Hunks } from '../record/hunks.ts'

/**
 * Follows lines of a file through its versions: a version is a path and a blob, and between versions there are line maps, true whatever commits
 * lie between them. Pure, and a function of the maps, never of the order in which they came.
 */

export interface VersionMap {
  from: string
  to: string
  hunks: Hunks
}

/** One spelling of a version. Blobs are hex, so the first space ends them. */
export function versionOf(path: string, blob: string): string {
  return `${blob} ${path}`
}

/** The number on the other side of a map; 0 where the line is not there. `back` exchanges the sides. */
export function mapLine(hunks: Hunks, line: number, back: boolean): number {
  let offset = 0
  for (let i = 0; i < hunks.length; i += 4) {
    const [from, count, to, newCount] = hunks.slice(i, i + 4) as [number, number, number, number] // hunks are fours
    // As in git, the number of an empty side is that of the line before it.
    const [here, size] = back ? [to, newCount] : [from, count]
    const [there, newSize] = back ? [from, count] : [to, newCount]
    const start = size === 0 ? here + 1 : here
    if (line < start) return line + offset
    if (line < start + size) return 0
    offset = (newSize === 0 ? there + 1 : there) + newSize - (start + size)
  }
  return line + offset
}

export interface Versions {
  has(version: string): boolean
  /**
   * The line in every version that is joined to this one by maps: its number, or 0 where it is not there. Of several ways the one with the fewest
   * maps counts, then the first by the names of versions; a way on which the line is there goes before one on which it is lost.
   */
  follow(version: string, line: number): ReadonlyMap<string, number>
}

interface Edge {
  to: number
  hunks: Hunks
  back: boolean
}

export function createVersions(maps: readonly VersionMap[]): Versions {
  const names = [...new Set(maps.flatMap(({ from, to }) => [from, to]))].sort()
  const index = new Map(names.map((name, i) => [name, i]))
  const edges: Edge[][] = names.map(() => [])
  for (const { from, to, hunks } of maps) {
    const [a, b] = [index.get(from) ?? 0, index.get(to) ?? 0]
    edges[a]?.push({ to: b, hunks, back: false })
    edges[b]?.push({ to: a, hunks, back: true })
  }
  const keyOf = ({ hunks, back }: Edge): string => `${hunks.join()}${back ? '<' : '>'}`
  for (const list of edges) list.sort((a, b) => a.to - b.to || (keyOf(a) < keyOf(b) ? -1 : 1))

  return {
    has: (version) => index.has(version),
    follow(version, line) {
      const start = index.get(version)
      if (start === undefined) return new Map([[version, line]])
      const numbers = new Map<number, number>([[start, line]])
      // Level by level: first along what is there, then on from where it ends, so that versions behind it are known to lack the line.
      for (let level = [start]; level.length > 0;) {
        const reached: number[] = []
        for (const at of level)
          for (const { to, hunks, back } of edges[at] ?? []) {
            if (numbers.has(to)) continue
            const number = mapLine(hunks, numbers.get(at) ?? 0, back)
            if (number === 0) continue
            numbers.set(to, number)
            reached.push(to)
          }
        level = reached.sort((a, b) => a - b)
      }
      const open = [...numbers.keys()]
      for (let at = open.pop(); at !== undefined; at = open.pop())
        for (const { to } of edges[at] ?? []) {
          if (numbers.has(to)) continue
          numbers.set(to, 0)
          open.push(to)
        }
      return new Map([...numbers].map(([at, number]) => [names[at] ?? '', number]))
    },
  }
}
