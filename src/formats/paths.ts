import { maxPathBytes } from '../record/coverage.ts'
import { sha256Hex } from '../record/sha256.ts'

/**
 * From a path as a tool wrote it to a path in the repository. Nothing is guessed: a path is rewritten only when the result is in the tree, or when the
 * caller named what to remove (`root`, `strip`), or by taking a leading "./" away. All else is kept as written and flagged, because a wrong
 * file is worse than an unresolved one. No path is ever used on a file system.
 */
export interface WrittenPath {
  text: string
  /** Folders that the report names, below one of which the path lies (Cobertura's `source`); for a path that is absolute they mean nothing. */
  folders?: readonly string[]
  /** What the report knows of the file's place is only the end of its path: `text` without this is a name that the report gives to a group (JaCoCo). */
  tail?: string
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
  /** All paths of a report that were not refused, at once: absolute ones need each other. A text: why this one is left out. */
  resolve(paths: readonly WrittenPath[]): (ResolvedPath | string)[]
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

/**
 * A path below one of these folders. Some tools write their own option for a folder (`--source`), or an empty one: without any other it is relative to the
 * repository.
 */
export function toPathBelow(text: string, folders: readonly string[]): WrittenPath {
  const path = toWrittenPath(text)
  const named = folders.filter((folder) => folder !== '' && !folder.startsWith('--'))
  return named.length === 0 || isAbsolute(toSlashes(text)) ? path : { ...path, folders: named, shape: 'other' }
}

/** A path of which only the end is known. */
export function toPathWithTail(group: string, tail: string): WrittenPath {
  return { text: group + tail, tail, shape: 'other' }
}

/** Places of an operating system where no checkout lies; /dev/shm is used for builds. */
export const systemPlaces = /^\/(?:etc|proc|sys|boot|dev(?!\/shm\/))(?:\/|$)/
export const drive = /^[A-Za-z]:[\\/]/

/** With forward slashes, if it is a Windows path or has no slash at all; a backslash in a path with slashes is part of a name. */
export function toSlashes(path: string): string {
  return drive.test(path) || path.startsWith('\\\\') || !path.includes('/') ? path.replaceAll('\\', '/') : path
}

/** Without "." and ".." and empty segments; undefined when it climbs over its start. */
export function normalize(path: string): string | undefined {
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

export function isAbsolute(path: string): boolean {
  return path.startsWith('/') || drive.test(path)
}
