import type { WrittenPath } from './paths.ts'

/**
 * Which file of the commit a path ends in, for reports that know packages and no folders (JaCoCo). One is found when it is the only file with that end
 * and no other group of the report claims it; else by the folder in which the group's other files were found so, if exactly one of the files in
 * question lies there. All else stays open: the same package and file in two modules is common.
 */
export function matchTails(
  paths: readonly WrittenPath[],
  tree: ReadonlySet<string> | ReadonlyMap<string, string> | undefined,
): Map<WrittenPath, string> {
  const found = new Map<WrittenPath, string>()
  if (tree === undefined) return found
  const byName = new Map<string, string[]>()
  const claims = new Map<string, number>()
  for (const { tail } of paths) {
    if (tail === undefined) continue
    byName.set(nameOf(tail), [])
    claims.set(tail, (claims.get(tail) ?? 0) + 1)
  }
  for (const file of tree.keys()) byName.get(nameOf(file))?.push(file)

  const open: [path: WrittenPath, tail: string, candidates: string[]][] = []
  /** Groups, each with the folders in which its files were found beyond doubt. */
  const folders = new Map<string, Set<string>>()
  for (const path of paths) {
    const { tail } = path
    if (tail === undefined) continue
    const candidates = (byName.get(nameOf(tail)) ?? []).filter((file) => file === tail || file.endsWith(`/${tail}`))
    const [only, other] = candidates
    // A name without a package says too little alone.
    if (only !== undefined && other === undefined && claims.get(tail) === 1 && tail.includes('/')) {
      found.set(path, only)
      const group = groupOf(path, tail)
      folders.set(group, (folders.get(group) ?? new Set()).add(only.slice(0, -tail.length)))
    } else if (only !== undefined) open.push([path, tail, candidates])
  }
  for (const [path, tail, candidates] of open) {
    const known = folders.get(groupOf(path, tail))
    const [only, other] = candidates.filter((file) => known?.has(file.slice(0, -tail.length)) === true)
    if (only !== undefined && other === undefined) found.set(path, only)
  }
  return found
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
const groupOf = ({ text }: WrittenPath, tail: string): string => text.slice(0, text.length - tail.length)
