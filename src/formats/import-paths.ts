import type { PathOptions, WrittenPath } from './paths.ts'
import { toWrittenPath } from './paths.ts'

/**
 * Go names a file by the import path of its package: the path of the module, which stands in go.mod, and the path within it. go.mod is not sent here, but the
 * tree of the commit tells the rest: a file of the tree is meant when the name ends in its path below the nearest go.mod. What stands before that is the path
 * of that module, one and the same for all of its files: the one that most names of the report agree on. A draw resolves nothing.
 *
 * Answers the paths with those names replaced; all others stay as they are, and are flagged if the tree does not know them.
 */
export function resolveImports(written: readonly WrittenPath[], { tree, strip }: PathOptions): readonly WrittenPath[] {
  const names = written.map(withoutUnderscore)
  // Who says what to strip knows the module.
  if (tree === undefined || (strip !== undefined && strip !== '')) return names
  const byName = filesByName(tree, new Set(names.map(({ text }) => baseOf(text))))
  const all = names.map(({ text }) => (tree.has(text) ? [] : candidatesOf(text, byName.get(baseOf(text)) ?? [])))
  const votes = new Map<string, Map<string, number>>()
  for (const { folder, module } of all.flat()) {
    const ofFolder = votes.get(folder) ?? new Map<string, number>()
    votes.set(folder, ofFolder.set(module, (ofFolder.get(module) ?? 0) + 1))
  }
  const modules = new Map([...votes].map(([folder, ofFolder]) => [folder, winnerOf(ofFolder)]))
  return names.map((name, i) => {
    const meant = (all[i] ?? []).filter(({ folder, module }) => modules.get(folder) === module)
    const [only, ...others] = meant
    return only === undefined || others.length > 0 ? name : toWrittenPath(only.path)
  })
}

/** A file that may be meant: were `module` the path of the module in `folder`. */
interface Candidate {
  path: string
  folder: string
  module: string
}

interface TreeFile {
  path: string
  /** The nearest folder above with a go.mod; the root when there is none. */
  folder: string
}

/** The files whose path below their module is the end of the name: those with the longest such path, since x.go alone says little. */
function candidatesOf(name: string, files: readonly TreeFile[]): Candidate[] {
  let longest = 0
  let best: Candidate[] = []
  for (const { path, folder } of files) {
    const within = folder === '' ? path : path.slice(folder.length + 1)
    if (within.length < longest || !name.endsWith(`/${within}`)) continue
    if (within.length > longest) best = []
    longest = within.length
    best.push({ path, folder, module: name.slice(0, -within.length - 1) })
  }
  return best
}

function filesByName(
  tree: NonNullable<PathOptions['tree']>,
  wanted: ReadonlySet<string>,
): ReadonlyMap<string, readonly TreeFile[]> {
  const byName = new Map<string, TreeFile[]>()
  for (const path of tree.keys()) {
    const name = baseOf(path)
    if (!wanted.has(name)) continue
    const files = byName.get(name) ?? []
    files.push({ path, folder: moduleFolderOf(path, tree) })
    byName.set(name, files)
  }
  return byName
}

function moduleFolderOf(path: string, tree: NonNullable<PathOptions['tree']>): string {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
    if (tree.has(`${path.slice(0, at)}/go.mod`)) return path.slice(0, at)
  return ''
}

/** The one with most votes; undefined on a draw. */
function winnerOf(votes: ReadonlyMap<string, number>): string | undefined {
  const [first, second] = [...votes].toSorted(([, a], [, b]) => b - a)
  return first === undefined || first[1] === second?.[1] ? undefined : first[0]
}

/** `_/builds/app/x.go`: an absolute path, as Go writes it outside of modules. */
function withoutUnderscore(path: WrittenPath): WrittenPath {
  return path.latin1 === undefined && path.text.startsWith('_/') ? toWrittenPath(path.text.slice(1)) : path
}

const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
