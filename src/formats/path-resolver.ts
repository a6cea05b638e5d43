import { maxPathBytes } from '../record/coverage.ts'
import { matchTails } from './path-tails.ts'
import type { PathOptions, PathResolver, ResolvedPath, WrittenPath } from './paths.ts'
import { drive, isAbsolute, normalize, systemPlaces, toSlashes, toWrittenPath } from './paths.ts'
import { withoutTrailing } from '../record/trailing.ts'

const encoder = new TextEncoder()

export function createPathResolver(options: PathOptions = {}): PathResolver {
  const { tree } = options
  const strip = options.strip === '' ? undefined : options.strip
  const root = options.root === undefined || options.root === '' ? undefined : normalize(toSlashes(options.root))
  const blobOf = (path: string): string | undefined => (tree instanceof Map ? tree.get(path) : undefined)

  /** Relative to `root` and without `strip`, as far as they apply. */
  function strippedOf(path: string): string {
    let rest = path
    const slashed = toSlashes(path)
    if (root !== undefined && isAbsolute(slashed)) {
      const full = normalize(slashed)
      if (full?.startsWith(`${root}/`)) rest = full.slice(root.length + 1)
    }
    if (strip !== undefined && rest.startsWith(strip)) rest = rest.slice(strip.length).replace(/^\/+/, '')
    return rest.replace(/^(?:\.\/+)+/, '')
  }

  /** Of one that has folders: when it can be below none of them. */
  function refusal(path: WrittenPath): string | undefined {
    if (path.folders === undefined || path.text.trim() === '') return refusalOfOne(path)
    const reasons = candidatesOf(path).map(refusalOfOne)
    return reasons.includes(undefined) ? undefined : reasons[0]
  }

  function refusalOfOne(path: WrittenPath): string | undefined {
    const { text } = path
    const shape = strip === undefined ? path.shape : 'other'
    if (shape === 'relative') return undefined
    if (shape === 'absolute' && root === undefined && !systemPlaces.test(text)) return undefined
    if (text.trim() === '') return 'the path is empty'
    // Longest first, so that nothing below works on megabytes.
    if (text.length > maxPathBytes || encoder.encode(JSON.stringify(text)).length - 2 > maxPathBytes)
      return `the path is longer than ${maxPathBytes} bytes`
    if (/\p{Cc}/u.test(text)) return 'the path has a control character'
    if (!text.isWellFormed()) return 'the path is not valid Unicode'
    const rest = strippedOf(text)
    const normal = normalize(toSlashes(rest).replace(drive, '/'))
    if (normal === undefined) return 'the path leaves the repository'
    if (normal === '' || normal === '/') return 'the path names no file'
    if (systemPlaces.test(normal) && !drive.test(rest)) return 'the path lies outside any repository'
    return undefined
  }

  /** The path as it would be below each of its folders; itself when it has none. */
  function candidatesOf(path: WrittenPath): readonly WrittenPath[] {
    const { text, folders } = path
    if (folders === undefined) return [path]
    const below = toSlashes(text)
    return folders.map((folder) => toWrittenPath(`${withoutTrailing(folder, '\\/')}/${below}`))
  }

  /** Spellings of a relative path, the most literal first. */
  function spellings(path: WrittenPath, rest: string): string[] {
    const slashed = toSlashes(rest)
    const all = [rest, slashed, normalize(rest), normalize(slashed), rest.normalize('NFC'), rest.normalize('NFD')]
    if (path.latin1 !== undefined) all.push(strippedOf(path.latin1), strippedOf(path.latin1).normalize('NFC'))
    return all.filter((spelling) => spelling !== undefined)
  }

  /** Exactly one file of the commit, else it is kept as written (one folder), or left out (several): a wrong file would be worse. */
  function resolveBelow(path: WrittenPath, roots: ReadonlyMap<string, number>): ResolvedPath | string {
    const asWritten = { path: path.text, unresolved: true, blob: undefined }
    const candidates = candidatesOf(path).filter((candidate) => refusalOfOne(candidate) === undefined)
    const known = new Map<string, ResolvedPath>()
    for (const candidate of candidates) {
      const to = resolveOne(candidate, roots)
      if (!to.unresolved) known.set(to.path, to)
    }
    const [first, second] = known.values()
    // Without the files of the commit it could as well be below another one.
    if (tree === undefined) return first !== undefined && candidates.length === 1 ? first : asWritten
    if (second !== undefined)
      return `it could be ${first?.path} or ${second.path}: the report names several source folders`
    if (first === undefined && candidates.length > 1)
      return 'it is no file of the commit below any of the source folders that the report names'
    return first ?? asWritten
  }

  function resolveOne(path: WrittenPath, roots: ReadonlyMap<string, number>): ResolvedPath {
    const { text, latin1, shape } = path
    if (strip === undefined && shape === 'relative')
      return { path: text, unresolved: tree !== undefined && !tree.has(text), blob: blobOf(text) }
    const rest = strippedOf(text)
    const known =
      tree === undefined
        ? undefined
        : (spellings(path, rest).find((spelling) => tree.has(spelling)) ?? belowRoot(path, roots))
    if (known !== undefined) return { path: known, unresolved: false, blob: blobOf(known) }
    const isPlain =
      tree === undefined && latin1 === undefined && !isAbsolute(toSlashes(rest)) && normalize(rest) === rest
    return isPlain
      ? { path: rest, unresolved: false, blob: undefined }
      : { path: text, unresolved: true, blob: undefined }
  }

  /** Every folder that could be the checkout, were this absolute path a file of the tree. */
  function possibleRoots(path: WrittenPath): string[] {
    const full = toFull(path)
    if (full === undefined || tree === undefined) return []
    const roots: string[] = []
    for (let at = full.indexOf('/', 1); at > 0; at = full.indexOf('/', at + 1)) {
      if (tree.has(full.slice(at + 1))) roots.push(full.slice(0, at))
    }
    if (full.startsWith('/') && tree.has(full.slice(1))) roots.push('')
    return roots
  }

  /**
   * The file below the one folder that most paths of the report point to as the checkout. Of several folders above this path the
   * best supported one decides alone, so that node_modules/x/index.js does not become index.js; a draw is ambiguous and resolves nothing.
   */
  function belowRoot(path: WrittenPath, roots: ReadonlyMap<string, number>): string | undefined {
    const full = toFull(path)
    if (full === undefined || tree === undefined) return undefined
    let [best, votes, isDraw] = [undefined as string | undefined, 0, false]
    for (let at = full.startsWith('/') ? 0 : full.indexOf('/'); at >= 0; at = full.indexOf('/', at + 1)) {
      const folder = full.slice(0, at)
      const support = roots.get(folder) ?? 0
      if (support > votes) [best, votes, isDraw] = [folder, support, false]
      else if (support === votes && support > 0) isDraw = true
    }
    const found = best === undefined || isDraw ? undefined : full.slice(best.length + 1)
    // /usr/include/list.h beside a report full of /home/ci/app/...: one file name alone says too little.
    if (found === undefined || !tree.has(found) || (votes < 2 && roots.size > 1 && !found.includes('/')))
      return undefined
    return found
  }

  return {
    refusal,
    resolve(paths) {
      const roots = new Map<string, number>()
      for (const path of tree === undefined ? [] : paths)
        for (const candidate of candidatesOf(path))
          for (const folder of possibleRoots(candidate)) roots.set(folder, (roots.get(folder) ?? 0) + 1)
      const tails = paths.some(({ tail }) => tail !== undefined) ? matchTails(paths, tree) : undefined
      const resolveAny = (path: WrittenPath): ResolvedPath | string => {
        if (path.folders !== undefined) return resolveBelow(path, roots)
        const known = tails?.get(path)
        if (known !== undefined) return { path: known, unresolved: false, blob: blobOf(known) }
        const to = resolveOne(path, roots)
        // A package is no folder, even where nothing contradicts.
        return path.tail === undefined || tree !== undefined ? to : { ...to, path: path.text, unresolved: true }
      }
      if (paths.every(({ latin1 }) => latin1 === undefined)) return paths.map(resolveAny)
      const bytesNames = new Map<string, boolean>()
      return paths.map((path) => {
        const to = resolveAny(path)
        if (typeof to === 'string') return to
        // A name of escaped bytes and the same characters as text are two files that no record could tell apart.
        const isBytes = to.unresolved && path.latin1 !== undefined
        const known = bytesNames.get(to.path)
        if (known !== undefined && known !== isBytes)
          return 'another file of the report has this name in another encoding'
        bytesNames.set(to.path, isBytes)
        return to
      })
    },
  }
}

/** The absolute path in one spelling; undefined for a relative one. */
function toFull(path: WrittenPath): string | undefined {
  const slashed = toSlashes(path.latin1 ?? path.text)
  return isAbsolute(slashed) ? normalize(slashed) : undefined
}
