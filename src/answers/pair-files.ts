import { versionOf } from '../history/follow-line.ts'
import { type KeptLines, allLines, createKeptLines } from '../history/kept-lines.ts'
import type { VersionMap } from '../history/follow-line.ts'
import type { OpenedSide } from './difference-side.ts'
import type { Pairing } from './explain-difference.ts'

/** Which files of two sides are the same, under whatever name, and which of their lines. Pure. */

type Sided = Pick<OpenedSide, 'commit' | 'files' | 'blobOf'>

/** Paths of which it takes line maps to know: those whose content differs, or that only one side has. None within one commit. */
export function pathsToFollow(a: Sided, b: Sided): string[] {
  if (a.commit === b.commit) return []
  const isSame = (path: string): boolean => b.files.has(path) && a.blobOf(path) !== undefined && a.blobOf(path) === b.blobOf(path) // oxfmt-ignore
  const paths = new Set([...a.files.keys(), ...b.files.keys()].filter((path) => !(a.files.has(path) && isSame(path))))
  return [...paths].sort()
}

export function pairFiles(a: Sided, b: Sided, maps: readonly VersionMap[]): Pairing {
  const paths = new Map([...a.files.keys()].filter((path) => b.files.has(path)).map((path) => [path, path]))
  if (a.commit === b.commit) return { paths, kept: () => allLines }
  const kept = createKeptLines(maps)
  for (const [from, to] of renamed(a, b, kept)) paths.set(from, to)
  return {
    paths,
    kept(from) {
      const [blobA, to] = [a.blobOf(from), paths.get(from)]
      const blobB = to === undefined ? undefined : b.blobOf(to)
      if (to === undefined || blobA === undefined || blobB === undefined) return undefined
      return blobA === blobB ? allLines : kept.between(versionOf(from, blobA), versionOf(to, blobB))
    },
  }
}

/** Of files that only one side has: those that line maps join, then those of one content that either side has once. */
function renamed(a: Sided, b: Sided, kept: KeptLines): Map<string, string> {
  const found = new Map<string, string>()
  const [onlyA, onlyB] = [left(a, b), left(b, a)]
  const taken = new Set<string>()
  for (const [path, blob] of onlyA) {
    const reached = kept.reach(versionOf(path, blob))
    const to = [...onlyB].find(([other, of]) => !taken.has(other) && reached.has(versionOf(other, of)))?.[0]
    if (to === undefined) continue
    found.set(path, to)
    taken.add(to)
  }
  const once = (files: Iterable<[string, string]>) => [...Map.groupBy(files, ([, blob]) => blob)].filter(([, of]) => of.length === 1) // oxfmt-ignore
  const byBlob = new Map(once([...onlyB].filter(([path]) => !taken.has(path))).map(([blob, of]) => [blob, of[0]?.[0]]))
  for (const [blob, of] of once([...onlyA].filter(([path]) => !found.has(path)))) {
    const [path, to] = [of[0]?.[0], byBlob.get(blob)]
    if (path !== undefined && to !== undefined) found.set(path, to)
  }
  return found
}

/** Path and blob, in order. A file that the other side's commit has under this name, measured or not, was not renamed. */
function left(own: Sided, other: Sided): Map<string, string> {
  const found = new Map<string, string>()
  for (const path of [...own.files.keys()].sort()) {
    const blob = own.blobOf(path)
    if (blob !== undefined && other.blobOf(path) === undefined) found.set(path, blob)
  }
  return found
}
