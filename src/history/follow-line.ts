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
  return moveLine(toMoves(hunks, back), line)
}

/** For each hunk its first line, the line behind it, and by how much numbers from there on move: beyond 32 bits where a map says so. */
type Moves = Float64Array

function toMoves(hunks: Hunks, back: boolean): Moves {
  const moves = new Float64Array((hunks.length / 4) * 3)
  for (let i = 0, at = 0; i < hunks.length; i += 4) {
    const [from, count, to, newCount] = hunks.slice(i, i + 4) as [number, number, number, number] // hunks are fours
    // As in git, the number of an empty side is that of the line before it.
    const [here, size] = back ? [to, newCount] : [from, count]
    const [there, newSize] = back ? [from, count] : [to, newCount]
    const start = size === 0 ? here + 1 : here
    moves[at++] = start
    moves[at++] = start + size
    moves[at++] = (newSize === 0 ? there + 1 : there) + newSize - (start + size)
  }
  return moves
}

function moveLine(moves: Moves, line: number): number {
  let offset = 0
  for (let i = 0; i < moves.length; i += 3) {
    if (line < (moves[i] as number)) break // below the length, like the others
    if (line < (moves[i + 1] as number)) return 0
    offset = moves[i + 2] as number
  }
  return line + offset
}

/** Versions have numbers from 0, so that following a line of a file through a thousand versions makes one array and nothing else. */
export interface Versions {
  readonly count: number
  /** Undefined for a version that no map leads from or to. */
  numberOf(version: string): number | undefined
  /**
   * The line at every version that is joined to this one by maps: its number, 0 where it is not there, -1 for a version that is not joined. Of
   * several ways the one with the fewest maps counts, then the first by the names of versions; a way on which the line is there goes before one on
   * which it is lost.
   */
  follow(version: number, line: number): Float64Array
}

interface Edge {
  to: number
  hunks: Hunks
  back: boolean
  moves: Moves
}

export function createVersions(maps: readonly VersionMap[]): Versions {
  const names = [...new Set(maps.flatMap(({ from, to }) => [from, to]))].sort()
  const index = new Map(names.map((name, i) => [name, i]))
  const edges: Edge[][] = names.map(() => [])
  for (const { from, to, hunks } of maps) {
    const [a, b] = [index.get(from) ?? 0, index.get(to) ?? 0]
    edges[a]?.push({ to: b, hunks, back: false, moves: toMoves(hunks, false) })
    edges[b]?.push({ to: a, hunks, back: true, moves: toMoves(hunks, true) })
  }
  const keyOf = ({ hunks, back }: Edge): string => `${hunks.join()}${back ? '<' : '>'}`
  for (const list of edges) if (list.length > 1) list.sort((a, b) => a.to - b.to || (keyOf(a) < keyOf(b) ? -1 : 1))
  const joined = joinedBy(edges)

  return {
    count: names.length,
    numberOf: (version) => index.get(version),
    follow(version, line) {
      const numbers = new Float64Array(names.length)
      for (let at = 0; at < numbers.length; at++) if (joined[at] !== joined[version]) numbers[at] = -1
      numbers[version] = line
      // Level by level along what is there; what is reached on none of these ways lacks the line.
      for (let level = [version]; level.length > 0;) {
        const reached: number[] = []
        for (const at of level)
          for (const { to, moves } of edges[at] as Edge[]) {
            if (numbers[to] !== 0) continue
            const number = moveLine(moves, numbers[at] as number)
            if (number === 0) continue
            numbers[to] = number
            reached.push(to)
          }
        level = reached.length > 1 ? reached.sort((a, b) => a - b) : reached
      }
      return numbers
    },
  }
}

/** By version, one of those that it is joined to: the same for all of them. */
function joinedBy(edges: readonly (readonly Edge[])[]): Int32Array {
  const joined = new Int32Array(edges.length).fill(-1)
  for (let first = 0; first < edges.length; first++) {
    if (joined[first] !== -1) continue
    joined[first] = first
    const open = [first]
    for (let at = open.pop(); at !== undefined; at = open.pop())
      for (const { to } of edges[at] ?? []) {
        if (joined[to] !== -1) continue
        joined[to] = first
        open.push(to)
      }
  }
  return joined
}
