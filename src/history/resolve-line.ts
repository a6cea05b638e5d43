import type { FileFacts } from './file-facts.ts'
import { type Versions, versionOf } from './follow-line.ts'
import type { Timeline } from './timeline.ts'

/** Where one line of a file stands at every stretch of commits. Pure. */

export interface Placed {
  /** Index of the name under which the file is there; -1 where it is not. */
  path: number
  /** 0 where the file is there and the line is not. */
  line: number
  /** Not joined by line maps: the number is that of a neighbour. */
  byNumber: boolean
}

/** The same at every stretch. Arrays, since a picture of a file has one of these for each of its lines. */
export interface Placement {
  paths: Int32Array
  lines: Float64Array
  byNumber: Uint8Array
}

export function placedAt({ paths, lines, byNumber }: Placement, stretch: number): Placed {
  return { path: paths[stretch] ?? -1, line: lines[stretch] ?? 0, byNumber: byNumber[stretch] === 1 }
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
): Placement {
  const { count, width, versionAt, isThere } = tableOf(facts.paths, stretches, versions)
  /** By version: the line there, 0 where it is not there, -1 where that is not known. */
  const known = new Float64Array(count).fill(-1)
  const guessed = new Uint8Array(count)
  const learn = (stretch: number, path: number, number: number, byNumber: 0 | 1): void => {
    const set = (there: number, version: number): void => {
      if (there < 0 || (known[version] ?? 0) >= 0) return
      known[version] = there
      guessed[version] = byNumber
    }
    const version = versionAt[stretch * width + path] ?? -1
    if (version >= versions.count) set(number, version)
    else if (version >= 0) versions.follow(version, number).forEach(set)
  }

  const paths = new Int32Array(stretches.length).fill(-1)
  const lines = new Float64Array(stretches.length)
  const byNumber = new Uint8Array(stretches.length)
  const place = (stretch: number, path: number, number: number, guess: number): void => {
    paths[stretch] = path
    lines[stretch] = number
    byNumber[stretch] = guess
  }
  /** `before` is the nearest stretch towards the anchor at which the file was. */
  const resolve = (stretch: number, before: number): void => {
    const row = stretch * width
    let lost = -1
    for (let path = 0; path < width; path++) {
      const version = versionAt[row + path] ?? -1
      const there = known[version] ?? -1
      if (there > 0) return place(stretch, path, there, guessed[version] ?? 0)
      if (there === 0 && lost < 0) lost = path
    }
    if (lost >= 0) return place(stretch, lost, 0, guessed[versionAt[row + lost] ?? -1] ?? 0)
    const [beforePath, number] = [paths[before] ?? -1, lines[before] ?? 0]
    let path = isThere[row + beforePath] === 1 ? beforePath : 0
    while (path < width && isThere[row + path] !== 1) path += 1
    if (path === width) return
    if (number > 0) learn(stretch, path, number, 1)
    place(stretch, path, number, 1)
  }

  place(anchor.stretch, anchor.path, line, 0)
  learn(anchor.stretch, anchor.path, line, 0)
  for (const step of [-1, 1]) {
    let before = anchor.stretch
    for (let i = anchor.stretch + step; i >= 0 && i < stretches.length; i += step) {
      resolve(i, before)
      if (paths[i] !== -1) before = i
    }
  }
  return { paths, lines, byNumber }
}

interface VersionTable {
  /** How many versions there are, those that no line map knows included. */
  count: number
  /** How many names: a row of the tables below is a stretch. */
  width: number
  /** The number of the version under each name; -1 where its blob is not known. */
  versionAt: Int32Array
  /** 1 where a file of this name is, or may be. */
  isThere: Uint8Array
}

/** The same for all lines of a question. */
const tables = new WeakMap<Timeline['stretches'], VersionTable>()

function tableOf(paths: readonly string[], stretches: Timeline['stretches'], versions: Versions): VersionTable {
  const known = tables.get(stretches)
  if (known !== undefined) return known
  const width = paths.length
  const versionAt = new Int32Array(stretches.length * width).fill(-1)
  const isThere = new Uint8Array(stretches.length * width)
  const others = new Map<string, number>()
  for (const [stretch, presence] of stretches.entries())
    for (const [path, one] of presence.entries()) {
      const at = stretch * width + path
      isThere[at] = one.kind === 'absent' ? 0 : 1
      if (one.kind !== 'blob') continue
      const version = versionOf(paths[path] ?? '', one.blob)
      const number = versions.numberOf(version) ?? others.get(version) ?? versions.count + others.size
      if (number >= versions.count) others.set(version, number)
      versionAt[at] = number
    }
  const table = { count: versions.count + others.size, width, versionAt, isThere }
  tables.set(stretches, table)
  return table
}
