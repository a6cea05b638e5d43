import { maxPathBytes } from '../record/coverage.ts'
import { sha256Hex } from '../record/sha256.ts'

/**
 * From a path as a tool wrote it to a path in the repository. Nothing is guessed: a path is rewritten only when the result is in the tree, or when the
 * caller named what to remove (`root`, `strip`), or by taking a leading "./" away. All else is kept as written and flagged, because a wrong
 * file is worse than an unresolved one. No path is ever used on a file system.
 */
export interface WrittenPath {
  text: string
  /** Only when the bytes were not UTF-8: the same bytes read as Latin-1, as older lcov writes them. `text` then has the bytes escaped. */
  latin1?: string
  shape: Shape
}

type Shape = 'relative' | 'absolute' | 'other'

export interface ResolvedPath {
  path: string
  unresolved: boolean
  blob: string | undefined
}

export interface PathOptions {
  /** Absolute folder of the checkout on the CI machine: removed from the front, where it stands there. */
  root?: string | undefined
  /** A prefix to remove (after `root`). */
  strip?: string | undefined
  /** The files of the commit, with their blobs where known. Without it no path can be confirmed. */
  tree?: ReadonlySet<string> | ReadonlyMap<string, string> | undefined
}

export interface PathResolver {
  /** Why this path can never be one of the repository; undefined when it may be. */
  refusal(path: WrittenPath): string | undefined
  /** All paths of a report that were not refused, at once: absolute ones need each other. undefined: another one has the same name. */
  resolve(paths: readonly WrittenPath[]): (ResolvedPath | undefined)[]
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/**
 * A path from its bytes. Bytes that are not UTF-8 are escaped (\xE9, and the backslash itself as \\), so that two different
 * byte strings never become one text, as they would with replacement characters or by reading both as Latin-1.
 */
export function decodePath(bytes: Uint8Array): WrittenPath {
  try {
    return toWrittenPath(strictUtf8.decode(bytes))
  } catch {
    const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
    const text = latin1.replaceAll(/[\\\u0080-\u00ff]/g, (c) =>
      c === '\\' ? '\\\\' : `\\x${c.charCodeAt(0).toString(16).toUpperCase()}`,
    )
    return { text, latin1, shape: 'other' }
  }
}

/**
 * A path from text, as JSON gives it. A `data:` URL is no path but a source itself (browsers' reports have them), which must not leave the
 * machine in a name: its content is replaced by its digest.
 */
export function toWrittenPath(text: string): WrittenPath {
  if (!text.startsWith('data:')) return { text, shape: shapeOf(text) }
  const head = /^data:[\w.+-]*\/?[\w.+-]*/.exec(text.slice(0, 100))?.[0]
  const short = head !== undefined && text.includes(',') ? `${head};sha256=${sha256Hex(encoder.encode(text))}` : text
  return { text: short, shape: 'other' }
}

/** Places of an operating system where no checkout lies; /dev/shm is used for builds. */
const systemPlaces = /^\/(?:etc|proc|sys|boot|dev(?!\/shm\/))(?:\/|$)/
const drive = /^[A-Za-z]:[\\/]/

/** With forward slashes, if it is a Windows path or has no slash at all; a backslash in a path with slashes is part of a name. */
function toSlashes(path: string): string {
  return drive.test(path) || path.startsWith('\\\\') || !path.includes('/') ? path.replaceAll('\\', '/') : path
}

/** Without "." and ".." and empty segments; undefined when it climbs over its start. */
function normalize(path: string): string | undefined {
  if (!/(?:^|\/)\.{0,2}(?:\/|$)/.test(path.startsWith('/') ? path.slice(1) : path)) return path
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment !== '..') segments.push(segment)
    else if (segments.pop() === undefined) return undefined
  }
  return (path.startsWith('/') ? '/' : '') + segments.join('/')
}

/** What a character may do in a plain path: stand in a segment, and begin one. */
const [within, begins] = [1, 2]
const characters = new Uint8Array(128)
for (let c = 0x21; c < 0x7f; c += 1) characters[c] = within | begins
for (const c of './') characters[c.charCodeAt(0)] = within
for (const c of '\\":') characters[c.charCodeAt(0)] = 0

/**
 * Nearly all paths are ASCII without anything that could be normalized, escaped or refused. They are taken and resolved in 0.13 us; the regular expressions
 * that know the rest took 1.7 us, half of what a file of 60 lines may cost.
 */
function shapeOf(text: string): Shape {
  const start = text.startsWith('/') ? 1 : 0
  let allowed = begins
  for (let i = start; i < text.length; i += 1) {
    const c = text.charCodeAt(i)
    if (((characters[c] ?? 0) & allowed) === 0) return 'other'
    allowed = c === 0x2f ? begins : within
  }
  if (allowed === begins || text.length > maxPathBytes) return 'other'
  return start === 1 ? 'absolute' : 'relative'
}

function isAbsolute(path: string): boolean {
  return path.startsWith('/') || drive.test(path)
}

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

  function refusal(path: WrittenPath): string | undefined {
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

  /** Spellings of a relative path, the most literal first. */
  function spellings(path: WrittenPath, rest: string): string[] {
    const slashed = toSlashes(rest)
    const all = [rest, slashed, normalize(rest), normalize(slashed), rest.normalize('NFC'), rest.normalize('NFD')]
    if (path.latin1 !== undefined) all.push(strippedOf(path.latin1), strippedOf(path.latin1).normalize('NFC'))
    return all.filter((spelling) => spelling !== undefined)
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
        for (const folder of possibleRoots(path)) roots.set(folder, (roots.get(folder) ?? 0) + 1)
      if (paths.every(({ latin1 }) => latin1 === undefined)) return paths.map((path) => resolveOne(path, roots))
      const bytesNames = new Map<string, boolean>()
      return paths.map((path) => {
        const to = resolveOne(path, roots)
        // A name of escaped bytes and the same characters as text are two files that no record could tell apart.
        const isBytes = to.unresolved && path.latin1 !== undefined
        const known = bytesNames.get(to.path)
        if (known !== undefined && known !== isBytes) return undefined
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
